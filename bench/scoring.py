"""Candidate scoring: all candidates of a question in one row beside a full row for each.

    python -m bench.scoring          # inference and training, fp32, one thread, a few minutes
    python -m bench.scoring --quick  # the first case, three rounds

6 layers, hidden 384, 6 heads, vocabulary 30,592, fp32, no dropout. A question has a passage of A
tokens and C candidates of three. The peer is the same model with the passage repeated in C rows of
one batch, as evaluation harnesses do for answers of several tokens; it, too, computes logits only
where candidates are scored. Shown is how many times more questions per CPU second the packed row
answers: least, median and greatest over the rounds. Scores must agree to 1e-5 per token.
"""

import argparse
from types import SimpleNamespace
from typing import Any

from bench.measure import interleaved, load, one_thread
from bench.training import special

# (A, C, at least in inference, at least in training; 0: not claimed)
CASES = ((300, 24, 14.0, 10.0), (450, 50, 28.0, 20.0))
TOKENS = 3  # of a candidate


def items(length: int, candidates: int):
    """One question twice: as the cloze style packs it, and with a full row per candidate."""
    import numpy as np

    from glm.adaptation.cloze import ClozeStyle, Terms, branches
    from glm.adaptation.encoding import Source
    from glm.adaptation.items import Item
    from glm.objectives.layout import BLANK
    from tasks.spec import Cloze

    rng = np.random.default_rng(0)
    ids = special()
    text = rng.integers(1000, 30000, length).tolist()
    text[0], text[length // 2], text[-1] = ids.cls, ids.mask, ids.eos
    words = rng.integers(1000, 30000, (candidates, TOKENS)).tolist()
    given = Source(tuple(text), (length // 2,))
    question = Cloze("1", (), tuple(map(str, range(candidates))), (0,))
    packed = ClozeStyle()._item(question, given, words, False, ids)
    reads = range(TOKENS + 1)
    rows = tuple(branches(given, [[ids.start, *w]], [reads], BLANK) for w in words)
    read_K = np.arange(candidates * (TOKENS + 1))
    target_K = np.array([[*w, ids.end] for w in words]).ravel()
    plan = Terms(read_K, target_K, read_K // (TOKENS + 1), candidates, False)
    return packed, Item(question, rows, plan=plan)


def tokenizer() -> Any:
    """What the style asks of a tokenizer here: BERT's special ids."""
    return SimpleNamespace(special=special())


def measure(length: int, candidates: int, rounds: int) -> tuple:
    """(inference, training) ratios packed over full rows, and the greatest difference of scores."""
    import torch

    from glm.adaptation.cloze import ClozeStyle
    from glm.models.transformer import Shape, build

    shape = Shape(6, 384, 6, 30592, dropout=0.0, attention_dropout=0.0, activation="gelu")
    model, style, words = build(shape, seed=0), ClozeStyle(), tokenizer()
    packed, full = items(length, candidates)

    def answer(item):
        return style.answer(model, None, [item], words, batch_positions=1 << 20)[0]

    def train(item):
        model.zero_grad(set_to_none=True)
        style.loss(model, None, [item], words).backward()

    ours, theirs = (torch.tensor(answer(item).scores) for item in (packed, full))
    difference = float((ours - theirs).abs().max()) / (TOKENS + 1)
    calls = {"packed": 4, "full": 1}
    asked = {"packed": lambda: answer(packed), "full": lambda: answer(full)}
    inference = interleaved(asked, rounds, warmup=1, calls=calls)
    taught = {"packed": lambda: train(packed), "full": lambda: train(full)}
    training = interleaved(taught, rounds, warmup=1, calls=calls)
    return inference.ratio("packed", "full"), training.ratio("packed", "full"), difference


def main() -> int:
    """Print the table; exit code 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first case, three rounds")
    quick = parser.parse_args().quick
    one_thread()
    from glm.training.allocator import tune_allocator

    tune_allocator()
    held = True
    print(f"load {load()}")
    print("case       what        least  median greatest   claim   difference per token")
    for length, candidates, at_inference, at_training in CASES[: 1 if quick else None]:
        *ratios, difference = measure(length, candidates, 3 if quick else 5)
        claims = (("inference", at_inference), ("training", at_training))
        for (what, claim), ratio in zip(claims, ratios, strict=True):
            held &= ratio.median >= claim and difference <= 1e-5
            case = f"A{length} C{candidates}"
            spread = f"{ratio.low:7.2f} {ratio.median:7.2f} {ratio.high:7.2f}"
            print(f"{case:10} {what:10} {spread}  {claim:6.1f}   {difference:.1e}")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
