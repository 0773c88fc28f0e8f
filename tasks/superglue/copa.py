"""COPA: which of two alternatives is the cause, or the effect, of a premise?

    {"premise": "The man broke his toe.", "question": "cause", "label": 1, "idx": 0,
     "choice1": "He got a hole in his sock.", "choice2": "He dropped a hammer on his foot."}

    "he got a hole in his sock" or "he dropped a hammer on his foot"? The man broke his toe because
    [MASK].          he got a hole in his sock | he dropped a hammer on his foot

Training asks every row twice, with the alternatives in either order.
"""

from tasks.blind import swapped
from tasks.errors import UserError
from tasks.metrics import ACCURACY, TWINS
from tasks.source.faults import kept, label, texts
from tasks.spec import Classify, Cloze, How, Question, Row, Task, Text
from tasks.superglue.official import hub_rows, on_hub
from tasks.wording import BLANK, bare, cut, gold, require_pattern, uncapitalised, write

LABELS = (0, 1)
FIELDS = ("premise", "choice1", "choice2", "question")
CONNECTIVE = {"cause": " because", "effect": ", so"}


def ask(row: Row, how: How) -> list[Question]:
    """One question, in training two; patterns 0 and 1.

    The original's pattern 2 has no blank to fill: it gives each alternative and predicts the
    connective before it, so that it is two texts and not one question with candidates.
    """
    if how.style == "cloze" and how.pattern == 2:
        raise UserError("COPA's pattern 2 (predict the connective) is no cloze question here.")
    require_pattern("COPA", how, COPA.patterns)
    put = _classified if how.style == "classifier" else _cloze
    return [put(row, how), put(_swapped(row), how)] if how.train else [put(row, how)]


def _swapped(row: Row) -> Row:
    other = {"id": row["id"] + "m", "choice1": row["choice2"], "choice2": row["choice1"]}
    return {**row, **other} | ({"label": 1 - row["label"]} if "label" in row else {})


def _choices(row: Row) -> tuple[str, str]:
    first, second = (bare(uncapitalised(row[name].strip())) for name in ("choice1", "choice2"))
    return first, second


def _cloze(row: Row, how: How) -> Cloze:
    choices = _choices(row)
    text = _patterns(bare(row["premise"]), *choices, CONNECTIVE[row["question"]])[how.pattern]
    return Cloze(row["id"], text, choices, gold(row, LABELS))


def _patterns(premise: str, c1: str, c2: str, connective: str) -> tuple[Text, ...]:
    end = (cut(premise), connective, BLANK, ".")
    return (
        write('"', cut(c1), '" or "', cut(c2), '"? ', *end),
        write(cut(c1), " or ", cut(c2), "? ", *end),
    )


def _classified(row: Row, how: How) -> Classify:
    """One logit per alternative, each read after the premise and its connective."""
    connective = " " + CONNECTIVE[row["question"]].strip(", ")
    a = write(cut(row["premise"]), connective)
    choices = (row["choice1"], row["choice2"])
    inputs = tuple(a + write(cut(choice), side="b") for choice in choices)
    return Classify(row["id"], inputs, labels=choices, gold=gold(row, LABELS))


def check(row: Row) -> str | None:
    """The row's fault, or None."""
    if fault := texts(row, *FIELDS):
        return fault
    if row["question"] not in CONNECTIVE:
        return f"question outside its set: {row['question']!r} is neither cause nor effect"
    first, second = _choices(row)
    if first == second:
        return f"two equal choices: {first!r}"
    return label(row, LABELS)


COPA = Task(
    "copa",
    "COPA",
    group="superglue",
    folder="superglue/COPA",
    ask=ask,
    metrics=(ACCURACY, TWINS),
    check=check,
    patterns=2,
    levels=(1, 2, 3, 4),
    rows=lambda record: [kept(record, *FIELDS, "label")],
    hub=on_hub("copa", hub_rows(LABELS, *FIELDS)),
    counts={"train": 400, "dev": 100, "test": 500},
    withhold=swapped("premise"),
)
