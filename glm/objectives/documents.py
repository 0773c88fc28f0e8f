"""Where the documents lie in rows of text, and what it means to be packed into one row.

A row of text is `[CLS] words eos [CLS] words eos ... [CLS] words`, then padding if it is short. A
document begins at [CLS] or after an end token. Documents in one row never see each other and each
counts its positions from zero, so a packed document is computed exactly as one with a row of its
own. (The original lets them see each other and lets positions run on.)

Shapes: B rows, N raw tokens in a row, U documents in all the rows.
"""

from dataclasses import dataclass, replace

import numpy as np

from glm.data.example import MULTIPLE, Batch, round_up
from glm.data.special import Special
from glm.objectives.draws import Draws


@dataclass(frozen=True, eq=False)
class Documents:
    """The documents of a batch of rows; `begin_U` are indices into the flattened text.

    `low_U` and `high_U` bound what may be masked: not [CLS], and not the document's last token
    (its end token, or where the row cuts it off). `closed_U` says that an end token closes it.
    """

    text_BN: np.ndarray
    row_U: np.ndarray
    ordinal_U: np.ndarray
    begin_U: np.ndarray
    size_U: np.ndarray
    low_U: np.ndarray
    high_U: np.ndarray
    closed_U: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        return self.text_BN.ravel()

    @property
    def whole(self) -> bool:
        """Every row is one document and has no padding: the common case, and the cheap one."""
        rows, length = self.text_BN.shape
        return len(self.row_U) == rows and bool((self.size_U == length).all())

    def draws(self, draws: Draws) -> Draws:
        """Keys by document, from keys by row."""
        return draws.children(self.row_U, self.ordinal_U)

    def take(self, which: np.ndarray) -> "Documents":
        """Some of the documents, of the same rows of text."""
        return Documents(
            self.text_BN,
            self.row_U[which],
            self.ordinal_U[which],
            self.begin_U[which],
            self.size_U[which],
            self.low_U[which],
            self.high_U[which],
            self.closed_U[which],
        )

    def indices(self) -> np.ndarray:
        """Indices into the flattened text of all that is not padding."""
        return ragged(self.begin_U, self.size_U)

    def spread(self, value_U: np.ndarray) -> np.ndarray:
        """A value per document, repeated for each of its tokens (aligned with `indices`)."""
        return np.repeat(value_U, self.size_U)


def documents(text_BN: np.ndarray, special: Special) -> Documents:
    """Find the documents of rows of token ids (any integer type)."""
    text = np.ascontiguousarray(text_BN, np.int32)
    length = text.shape[1]
    flat = text.ravel()
    edges = [np.arange(0, flat.size, length), np.flatnonzero(flat == special.cls)]
    edges.append(np.flatnonzero(flat == special.eos) + 1)
    if special.pad != special.eos:
        edges.append(np.flatnonzero(flat == special.pad))
    begin = np.unique(np.concatenate(edges))
    begin = begin[begin < flat.size]
    size = np.diff(begin, append=flat.size)
    first = flat[begin]
    real = (first != special.pad) & (first != special.eos)
    if not real.all():
        begin, size, first = begin[real], size[real], first[real]
    row = begin // length
    ordinal = np.arange(len(row)) - np.searchsorted(row, row)
    last = begin + size - 1
    low = begin + (first == special.cls)
    closed = flat[last] == special.eos
    return Documents(text, row, ordinal, begin, size, low, np.maximum(last, low), closed)


def ragged(begin_S: np.ndarray, size_S: np.ndarray) -> np.ndarray:
    """`begin, begin + 1, ..., begin + size - 1` of every span, one after the other."""
    total = int(size_S.sum())
    before = np.cumsum(size_S) - size_S
    return np.repeat(begin_S - before, size_S) + np.arange(total)


def grids(docs: Documents, pad: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Text as rows of the model's width: tokens, position and document, each (B, T) int32."""
    rows, length = docs.text_BN.shape
    width = round_up(length, MULTIPLE)
    if docs.whole and width == length:
        column = np.arange(length, dtype=np.int32)
        position = np.repeat(column[None], rows, axis=0)
        return docs.text_BN.copy(), position, np.zeros((rows, width), np.int32)
    tokens = np.full((rows, width), pad, np.int32)
    position = np.zeros((rows, width), np.int32)
    document = np.full((rows, width), -1, np.int32)
    where = docs.indices()
    to = where if width == length else where + (where // length) * (width - length)
    tokens.ravel()[to] = docs.flat[where]
    position.ravel()[to] = where - docs.spread(docs.begin_U)
    document.ravel()[to] = docs.spread(docs.ordinal_U)
    return tokens, position, document


def parts_first(batch: Batch) -> Batch:
    """The same batch with every row's Part A in front of its Part B, order kept otherwise.

    Needed only where several documents with both parts share a row.
    """
    real = batch.document_BT >= 0
    part_b = real & (batch.branch_BT > 0)
    part_a = real ^ part_b
    rows = np.flatnonzero((part_b[:, :-1] & part_a[:, 1:]).any(axis=1))
    if not len(rows):
        return batch
    part_a, part_b = part_a[rows], part_b[rows]
    count_a, count_b = np.count_nonzero(part_a, axis=1), np.count_nonzero(part_b, axis=1)
    begin = np.arange(len(rows)) * batch.width
    order = np.arange(part_a.size)
    order[ragged(begin, count_a)] = np.flatnonzero(part_a)
    order[ragged(begin + count_a, count_b)] = np.flatnonzero(part_b)
    names = ("tokens_BT", "position_BT", "inner_BT", "document_BT", "branch_BT")
    changed = {name: getattr(batch, name).copy() for name in names}
    for grid in changed.values():
        grid[rows] = grid[rows].ravel().take(order).reshape(part_a.shape)
    moved = np.arange(real.size).reshape(real.shape)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    shift = np.repeat(rows * batch.width - begin, batch.width)
    moved[rows] = (place + shift).reshape(part_a.shape)
    index = moved.ravel()[batch.index_M]
    rank = ascending(index, real.size)
    scored = {"index_M": index[rank], "target_M": batch.target_M[rank]}
    return replace(batch, **changed, **scored, weight_M=batch.weight_M[rank])


def ascending(index_M: np.ndarray, size: int) -> np.ndarray:
    """The order that sorts distinct indices below `size` (argsort, by counting)."""
    place = np.zeros(size, np.int64)
    place[index_M] = np.arange(1, len(index_M) + 1)
    return place[np.flatnonzero(place)] - 1
