"""What the eight SuperGLUE tasks share: how a pattern is written down, and where the rows are.

A pattern is a list of pieces: plain strings are fixed, `cut(...)` may be shortened from its end
when the question is too long, `BLANK` is the blank. Spaces are part of the pieces.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.errors import UserError
from tasks.source.faults import identity, shape
from tasks.spec import Blank, Classify, How, OnHub, Part, Row, Text

BLANK = Blank()
HUB_PATH = "aps/super_glue"
HUB_REVISION = "3de24cf8022e94f4ee4b9d55a6f539891524d646"  # the parquet files of the main branch


def cut(text: str) -> Part:
    """A part that may be shortened from its end."""
    return Part(text, cut="end")


def marked(text: str, words: Mapping[int, tuple[int, int]]) -> list[Part]:
    """A text whose words (number -> start and end, apart from each other) are parts of their own.

    A text that is too long keeps a window around its first word.
    """
    parts, at, end = [], 0, "start"
    for number, (start, stop) in sorted(words.items(), key=lambda word: word[1]):
        parts += [Part(text[at:start], cut=end), Part(text[start:stop], mark=number)]
        at, end = stop, "end"
    return [*parts, cut(text[at:])]


def write(*pieces: str | Part | Blank, side: str = "a") -> Text:
    """Pieces -> parts of one side; empty pieces fall away."""
    parts = (Part(piece) if isinstance(piece, str) else piece for piece in pieces)
    return tuple(replace(p, side=side) for p in parts if isinstance(p, Blank) or p.text)


def bare(text: str) -> str:
    """A text without its final punctuation (or whole, where it is nothing else)."""
    return text.strip().rstrip(string.punctuation).rstrip() or text.strip()


def uncapitalised(text: str) -> str:
    """A text with its first letter in lower case."""
    return text[:1].lower() + text[1:]


def require_pattern(title: str, how: How, patterns: int) -> None:
    """Raises `UserError` for a pattern that the task does not have."""
    if how.style == "cloze" and not 0 <= how.pattern < patterns:
        raise UserError(f"{title} has no pattern {how.pattern}: it has 0 to {patterns - 1}.")


def gold(row: Row, labels: Sequence[Any]) -> tuple[int, ...]:
    """The label's index as gold; nothing for an unlabelled row."""
    return (labels.index(row["label"]),) if "label" in row else ()


def pair(row: Row, a: Text, b: Text, labels: Sequence[Any], **more: Any) -> Classify:
    """The classifier's question about a pair of texts, one logit per label."""
    return Classify(
        id=row["id"],
        inputs=(a + b,),
        classes=len(labels),
        labels=tuple(map(str, labels)),
        gold=gold(row, labels),
        **more,
    )


# ---- the hub


def on_hub(config: str, rows: Callable[[Mapping[str, Any]], list[Row]]) -> OnHub:
    """A configuration of SuperGLUE on the hub."""
    return OnHub(HUB_PATH, config, HUB_REVISION, rows)


def hub_rows(labels: Sequence[Any], *names: str) -> Callable[[Mapping[str, Any]], list[Row]]:
    """The hub's rows as the official ones: same fields, the label's number back to its value."""

    def rows(record: Mapping[str, Any]) -> list[Row]:
        row = {"id": identity(record)} | {name: record[name] for name in names if name in record}
        return [row | hub_label(record, labels)]

    return rows


def hub_label(record: Mapping[str, Any], labels: Sequence[Any]) -> dict[str, Any]:
    """The hub numbers its classes and writes -1 where the official file has no label."""
    if shape(record, label=int) or record["label"] == -1:
        return {}
    number = record["label"]
    return {"label": labels[number] if 0 <= number < len(labels) else number}
