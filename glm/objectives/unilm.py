"""UniLM's objective: masked tokens under four attention masks.

Shapes: B rows, N raw tokens.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, cut_pairs, fixed, triangle
from glm.objectives.documents import Documents, ascending, documents, parts_first
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.prefix_lm import SPLIT, after
from glm.objectives.spans import Chance

NGRAMS = MaskedLM(grams=(0.8, 0.1, 0.1))
_MODE = 37  # the purpose of this module's own draw


@dataclass(frozen=True)
class UniLM:
    """One masked language model under four attention masks (Dong et al. 2019, section 2.3).

    Every row is seen bidirectionally, left to right, right to left, or as source and target, with
    the given shares. Masked tokens are predicted where they stand in all four. Right to left is
    left to right over the document written backwards, every token with the position it had.
    Source and target are the two sides of a random cut of a document: the source sees itself, the
    target sees the source and its own past.

    The paper's two segments are neighbouring pieces of text; here the cut may fall inside a
    sentence, and no [SEP] is put there, so that all objectives read the same rows.
    """

    words: MaskedLM = NGRAMS
    both: Annotated[Chance, "chance of a text seen from both sides"] = 1 / 3
    forward: Annotated[Chance, "chance of a text read from left to right"] = 1 / 6
    backward: Annotated[Chance, "chance of a text read from right to left"] = 1 / 6
    sequence: Annotated[Chance, "chance of a source and its target"] = 1 / 3

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        batch = self.words.build(text_BN, keys, special)
        edges = np.cumsum([self.both, self.forward, self.backward, self.sequence])
        drawn = keys.uniform(_MODE, 1)[:, 0] * edges[-1]
        mode = np.searchsorted(edges[:-1], drawn, side="right")
        batch.branch_BT[(mode == 1) | (mode == 2)] = 1
        docs = documents(text_BN, special)
        cut = 1 + docs.draws(keys).below(SPLIT, docs.size_U - 1)
        cut = np.where(mode[docs.row_U] == 3, cut, docs.size_U)
        batch.branch_BT[:] |= after(docs, cut, batch.position_BT, batch.document_BT)
        batch = _backwards(batch, docs, np.flatnonzero(mode == 2))
        return batch if docs.whole else parts_first(batch)

    @property
    def layout(self) -> Layout:
        """A source and its target, or masks where they stand."""
        serves = ("masked target", "one blank", "many blanks", "masked tokens", "vector")
        return Layout("prefix", serves=serves)

    @property
    def likelihood(self) -> Likelihood:
        """As a masked language model's."""
        return Likelihood("pseudo", "each token masked in turn")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """As exact as those of its masks."""
        one_way = self.forward + self.backward
        pairs = self.both * length**2 + one_way * triangle(length)
        pairs += self.sequence * cut_pairs(length)
        shares = self.both + one_way + self.sequence
        return fixed(length, self.words.amounts(length).targets, pairs / shares)

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self


def _backwards(batch: Batch, docs: Documents, rows: np.ndarray) -> Batch:
    """Some rows with every document written from its end, positions kept."""
    if not len(rows):
        return batch
    length, width = docs.text_BN.shape[1], batch.width
    shift = docs.row_U * (width - length)
    mirror = np.arange(batch.rows * width)
    unit = np.flatnonzero(np.isin(docs.row_U, rows))
    begin, size = docs.begin_U[unit] + shift[unit], docs.size_U[unit]
    where = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))
    mirror[where] = np.repeat(2 * begin + size - 1, size) - where
    for grid in (batch.tokens_BT, batch.position_BT):
        flat = grid.ravel()
        flat[where] = flat[mirror[where]]
    index = mirror[batch.index_M]
    order = ascending(index, batch.rows * width)
    return replace(batch, index_M=index[order], target_M=batch.target_M[order])
