"""What the results are read from: a grid's cells, where their numbers lie, what became of each.

Written beside the steps as `STORE/grids/NAME/cells.json`. With it the tables can be made again from
the store alone, by code that knows nothing of grids, steps or digests.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.grid.expansion import Cell, Expansion, Point, Trial
from harness.grid.schema import Grid
from harness.plan.why import changes
from harness.steps.score import Score
from harness.steps.step import Step, ordered
from harness.store import beside, edited
from harness.store.about import about, examples
from harness.store.attempts import recorded
from harness.store.edited import Edited
from harness.store.store import Store
from tasks.atomic import read_json, read_object, write_json
from tasks.checksums import intact, sealed

VERSION = 1


def write(
    grid: Grid,
    expansion: Expansion,
    store: Store,
    status: Mapping[str, str],
    reasons: Mapping[str, str],
) -> None:
    """Write the manifest; `status` and `reasons` are by digest, as a schedule has them."""
    view = _View(grid, store, status, reasons, edited.find(expansion.steps, store))
    facts = {
        "grid": grid.name,
        "version": VERSION,
        "scale": grid.scale,
        "match": grid.match,
        "recipe": grid.recipe,
        "data": grid.data.kind,
        "asked": grid.asked,
        "about": about(grid, expansion, store),
        "tables": [asdict(table) for table in expansion.tables],
        "cells": [view.cell(cell) for cell in expansion.cells],
        "floors": view.floors(expansion),
        "leakage": view.looked(expansion),
        "not_run": [
            {"table": table.id, "row": row.id, "reason": row.reason}
            for table in expansion.tables
            for row in table.rows
            if not row.variant
        ],
    }
    folder = store.root / "grids" / grid.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "cells.json", sealed(facts))


def stale(grid: Grid, store: Store) -> list[tuple[str, Any, Any]] | None:
    """What the manifest was asked that the grid does not ask, as (name, there, now).

    None where there is no manifest, or a damaged one; empty where it is this grid's.
    """
    found = read_json(store.root / "grids" / grid.name / "cells.json")
    return changes(found.get("asked", {}), grid.asked) if intact(found) else None


class _View:
    """Cells as the manifest shows them, given what is known of each step."""

    def __init__(
        self,
        grid: Grid,
        store: Store,
        status: Mapping[str, str],
        reasons: Mapping[str, str],
        edited: Mapping[str, Edited],
    ) -> None:
        self.select = grid.sweep.select if grid.sweep else ""
        self.edited = edited
        self.store, self.status, self.reasons = store, status, reasons
        self._examples: dict[tuple[str, str], dict[str, Any]] = {}  # by dataset and split

    def cell(self, cell: Cell) -> dict[str, Any]:
        chosen, why = self._chosen(cell)
        state, reason = self._state(chosen.score)
        if state == "done":
            reason = "; ".join(filter(None, (reason, beside.warning(cell, self.store))))
        return {
            "table": cell.table,
            "row": cell.row,
            "column": cell.column,
            "pretrain_seed": cell.pretrain_seed,
            "finetune_seed": cell.finetune_seed,
            "selected": why,
            "score": self._folder(chosen.score),
            "predictions": self._folder(chosen.predictions),
            "pretrain": self._folder(cell.pretrain),
            "conditions": self._conditions(cell),
            "floors": beside.floors(cell, self.store),
            "leaked": beside.leaked(cell, self.store),
            "clean": beside.clean(chosen, self.store),
            "last": beside.last(chosen, self.store),
            "curve": [self._point(point) for point in cell.curve],
            "state": state,
            "reason": reason,
            "earlier_code": self._earlier(chosen.score),
        }

    def _point(self, point: Point) -> dict[str, Any]:
        """A score on the way of a pretraining."""
        state, reason = self._state(point.score)
        return {
            "step": point.snapshot.spec.at,
            "score": self._folder(point.score),
            "pretrain": self._folder(point.snapshot),
            "state": state,
            "reason": reason,
        }

    def _conditions(self, cell: Cell) -> str:
        """The cell's conditions, with how many of the examples that are there were used."""
        score = cell.trials[0].score
        splits = [("examples", score.spec.split)]
        if score.inputs["predictions"].kind == "finetune":
            splits.append(("training", "train"))
        said = [cell.conditions]
        for name, split in splits:
            dataset = score.inputs["dataset"]
            if (dataset.digest, split) not in self._examples:
                self._examples[dataset.digest, split] = examples(dataset, split, self.store)
            found = self._examples[dataset.digest, split]
            if "used" in found:
                said.append(f"{name}:{found['used']} of {found.get('of', found['used'])}")
        return "|".join(said)

    def _earlier(self, step: Step) -> list[str]:
        """The modules that said something else when this was made, and were kept at that."""
        found = self.edited.get(step.digest)
        return list(found.modules) if found else []

    def floors(self, expansion: Expansion) -> list[dict[str, str]]:
        """The runs behind the floors of cells, and what became of each."""
        runs = {
            step.digest: {"floor": floor.name, "task": step.spec.task, **self._outcome(step)}
            for cell in expansion.cells
            for floor in cell.floors
            for step in floor.scores
        }
        return list(runs.values())

    def looked(self, expansion: Expansion) -> list[dict[str, str]]:
        """The steps that looked for leaked rows, and what became of each."""
        steps = {c.leakage.digest: c.leakage for c in expansion.cells if c.leakage}
        return [self._outcome(step) for step in steps.values()]

    def _outcome(self, step: Step) -> dict[str, str]:
        state, reason = self._state(step)
        return {"step": self._folder(step), "state": state, "reason": reason}

    def _folder(self, step: Step) -> str:
        return str(self.store.path(step).relative_to(self.store.root))

    def _state(self, wanted: Step) -> tuple[str, str]:
        """done, failed, blocked or absent, and the reason of the first step in the way.

        What is done has a reason to be read with care, or none.
        """
        if self.status.get(wanted.digest) == "done":
            skipped = self._scores(wanted).get("skipped", {})
            counts = ", ".join(f"{count} in {split}" for split, count in skipped.items())
            earlier = ", ".join(self._earlier(wanted))
            notes = [f"bad rows were skipped: {counts}"] if counts else []
            notes += [f"made by earlier code: {earlier}"] if earlier else []
            return "done", "; ".join(notes)
        for step in ordered({wanted.digest: wanted}).values():
            state = self.status.get(step.digest, "todo")
            if state == "failed":
                own = step.digest == wanted.digest
                reason = self.reasons.get(step.digest, "") or "failed"
                return ("failed" if own or step.kind in ("finetune", "zeroshot") else "blocked"), (
                    reason if own else f"{step.kind}/{step.name}: {reason}"
                )
        return "absent", "not run yet"

    def _chosen(self, cell: Cell) -> tuple[Trial, dict[str, Any] | None]:
        """The trial that fills the cell, and the selection on record when there was a choice."""
        if len(cell.trials) == 1:
            return cell.trials[0], None
        measured = [(self._measure(trial), trial) for trial in cell.trials]
        ready = [(value, trial) for value, trial in measured if not math.isnan(value)]
        if len(ready) < len(cell.trials):  # a choice among some of them would be another choice
            left = [trial for value, trial in measured if math.isnan(value)]
            return left[0], {"rule": self.select, "pending": len(left)}
        ranked = sorted(ready, key=lambda pair: pair[0])
        at = len(ranked) // 2 if self.select == "median" else len(ranked) - 1
        value, chosen = ranked[at]
        first = cell.trials[0]
        return chosen, {
            "rule": self.select,
            "split": (chosen.selection or chosen.score).spec.split,
            "part": (chosen.selection or chosen.score).spec.part,
            "settings": dict(chosen.settings),
            "selection_value": _finite(value),
            "value": self._value(chosen.score),
            # How much the chosen settings flatter themselves where they were chosen.
            "optimism": self._optimism(chosen),
            # What the sweep's first point scores: the difference is what choosing has brought.
            "unselected": {
                "settings": dict(first.settings),
                "value": self._value(first.score),
                "score": self._folder(first.score),
            },
            "trials": [
                {"settings": dict(trial.settings), "selection_value": _finite(value)}
                for value, trial in measured
            ],
        }

    def _measure(self, trial: Trial) -> float:
        """The first metric of the split that the choice reads, larger for better; NaN if absent.

        A trial that has diverged is worse than any other: it would diverge again.
        """
        step = trial.selection or trial.score
        value, metric = self._value(step), step.spec.metrics[0]
        if value is None:
            diverged = "diverged@" in self.reasons.get(trial.predictions.digest, "")
            return -math.inf if diverged else math.nan
        better = self._scores(step)["metrics"][metric]["higher_is_better"]
        return value * (1 if better else -1)

    def _optimism(self, trial: Trial) -> float | None:
        """By how much the first metric is better where it was chosen than where it is reported."""
        reported, chosen_on = self._value(trial.score), _finite(self._measure(trial))
        if reported is None or chosen_on is None or trial.selection is None:
            return None
        metric = trial.score.spec.metrics[0]
        better = self._scores(trial.score)["metrics"][metric]["higher_is_better"]
        return chosen_on - reported * (1 if better else -1)

    def _value(self, step: Step[Score]) -> float | None:
        """The first metric of a score, as it is; None where it is not there."""
        metrics = self._scores(step).get("metrics", {})
        return metrics.get(step.spec.metrics[0], {}).get("value")

    def _scores(self, step: Step) -> dict[str, Any]:
        return read_object(self.store.path(step) / "scores.json")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def known(store: Store, steps: Mapping[str, Step]) -> tuple[dict[str, str], dict[str, str]]:
    """Status and reasons by digest from the store alone, when nothing has been run just now."""
    states = store.states(steps)
    status = {digest: "done" if state == "done" else "todo" for digest, state in states.items()}
    reasons = {}
    for digest, state in states.items():
        if state == "partial":
            attempts = recorded(store.part(steps[digest]))
            if attempts and attempts[-1].get("outcome") == "failed":
                status[digest] = "failed"
                reasons[digest] = attempts[-1].get("reason", "")
    return status, reasons
