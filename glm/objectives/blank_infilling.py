"""Autoregressive blank infilling: Part A with blanks, Part B with what was in them.

Figure 2 of the paper, x = x1 .. x6 with the spans x3 and x5 x6, written in that order:

                          x1 x2 [M] x4 [M] | [S] x3 | [S] x5 x6
    tokens      =         1  2  M   4  M     S   3    S   5  6
    targets     =         -  -  -   -  -     3   E    5   6  E
    positions 1 =         0  1  2   3  4     2   2    4   4  4
    positions 2 =         0  0  0   0  0     1   2    1   2  3

(The figure in the paper counts positions from 1; the code, like the original's, from 0.) [S] and
[E] are `Special.start` and `Special.end`. `infill` does one sequence with given spans and is the
definition; `BlankInfilling` does a batch of rows with random spans and equals it.

Shapes: B rows, N raw tokens, T positions, U documents, S spans, P positions of Part B.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np

from glm.data.example import MULTIPLE, Batch, Example, round_up
from glm.data.special import Special
from glm.objectives.amounts import Amounts
from glm.objectives.documents import Documents, documents, ragged
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.spans import Choice, Poisson, Spans, by_group

Sentinels = Literal["", "masks", "full"]

_ORDER = 16  # the purpose of this module's draws; `glm.objectives.spans` uses those below
SHORT = Poisson()


def infill(
    text: Sequence[int],
    spans: Sequence[tuple[int, int]],
    special: Special,
    order: Sequence[int] | None = None,
    *,
    mask: int | None = None,
    sentinels: str = "",
    inner_positions: bool = True,
    end: bool = True,
    positions: int = 512,
) -> Example:
    """Blank out the spans [start, stop) of `text` and write them, in `order`, after it.

    `order` lists span numbers (left to right by default). `mask` is the blank's token ([MASK] by
    default). `end=False` leaves out the end token: the last token of a span is then only a target.
    The other switches are those of `BlankInfilling`.
    """
    order = range(len(spans)) if order is None else order
    shared = special.mask if mask is None else mask
    marks = [shared] * len(spans)
    if sentinels:
        for k, i in enumerate(order):
            marks[i] = special.sentinel_masks[k]
    tokens, blank = _part_a(text, spans, marks)
    context = len(tokens)
    targets, first, second = [-1] * context, list(range(context)), [0] * context
    for k, i in enumerate(order):
        words = list(text[slice(*spans[i])])
        start = special.sentinel_starts[k] if sentinels == "full" else special.start
        piece = [start, *words]
        goal = [*words, special.end]
        size = len(piece) if end else len(words)
        tokens += piece[:size]
        targets += goal[:size]
        first += [positions if sentinels == "full" else blank[i]] * size
        second += range(1, size + 1) if inner_positions else [1] * size
    return Example(
        np.array(tokens, np.int32),
        np.array(targets, np.int32),
        np.array([first, second], np.int32),
        context,
    )


def _part_a(
    text: Sequence[int], spans: Sequence[tuple[int, int]], marks: Sequence[int]
) -> tuple[list[int], dict[int, int]]:
    """The text with a mark in each span's place, and where these are, by the spans' numbers."""
    tokens: list[int] = []
    blank: dict[int, int] = {}
    at = 0
    for i in sorted(range(len(spans)), key=lambda i: spans[i]):
        begin, stop = spans[i]
        tokens += text[at:begin]
        blank[i] = len(tokens)
        tokens.append(marks[i])
        at = stop
    return [*tokens, *text[at:]], blank


@dataclass(frozen=True)
class BlankInfilling:
    """GLM's objective. The fields are the ablations of Table 6; the defaults are GLM.

    `sentinels`, "masks": the k-th span written has its own mask token in Part A; Part B is as
    ever. "full", the original's flag: the k-th span written has its own start token too, and all
    of Part B stands at the first position `positions`, so that only the sentinels tell which
    blank is meant. Sentinels are numbered in the order of writing, per document.
    """

    spans: Choice = SHORT
    shuffle: Annotated[bool, "write the spans in random order, not left to right"] = True
    sentinels: Annotated[Sentinels, "masks of their own, and start tokens with full"] = ""
    inner_positions: Annotated[bool, "without: the second position is 1 on all of Part B"] = True
    task_masks: Annotated[bool, "[gMASK] for a document's span, [sMASK] for sentences"] = False
    positions: int = 512  # the extra row of the position table, for sentinels="full"

    def __post_init__(self) -> None:
        if self.sentinels not in ("", "masks", "full"):
            raise ValueError(f'sentinels is "", "masks" or "full", not {self.sentinels!r}')

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row; a row depends on nothing but its text and key."""
        docs = documents(text_BN, special)
        by_document = docs.draws(keys)
        chosen = self.spans(docs, by_document, special)
        return self.write(docs, chosen, by_document, special)

    @property
    def layout(self) -> Layout:
        """Part A and its blanks, marked and filled as in pretraining."""
        far = self.positions if self.sentinels == "full" else None
        return Layout("blank", self.inner_positions, bool(self.sentinels), far)

    @property
    def likelihood(self) -> Likelihood:
        """The chain rule, over what a blank holds."""
        return Likelihood("exact", "left to right in one blank")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """A pair of sentinels for every position, where blanks are told apart by sentinels."""
        return ExtraTokens(positions if self.sentinels else 0, self.task_masks)

    def at_positions(self, positions: int) -> Self:
        """Full sentinels write at the position after the model's last."""
        return replace(self, positions=positions) if self.sentinels == "full" else self

    def amounts(self, length: int) -> Amounts:
        """Exact, but for what `spans` says of its own expectations."""
        spans = self.spans.outcomes(length)
        part_b_C = spans.masked_C + spans.count_C - spans.open_C
        part_a_C = length - spans.masked_C + spans.count_C
        pairs_C = part_a_C * (part_a_C + part_b_C) + part_b_C * (part_b_C + 1) / 2
        sizes: dict[int, float] = {}
        parts: dict[tuple[int, int], float] = {}
        for a, b, chance in zip(part_a_C.tolist(), part_b_C.tolist(), spans.chance_C.tolist()):
            sizes[a + b] = sizes.get(a + b, 0.0) + chance
            parts[a, b] = parts.get((a, b), 0.0) + chance
        targets, pairs = (float(spans.chance_C @ each) for each in (part_b_C, pairs_C))
        return Amounts(length, targets, pairs, sizes, parts)

    def write(self, docs: Documents, spans: Spans, keys: Draws, special: Special) -> Batch:
        """Parts A and B of given spans. `keys` (one per document) decide the order of the spans."""
        order, number = self._order(docs, spans, keys)
        blank = self._blank(special, number)
        size_B, width, part_a = _lay_out(docs, spans)
        block = (spans.size_S + ~spans.open_S)[order]
        to = _columns(docs.row_U[spans.unit_S[order]], block, size_B, width)
        grids = _context(docs, spans, blank, part_a, width, special.pad)
        tokens, position, inner, document, branch = (grid.ravel() for grid in grids)

        # Part B: one block per span, [start] then its words; all arrays below are (P,) or (S,).
        begin = spans.begin_S[order]
        first = np.cumsum(block) - block
        source = ragged(begin - 1, block)
        flat = docs.flat
        words = flat[source]
        words[first] = self._start(special, number[order])
        target = flat[np.minimum(source + 1, flat.size - 1)].astype(np.int64)
        closed = ~spans.open_S[order]
        target[(first + block - 1)[closed]] = special.end
        index = ragged(to, block)
        tokens[index] = words
        if self.sentinels == "full":
            position[index] = self.positions
        else:
            position[index] = np.repeat(_positions(docs, spans)[order], block)
        inner[index] = ragged(np.ones_like(block), block) if self.inner_positions else 1
        document[index] = np.repeat(docs.ordinal_U[spans.unit_S[order]], block)
        branch[index] = 1
        return Batch(*grids, index, target, np.ones(len(index), np.float32))

    def _order(self, docs: Documents, spans: Spans, keys: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Span numbers in the order of writing (rows ascending), and each span's rank in it.

        The rank counts within the document.
        """
        unit = spans.unit_S
        order = np.arange(len(unit))
        first = np.searchsorted(unit, unit)
        if not self.shuffle:
            return order, order - first
        random = keys.at(_ORDER, unit, order - first)
        if self.sentinels:
            # Documents one after the other, so that ranks can be counted.
            order = by_group(unit, random)
        else:
            order = by_group(docs.row_U[unit], random)
            return order, order
        number = np.empty_like(order)
        number[order] = np.arange(len(unit)) - first
        return order, number

    def _blank(self, special: Special, number_S: np.ndarray) -> np.ndarray | int:
        """What stands for a span in Part A."""
        if self.sentinels:
            require_sentinels(special.sentinel_masks, number_S)
            return np.array(special.sentinel_masks, np.int32)[number_S]
        if not self.task_masks:
            return special.mask
        found = getattr(special, self.spans.mask)
        if found is None:
            raise ValueError(
                f"task_masks asks for [{self.spans.mask}], which this vocabulary lacks: "
                "build it with task masks or leave task_masks off"
            )
        return found

    def _start(self, special: Special, number_S: np.ndarray) -> np.ndarray | int:
        if self.sentinels != "full":
            return special.start
        require_sentinels(special.sentinel_starts, number_S)
        return np.array(special.sentinel_starts, np.int32)[number_S]


def require_sentinels(sentinels: tuple[int, ...], number_S: np.ndarray) -> None:
    """`ValueError` where the spans of a document have numbers beyond the sentinels."""
    needed = int(number_S.max(initial=-1)) + 1
    if needed > len(sentinels):
        raise ValueError(
            f"a document has {needed} blanks and the vocabulary {len(sentinels)} sentinels: "
            "build it with more of them"
        )


def _lay_out(docs: Documents, spans: Spans) -> tuple[np.ndarray, int, np.ndarray]:
    """Sizes of Part A by row, the width of the batch, and which text tokens Part A keeps."""
    rows, _ = docs.text_BN.shape
    row = docs.row_U[spans.unit_S]
    text = np.bincount(docs.row_U, docs.size_U, rows).astype(np.int64)
    masked = np.bincount(row, spans.size_S, rows).astype(np.int64)
    count = np.bincount(row, minlength=rows)
    written = masked + np.bincount(row, ~spans.open_S, rows).astype(np.int64)
    size = text - masked + count
    width = round_up(max(int((size + written).max(initial=1)), 1), MULTIPLE)
    return size, width, _kept(docs, spans)


def _kept(docs: Documents, spans: Spans) -> np.ndarray:
    """Which tokens of the flattened text stay in Part A: all but spans, whose first is the mask."""
    if docs.whole:
        kept = np.ones(docs.text_BN.size, bool)
    else:
        kept = np.zeros(docs.text_BN.size, bool)
        kept[docs.indices()] = True
    kept[ragged(spans.begin_S + 1, spans.size_S - 1)] = False
    return kept


def _columns(row_S: np.ndarray, block_S: np.ndarray, size_B: np.ndarray, width: int) -> np.ndarray:
    """Where each block begins in the flattened (B, T), blocks sorted by row."""
    before = np.cumsum(block_S) - block_S
    first = np.searchsorted(row_S, row_S)
    return row_S * width + size_B[row_S] + before - before[first]


def _context(
    docs: Documents,
    spans: Spans,
    blank: np.ndarray | int,
    kept: np.ndarray,
    width: int,
    pad: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All five grids with Part A in place and padding elsewhere."""
    rows, length = docs.text_BN.shape
    text = docs.flat.copy()
    text[spans.begin_S] = blank
    kept_BN = kept.reshape(rows, length)
    size = np.count_nonzero(kept_BN, axis=1)
    column = np.arange(width, dtype=np.int32)
    mine = column < size[:, None]
    tokens = np.full((rows, width), pad, np.int32)
    tokens[mine] = text[kept]
    position = column * mine
    document = mine.astype(np.int32) - 1
    inner, branch = np.zeros_like(tokens), np.zeros_like(tokens)
    if not docs.whole:
        lost = np.bincount(spans.unit_S, spans.size_S - 1, len(docs.size_U)).astype(np.int64)
        size_U = docs.size_U - lost
        before = np.cumsum(size_U) - size_U
        before -= before[np.searchsorted(docs.row_U, docs.row_U)]
        position[mine] -= np.repeat(before.astype(np.int32), size_U)
        document[mine] = np.repeat(docs.ordinal_U, size_U)
    return tokens, position, inner, document, branch


def _positions(docs: Documents, spans: Spans) -> np.ndarray:
    """The position of every span's mask in its document's Part A."""
    before = np.cumsum(spans.size_S - 1) - (spans.size_S - 1)
    first = np.searchsorted(spans.unit_S, spans.unit_S)
    lost = before - before[first]
    return (spans.begin_S - docs.begin_U[spans.unit_S] - lost).astype(np.int32)
