"""The processes of a data-parallel training, of which there is one as a rule."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process is number `rank` of `world`; each computes its share of every step."""

    rank: int = 0
    world: int = 1

    @property
    def lead(self) -> bool:
        """Whether this is the one process that writes and logs."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum of `value` over all processes, in its place."""
        if self.world > 1:
            torch.distributed.all_reduce(value)
        return value

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over all processes."""
        return self.sum(value) / self.world if self.world > 1 else value


ALONE = Processes()
