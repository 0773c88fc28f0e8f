"""From a question's text to token ids: `[CLS] parts of side a, parts of side b, [EOS]`.

What stands between two blanks (or sides, where a separator comes between them) is tokenised as one
text, and a token belongs to the part in which it ends: a byte-level vocabulary spells " do" as one
word wherever the parts' border lies. A question that is too long is shortened token by token,
always in its last shortenable part of the side ("a" or "b") that has more shortenable tokens (side
b when equal), as GLM and PET do. Where that is not enough the longest other part is shortened, so
that a blank is never lost; GLM's code cuts the row's end instead. Parts that are there whole or not
at all (the shots of a prompt) go before anything is shortened, the first of them first. Where the
answers stand behind a source is the model's own `glm.objectives.layout.Layout`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.objectives.layout import BLANK, Layout
from tasks.errors import UserError
from tasks.spec import Blank, Cloze, Part, Text


@dataclass(frozen=True)
class Source:
    """The ids of a source, the index of each of its blanks, how many tokens were cut off, where its
    marked words are (by mark less one), and where its second side begins."""

    tokens: tuple[int, ...]
    blanks: tuple[int, ...]
    cut: int = 0
    words: tuple[tuple[int, ...], ...] = ()
    second: int | None = None


@dataclass(frozen=True)
class Piece:
    """A tokenised part; `ids` is None for a blank."""

    ids: list[int] | None
    cut: str
    side: str
    mark: int = 0


def pieces(
    texts: Iterable[Text], tokenizer: Tokenizer, *, separator: bool = False
) -> list[list[Piece]]:
    """Tokenise the parts of many texts in one call; `separator` as in `source`.

    A blank takes the white space before it, as `[MASK]` written in a text does.
    """
    # What is tokenised together: neighbours without a blank or a separator between them.
    runs: list[list[str]] = []
    ordered = [sorted(text, key=lambda p: p.side) if separator else text for text in texts]
    for text in ordered:
        before: Part | Blank | None = None
        for part in text:
            follows = isinstance(before, Part) and not (separator and before.side != part.side)
            if isinstance(part, Part):
                runs += [] if follows else [[]]
                runs[-1].append(part.text)
            elif follows:
                runs[-1][-1] = runs[-1][-1].rstrip()
            before = part
    encoded = tokenizer.encode_parts(runs)
    ids = iter([each for run in encoded for each in run])
    return [
        [
            Piece(None, "", part.side)
            if isinstance(part, Blank)
            else Piece(next(ids), part.cut, part.side, part.mark)
            for part in text
        ]
        for text in ordered
    ]


def answers(texts: Sequence[str], tokenizer: Tokenizer) -> list[list[int]]:
    """Tokenise what fills blanks: a word that follows a space, which matters to BPE."""
    strings = [" " + text.strip() for text in texts]
    return [list(ids) for ids in tokenizer.encode_batch(strings)] if strings else []


def candidates(questions: Sequence[Cloze], tokenizer: Tokenizer) -> list[list[list[int]]]:
    """The ids of every candidate of every question. Raises `UserError` for one without any: it
    would have nothing to be scored by."""
    flat = iter(answers([c for q in questions for c in q.candidates], tokenizer))
    found = [[next(flat) for _ in q.candidates] for q in questions]
    for question, ids in zip(questions, found, strict=True):
        for text, tokens in zip(question.candidates, ids, strict=True):
            if not tokens:
                raise UserError(
                    f"question {question.id}: the candidate {text[:40]!r} has no token in this "
                    f"vocabulary"
                )
    return found


def source(
    parts: Sequence[Piece],
    special: Special,
    room: int,
    name: str,
    *,
    layout: Layout = BLANK,
    separator: bool = False,
    ends: bool = True,
    masks: int = 1,
) -> Source:
    """Concatenate a question's pieces into at most `room` ids.

    `separator` puts [SEP] between the sides (classifier), which `pieces` has put in order; `ends`
    adds [CLS] and the end token; `masks` is how many [MASK]s stand for one blank (bert-cloze: the
    candidate's length). Raises `UserError`, with the question's `name`, where not even the blanks
    have room.
    """
    separator = separator and any(p.side == "b" for p in parts)
    masks = 0 if layout.blanks == "left out" else masks
    marks = (len(special.opens) + len(special.closes)) * ends + len(special.parts) * separator
    length = sum(masks if p.ids is None else len(p.ids) for p in parts)
    parts, gone = _whole(parts, length + marks - room)
    excess = max(0, length - gone + marks - room)
    kept = shorten([0 if p.ids is None else len(p.ids) for p in parts], parts, excess)
    if kept is None:
        raise UserError(
            f"question {name} does not fit: {room} positions are left for its text, and its blanks"
            f" and special tokens need more; raise the model's positions or shorten its answers"
        )
    tokens = list(special.opens) if ends else []
    blanks: list[int] = []
    words: dict[int, list[int]] = {part.mark: [] for part in parts if part.mark}
    separated, second = not separator, None
    for part, left in zip(parts, kept, strict=True):
        if part.side == "b" and not separated:
            tokens += special.parts
            separated, second = True, len(tokens)
        if part.ids is None:
            mask = layout.mask(special, len(blanks))
            blanks.append(len(tokens))
            tokens += [mask] * masks
        else:
            if part.mark:  # a word that is the beginning of a longer token has that one
                words[part.mark] += range(len(tokens), len(tokens) + max(left, 1))
            tokens += part.ids[len(part.ids) - left :] if part.cut == "start" else part.ids[:left]
    if ends:
        tokens += special.closes
    marked = tuple(tuple(words[mark]) for mark in sorted(words))
    return Source(tuple(tokens), tuple(blanks), gone + excess, marked, second)


def _whole(parts: Sequence[Piece], excess: int) -> tuple[Sequence[Piece], int]:
    """The parts without as many of those that are there whole or not at all as `excess` tokens ask
    for, and how many tokens those had."""
    gone, left_out = 0, set()
    for i, part in enumerate(parts):
        if part.cut == "whole" and gone < excess:
            gone += len(part.ids or ())
            left_out.add(i)
    return [part for i, part in enumerate(parts) if i not in left_out], gone


def shorten(lengths: list[int], parts: Sequence[Piece], excess: int) -> list[int] | None:
    """Lengths of the parts after `excess` tokens have gone; None where that cannot be."""
    kept = list(lengths)
    free = {
        side: [i for i, p in enumerate(parts) if p.cut and p.side == side and kept[i]]
        for side in ("a", "b")
    }
    a, b = (sum(kept[i] for i in free[side]) for side in ("a", "b"))

    # Token by token from the side that has more (b when equal): first down to equal sides, then
    # by turns.
    gone = min(excess, a + b)
    level = min(gone, abs(a - b))
    turns = gone - level
    from_a = level * (a > b) + turns // 2
    for side, count in (("a", from_a), ("b", gone - from_a)):
        for i in reversed(free[side]):
            taken = min(kept[i], count)
            kept[i] -= taken
            count -= taken
    return _level(kept, excess - gone)


def _level(kept: list[int], excess: int) -> list[int] | None:
    """Take `excess` tokens, one by one, from whichever part is the longest (the last of equals)."""
    while excess:
        top = max(kept, default=0)
        if not top:
            return None
        longest = [i for i, length in enumerate(kept) if length == top]
        below = max((length for length in kept if length < top), default=0)
        rounds, more = divmod(min(excess, (top - below) * len(longest)), len(longest))
        for place, i in enumerate(reversed(longest)):
            kept[i] -= rounds + (place < more)
        excess -= rounds * len(longest) + more
    return kept
