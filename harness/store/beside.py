"""What stands beside a cell's number: its floors, and examples that its model has read."""

import math
from typing import Any

from harness.grid.expansion import Cell, Trial
from harness.steps.leakage import FILE
from harness.steps.step import Step
from harness.store.store import Store
from tasks.atomic import read_object


def floors(cell: Cell, store: Store) -> dict[str, dict[str, float]]:
    """Metric -> floor -> value, the mean over its runs, of the floors whose runs are done."""
    found: dict[str, dict[str, float]] = {}
    for floor in cell.floors:
        read = [read_object(store.path(step) / "scores.json") for step in floor.scores]
        for metric in floor.scores[0].spec.metrics:
            values = [each.get("metrics", {}).get(metric, {}).get("value") for each in read]
            if None not in values:
                found.setdefault(metric, {})[floor.name] = math.fsum(values) / len(values)
    return found


def leaked(cell: Cell, store: Store) -> dict[str, int] | None:
    """Rows of the cell's split, and how many of them occur in training rows and in the corpus.

    None where that is not known.
    """
    if cell.leakage is None:
        return None
    counts = read_object(store.path(cell.leakage) / "leakage.json")
    return counts.get(cell.trials[0].score.spec.split)


def warning(cell: Cell, store: Store) -> str:
    """A sentence where rows have leaked, or nothing."""
    counts = leaked(cell, store) or {}
    words = (("training", "in training rows"), ("corpus", "in the pretraining corpus"))
    said = [f"{counts[name]} {where}" for name, where in words if counts.get(name)]
    if not said or cell.leakage is None:
        return ""
    folder = store.path(cell.leakage).relative_to(store.root)
    return f"of {counts['rows']} rows {' and '.join(said)} ({folder}/{FILE})"


def clean(trial: Trial, store: Store) -> dict[str, Any] | None:
    """The score without leaked rows: its folder, and each metric's value and n once it is done."""
    return _also(trial.clean, store)


def last(trial: Trial, store: Store) -> dict[str, Any] | None:
    """The same of the last epoch's weights, where patience may have chosen earlier ones.

    It also says of how many epochs which one was chosen, once that is known.
    """
    found = _also(trial.last, store)
    if found is None:
        return None
    ledger = read_object(store.path(trial.predictions) / "ledger.json")
    looked = ledger.get("patience") or {}
    return found | {"epoch": looked.get("best"), "epochs": len(looked.get("losses", ())) or None}


def _also(score: Step | None, store: Store) -> dict[str, Any] | None:
    if score is None:
        return None
    path = store.path(score)
    metrics = read_object(path / "scores.json").get("metrics", {})
    return {
        "score": str(path.relative_to(store.root)),
        "metrics": {
            name: {key: m.get(key) for key in ("value", "n")} for name, m in metrics.items()
        },
    }
