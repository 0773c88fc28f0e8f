"""The torch side of a pretraining step: batches of an objective through the one loop."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glm.data import tokenizer as tokens
from glm.data.example import Batch, part
from glm.data.special import Special, with_sentinels
from glm.data.stream import TokenStream, batch_at
from glm.models.shape import Shape
from glm.models.transformer import Tensors, Transformer, build, loss, tensors
from glm.objectives import asked
from glm.objectives.amounts import UNITS
from glm.objectives.objective import Objective
from glm.training import checkpoints, loop
from glm.training.pieces import Piece
from harness.steps.step import Work
from tasks.atomic import write_facts

if TYPE_CHECKING:
    from harness.steps.pretrain import Pretrain


class Loss(nn.Module):
    """The model and its loss as one module, so that data parallelism can wrap them together."""

    def __init__(self, model: Transformer, vocabulary: int) -> None:
        super().__init__()
        self.model, self.vocabulary = model, vocabulary

    def forward(self, batch: Tensors) -> Tensor:
        return loss(self.model, batch, vocabulary=self.vocabulary)


def run(
    spec: "Pretrain",
    work: Work,
    rank: int = 0,
    world: int = 1,
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
) -> None:
    """Pretrain as process `rank` of `world`; rank 0 writes the model and the ledger."""
    special = vocabulary(spec, tokens.load(work.inputs["tokenizer"]).special)
    stream = TokenStream.open(work.inputs["tokens"])
    device = loop.device_of(work.machine.device)
    model = build(replace(spec.shape, vocabulary=special.padded), spec.seed, device)
    bare = Loss(model, special.size)
    network = wrap(bare)
    if device.type == "cuda" and work.how.get("compile", True):
        network.compile()

    def batch(step: int) -> Batch:
        return batch_at(
            stream,
            spec.objective,
            special,
            seed=spec.seed,
            step=step,
            rank=rank,
            world=world,
            rows=spec.batch,
            length=spec.length,
        )

    source = loop.Ahead(batch, spec.optimisation.steps) if device.type == "cuda" else batch
    pieces = _pieces(spec, work, network, model.shape, source, device, world)
    try:
        ledger = loop.train(
            network,
            pieces,
            spec.optimisation,
            work,
            seed=spec.seed * world + rank,
            device=device,
            checkpoint_seconds=work.machine.checkpoint_seconds,
            model=model,
            precision=spec.precision,
            lead=rank == 0,
            across=lambda loss: _over_processes(loss, world) / world,
            keep=work.how.get("snapshots", ()),
        )
    finally:
        if isinstance(source, loop.Ahead):
            source.close()
    if rank == 0:
        _write(work, model, spec.objective, ledger, device, world)


def vocabulary(spec: "Pretrain", special: Special) -> Special:
    """The ids that the objective uses: the tokenizer's, and sentinels where it wants them."""
    return with_sentinels(special, spec.objective.extra_tokens(spec.shape.positions).sentinels)


def _pieces(
    spec: "Pretrain",
    work: Work,
    network: nn.Module,
    shape: Shape,
    batch: Callable[[int], Batch],
    device: torch.device,
    world: int,
) -> Callable[[int], Sequence[Piece]]:
    """A step's batch in micro-batches; each counts for its share of the global targets."""
    rows = work.machine.micro_batch or rows_that_fit(spec, shape, device, spec.batch // world)
    work.log("micro_batch", rows=rows)

    def piece(micro: Batch, total: float, counted: dict[str, float], step: int) -> Piece:
        moved = tensors(micro, device)
        share = float(micro.weight_M.sum()) / max(total, 1.0)  # a step may have nothing to predict
        # Data-parallel gradients are averaged over processes: a share is of the global batch.
        return Piece(lambda: network(moved), share * world, counted, [f"step {step}"])

    def pieces(step: int) -> list[Piece]:
        whole = batch(step)
        micros = [part(whole, at, at + rows) for at in range(0, whole.rows, rows)]
        each = [_amounts(micro, spec.length, shape) for micro in micros]
        # Counted once, over all processes: a checkpoint's ledger is then that of the whole run.
        local = [float(whole.weight_M.sum()), *map(sum, zip(*each))]
        sums = torch.tensor(local, dtype=torch.float64)
        total, *counted = _over_processes(sums, world).tolist()
        amounts = [dict(zip(UNITS, counted)), *[{}] * (len(micros) - 1)]
        return [piece(m, total, counted, step) for m, counted in zip(micros, amounts)]

    return pieces


def _amounts(micro: Batch, length: int, shape: Shape) -> tuple[float, ...]:
    """What a micro-batch adds to the ledger, in the order of UNITS."""
    size, square = micro.rows * micro.width, micro.rows * micro.width**2
    flops = shape.training_flops(size, square, len(micro.index_M))
    return micro.rows * length, micro.positions, micro.targets, flops


def rows_that_fit(spec: "Pretrain", shape: Shape, device: torch.device, batch: int) -> int:
    """Rows of one forward pass: all of `batch` on a CPU, what memory holds on a GPU.

    A layer keeps about 34 numbers per position and hidden unit for its backward pass, and a target
    a row of logits in three copies (bf16, and fp32 for the loss). A third of the memory stays free.
    """
    if device.type != "cuda":
        return batch
    free, _ = torch.cuda.mem_get_info(device)
    each = spec.objective.amounts(spec.length)
    size = 2 if spec.precision == "bf16" else 4
    body = 34 * shape.layers * shape.hidden * size * each.padded(batch)
    head = each.targets * shape.vocabulary * 10
    return max(1, min(batch, int(free * 2 / 3 / (body + head))))


def _over_processes(value: Tensor, world: int) -> Tensor:
    """The sum of `value` over all processes of a data-parallel run."""
    if world > 1:
        torch.distributed.all_reduce(value)
    return value


def _write(
    work: Work,
    model: Transformer,
    objective: Objective,
    ledger: dict[str, float],
    device: torch.device,
    world: int,
) -> None:
    """Write the finished model, how it and its snapshots are asked, and their ledgers; drop what
    it went on from."""
    checkpoints.save(work.folder, model)
    sentinels = objective.extra_tokens(model.shape.positions).sentinels
    facts = {"device": loop.name_of(device), "parameters": model.shape.parameters()}
    ledgers = {work.folder: ledger}
    for snapshot in sorted((work.folder / loop.SNAPSHOTS).glob("*")):
        ledgers[snapshot] = checkpoints.beside(snapshot)["ledger"]
    for folder, spent in ledgers.items():
        asked.write(folder, asked.Asked(objective.layout, sentinels))
        device_seconds = {"seconds": spent["seconds"] * world}
        written = spent | device_seconds | facts
        write_facts(folder / "ledger.json", written)
    shutil.rmtree(work.folder / "checkpoint", ignore_errors=True)
