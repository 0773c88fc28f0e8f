"""Short runs of tokens, and how several of them share one batch without seeing each other.

Finetuning makes many inputs of different lengths: one per question, per candidate or per window
of a document. Each is a `Sequence`. `lay` puts sequences into rows no wider than the longest of
them (first-fit decreasing), every sequence a document of its own, so that hardly any position is
padding.

Shape suffixes: B rows, T positions of a row, L positions of a sequence, R positions read.
"""

from collections.abc import Iterator
from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np

from glm.data.example import Batch, round_up

WIDTHS = (1, 1.25, 1.5, 2)  # widths tried for a batch, in lengths of its longest sequence
NO_READS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One document of a batch: arrays of length L, and the R positions to be read.

    `branch_L` is 0 in Part A (seen by all of the sequence) and 1.. in Part B's branches; Part A
    comes first. `read_R` are positions whose final hidden state is wanted; `target_R` the token
    to be predicted there (-1 where there is none).
    """

    tokens_L: np.ndarray
    position_L: np.ndarray
    inner_L: np.ndarray
    branch_L: np.ndarray
    read_R: np.ndarray
    target_R: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens_L)


def sequence(tokens, position, inner, branch, read=(), target=None) -> Sequence:
    """A `Sequence` from lists of ints; without `target` the reads predict nothing (-1)."""
    read_R = np.asarray(read, np.int64)
    target_R = np.full(len(read_R), -1) if target is None else np.asarray(target)
    arrays = (np.asarray(x, np.int32) for x in (tokens, position, inner, branch))
    return Sequence(*arrays, read_R=read_R, target_R=target_R.astype(np.int64))


def lay(sequences: List[Sequence], pad: int, multiple: int = 8, *, share: bool = True) -> Batch:
    """Put sequences into the rows of one batch, as wide as the longest one or up to twice that.

    Without `share` every sequence has a row of its own, in their order. The batch's `index_M`
    holds the reads of `sequences[0]`, then of `sequences[1]`, and so on, wherever they lie.
    """
    lengths = [len(s) for s in sequences]
    if not share:
        width = round_up(max(lengths, default=1), multiple)
        return _fill(sequences, [[i] for i in range(len(lengths))], width, pad)
    widths = {round_up(int(max(lengths, default=1) * times), multiple) for times in WIDTHS}
    layouts = [(width, _rows(lengths, width)) for width in sorted(widths)]
    # Attention grows with the width, so a wider row has to save padding worth having.
    width, rows = min(layouts, key=lambda x: len(x[1]) * x[0] * (1 + x[0] / 4096))
    return _fill(sequences, rows, width, pad)


def _rows(lengths: List[int], width: int) -> list[list[int]]:
    """Which sequences share a row of `width`: first fit, longest first."""
    rows: list[list[int]] = []
    room: list[int] = []
    first = 0  # rows before this one are full
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        row = next((r for r in range(first, len(rows)) if room[r] >= lengths[i]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(width)
        rows[row].append(i)
        room[row] -= lengths[i]
        while first < len(rows) and not room[first]:
            first += 1
    return rows


def _fill(sequences: List[Sequence], rows: list[list[int]], width: int, pad: int) -> Batch:
    """Write rows of sequences: first the Part As of a row, then the Part Bs, as `Batch` wants."""
    shape = (len(rows), width)
    tokens_BT, document_BT = np.full(shape, pad, np.int32), np.full(shape, -1, np.int32)
    position_BT, inner_BT, branch_BT = (np.zeros(shape, np.int32) for _ in range(3))
    index = [NO_READS] * len(sequences)
    for r, row in enumerate(rows):
        context = [int(np.count_nonzero(sequences[i].branch_L == 0)) for i in row]
        at_a, at_b = 0, sum(context)
        for d, (i, a) in enumerate(zip(row, context)):
            s, b = sequences[i], len(sequences[i]) - a
            column_L = np.concatenate([np.arange(at_a, at_a + a), np.arange(at_b, at_b + b)])
            at_a, at_b = at_a + a, at_b + b
            tokens_BT[r, column_L] = s.tokens_L
            position_BT[r, column_L] = s.position_L
            inner_BT[r, column_L] = s.inner_L
            branch_BT[r, column_L] = s.branch_L
            document_BT[r, column_L] = d
            index[i] = r * width + column_L[s.read_R].astype(np.int64)
    target_M = np.concatenate([NO_READS, *(s.target_R for s in sequences)])
    return Batch(
        tokens_BT=tokens_BT,
        position_BT=position_BT,
        inner_BT=inner_BT,
        document_BT=document_BT,
        branch_BT=branch_BT,
        index_M=np.concatenate([NO_READS, *index]),
        target_M=np.maximum(target_M, 0),
        weight_M=(target_M >= 0).astype(np.float32),
    )


def groups(lengths: List[int], budget: int) -> Iterator[list[int]]:
    """Indices in groups of about `budget` positions, long ones first, so that a group's lengths
    are alike. An input longer than the budget is a group of its own."""
    group: list[int] = []
    total = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if group and total + lengths[i] > budget:
            yield group
            group, total = [], 0
        group.append(i)
        total += lengths[i]
    if group:
        yield group
