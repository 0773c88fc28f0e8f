"""Grids from Python and notebooks: run one, look at its plan, read its tables.

A grid is a path or a mapping with the keys of a grid.yaml. Mistakes raise `UserError`; nothing is
printed but the progress of a run, and that in a terminal only unless it is asked for.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import UserError
from results import frames, render, report, scores
from results.scores import Manifest
from results.tables import Table, build

if TYPE_CHECKING:
    import pandas as pd

    from harness.grid.schema import Grid
    from harness.run.session import Session

Written = str | Path | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Result:
    """A grid's results, read from its store when they are asked for.

    `code` is 0 where everything is done, 1 where some cells have no number, 3 where the run was
    interrupted: the same call goes on.
    """

    store: Path
    name: str
    code: int

    @cached_property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """The tables by id, as they are printed."""
        return {table.id: frames.printed(table) for table in self._built}

    @cached_property
    def tidy(self) -> "dict[str, pd.DataFrame]":
        """The tables by id, with a line for each row, column and metric."""
        return {table.id: frames.tidy(table) for table in self._built}

    @cached_property
    def scores(self) -> "pd.DataFrame":
        """Every score: one row per cell, metric and pair of seeds."""
        import results

        return results.load(self.store, self.name)

    @cached_property
    def predictions(self) -> "pd.DataFrame":
        """Every finished cell's answers."""
        return frames.answers(self._manifest)

    @property
    def report(self) -> Path:
        """The page with everything."""
        return self.store / "grids" / self.name / "tables" / "index.html"

    @cached_property
    def _manifest(self) -> Manifest:
        return scores.manifest(self.store, self.name)

    @cached_property
    def _built(self) -> list[Table]:
        return build(self.store, self.name)

    def __repr__(self) -> str:
        return "\n".join(render.terminal(table) for table in self._built)

    def _repr_html_(self) -> str:
        return "".join(frames.html(table) for table in self._built)


@dataclass(frozen=True, eq=False)
class Planned:
    """What a grid would do."""

    session: "Session"

    @cached_property
    def steps(self) -> "pd.DataFrame":
        """A line for each step, inputs first."""
        import pandas as pd

        lines = [
            {
                "state": line.state,
                "kind": line.step.kind,
                "name": line.step.name,
                "digest": line.step.digest,
                "cells": line.cells,
                "flops": line.flops,
                "seconds": line.seconds,
                "disk_bytes": line.disk_bytes,
            }
            for line in self.session.plan.lines
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        return self.session.shown()

    def _repr_html_(self) -> str:
        from html import escape

        folded = f"<summary>{len(self.steps):,} steps</summary>{frames.whole(self.steps)}"
        return f"<pre>{escape(self.session.shown())}</pre><details>{folded}</details>"


def run(
    grid: Written,
    *,
    store: str | Path | None = None,
    set: Sequence[str] = (),
    executor: str | None = None,
    address: str | None = None,
    code: Literal["rerun", "keep"] | None = None,
    quiet: bool | None = None,
) -> Result:
    """Run a grid and return its results; what the store has is not run again.

    Args:
        set: overrides as on the command line, e.g. ["scale=small"].
        code: what becomes of results of code that was edited since.
        quiet: show no progress; by default it is shown in a terminal.

    Raises:
        UserError: a mistake in the grid, before anything is computed.
        StoreDamaged: the store cannot be used.
    """
    from harness.run import session as sessions

    read = _read(grid, set)
    session = _session(read, store=store, executor=executor, address=address)
    session = sessions.settle(session, code)
    silent = not sys.stdout.isatty() if quiet is None else quiet
    head = "# from Python\n" if isinstance(grid, Mapping) else f"# {grid}\n"
    schedule = sessions.carry_out(session, head, resume="the same call", quiet=silent, guest=True)
    report.write(session.store.root, read.name)
    return Result(session.store.root, read.name, sessions.state(schedule))


def plan(grid: Written, *, store: str | Path | None = None, set: Sequence[str] = ()) -> Planned:
    """What running a grid would do. Raises UserError for a mistake in it."""
    return Planned(_session(_read(grid, set), store=store))


def tables(store: str | Path, grid: Written) -> Result:
    """The results of a grid that was run, from the store alone; a grid may also be its name."""
    root = Path(store).absolute()
    name = grid if isinstance(grid, str) and not grid.endswith((".yaml", ".yml")) else ""
    found = Result(root, name or _read(grid, ()).name, 0)
    states = {cell["state"] for cell in found._manifest.cells}
    return Result(root, found.name, 0 if states <= {"done"} else 1)


def _session(grid: "Grid", **options: object) -> "Session":
    from harness.grid import load
    from harness.run import session

    if options.get("store") is not None:
        options["store"] = str(options["store"])
    return session.prepare(grid, load.machine(grid, **options))


def _read(grid: Written, options: Sequence[str]) -> "Grid":
    """The checked grid; a mapping's paths are relative to the folder of the process."""
    from harness.grid import load, positions

    if isinstance(grid, Mapping):
        return load.checked(positions.parse(_text(grid), "grid"), options)
    return load.load(grid, options)


def _text(grid: Mapping[str, Any]) -> str:
    """The grid as YAML, which every mapping of JSON values is."""
    import json

    try:
        return json.dumps(dict(grid), indent=1)
    except (TypeError, ValueError) as error:
        raise UserError(f"the grid has a value that no YAML file could have: {error}") from None
