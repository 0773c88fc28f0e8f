"""GPT-BERT: a causal language model and a masked one whose masks are predicted one place earlier.

               causal                     masked and shifted
    tokens     [CLS] x1 x2 x3             [CLS] x1 [M] x3
    targets    x1    x2 x3 -              -     x2 -   -
    branch     1     1  1  1              0     0  0   0

Shapes: B rows, N raw tokens, M scored positions.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, fixed, mixed, triangle
from glm.objectives.causal import Causal
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import PREFIX, Layout
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.mixture import merge
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.spans import Chance

WORDS = MaskedLM()
_MODE = 40  # the purpose of this module's own draw


@dataclass(frozen=True)
class GPTBERT:
    """Every row is learnt causally or masked (Charpentier and Samuel 2024).

    What a mask hides is predicted at the token before it, so both read the output layer alike: the
    state of a token tells the next one. The share of masked tokens stays as it is throughout the
    training. The two kinds of rows are as frequent by default; the paper tries several shares.

    The model is asked as a prefix LM is: a source is seen from both sides, and what follows it is
    predicted left to right. It is not asked what a mask hides, since it does not say so where the
    mask stands.
    """

    words: MaskedLM = WORDS
    causal: Annotated[Chance, "chance of a row that is read left to right"] = 0.5

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        forward = keys.uniform(_MODE, 1)[:, 0] < self.causal
        text = np.asarray(text_BN)
        parts = [
            (rows, part(text[rows], keys.take(rows), special))
            for rows, part in (
                (np.flatnonzero(forward), Causal().build),
                (np.flatnonzero(~forward), self._shifted),
            )
            if len(rows)
        ]
        return merge([batch for _, batch in parts], [rows for rows, _ in parts], special.pad)

    def _shifted(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The masked language model's batch, each target one place earlier.

        The first token of a document has nobody before it: without a [CLS] it is no target.
        """
        batch = self.words.build(text_BN, keys, special)
        later = batch.position_BT.ravel()[batch.index_M] > 0
        return replace(
            batch,
            index_M=batch.index_M[later] - 1,
            target_M=batch.target_M[later],
            weight_M=batch.weight_M[later],
        )

    @property
    def layout(self) -> Layout:
        """A source, seen whole, and what follows it."""
        return PREFIX

    @property
    def likelihood(self) -> Likelihood:
        """The chain rule."""
        return Likelihood("exact", "left to right")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """As exact as those of its masks."""
        forward = fixed(length, length - 1, triangle(length))
        return mixed([(self.causal, forward), (1 - self.causal, self.words.amounts(length))])

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self
