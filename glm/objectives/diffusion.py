"""Masked diffusion: any share of the tokens is masked, and all of them are predicted at once.

Shapes: B rows, N raw tokens, M scored positions.
"""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from annotated_types import Gt, Le

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, fixed
from glm.objectives.documents import documents, grids
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood

_SHARE, _MASKED = 38, 39  # the purposes of this module's draws; the masked LMs' are those below
_ALL = 65536  # shares are counted in these parts of the whole


@dataclass(frozen=True)
class MaskedDiffusion:
    """A share t of a row's words is masked; what they were is predicted with the weight 1 / t.

    t is uniform on [`least`, 1] for every row, each word becomes [MASK] with probability t, and
    nothing is replaced or kept otherwise. With `least` near 0 the expected loss is, per word, the
    evidence bound on -log p of a row whose length is known (Sahoo et al. 2024, with a linear
    schedule; Nie et al. 2025). The batch's loss is the weighted mean, which
    normalises by the words that 1 / t stands for, not by their exact number. [CLS] and end tokens
    are never masked, so the bound is one on the words.

    The model fills blanks of known lengths by iterated unmasking, the surest token first, and
    compares texts by bounds on their likelihoods. It does not write answers of unknown length:
    whoever was never shown where a text ends could only fill a length that is given from outside.
    Nor has it a perplexity: a bound beside exact ones would be read as one of them.
    """

    least: Annotated[float, Gt(0), Le(1), "smallest share of masked words"] = 0.01

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        length = docs.text_BN.shape[1]
        lowest = self._lowest()
        parts_B = lowest + keys.below(_SHARE, np.full(len(docs.text_BN), _ALL - lowest + 1))
        chosen = keys.lanes(_MASKED, length) <= (parts_B - 1).astype(np.uint16)[:, None]
        for kept in {special.cls, special.eos, special.pad}:
            chosen &= docs.text_BN != kept
        where = np.flatnonzero(chosen)
        row, column = np.divmod(where, length)

        tokens, position, document = grids(docs, special.pad)
        index = row * tokens.shape[1] + column
        tokens.ravel()[index] = special.mask
        inner, branch = np.zeros_like(tokens), np.zeros_like(tokens)
        target = docs.flat[where].astype(np.int64)
        weight = (_ALL / parts_B).astype(np.float32)[row]
        return Batch(tokens, position, inner, document, branch, index, target, weight)

    def _lowest(self) -> int:
        """The smallest share in parts of the whole."""
        return max(1, round(self.least * _ALL))

    @property
    def layout(self) -> Layout:
        """Masks are asked where they stand, however many there are; nothing is written."""
        return Layout("prefix", serves=("masked tokens", "likelihood bound", "vector"))

    @property
    def likelihood(self) -> Likelihood:
        """At least what the bound says."""
        return Likelihood("bound", "evidence bound over shares of masked tokens")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """Exact: the mean share of the words."""
        share = (self._lowest() + _ALL) / 2 / _ALL
        return fixed(length, share * max(length - 1, 0), length**2)

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self
