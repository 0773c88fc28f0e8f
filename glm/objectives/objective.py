"""What an objective is: it makes batches, and says all that others ask of whoever is trained on it.

Nobody asks for an objective's type. A new one is a frozen dataclass with the members of `Objective`
in a file of its own; what is written for one document at a time is lifted by
`glm.objectives.per_document`.

Shapes: B rows, N raw tokens.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts
from glm.objectives.draws import Draws
from glm.objectives.layout import Layout


@dataclass(frozen=True)
class Likelihood:
    """What a model's own score of a text is: its likelihood, something like it, or a bound on it.

    `name` says how a text is scored, for the reader of a number. A pseudo-likelihood is a product
    of conditionals that is no distribution over texts: it must not stand beside a perplexity.
    """

    kind: Literal["exact", "pseudo", "bound", "none"]
    name: str


@dataclass(frozen=True)
class ExtraTokens:
    """The special tokens that an objective uses beside those that every vocabulary has.

    `sentinels` counts pairs of a mask and a start token; `task_masks` are [gMASK] and [sMASK].
    """

    sentinels: int = 0
    task_masks: bool = False


class Objective(Protocol):
    """What a model learns from text, and what follows from it."""

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch."""
        ...

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row; a row depends on nothing but its text and key."""
        ...

    @property
    def layout(self) -> Layout:
        """How a model that was trained so is asked, and what it can answer."""
        ...

    @property
    def likelihood(self) -> Likelihood:
        """What the model's score of a text means."""
        ...

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """What a vocabulary needs to have for a model of so many positions."""
        ...

    def amounts(self, length: int) -> Amounts:
        """What a sequence of `length` raw tokens amounts to, on average."""
        ...

    def at_positions(self, positions: int) -> Self:
        """The objective for a model of so many positions."""
        ...
