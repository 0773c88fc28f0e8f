"""WSC: does a pronoun refer to a given noun phrase?

    {"text": "Mark told Pete many lies about himself, which Pete included in his book. He should
     have been more truthful.", "target": {"span1_index": 0, "span1_text": "Mark",
     "span2_index": 13, "span2_text": "He"}, "label": true, "idx": 0}

    Mark told Pete many lies about himself, which Pete included in his book. *He* should have been
    more truthful. The pronoun '*He*' refers to [MASK].          Mark | Pete | many lies | his book

Three modes, of which `rank` is the default:

rank      the span against other noun phrases, by mean log-probability; True if the span is best.
          Only True rows train, with at most nine negatives a question.
generate  would the model write just the span? Only True rows train.
classify  two classes for the text and the span (the classifier style).

Negatives are the row's `candidates` where its file has them, and are mined by rule otherwise.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.blind import swapped
from tasks.errors import UserError
from tasks.metrics import ACCURACY, TWINS
from tasks.source.faults import kept, label, require, shape, texts, visible
from tasks.spec import Classify, Cloze, How, Question, Row, Task, Text
from tasks.superglue.noun_phrases import RULE, negatives
from tasks.superglue.official import hub_rows, on_hub
from tasks.wording import BLANK, cut, marked, pair, require_pattern, write

LABELS = (False, True)
FIELDS = ("text", "span1_text", "span1_index", "span2_text", "span2_index")
MODES = ("rank", "generate", "classify")
MOST_NEGATIVES = 9  # a training question


def ask(row: Row, how: How) -> list[Question]:
    """The questions of a row; patterns 0 to 2 in the modes `rank` and `generate`."""
    require_pattern("WSC", how, WSC.patterns)
    mode = _mode(how)
    if mode == "classify":
        return [_classified(row)]
    if how.train and row.get("label") is not True:
        return []
    span, text = row["span1_text"], _patterns(row)[how.pattern]
    if mode == "generate":
        right = () if "label" not in row else (0,) if row["label"] else (1,)
        return [Cloze(row["id"], text, (span,), right, reduce="mean", loss="generate")]
    others = others_than_span(row)
    if not how.train:
        # Any other phrase is right where the span is not: then the choice alone tells the label.
        rest = tuple(range(1, len(others) + 1))
        right = () if "label" not in row else (0,) if row["label"] else rest
        return [Cloze(row["id"], text, (span, *others), right, reduce="mean", loss="mix")]
    return [
        Cloze(
            f"{row['id']}-{n}" if n else row["id"], text, (span, *nine), (0,), False, "mean", "mix"
        )
        for n, nine in enumerate(_by_nine(others))
    ]


def _mode(how: How) -> str:
    mode = how.mode or ("classify" if how.style == "classifier" else "rank")
    if mode not in MODES:
        raise UserError(f"WSC has no mode {mode!r}: it is one of {', '.join(MODES)}.")
    if (mode == "classify") != (how.style == "classifier"):
        raise UserError(f"WSC's mode {mode} does not go with the style {how.style}.")
    return mode


def _by_nine(others: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Groups of nine; the last is filled up from the first. Nine or fewer are one group."""
    if len(others) <= MOST_NEGATIVES:
        return [others]
    ring = others + others[:MOST_NEGATIVES]
    return [ring[i : i + MOST_NEGATIVES] for i in range(0, len(others), MOST_NEGATIVES)]


def others_than_span(row: Row) -> tuple[str, ...]:
    """The row's own candidates, or mined ones: distinct, none of them the span."""
    given = {c.casefold(): c for c in row.get("candidates", ()) if visible(c)}
    given.pop(row["span1_text"].casefold(), None)
    found = pronoun_span(row)
    return tuple(given.values()) or negatives(row["text"], row["span1_text"], found or (0, 0))


def pronoun_span(row: Row) -> tuple[int, int] | None:
    """Start and end of the pronoun in the text; None where it is not there.

    `span2_index` counts words between spaces. In the official files it is off by one here and
    there, and punctuation may cling to the word.
    """
    words = list(re.finditer(r"\S+", row["text"]))
    pronoun = re.compile(rf"\W*({re.escape(row['span2_text'])})(?!\w)", re.IGNORECASE)
    for shift in (0, 1, -1):
        index = row["span2_index"] + shift
        if 0 <= index < len(words):
            found = pronoun.match(row["text"], words[index].start())
            if found:
                return found.span(1)
    return None


