"""A text stream as the losses of a pretraining's steps, in as many forward passes as fit."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glm.data.example import Batch, part
from glm.data.special import Special
from glm.data.stream import TokenStream, batch_at
from glm.models.networks import Network
from glm.models.shape import Shape
from glm.models.transformer import Tensors, loss, tensors
from glm.objectives.amounts import UNITS
from glm.objectives.objective import Objective
from glm.training.pieces import Piece
from glm.training.processes import Processes


class Loss(nn.Module):
    """The model and its loss as one module, so that data parallelism can wrap them together."""

    def __init__(self, model: Network, vocabulary: int) -> None:
        super().__init__()
        self.model, self.vocabulary = model, vocabulary

    def forward(self, batch: Tensors) -> Tensor:
        return loss(self.model, batch, vocabulary=self.vocabulary)


@dataclass(frozen=True)
class Text:
    """What a pretraining reads: `rows` sequences of `length` raw tokens a step, over all processes.

    What an objective draws depends on the seed and the step.
    """

    stream: TokenStream
    objective: Objective
    special: Special
    rows: int
    length: int
    seed: int
    processes: Processes

    def batch(self, step: int) -> Batch:
        """This process's part of a step's batch."""
        return batch_at(
            self.stream,
            self.objective,
            self.special,
            seed=self.seed,
            step=step,
            rank=self.processes.rank,
            world=self.processes.world,
            rows=self.rows,
            length=self.length,
        )

    def rows_that_fit(self, shape: Shape, device: torch.device, precision: str) -> int:
        """Rows of one forward pass: all of a process's on a CPU, what memory holds on a GPU.

        A layer keeps about 34 numbers per position and hidden unit for its backward pass, and a
        target a row of logits in three copies (bf16, and fp32 for the loss). A third of the memory
        stays free.
        """
        rows = self.rows // self.processes.world
        if device.type != "cuda":
            return rows
        free, _ = torch.cuda.mem_get_info(device)
        each = self.objective.amounts(self.length)
        size = 2 if precision == "bf16" else 4
        extent = each.extent(rows)
        layers = shape.layers * (extent.read if shape.decoder else extent.positions)
        layers += 2 * shape.decoder * extent.written  # cross attention counted in
        body = 34 * layers * shape.hidden * size
        head = each.targets * shape.vocabulary * 10
        return max(1, min(rows, int(free * 2 / 3 / (body + head))))

    def pieces(
        self,
        network: nn.Module,
        shape: Shape,
        batch: Callable[[int], Batch],
        device: torch.device,
        rows: int,
    ) -> Callable[[int], list[Piece]]:
        """A step's `batch` in passes of `rows` rows; each counts for its share of the targets."""

        def piece(micro: Batch, total: float, counted: dict[str, float], step: int) -> Piece:
            moved = tensors(micro, device)
            # A step may have nothing to predict. Data-parallel gradients are averaged over
            # processes: a share is of the global batch.
            share = float(micro.weight_M.sum()) / max(total, 1.0) * self.processes.world
            return Piece(lambda: network(moved), share, counted, [f"step {step}"])

        def pieces(step: int) -> list[Piece]:
            whole = batch(step)
            micros = [part(whole, at, at + rows) for at in range(0, whole.rows, rows)]
            each = [self._amounts(micro, shape) for micro in micros]
            # Counted once, over all processes: a checkpoint's ledger is then that of the whole run.
            local = [float(whole.weight_M.sum()), *map(sum, zip(*each))]
            sums = torch.tensor(local, dtype=torch.float64)
            total, *counted = self.processes.sum(sums).tolist()
            amounts = [dict(zip(UNITS, counted)), *[{}] * (len(micros) - 1)]
            return [piece(m, total, counted, step) for m, counted in zip(micros, amounts)]

        return pieces

    def _amounts(self, micro: Batch, shape: Shape) -> tuple[float, ...]:
        """What a micro-batch adds to the ledger, in the order of UNITS."""
        flops = shape.training_flops(micro.extent, len(micro.index_M))
        return micro.rows * self.length, micro.positions, micro.targets, flops
