"""Where a grid's run stands, read from the store's files: steps, losses, failures, time left.

A step is done when its folder is there and running when somebody living holds its lock; what else
became of it stands in the record of its attempts. Nothing here writes.
"""

import os
import time
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.run.progress import remaining, tail
from harness.run.signals import STOPPED
from harness.steps.step import Machine
from harness.store import locks, runs
from harness.store.attempts import events, recorded
from harness.store.store import listed
from results import ledger
from tasks.atomic import read_object

STATES = ("done", "running", "failed", "blocked", "partial", "to do")


@dataclass(frozen=True)
class Standing:
    """One step of a run, and what its files say of it."""

    kind: str
    name: str
    digest: str
    state: str  # one of STATES
    reason: str = ""  # of what failed or is blocked
    facts: Mapping[str, Any] = field(default_factory=dict)  # the last "step" event of its log
    curve: tuple[tuple[int, float], ...] = ()  # (step, loss)
    before: float = 0.0  # how much of its training was behind it when the run began


@dataclass(frozen=True)
class Run:
    """A grid's last run.

    `state` is running, done, stopped (it was interrupted, and can be gone on with), lost (its
    process is gone without a word) or silent (nothing runs, and its machine is another one).
    """

    grid: str
    state: str
    began: float
    ended: float | None
    left: float | None  # seconds, where there is something to judge by
    steps: tuple[Standing, ...]
    report: bool  # whether its page is there

    @property
    def counts(self) -> Mapping[str, int]:
        """How many steps stand where, in the order of STATES."""
        found = Counter(step.state for step in self.steps)
        return {state: found[state] for state in STATES if found[state]}

    def of(self, *states: str) -> list[Standing]:
        """The steps in these states, in the order of the plan."""
        return [step for step in self.steps if step.state in states]


def grids(store: Path) -> list[str]:
    """The names of the grids that were run in a store."""
    return sorted(path.parent.name for path in store.glob(f"grids/*/{runs.FILE}"))


def run(store: Path, grid: str) -> Run | None:
    """A grid's last run as it stands now; None where there is none on record."""
    folder = store / "grids" / grid
    noted = runs.read(folder)
    if noted is None:
        return None
    began = float(noted["began"])
    steps = _standings(store, noted)
    state = _state(noted, steps)
    left = _left(noted, steps) if state == "running" else None
    page = (folder / "tables" / "index.html").is_file()
    return Run(grid, state, began, noted.get("ended"), left, steps, page)


def _state(noted: Mapping[str, Any], steps: Sequence[Standing]) -> str:
    if "ended" in noted:
        return "stopped" if noted.get("code") == STOPPED else "done"
    if locks.gone(noted["by"]):
        return "lost"
    here = noted["by"].get("space") == locks.me()["space"]
    return "running" if here or any(step.state == "running" for step in steps) else "silent"


def _standings(store: Path, noted: Mapping[str, Any]) -> tuple[Standing, ...]:
    """Every step of the plan, inputs first, so that what failed is known before what needs it."""
    planned, held = noted["steps"], set(_names(store / "locks"))
    there = {kind: listed(store / kind) for kind in {step["kind"] for step in planned}}
    missing: set[str] = set()  # what has failed, or is blocked
    found = []
    for step in planned:
        one = _standing(store, step, there[step["kind"]], held, noted)
        if one.state in ("to do", "partial") and missing.intersection(step["inputs"].values()):
            one = replace(one, state="blocked")
        if one.state in ("failed", "blocked"):
            missing.add(one.digest)
        found.append(one)
    return tuple(found)


def _standing(
    store: Path,
    step: Mapping[str, Any],
    there: Mapping[str, str],
    held: Container[str],
    noted: Mapping[str, Any],
) -> Standing:
    one = Standing(step["kind"], step["name"], step["digest"], "to do")
    if one.digest in there:
        folder = store / one.kind / there[one.digest]
        one = replace(one, state="done", before=_before(folder, step, noted))
        return replace(one, curve=_curve(folder)) if one.kind == "pretrain" else one
    failed = noted.get("failed", {})
    if one.digest in failed:
        one = replace(one, state="failed", reason=failed[one.digest])
    if f"{one.digest}.part" not in there:
        return one
    part = store / one.kind / there[f"{one.digest}.part"]
    one = replace(
        one,
        facts=tail(part / "log.jsonl"),
        curve=_curve(part),
        before=_before(part, step, noted),
    )
    if one.digest in held and _alive(store / "locks" / one.digest):
        return replace(one, state="running", reason="")
    last = (recorded(part) or [{}])[-1]
    if last.get("outcome") in ("failed", "oom") and last.get("ended", 0.0) >= noted["began"]:
        return replace(one, state="failed", reason=str(last.get("reason", "")))
    return one if one.state == "failed" else replace(one, state="partial")


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _alive(lock: Path) -> bool:
    """Whether a lock is held, by somebody living."""
    holder = read_object(lock)
    return bool(holder) and not locks.dead(lock, holder, Machine.lock_expiry)


def _curve(folder: Path) -> tuple[tuple[int, float], ...]:
    """The loss of a step so far."""
    try:
        seen = (folder / "log.jsonl").stat()
    except OSError:
        return ()
    return _read_curve(folder / "log.jsonl", seen.st_mtime_ns, seen.st_size)


@lru_cache(4096)
def _read_curve(log: Path, changed: int, size: int) -> tuple[tuple[int, float], ...]:
    try:
        return ledger.thinned(ledger.losses(log.read_text(errors="replace")))
    except OSError:
        return ()


def _left(noted: Mapping[str, Any], steps: Sequence[Standing]) -> float | None:
    """Seconds left, from the plan's estimates and what this run has taken for its steps so far.

    The work of earlier runs is in neither.
    """
    open_, finished = 0.0, 0.0
    for step, planned in zip(steps, noted["steps"]):
        done = 1.0 if step.state == "done" else _share(step.facts)
        if planned["state"] != "done" and step.state != "blocked":
            open_ += planned["seconds"] * (1 - done)
            finished += planned["seconds"] * max(0.0, done - step.before)
    elapsed = time.time() - float(noted["began"])
    return remaining(open_, finished, elapsed, int(noted["workers"]))


def _share(facts: Mapping[str, Any]) -> float:
    """How much of a step's training is behind it."""
    at, of = facts.get("step"), facts.get("of")
    return min(1.0, at / of) if isinstance(at, int) and isinstance(of, int) and of else 0.0


def _before(folder: Path, step: Mapping[str, Any], noted: Mapping[str, Any]) -> float:
    """How much of a step's training was behind it when the run began."""
    if step["state"] != "partial":
        return 0.0
    return _share_at(folder / "log.jsonl", float(noted["began"]))


@lru_cache(4096)
def _share_at(log: Path, moment: float) -> float:
    """How much of a step's training was behind it at a moment that has passed."""
    steps = [event for event in events(log) if event["event"] == "step"]
    earlier = [event for event in steps if event.get("time", 0.0) < moment]
    return _share(earlier[-1]) if earlier else 0.0
