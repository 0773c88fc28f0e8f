"""What a grid and its rows change: a scale's numbers, a variant, its settings, how it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from ablations.recipes import Finetuning, Pretraining
from ablations.scale import SCALES, Scale, finetuning
from ablations.settings import changed, settings
from ablations.systems import Variant
from ablations.tables import Column, Row
from glm.adaptation.requirements import Requirement, fitting
from glm.objectives.objective import Objective
from harness.grid.schema import Grid, Sweep
from tasks.spec import Task

# Beside `options.NAME`: how a task is asked, which is no setting.
ASKING = ("mode", "pattern", "shots")


def scaled(grid: Grid) -> Scale:
    """The grid's scale with its overrides."""
    return changed(SCALES[grid.scale], grid.overrides)


def points(sweep: Sweep | None) -> Sequence[Mapping[str, Any]]:
    """Every combination of a sweep's values, the first of each first; one empty one without."""
    if not sweep or not sweep.parameters:
        return ({},)
    names = list(sweep.parameters)
    chosen = [dict(zip(names, values)) for values in product(*sweep.parameters.values())]
    return chosen[:1] if sweep.select == "fixed" else chosen


@dataclass(frozen=True)
class Overrides:
    """A row's `set:` by what it changes, the names without their scopes.

    `objective` is a plugin's instead of the variant's; `objective.x` and `variant.x` change the
    variant, `pretrain.x` a pretraining setting; `mode`, `pattern`, `shots` and `options.x` how
    tasks are asked; what is left are finetuning settings.
    """

    objective: Mapping[str, Any]
    variant: Mapping[str, Any]
    pretrain: Mapping[str, Any]
    asking: Mapping[str, Any]
    finetune: Mapping[str, Any]
    learns: str = ""  # the name of an objective

    def of(self, variant: Variant, objectives: Mapping[str, Objective]) -> Variant:
        """The variant that is pretrained. ValueError where values do not go together."""
        if self.learns:
            variant = replace(variant, objective=objectives[self.learns])
        inside = {f"objective.{name}": value for name, value in self.objective.items()}
        return changed(variant, {**inside, **self.variant})

    @property
    def pretraining(self) -> Mapping[str, Any]:
        """Pretraining settings as their fields hold them."""
        known = settings(Pretraining)
        return {name: known[name].value(given) for name, given in self.pretrain.items()}


def overrides(row: Row) -> Overrides:
    """A row's overrides by scope."""
    found: dict[str, dict[str, Any]] = {
        scope: {} for scope in ("objective", "variant", "pretrain", "asking", "finetune")
    }
    learns = str(row.set.get("objective", ""))
    for name, value in row.set.items():
        if name == "objective":
            continue
        scope, dot, inside = name.partition(".")
        if dot and scope in ("objective", "variant", "pretrain", "finetune"):
            found[scope][inside] = value
        elif name in ASKING or (dot and scope == "options"):
            found["asking"][name] = value
        else:
            found["finetune"][name] = value
    return Overrides(**found, learns=learns)


def style_of(
    row: Row, column: Column, task: Task, variant: Variant, styles: Mapping[str, Requirement]
) -> str:
    """The row's style, or the best one in which the task can be put to the variant; "" if none.

    Where shots are asked for (zero of them, too), the best of those that are prompted.
    """
    fits = fitting(task.styles, variant.objective.layout, styles)
    if "shots" in column.options or "shots" in overrides(row).asking:
        fits = tuple(style for style in fits if styles[style].prompts)
    return row.style or next(iter(fits), "")


def tuned(grid: Grid, scale: Scale, task: str, style: Requirement) -> Finetuning:
    """A task's finetuning settings as the recipe and the scale have them."""
    return finetuning(task, scale, grid.hyperparameters, writes=style.writes)


@dataclass(frozen=True)
class Asked:
    """How a cell's task is asked."""

    mode: str
    pattern: int
    options: Mapping[str, Any]
    shots: int | None = None  # None: the question is no prompt


def asked(row: Row, column: Column, task: Task, way: str) -> Asked:
    """How the column asks the task, the row's own wishes first; `way` is the task's word for it."""
    wishes = overrides(row).asking
    options = dict(column.options)
    mode, pattern = options.pop("mode", ""), options.pop("pattern", 0)
    shots = wishes.get("shots", options.pop("shots", None))
    options |= {
        name.removeprefix("options."): value for name, value in wishes.items() if name not in ASKING
    }
    mode = wishes.get("mode", mode)
    if not mode and task.name == "wsc":
        mode = task.modes[way][0]
    return Asked(mode, wishes.get("pattern", pattern), options, shots)
