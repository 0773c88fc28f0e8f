"""What the pretrainings of a grid cost, and their loss curves, read from the store."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from results import setting
from results.scores import Manifest, inside, unsound

# In the order shown. The first four are what `match` can hold equal across variants.
QUANTITIES = {
    "corpus_tokens": "Corpus tokens",
    "positions": "Positions",
    "targets": "Targets",
    "flops": "FLOPs",
    "steps": "Steps",
    "parameters": "Parameters",
    "seconds": "Device-seconds",
}
MATCHES = tuple(QUANTITIES)[:4]
EQUAL = 0.001  # the share by which budgets may differ and still be called equal
ALIKE = 0.01  # and by which one side may have more of another unit without an advantage
POINTS = 240  # of a loss curve that are drawn
_STEP = re.compile(r'"step":\s*(\d{1,15})\b')


@dataclass(frozen=True)
class Pretraining:
    """One pretraining: the rows that use it, its ledger, and its loss at some steps.

    `ledger` is empty where the folder has none, and `reason` says so.
    """

    folder: str
    labels: tuple[str, ...]  # of the rows that share it
    variant: str
    seed: int | str
    ledger: Mapping[str, Any]
    curve: tuple[tuple[int, float], ...]
    reason: str = ""
    planted: bool = False  # a control that was given another budget on purpose


def pretrainings(grid: Manifest) -> list[Pretraining]:
    """Every pretraining that a cell of the grid rests on, each once, in the manifest's order."""
    rows = {
        (table["id"], row["id"]): (label, row.get("variant") or label)
        for table in grid.tables
        for row, label in zip(table["rows"], setting.labels(grid, table).values())
    }
    used: dict[str, tuple[dict[str, None], str, Any]] = {}
    for cell in grid.cells:
        label, variant = rows.get((cell["table"], cell["row"]), (cell["row"], cell["row"]))
        if cell.get("pretrain"):
            fresh = ({}, variant, cell.get("pretrain_seed"))
            used.setdefault(cell["pretrain"], fresh)[0][label] = None
    planted = {
        (table["id"], row["id"])
        for table in grid.tables
        for row in table["rows"]
        if row.get("control") == "planted"
    }
    other = {c["pretrain"] for c in grid.cells if (c["table"], c["row"]) in planted}
    found = (
        _pretraining(grid, folder, tuple(labels), variant, seed)
        for folder, (labels, variant, seed) in used.items()
    )
    return [replace(run, planted=run.folder in other) for run in found]


def _pretraining(
    grid: Manifest, folder: str, labels: tuple[str, ...], variant: str, seed: int | str
) -> Pretraining:
    ledger, reason = read(grid, folder)
    curve: tuple[tuple[int, float], ...] = ()
    # A pretraining that stopped keeps its log in the folder of its attempt.
    for log in (f"{folder}/log.jsonl", f"{folder}.part/log.jsonl"):
        file = inside(grid.store, log)
        if file is not None and file.is_file():
            curve = thinned(losses(file.read_text(encoding="utf-8", errors="replace")))
            break
    return Pretraining(folder, labels, variant, seed, ledger, curve, reason)


def read(grid: Manifest, folder: str | None) -> tuple[Mapping[str, Any], str]:
    """A folder's ledger, or none and the reason."""
    path = inside(grid.store, folder)
    try:
        if path is None or not path.is_dir():
            raise FileNotFoundError
        reason = unsound(grid.store, folder, "ledger.json")
        kept = {} if reason else json.loads((path / "ledger.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "no ledger: not finished"
    except (OSError, ValueError) as error:
        return {}, f"ledger.json cannot be read ({error})"
    return (kept, reason) if isinstance(kept, dict) else ({}, "ledger.json is not an object")


def spent(grid: Manifest, runs: Sequence[Pretraining]) -> str:
    """The hours that pretrainings, and finetunings with their answers, took on each device."""
    seconds: dict[tuple[str, str], float] = {}
    ledgers = [("pretraining", run.ledger) for run in runs]
    folders = dict.fromkeys(
        cell.get("predictions") for cell in grid.cells if cell.get("state") == "done"
    )
    ledgers += [("finetuning and answering", read(grid, folder)[0]) for folder in folders]
    for name, found in ledgers:
        if isinstance(found.get("seconds"), int | float) and found.get("device"):
            key = (name, str(found["device"]))
            seconds[key] = seconds.get(key, 0.0) + found["seconds"]
    return ", ".join(
        f"{name} {value / 3600:.2f} hours of {device}" for (name, device), value in seconds.items()
    )


def losses(log: str) -> list[tuple[int, float]]:
    """(step, loss) from the text of a log.jsonl; lines that are something else are passed over.

    After a resumption a step occurs twice: the later line counts, so that the curve is the one of
    a run that was never stopped.
    """
    line_of: dict[int, str] = {}
    for line in log.split("\n"):
        step = _STEP.search(line)
        if step and '"loss"' in line and line.endswith("}"):
            line_of[int(step[1])] = line
    steps = sorted(line_of)
    every = max(1, len(steps) // (20 * POINTS))  # a long log need not be parsed whole to be drawn
    found = []
    for step in steps[::every]:
        try:
            event = json.loads(line_of[step])
            if event["event"] == "step" and event["loss"] is not None:
                found.append((int(event["step"]), float(event["loss"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def thinned(curve: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most `POINTS` points: the mean of each stretch of steps, at its last step."""
    finite = [(step, loss) for step, loss in curve if loss == loss and abs(loss) != float("inf")]
    if len(finite) <= POINTS:
        return tuple(finite)
    bounds = [len(finite) * i // POINTS for i in range(POINTS + 1)]
    pieces = [finite[a:b] for a, b in pairwise(bounds)]
    return tuple((piece[-1][0], sum(loss for _, loss in piece) / len(piece)) for piece in pieces)


def matched(runs: Sequence[Pretraining], unit: str) -> str:
    """The sentence that says in which unit budgets were to be equal, and how nearly they are."""
    if unit not in MATCHES:
        return ""
    name = QUANTITIES[unit].lower()
    values = [run.ledger[unit] for run in runs if run.ledger.get(unit) and not run.planted]
    if len(values) < 2:
        return f"Budgets are matched by {name}."
    low, high = min(values), max(values)
    apart = 1 - low / high
    between = f"{shown(unit, low)} to {shown(unit, high)}"
    if apart <= EQUAL:
        return f"Budgets are matched by {name}: {between}, equal to within {100 * EQUAL:g}%."
    return (
        f"Budgets were to be matched by {name}, but differ by up to {100 * apart:.2g}%: {between}."
    )


def shown(quantity: str, value: object) -> str:
    """A number as a person reads it: 1,234,567, 3.2e+15, 12.5; a dash where there is none."""
    if not isinstance(value, int | float) or value != value:
        return "–"
    if abs(value) >= 1e12:
        return f"{value:.2e}"
    return f"{value:,.1f}" if quantity == "seconds" else f"{value:,.0f}"
