"""A step's batch in pieces: what one optimizer step adds up before it moves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Piece:
    """A part of a step's batch: its mean loss and its share of the step's weight (shares sum to 1).

    `amounts` are added to the run's ledger ("positions" also gives tokens per second); `ids` says
    which examples these were, should the loss diverge.
    """

    loss: Callable[[], "Tensor"]
    share: float
    amounts: Mapping[str, float] = field(default_factory=dict)
    ids: Sequence[str] = ()
