"""What a number was measured under: the part of a signature that no score needs to be computed.

    split:dev|recipe:paper|scale:small|match:positions|precision:bf16|data:microworld-v1-s0#3f2a91c0
    |corpus:world#90b1d7aa|vocabulary:train#1c55e0d2|select:last

Together with the metric's own signature it says everything that changes a cell's number beside the
system itself and the seeds, so that two equal signatures mean comparable numbers. A digest behind a
`#` stands for every byte and setting of the step it is of. How many examples there were is known
only when the rows have been read: the manifest adds it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from ablations.recipes import Finetuning
from ablations.scale import Scale
from harness.grid.overrides import points, tuned
from harness.grid.schema import Grid
from harness.steps.finetune import Finetune
from harness.steps.score import Score
from harness.steps.step import Step, ordered
from harness.steps.world import World


def conditions(
    grid: Grid,
    scale: Scale,
    score: Step[Score],
    pretrain: Step,
    changes: Mapping[str, Any],
) -> str:
    """The conditions of a cell whose first trial ends in `score`, joined by "|".

    `changes` are what the row overrides in its pretraining's recipe.
    """
    answered, dataset = score.inputs["predictions"], score.inputs["dataset"]
    named: dict[str, str] = {
        "split": score.spec.split,
        "recipe": grid.hyperparameters.named(score.spec.task),
        "scale": scale.name,
        "overrides": _pairs(grid.overrides),
        "match": grid.match,
        "precision": getattr(pretrain.spec, "precision", ""),
        "pretrain": _pairs(changes),
        "finetune": _pairs(dict(_tuned(grid, scale, answered.spec))),
        "data": f"{_source(grid, dataset)}#{dataset.digest[:8]}",
    }
    before = {step.kind: step for step in ordered({pretrain.digest: pretrain}).values()}
    for kind, word in (("corpus", "corpus"), ("tokenizer", "vocabulary")):
        if kind in before:
            named[word] = f"{before[kind].name}#{before[kind].digest[:8]}"
    named["select"] = selection(grid, score)
    return "|".join(f"{name}:{said}" for name, said in named.items() if said)


def selection(grid: Grid, score: Step[Score]) -> str:
    """How a cell's value was chosen: "last" where there was nothing to choose from.

    With patience the epoch was, by the loss on dev.
    """
    sweep, finetuned = grid.sweep, score.inputs["predictions"].kind == "finetune"
    where = "half of dev" if score.spec.part else "dev"
    if sweep is None or not finetuned or len(points(sweep)) < 2:
        stops = getattr(score.inputs["predictions"].spec, "patience", 0)
        return f"epoch by loss on {where}" if stops else "last"
    swept = ",".join(
        f"{name}={'/'.join(map(_plain, values))}" for name, values in sweep.parameters.items()
    )
    return f"{sweep.select} of {swept} on {where}"


def _tuned(grid: Grid, scale: Scale, spec: object) -> Iterator[tuple[str, Any]]:
    """The finetuning settings that are neither the recipe's at this scale nor the sweep's."""
    if not isinstance(spec, Finetune):
        return
    usual = tuned(grid, scale, spec.task, grid.known.requirements[spec.style])
    swept = grid.sweep.parameters if grid.sweep else {}
    for each in fields(Finetuning):
        value = getattr(spec, each.name)
        if value != getattr(usual, each.name) and each.name not in swept:
            yield each.name, value


def _source(grid: Grid, dataset: Step) -> str:
    """Where a dataset's rows come from, for people; its digest says the rest."""
    if "corpus" in dataset.inputs:
        return "corpus"
    if "world" in dataset.inputs:
        world = dataset.inputs["world"].spec_of(World)
        return f"microworld-v{world.generator}-s{world.seed}"
    return str(grid.data.kind)


def _pairs(values: Mapping[str, Any]) -> str:
    """ "lr=0.001,steps=60": names in order, so that no spelling makes two of one."""
    return ",".join(f"{name}={_plain(values[name])}" for name in sorted(values))


def _plain(value: object) -> str:
    """A setting as text: equal numbers alike, and none of the signs that part a signature."""
    if isinstance(value, float) or type(value) is int:
        return f"{value:.12g}"
    return str(value).replace("|", "/").replace(",", ";")
