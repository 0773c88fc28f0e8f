"""How a pattern is written down.

A pattern is a list of pieces: plain strings are fixed, `cut(...)` may be shortened from its end
when the question is too long, `BLANK` is the blank. Spaces are part of the pieces.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.errors import UserError
from tasks.spec import Blank, Classify, How, Part, Row, Text

BLANK = Blank()


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
    """Pieces -> parts of one side; empty pieces fall away.

    The space at the end of a fixed piece goes to the beginning of the piece that follows, and none
    stands before a blank.
    """
    parts: list[Part | Blank] = []
    space = ""
    for piece in pieces:
        if isinstance(piece, Blank):
            parts.append(replace(piece, side=side))
            space = ""
            continue
        part = Part(piece) if isinstance(piece, str) else piece
        text = space + part.text
        space = text[len(text.rstrip(" ")) :] if isinstance(piece, str) else ""
        if text := text.removesuffix(space):
            parts.append(replace(part, text=text, side=side))
    return tuple(parts)


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


def pair(row: Row, a: Text, b: Text, labels: Sequence[object], **more: Any) -> Classify:
    """The classifier's question about a pair of texts, one logit per label."""
    return Classify(
        id=row["id"],
        inputs=(a + b,),
        classes=len(labels),
        labels=tuple(map(str, labels)),
        gold=gold(row, labels),
        **more,
    )
