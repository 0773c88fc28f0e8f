"""What a pretraining step reads and writes around the one training loop."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from glm.data import tokenizer as tokens
from glm.data.special import with_sentinels
from glm.data.stream import TokenStream
from glm.models.networks import build
from glm.objectives import asked
from glm.training import checkpoints, loop
from glm.training.ahead import Ahead
from glm.training.device import device_of, name_of
from glm.training.keeping import SNAPSHOTS
from glm.training.learner import Learner
from glm.training.pretraining import Loss, Text
from glm.training.processes import ALONE, Processes
from harness.steps.step import Work
from tasks.atomic import write_facts

if TYPE_CHECKING:
    from harness.steps.pretrain import Pretrain


def run(
    spec: "Pretrain",
    work: Work,
    processes: Processes = ALONE,
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
) -> None:
    """Pretrain as one of `processes`; the first writes the model and the ledger."""
    special = tokens.load(work.inputs["tokenizer"]).special
    sentinels = spec.objective.extra_tokens(spec.shape.positions).sentinels
    special = with_sentinels(special, sentinels)
    stream = TokenStream.open(work.inputs["tokens"])
    text = Text(stream, spec.objective, special, spec.batch, spec.length, spec.seed, processes)

    device = device_of(work.machine.device)
    model = build(replace(spec.shape, vocabulary=special.padded), spec.seed, device)
    network = wrap(Loss(model, special.size))
    if device.type == "cuda" and work.how.get("compile", True):
        network.compile()
    rows = work.machine.micro_batch or text.rows_that_fit(model.shape, device, spec.precision)
    work.log("micro_batch", rows=rows)

    ahead = Ahead(text.batch, spec.optimisation.steps) if device.type == "cuda" else None
    try:
        ledger = loop.train(
            Learner(network, model, None, device, spec.precision),
            text.pieces(network, model.shape, ahead or text.batch, device, rows),
            spec.optimisation,
            work,
            seed=spec.seed * processes.world + processes.rank,
            checkpoint_seconds=work.machine.checkpoint_seconds,
            processes=processes,
            snapshots=work.how.get("snapshots", ()),
        )
    finally:
        if ahead is not None:
            ahead.close()
    if processes.lead:
        facts = {"device": name_of(device), "parameters": model.shape.parameters()}
        checkpoints.save(work.folder, model)
        how = asked.Asked(spec.objective.layout, sentinels)
        _describe(work, ledger, facts, how, processes.world)
        shutil.rmtree(work.folder / "checkpoint", ignore_errors=True)


def _describe(
    work: Work,
    ledger: Mapping[str, float],
    facts: Mapping[str, object],
    how: asked.Asked,
    world: int,
) -> None:
    """Say of the finished model, and of every snapshot, how it is asked and what it has cost."""
    ledgers = {work.folder: ledger}
    for snapshot in sorted((work.folder / SNAPSHOTS).glob("*")):
        ledgers[snapshot] = checkpoints.beside(snapshot)["ledger"]
    for folder, spent in ledgers.items():
        asked.write(folder, how)
        device_seconds = {"seconds": spent["seconds"] * world}
        write_facts(folder / "ledger.json", {**spent, **device_seconds, **facts})
