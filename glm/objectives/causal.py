"""GPT's objective: the next token of a document at every position.

Shapes: B rows, T positions, U documents.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, fixed, triangle
from glm.objectives.documents import Documents, documents, grids
from glm.objectives.draws import Draws
from glm.objectives.layout import CAUSAL, Layout
from glm.objectives.objective import ExtraTokens, Likelihood


@dataclass(frozen=True)
class Causal:
    """GPT: the next token of the document at every position; the end token is the last target."""

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes nothing from `rng`, for nothing is random."""
        return self.build(text_BN, Draws(0, np.zeros(len(text_BN), np.uint64)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same; the keys are not used."""
        docs = documents(text_BN, special)
        tokens, position, document = grids(docs, special.pad)
        branch = np.ones_like(tokens)
        return next_token(docs, tokens, position, document, branch, np.zeros_like(docs.size_U))

    @property
    def layout(self) -> Layout:
        """A text that goes on."""
        return CAUSAL

    @property
    def likelihood(self) -> Likelihood:
        """The chain rule."""
        return Likelihood("exact", "left to right")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """Exact: nothing is drawn."""
        return fixed(length, length - 1, triangle(length))

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self


def next_token(
    docs: Documents,
    tokens: np.ndarray,
    position: np.ndarray,
    document: np.ndarray,
    branch: np.ndarray,
    first_U: np.ndarray,
) -> Batch:
    """Predict the next token from the `first`-th token of each document to its last but one."""
    length, width = docs.text_BN.shape[1], tokens.shape[1]
    count = np.maximum(docs.size_U - 1 - first_U, 0)
    begin = docs.begin_U + docs.row_U * (width - length) + first_U
    before = np.cumsum(count) - count
    index = np.repeat(begin - before, count) + np.arange(int(count.sum()))
    target = tokens.ravel()[index + 1].astype(np.int64)
    weight = np.ones(len(index), np.float32)
    inner = np.zeros_like(tokens)
    return Batch(tokens, position, inner, document, branch, index, target, weight)
