"""The pages of a watched store: its grids, and one grid's run as it stands."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from harness.live.state import Run, Standing
from harness.run.progress import duration, measured
from results import layout
from results.learning_curves import amount

SHOWN = 60  # loss curves of one page, those of running steps first
WIDE, HIGH = 240, 80  # of a curve's drawing, in its own units
WORDS = {
    "running": "running",
    "done": "has come to its end",
    "stopped": "was interrupted: the same command goes on",
    "lost": "its process is gone: the same command goes on",
    "silent": "nothing is running, and its machine cannot be asked from here",
}


def overview(store: str, runs: Sequence[Run]) -> str:
    """All grids of a store, a line each."""
    values = {
        "title": f"{store}: grids",
        "store": store,
        "grids": [{"name": run.grid, **_told(run)} for run in runs],
    }
    return layout.html("live_store.html.j2", values)


def grid(run: Run) -> str:
    """One grid's run: how far it is, what runs, what failed, and losses."""
    failed, blocked = run.of("failed"), run.of("blocked")
    drawn = [step for step in run.of("running", "failed", "partial", "done") if step.curve[1:]]
    values = {
        "title": f"{run.grid}: {run.counts.get('done', 0)}/{len(run.steps)}",
        "grid": run.grid,
        "report": run.report,
        "counts": run.counts,
        "running": [_running(step) for step in run.of("running")],
        "failed": [(step.kind, step.name, step.reason) for step in failed],
        "blocked": [(step.kind, step.name) for step in blocked],
        "kinds": _kinds(run.steps),
        "curves": [_drawing(step) for step in drawn[:SHOWN]],
        "hidden": max(0, len(drawn) - SHOWN),
        **_told(run),
    }
    return layout.html("live_grid.html.j2", values)


def _told(run: Run) -> Mapping[str, Any]:
    """The run in a few words and numbers."""
    until = run.ended or (time.time() if run.state == "running" else None)
    counts = run.counts
    return {
        "state": WORDS[run.state],
        "done": counts.get("done", 0),
        "total": len(run.steps),
        "bad": counts.get("failed", 0) + counts.get("blocked", 0),
        "began": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.began)),
        "took": duration(until - run.began) if until is not None else "",
        "left": duration(run.left) if run.left is not None else "",
    }


def _running(step: Standing) -> Mapping[str, Any]:
    at, loss, speed = measured(step.facts)
    return {"kind": step.kind, "name": step.name, "at": at, "loss": loss, "speed": speed}


def _kinds(steps: Sequence[Standing]) -> list[tuple[str, int, int]]:
    """Each kind of step with how many are done, and of how many."""
    kinds: dict[str, list[bool]] = {}
    for step in steps:
        kinds.setdefault(step.kind, []).append(step.state == "done")
    return [(kind, sum(done), len(done)) for kind, done in kinds.items()]


def _drawing(step: Standing) -> Mapping[str, Any]:
    """A step's loss as a line of points, and in words."""
    steps, losses = zip(*step.curve)
    low, high = min(losses), max(losses)
    rise, run = high - low or 1.0, steps[-1] - steps[0] or 1
    points = [
        f"{WIDE * (at - steps[0]) / run:.1f},{HIGH * (high - loss) / rise:.1f}"
        for at, loss in step.curve
    ]
    return {
        "name": f"{step.kind} {step.name}",
        "state": step.state,
        "points": " ".join(points),
        "box": f"-3 -3 {WIDE + 6} {HIGH + 6}",
        "said": f"from {losses[0]:.3f} at step {amount(steps[0])} "
        f"to {losses[-1]:.3f} at step {amount(steps[-1])}; lowest {low:.3f}",
    }