def withheld(row: Row, other: Row) -> Row:
    """The row's candidates, its own ones also where they are mined, for the pronoun of another."""
    own = {**row, "candidates": [row["span1_text"], *others_than_span(row)]}
    return swapped("text", "span2_text", "span2_index")(own, other)


def _starred(row: Row) -> tuple[str, tuple[int, int]]:
    """The text with the pronoun between stars, and where the pronoun stands in it."""
    start, end = pronoun_span(row) or (0, 0)
    text = row["text"]
    return f"{text[:start]}*{text[start:end]}*{text[end:]}", (start + 1, end + 1)


def _patterns(row: Row) -> tuple[Text, ...]:
    text, pronoun = cut(_starred(row)[0]), f"the pronoun '*{row['span2_text']}*'"
    asked = f" Question: In the passage above, what does {pronoun} refer to? Answer:"
    return (
        write(text, f" The{pronoun[3:]} refers to", BLANK, "."),
        write(text, f" In the previous sentence, {pronoun} refers to", BLANK, "."),
        write(text, asked, BLANK, "."),
    )


def _classified(row: Row) -> Classify:
    """Two classes; the pronoun and the span are marked, the latter on its own side where its words
    stand apart in the text."""
    text, pronoun = _starred(row)
    span = re.search(rf"(?<!\w){re.escape(row['span1_text'])}(?!\w)", text, re.IGNORECASE)
    a = marked(text, {1: pronoun} | ({2: span.span()} if span else {}))
    b = replace(cut(row["span1_text"]), mark=0 if span else 2)
    return pair(row, write(*a), write(b, side="b"), LABELS)


def rows(record: Mapping[str, Any]) -> list[Row]:
    """A record of the official file -> a flat row. Raises `BadRow`."""
    require(shape(record, target=dict))
    flat = dict(record) | {
        name: record["target"][name] for name in FIELDS[1:] if name in record["target"]
    }
    row = kept(flat, *FIELDS, "label")
    if "candidates" in record:
        require(shape(record, candidates=list))
        phrases = [c.get("text") if isinstance(c, dict) else c for c in record["candidates"]]
        require(None if all(isinstance(p, str) for p in phrases) else "a candidate is no text")
        row["candidates"] = phrases
    return [row]


def check(row: Row) -> str | None:
    """The row's fault, or None.

    The pronoun must stand at its index, give or take a word; of the span all words must be in the
    text (the official test split asks for "Stalin and Kamenev" where they stand apart).
    """
    fault = texts(row, "text", "span1_text", "span2_text")
    fault = fault or shape(row, span1_index=int, span2_index=int)
    if fault:
        return fault
    if not pronoun_span(row):
        return f"span is not in its text: {row['span2_text']!r} at word {row['span2_index']}"
    words = set(re.findall(r"\w+", row["text"].casefold()))
    missing = [w for w in re.findall(r"\w+", row["span1_text"].casefold()) if w not in words]
    if missing:
        return f"span is not in its text: {row['span1_text']!r}"
    return label(row, LABELS)


def _notes(how: How) -> str:
    """For the signature: the mode, where none was named, and whence the negatives are."""
    mode = _mode(how)
    negatives_from = f"negatives:file-or-{RULE}" if mode == "rank" else ""
    return "|".join(part for part in ("" if how.mode else f"mode:{mode}", negatives_from) if part)


WSC = Task(
    "wsc",
    "WSC",
    group="superglue",
    folder="superglue/WSC",
    ask=ask,
    metrics=(ACCURACY, TWINS),
    check=check,
    patterns=3,
    modes={"cloze": ("rank", "generate"), "classifier": ("classify",)},
    levels=(1, 2, 3, 4),
    rows=rows,
    hub=on_hub("wsc", hub_rows(LABELS, *FIELDS)),
    counts={"train": 554, "dev": 104, "test": 146},
    notes=_notes,
    withhold=withheld,
)
