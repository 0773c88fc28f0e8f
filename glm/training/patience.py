"""Patience: a training ends when a loss on held-back examples has not been better for a while."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from glm.models.backbone import Backbone
from glm.training import checkpoints
from glm.training.session import Diverged


@dataclass
class Patience:
    """Looks at a loss every so many steps, and keeps the weights with which it was lowest.

    `losses` is all of its state: with the weights in `folder` a run goes on from there.
    """

    folder: Path
    every: int  # optimizer steps between two looks
    looks: int  # in a row without a lower loss, after which it is enough
    loss: Callable[[], float]
    losses: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Which look, counted from 1, found the lowest loss, the first of equals; 0 before any."""
        return self.losses.index(min(self.losses)) + 1 if self.losses else 0

    @property
    def at_best(self) -> bool:
        """Whether the last look was the best."""
        return self.best == len(self.losses)

    def enough(self, done: int, model: Backbone, head: nn.Module | None) -> bool:
        """Whether to end after `done` steps. Raises `Diverged` where the loss is no number."""
        if done % self.every:
            return False
        found = self.loss()
        if not math.isfinite(found):
            raise Diverged(done, {"held-back loss": str(found)})
        self.losses.append(found)
        if self.at_best:
            checkpoints.save(self.folder, model, head=head)
        return len(self.losses) - self.best >= self.looks

    def restore(self, model: Backbone, head: nn.Module | None) -> None:
        """Put the weights of the best look in place; the last ones stay where there was none."""
        if self.losses:
            checkpoints.put(self.folder, model, head)
