"""Whether every system learns what can be learned: `python -m bench.controls`, ten minutes.

Every shipped system is pretrained on texts that repeat two words, at twice the width of
`tests/glm/test_learning.py` and for longer, and then finetuned on 2,000 rows in RTE's format that a
keyword decides, in each style in which RTE can be put to it. A loss near the entropy of the words,
or an accuracy near a half, is a fault of ours and not a finding about an objective.
"""

import argparse
from time import process_time

from ablations.systems import VARIANTS
from bench.measure import one_thread
from glm.adaptation.requirements import REQUIREMENTS, fitting
from tasks import TASKS
from tests.glm import learning


def main() -> None:
    """Train, ask and print a line for each system and style."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(VARIANTS)
    parser.add_argument("--systems", nargs="+", default=names, choices=names, metavar="SYSTEM")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--hidden", type=int, default=64)
    options = parser.parse_args()
    one_thread()
    print(f"{'system':28}{'loss':>7}{'unigram':>9}  {'style':14}{'accuracy':>9}{'CPU s':>8}")
    for name in options.systems:
        layout = VARIANTS[name].objective.layout
        for style in fitting(TASKS["rte"].styles, layout):
            if not REQUIREMENTS[style].trained:
                continue
            begin = process_time()
            # Anew for each style: finetuning changes the model.
            found = learning.pretrained(
                VARIANTS[name], options.steps, hidden=options.hidden, lr=3e-3
            )
            reached = learning.accuracy(found, style)
            taken = process_time() - begin
            print(
                f"{name:28}{found.loss:7.2f}{found.unigram:9.2f}  {style:14}{reached:9.3f}"
                f"{taken:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
