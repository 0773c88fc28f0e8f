"""The scores of a grid, read from its manifest and score folders: one row per cell, metric and seed
pair.

The manifest (`STORE/grids/NAME/cells.json`) says which cells there should be and what became of
each; `scores.json` in a score folder holds the numbers. A cell without a number keeps its row and
its reason, so that nothing can drop out of a mean unseen.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tasks.atomic import read_json
from tasks.checksums import fault, intact
from tasks.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

STATES = ("done", "failed", "blocked", "absent")
FIELDS = [
    *("table", "row", "column", "task", "metric", "pretrain_seed", "finetune_seed", "value"),
    *("status", "step", "reason", "n", "unit", "higher_is_better", "signature", "floors"),
    *("selected", "score", "predictions", "pretrain"),
]
_DIVERGED = re.compile(r"diverged@(\d+)")


@dataclass(frozen=True)
class Manifest:
    """What the harness wrote about a grid: its tables, its cells and the rows it does not run."""

    store: Path
    grid: str
    tables: tuple[Mapping[str, Any], ...]
    cells: tuple[Mapping[str, Any], ...]
    not_run: Mapping[tuple[str, str], str]  # (table, row) -> reason
    match: str = ""  # the unit in which pretraining budgets were made equal
    about: Mapping[str, Any] = field(default_factory=dict)  # what was run; see harness.store.about


def manifest(store: Path | str, grid: str) -> Manifest:
    """The manifest of `grid`; a `UserError` where there is none or it cannot be read."""
    store = Path(store)
    if grid in ("", ".", "..") or "/" in grid or "\\" in grid:
        raise UserError(f"{grid!r} is not the name of a grid: a name has no path in it")
    path = store / "grids" / grid / "cells.json"
    if not path.is_file():
        known = sorted(p.parent.name for p in store.glob("grids/*/cells.json"))
        there = f"; there: {', '.join(known)}" if known else ""
        raise UserError(f"no grid {grid!r} in {store}{there}; run the grid first")
    read = read_json(path)
    if isinstance(read, dict) and read.get("version") not in (1, None):
        raise UserError(f"{path} has version {read['version']!r}, this code reads 1; run again")
    if not intact(read):
        raise UserError(
            f"{path} cannot be read, or was changed since; run the grid again to write it"
        )
    not_run = {(entry["table"], entry["row"]): entry["reason"] for entry in read.get("not_run", ())}
    tables, cells = tuple(read["tables"]), tuple(read["cells"])
    match, about = str(read.get("match") or ""), read.get("about") or {}
    return Manifest(store, grid, tables, cells, not_run, match, about)


def inside(store: Path, relative: str | None) -> Path | None:
    """`relative` as a path below `store`; None where it is missing or would lead out of it."""
    if not relative:
        return None
    pure = PurePosixPath(relative)
    if pure.is_absolute() or ".." in pure.parts:
        return None
    return store / pure


def unsound(store: Path, relative: str | None, *names: str) -> str:
    """Why these files of a step's folder cannot be believed; "" where they can.

    The folder must be what its name says, and the files as they were when it was finished.
    """
    path = inside(store, relative)
    if path is None:
        return f"the manifest names no usable folder ({relative!r})"
    reason = fault(path, only=names)
    return f"{relative}: {reason}; run the grid again to make it again" if reason else ""


def load(store: Path | str, grid: str) -> "pd.DataFrame":
    """All scores of `grid` as a long frame with the columns `FIELDS`.

    `value` is in shown units (a fraction times 100, a perplexity as it is) and missing unless
    `status` is "done". Other states: "failed", "blocked", "absent" (not yet run), "undefined" (it
    ran, but the metric cannot be computed) and "diverged@STEP". `reason` says why in words.
    """
    import pandas as pd

    return pd.DataFrame(records(manifest(store, grid)), columns=FIELDS)


def records(grid: Manifest) -> list[dict[str, Any]]:
    """The rows of `load` as plain dicts, in the manifest's order."""
    metrics = {
        (table["id"], column["id"]): (column["task"], tuple(column["metrics"]))
        for table in grid.tables
        for column in table["columns"]
    }
    read: dict[
        str, Mapping[str, Any] | str
    ] = {}  # score folder -> scores, or what is wrong with them
    rows = []
    for cell in grid.cells:
        task, names = metrics.get((cell["table"], cell["column"]), ("", ()))
        folder = cell.get("score") or ""
        if cell["state"] == "done" and folder not in read:
            read[folder] = scores(grid.store, folder)
        for name in names:
            row = {key: cell.get(key) for key in FIELDS}
            row.update(
                task=task, metric=name, unit="", signature="", reason=cell.get("reason") or ""
            )
            row.update(_outcome(cell, name, read.get(folder)))
            if row["status"] == "done":
                row.update(_beside(grid, cell, name, str(row["unit"]), first=name == names[0]))
            rows.append(row)
    return rows


