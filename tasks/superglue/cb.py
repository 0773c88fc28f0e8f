"""CB (CommitmentBank): is a clause in a text true, false, or neither?

{"premise": "It was a complex language. Not written down but handed down. One might say it was
 peeled down.", "hypothesis": "the language was peeled down", "label": "entailment", "idx": 0}

"the language was peeled down" ? [MASK], "It was a complex language. Not written down but handed
down. One might say it was peeled down."          Yes | No | Maybe
"""

from tasks.blind import swapped
from tasks.metrics import ACCURACY, MACRO_F1, TWINS
from tasks.source.faults import kept, label, texts
from tasks.spec import Cloze, How, Question, Row, Task
from tasks.superglue.official import hub_rows, on_hub
from tasks.superglue.rte import patterns, premise_and_hypothesis
from tasks.wording import gold, require_pattern

LABELS = ("entailment", "contradiction", "neutral")
VERBALIZERS = ("Yes", "No", "Maybe")
TRUTH = ("true", "false", "neither")


def ask(row: Row, how: How) -> list[Question]:
    """One question; patterns 0 to 4."""
    require_pattern("CB", how, CB.patterns)
    if how.style == "classifier":
        return [premise_and_hypothesis(row, LABELS)]
    text = patterns(row["premise"], row["hypothesis"], "true, false or neither?")[how.pattern]
    words = TRUTH if how.pattern == 4 else VERBALIZERS
    return [Cloze(row["id"], text, words, gold(row, LABELS), verbalizer=True)]


def check(row: Row) -> str | None:
    """The row's fault, or None."""
    return texts(row, "premise", "hypothesis") or label(row, LABELS)


CB = Task(
    "cb",
    "CB",
    group="superglue",
    folder="superglue/CB",
    ask=ask,
    metrics=(MACRO_F1, ACCURACY, TWINS),
    check=check,
    patterns=5,
    levels=(1, 2, 3, 4),
    rows=lambda record: [kept(record, "premise", "hypothesis", "label")],
    hub=on_hub("cb", hub_rows(LABELS, "premise", "hypothesis")),
    counts={"train": 250, "dev": 56, "test": 250},
    withhold=swapped("premise"),
)
