"""WiC: does a word have the same sense in two sentences?

{"word": "place", "sentence1": "Do you want to come over to my place later?", "start1": 31,
 "end1": 36, "sentence2": "A political system with no place for the less prominent groups.",
 "start2": 27, "end2": 32, "label": false, "idx": 0}

"Do you want to come over to my place later?" / "A political system with no place for the less
prominent groups." Similar sense of "place"? [MASK].          No | Yes
"""

from tasks.blind import swapped
from tasks.metrics import ACCURACY, TWINS
from tasks.source.faults import kept, label, shape, texts, visible
from tasks.spec import Cloze, How, Question, Row, Task, Text
from tasks.superglue.official import hub_rows, on_hub
from tasks.wording import BLANK, cut, gold, marked, pair, require_pattern, write

LABELS = (False, True)
FIELDS = ("word", "sentence1", "sentence2", "start1", "end1", "start2", "end2")
VERBALIZERS = (("No", "Yes"), ("No", "Yes"), ("2", "b"))


def ask(row: Row, how: How) -> list[Question]:
    """One question; patterns 0 to 2. A classifier's question marks the word in both sentences."""
    require_pattern("WiC", how, WIC.patterns)
    if how.style == "classifier":
        return [_classified(row)]
    text = _patterns(row["word"], row["sentence1"], row["sentence2"])[how.pattern]
    words = VERBALIZERS[how.pattern]
    return [Cloze(row["id"], text, words, gold(row, LABELS), verbalizer=True)]


def _patterns(w: str, s1: str, s2: str) -> tuple[Text, ...]:
    same = " have the same meaning in both sentences?"
    return (
        write('"', cut(s1), '" / "', cut(s2), f'" Similar sense of "{w}"?', BLANK, "."),
        write(cut(s1), " ", cut(s2), f" Does {w}{same}", BLANK),
        write(f'{w} . Sense (1) (a) "', cut(s1), '" (', BLANK, ') "', cut(s2), '"'),
    )


def _classified(row: Row) -> Question:
    sentences = (
        marked(row[f"sentence{n}"], {n: (row[f"start{n}"], row[f"end{n}"])}) for n in (1, 2)
    )
    first, second = sentences
    return pair(row, write(f"{row['word']}: ", *first), write(*second, side="b"), LABELS)


def check(row: Row) -> str | None:
    """The row's fault, or None; the spans must lie in their sentences and hold a word."""
    fault = texts(row, "word", "sentence1", "sentence2")
    fault = fault or shape(row, start1=int, end1=int, start2=int, end2=int)
    if fault:
        return fault
    for n in "12":
        sentence, start, end = row[f"sentence{n}"], row[f"start{n}"], row[f"end{n}"]
        if not 0 <= start < end <= len(sentence) or not visible(sentence[start:end]):
            return f"span is not in its text: {start}..{end} of sentence{n}"
    return label(row, LABELS)


WIC = Task(
    "wic",
    "WiC",
    group="superglue",
    folder="superglue/WiC",
    ask=ask,
    metrics=(ACCURACY, TWINS),
    check=check,
    patterns=3,
    levels=(1,),
    rows=lambda record: [kept(record, *FIELDS, "label")],
    hub=on_hub("wic", hub_rows(LABELS, *FIELDS)),
    counts={"train": 5428, "dev": 638, "test": 1400},
    withhold=swapped("sentence1", "start1", "end1"),
)
