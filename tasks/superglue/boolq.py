"""BoolQ: is the answer to a question about a passage yes or no?

{"passage": "Persian is spoken in Iran and, as Dari, in Afghanistan.", "label": true, "idx": 0,
 "question": "do iran and afghanistan speak the same language"}

Persian is spoken in Iran and, as Dari, in Afghanistan. Question: do iran and afghanistan speak
the same language? Answer: [MASK].          No | Yes
"""

from tasks.blind import swapped
from tasks.metrics import ACCURACY, TWINS
from tasks.source.faults import kept, label, texts
from tasks.spec import Cloze, How, Question, Row, Task, Text
from tasks.superglue.official import hub_rows, on_hub
from tasks.wording import BLANK, cut, gold, pair, require_pattern, write

LABELS = (False, True)
FIELDS = ("passage", "question", "label")
# Odd patterns are the even ones before them with other words for the answers.
VERBALIZERS = (("No", "Yes"), ("false", "true"))


def ask(row: Row, how: How) -> list[Question]:
    """One question; patterns 0 to 5."""
    require_pattern("BoolQ", how, BOOLQ.patterns)
    passage, question = cut(row["passage"]), cut(row["question"])
    if how.style == "classifier":
        return [pair(row, write(passage), write(question, side="b"), LABELS)]
    words = VERBALIZERS[how.pattern % 2]
    text = _patterns(row["passage"], row["question"])[how.pattern // 2]
    return [Cloze(row["id"], text, words, gold(row, LABELS), verbalizer=True)]


def _patterns(p: str, q: str) -> tuple[Text, ...]:
    return (
        write(cut(p), " Question: ", cut(q), "? Answer:", BLANK, "."),
        write(cut(p), " Based on the previous passage, ", cut(q), "?", BLANK, "."),
        write("Based on the following passage ", cut(q), "?", BLANK, ". ", cut(p)),
    )


def check(row: Row) -> str | None:
    """The row's fault, or None."""
    return texts(row, "passage", "question") or label(row, LABELS)


BOOLQ = Task(
    "boolq",
    "BoolQ",
    group="superglue",
    folder="superglue/BoolQ",
    ask=ask,
    metrics=(ACCURACY, TWINS),
    check=check,
    patterns=6,
    levels=(1, 2, 3, 4),
    rows=lambda record: [kept(record, *FIELDS)],
    hub=on_hub("boolq", hub_rows(LABELS, "passage", "question")),
    counts={"train": 9427, "dev": 3270, "test": 3245},
    withhold=swapped("passage"),
)
