"""What a grid and its rows change: a scale's numbers, a variant, its settings, how it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from itertools import product
from typing import Any

from ablations.scale import SCALES, Scale
from ablations.systems import Variant
from ablations.tables import Column, Row
from harness.errors import UserError
from tasks.spec import Task


def scaled(grid: Any) -> Scale:
    """The grid's scale with its overrides."""
    scale = SCALES[grid.scale]
    exact = {each.name for each in fields(Scale) if isinstance(getattr(scale, each.name), Fraction)}
    changes = {
        name: Fraction(str(value)) if name in exact else value
        for name, value in grid.overrides.items()
    }
    return replace(scale, **changes)


def points(sweep: Any) -> Sequence[Mapping[str, Any]]:
    """Every combination of a sweep's values, the first of each first; one empty one without."""
    if not sweep or not sweep.parameters:
        return ({},)
    names = list(sweep.parameters)
    chosen = [dict(zip(names, values)) for values in product(*sweep.parameters.values())]
    return chosen[:1] if sweep.select == "fixed" else chosen


def split_overrides(
    row: Row, variant: Variant
) -> tuple[Variant, Mapping[str, Any], Mapping[str, Any]]:
    """A row's `set:` by what it changes: the variant, its pretraining, or its finetuning.

    `objective.x` and `variant.x` change the variant, `pretrain.x` a pretraining setting; `mode`,
    `pattern`, `options.x` and finetuning settings go to the finetuning.
    """
    changes: dict[str, Any] = {}
    tuning: dict[str, Any] = {}
    for name, value in row.set.items():
        scope, dot, key = name.partition(".")
        if scope == "objective" and dot:
            variant = replace(variant, objective=changed(variant.objective, {key: value}, scope))
        elif scope == "variant" and dot:
            variant = changed(variant, {key: value}, scope)
        elif scope == "pretrain" and dot:
            changes[key] = value
        else:
            tuning[name.removeprefix("finetune.")] = value
    return variant, changes, tuning


def changed(settings: Any, changes: Mapping[str, Any], scope: str) -> Any:
    """`settings` with fields replaced; an unknown name is the user's error."""
    known = [each.name for each in fields(settings)]
    for name in changes:
        if name not in known:
            raise UserError(f"{scope} has no setting {name!r}: choose from {', '.join(known)}")
    return replace(settings, **changes)


def asked(
    row: Row, column: Column, task: Task, style: str, changes: Mapping[str, Any]
) -> tuple[str, int, dict[str, Any], dict[str, Any]]:
    """How the cell's task is asked, and what of the changes is left for finetuning settings."""
    left = dict(changes)
    options = dict(column.options)
    options |= {
        k.removeprefix("options."): left.pop(k) for k in [*left] if k.startswith("options.")
    }
    mode = left.pop("mode", row.set.get("mode", options.pop("mode", "")))
    pattern = left.pop("pattern", options.pop("pattern", 0))
    if not mode and task.name == "wsc":
        mode = "classify" if style == "classifier" else "rank"
    return mode, pattern, options, left
