"""What a training moves, and where and how it is computed."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from glm.models.backbone import Backbone, together
from glm.training.device import autocast


@dataclass(frozen=True, eq=False)
class Learner:
    """A model, and a style's head beside it where there is one, on one device.

    `network` is what computes: it holds both, in whatever wrapper (a loss, data parallelism).
    """

    network: nn.Module
    model: Backbone
    head: nn.Module | None
    device: torch.device
    precision: str = "fp32"

    @property
    def weights(self) -> nn.Module:
        """All that is trained, as one module."""
        return together(self.model, self.head)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the network computes in its precision."""
        return autocast(self.device, self.precision)
