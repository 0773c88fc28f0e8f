"""Two texts for each document: what is read and what is written about it, as one batch.

    read      [CLS] x1 [M] x4 eos        branch 0, positions from 0
    written   [START] x2 x3              branch 1, positions from 0 again
    targets   x2      x3 [END]

Shapes: B rows, T positions, U documents, S spans, L tokens of all documents of one kind.
"""

from dataclasses import dataclass

import numpy as np

from glm.data.example import MULTIPLE, Batch, round_up
from glm.objectives.documents import Documents, ragged
from glm.objectives.spans import Spans


@dataclass(frozen=True, eq=False)
class Texts:
    """A text for each document, one after the other; `size_U` may be 0."""

    tokens_L: np.ndarray
    size_U: np.ndarray


def corrupted(docs: Documents, text_L: np.ndarray, spans: Spans, mask_S: np.ndarray | int) -> Texts:
    """Documents with one mask in place of every span, or before a token where a span is empty.

    `text_L` is the flattened text that the spans index; no two of them touch.
    """
    kept = np.zeros(text_L.size + 1, bool)
    kept[docs.indices()] = True
    kept[ragged(spans.begin_S, spans.size_S)] = False
    before = np.cumsum(kept) - kept
    masks = np.broadcast_to(np.asarray(mask_S, np.int32), spans.begin_S.shape)
    tokens = np.insert(text_L[kept[:-1]], before[spans.begin_S], masks)
    units = len(docs.size_U)
    lost = np.bincount(spans.unit_S, spans.size_S, units).astype(np.int64)
    return Texts(tokens, docs.size_U - lost + np.bincount(spans.unit_S, minlength=units))


def paired(docs: Documents, read: Texts, written: Texts, target_L: np.ndarray, pad: int) -> Batch:
    """The batch: in every row first what is read of its documents, then what is written.

    Every token of `written` predicts its `target_L`.
    """
    rows = len(docs.text_BN)
    size_B = np.bincount(docs.row_U, read.size_U, rows).astype(np.int64)
    longest = size_B + np.bincount(docs.row_U, written.size_U, rows).astype(np.int64)
    shape = (rows, round_up(max(int(longest.max(initial=1)), 1), MULTIPLE))
    tokens, document = np.full(shape, pad, np.int32), np.full(shape, -1, np.int32)
    position, branch = np.zeros(shape, np.int32), np.zeros(shape, np.int32)

    index = np.zeros(0, np.int64)
    for part, texts, offset_B in ((0, read, np.zeros_like(size_B)), (1, written, size_B)):
        before_U = np.cumsum(texts.size_U) - texts.size_U
        before_U -= before_U[np.searchsorted(docs.row_U, docs.row_U)]
        begin_U = docs.row_U * shape[1] + offset_B[docs.row_U] + before_U
        index = ragged(begin_U, texts.size_U)
        tokens.ravel()[index] = texts.tokens_L
        position.ravel()[index] = ragged(np.zeros_like(begin_U), texts.size_U)
        document.ravel()[index] = np.repeat(docs.ordinal_U, texts.size_U)
        branch.ravel()[index] = part
    order = np.argsort(index)
    target, weight = target_L.astype(np.int64)[order], np.ones(len(index), np.float32)
    inner = np.zeros_like(tokens)
    return Batch(tokens, position, inner, document, branch, index[order], target, weight)
