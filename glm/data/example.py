"""What every objective makes and what the model eats: tokens, targets, positions, context.

Shapes: B rows, T positions in a row, M scored positions of the whole batch.

The attention rule, stated once for every objective: position q sees position k if and only if

    document[q] == document[k]  and  (branch[k] == 0  or  (branch[k] == branch[q] and k <= q))

Branch 0 is the context (Part A), seen by everyone in its document; branches 1, 2, ... are causal
and blind to each other. BERT is branch 0 throughout, GPT branch 1 throughout; GLM's Part A is 0
and its Part B 1; candidates that share one context are branches 1..C. Padding has document -1, so
nothing real sees it and it sees only padding. In every row Part A precedes Part B: the columns of
branch 0 form a prefix, and padding comes last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glm.data.extent import Extent

MULTIPLE = 8  # of which every batch's width is one


@dataclass(frozen=True)
class Example:
    """One sequence. `targets_T` is -1 where nothing is predicted.

    `positions_2T` holds the position in the corrupted text and the position inside a span (0 in
    the context). The first `context` tokens see each other; the others see those and their own
    past. `branch_T` splits what follows the context into several branches; without it there is one.
    """

    tokens_T: np.ndarray
    targets_T: np.ndarray
    positions_2T: np.ndarray
    context: int
    branch_T: np.ndarray | None = None

    @property
    def length(self) -> int:
        return len(self.tokens_T)

    @property
    def branches(self) -> np.ndarray:
        """The branch of every token, (T,)."""
        if self.branch_T is not None:
            return np.asarray(self.branch_T)
        return (np.arange(self.length) >= self.context).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Batch:
    """B rows of T positions, right-padded, with the positions to be scored listed flat.

    `position_BT` and `inner_BT` are the two position dimensions (int32, 0 on padding).
    `document_BT` is the number of the document inside its row, -1 on padding. `branch_BT` is as in
    the module's rule (0 on padding). `index_M` points into the flattened (B * T) positions,
    ascending; `target_M` holds the token to predict there and `weight_M` its weight: the loss is
    the weighted mean over M. Entries of weight 0 may follow, pointing at index 0, to fill M up to
    a fixed size.
    """

    tokens_BT: np.ndarray
    position_BT: np.ndarray
    inner_BT: np.ndarray
    document_BT: np.ndarray
    branch_BT: np.ndarray
    index_M: np.ndarray
    target_M: np.ndarray
    weight_M: np.ndarray

    @property
    def rows(self) -> int:
        return self.tokens_BT.shape[0]

    @property
    def width(self) -> int:
        return self.tokens_BT.shape[1]

    @property
    def positions(self) -> int:
        """Positions that are not padding: what the model has to process."""
        return int(np.count_nonzero(self.document_BT >= 0))

    @property
    def targets(self) -> int:
        """Positions that bear loss."""
        return int(np.count_nonzero(self.weight_M > 0))

    @property
    def extent(self) -> Extent:
        """What a forward pass goes over."""
        return Extent.of(self.rows, self.width, *parts(self.document_BT, self.branch_BT))

    def visible(self) -> np.ndarray:
        """The attention rule as a matrix, (B, T, T) of bool: query, key. For tests and pictures."""
        same = self.document_BT[:, :, None] == self.document_BT[:, None, :]
        branch_q, branch_k = self.branch_BT[:, :, None], self.branch_BT[:, None, :]
        column = np.arange(self.width)
        past = column[None, None, :] <= column[None, :, None]
        return same & ((branch_k == 0) | ((branch_k == branch_q) & past))


def round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def parts(document_BT: np.ndarray, branch_BT: np.ndarray) -> tuple[int, int]:
    """Columns that hold Part A and Part B of every row, where each has a grid of its own: those of
    the row with most, rounded up."""
    real, later = document_BT >= 0, branch_BT > 0
    longest = (int((real & part).sum(axis=1).max(initial=0)) for part in (~later, later))
    width = document_BT.shape[1]
    read, written = (min(round_up(size, MULTIPLE), width) for size in longest)
    return read, written


def laid(rows: Sequence[Sequence[Example]], pad: int = 0, multiple: int = MULTIPLE) -> Batch:
    """Rows of examples as a batch: first the contexts of a row, then what follows each of them.

    Every example is a document of its own, so nobody sees a neighbour, and positions are its own:
    the loss is that of examples with a row each.
    """
    longest = max((sum(e.length for e in row) for row in rows), default=0)
    shape = (len(rows), round_up(max(longest, 1), multiple))
    tokens, document = np.full(shape, pad, np.int32), np.full(shape, -1, np.int32)
    position, inner, branch, target = (np.zeros(shape, np.int32) for _ in range(4))
    target[:] = -1
    for r, row in enumerate(rows):
        at = 0
        pieces = [(d, e, slice(0, e.context)) for d, e in enumerate(row)]
        pieces += [(d, e, slice(e.context, e.length)) for d, e in enumerate(row)]
        for d, example, part in pieces:
            to = slice(at, at + part.stop - part.start)
            tokens[r, to] = example.tokens_T[part]
            position[r, to] = example.positions_2T[0][part]
            inner[r, to] = example.positions_2T[1][part]
            branch[r, to] = example.branches[part]
            target[r, to] = example.targets_T[part]
            document[r, to] = d
            at = to.stop
    index = np.flatnonzero(target >= 0)
    goal = target.ravel()[index].astype(np.int64)
    weight = np.ones(len(index), np.float32)
    return Batch(tokens, position, inner, document, branch, index, goal, weight)


def padded(batch: Batch, width: int = 0, targets: int = 0, pad: int = 0) -> Batch:
    """The same batch in a fixed shape, for graphs that must not change: at least `width` columns
    and `targets` scored positions. What is larger stays as it is; nothing is cut."""
    more, short = width - batch.width, targets - len(batch.index_M)
    if more > 0:
        row, column = np.divmod(batch.index_M, batch.width)
        fill = {"tokens_BT": pad, "document_BT": -1}
        wide = {
            name: np.pad(
                getattr(batch, name), ((0, 0), (0, more)), constant_values=fill.get(name, 0)
            )
            for name in ("tokens_BT", "position_BT", "inner_BT", "document_BT", "branch_BT")
        }
        batch = Batch(**wide, index_M=row * width + column, target_M=batch.target_M,
                      weight_M=batch.weight_M)  # fmt: skip
    if short > 0:
        scored = (np.pad(a, (0, short)) for a in (batch.index_M, batch.target_M, batch.weight_M))
        grids = (batch.tokens_BT, batch.position_BT, batch.inner_BT, batch.document_BT)
        batch = Batch(*grids, batch.branch_BT, *scored)
    return batch


def part(batch: Batch, begin: int, stop: int) -> Batch:
    """Rows `begin` to `stop` (or the last row) as a batch of their own, of the same width.

    Entries of weight 0 stay behind. The loss of a batch is the mean of its parts' losses weighted
    by their sums of weights, so a batch can go through a model in parts.
    """
    stop = min(stop, batch.rows)
    low, high = begin * batch.width, stop * batch.width
    mine = (batch.index_M >= low) & (batch.index_M < high) & (batch.weight_M > 0)
    return Batch(
        batch.tokens_BT[begin:stop],
        batch.position_BT[begin:stop],
        batch.inner_BT[begin:stop],
        batch.document_BT[begin:stop],
        batch.branch_BT[begin:stop],
        batch.index_M[mine] - low,
        batch.target_M[mine],
        batch.weight_M[mine],
    )