def _beside(
    grid: Manifest, cell: Mapping[str, Any], metric: str, unit: str, *, first: bool
) -> dict[str, Any]:
    """What the number would be without leaked rows, and without what was chosen, in shown units."""
    scale = 100.0 if unit == "fraction" else 1.0
    clean = cell.get("clean") or {}
    without = (clean.get("metrics") or {}).get(metric) or {}
    found: dict[str, Any] = {"leaked": cell.get("leaked")}
    if without.get("value") is not None:
        own = {"value": scale * without["value"], "n": without["n"], "score": clean["score"]}
        found["clean"] = own
    chosen: dict[str, Any] = {}
    last, swept = cell.get("last") or {}, cell.get("selected")
    ended = ((last.get("metrics") or {}).get(metric) or {}).get("value")
    if ended is not None:
        chosen |= {"last": scale * ended, "epoch": last.get("epoch"), "epochs": last.get("epochs")}
    if isinstance(swept, Mapping) and "settings" in swept:
        chosen |= {"settings": swept["settings"], "trials": len(swept.get("trials") or ())}
        other = scores(grid.store, (swept.get("unselected") or {}).get("score") or "")
        known = other["metrics"] if isinstance(other, Mapping) else {}
        value = known.get(metric, {}).get("value")
        chosen["first"] = None if value is None else scale * value
        flattered = swept.get("optimism") if first else None
        chosen["optimism"] = None if flattered is None else scale * flattered
    return found | ({"choice": chosen} if chosen else {})


def scores(store: Path, folder: str) -> Mapping[str, Any] | str:
    """The contents of a folder's `scores.json`, or the sentence that says what is wrong with it."""
    path, wrong = inside(store, folder), unsound(store, folder, "scores.json")
    if wrong or path is None:
        return wrong
    try:
        read = json.loads((path / "scores.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{folder}/scores.json is missing"
    except (OSError, ValueError) as error:
        return f"{folder}/scores.json cannot be read ({error})"
    if not isinstance(read, dict) or not isinstance(read.get("metrics"), dict):
        return f"{folder}/scores.json holds no metrics"
    return read


def _outcome(
    cell: Mapping[str, Any], metric: str, read: Mapping[str, Any] | str | None
) -> dict[str, Any]:
    """Status, value and what belongs to them, for one cell and metric."""
    diverged = _DIVERGED.search(f"{cell['state']} {cell.get('reason') or ''}")
    if diverged and cell["state"] != "done":
        return {"status": diverged.group(0), "step": int(diverged.group(1))}
    if cell["state"] != "done":
        return {"status": cell["state"] if cell["state"] in STATES else "absent"}
    if not isinstance(read, Mapping):
        return {"status": "failed", "reason": read or "no scores"}
    found = read["metrics"].get(metric)
    if found is None:
        there = ", ".join(read["metrics"]) or "none"
        return {
            "status": "undefined",
            "reason": f"no metric {metric!r} was computed; there: {there}",
        }
    shown = {key: found.get(key) for key in ("n", "unit", "higher_is_better")}
    shown["signature"] = "|".join(filter(None, (found.get("signature"), cell.get("conditions"))))
    scale = 100.0 if shown["unit"] == "fraction" else 1.0
    # Those of the column's own rows, and those that needed runs of their own.
    own, run = (where.get("floors", {}).get(metric) or {} for where in (read, cell))
    shown["floors"] = {name: scale * value for name, value in {**own, **run}.items()}
    shown["combine"] = found.get("combine") or ""
    shown["commonest"] = read.get("commonest")
    value = found.get("value")
    if value is None or value != value:
        return shown | {"status": "undefined", "reason": found.get("reason") or "not computable"}
    return shown | {"status": "done", "value": scale * value}
