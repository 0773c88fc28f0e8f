"""Follows a grid's run by its files and tells a tracker: losses while they fall, scores when made.

A process of its own beside the run, so that a tracker that is slow, loud or broken costs the run
nothing: `python -m harness.track STORE GRID TRACKER`. What was told is noted, so that nothing is
told twice, and a grid that was run without a tracker can be told of later.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.store import runs
from harness.store.attempts import parsed
from harness.store.store import listed
from harness.track.sinks import Open, Sink, Tracked
from tasks.atomic import read_json, write_json

LOGGED = ("loss", "lr", "gradient_norm", "tokens_per_second")


@dataclass
class Told:
    """How far a run was told: up to which step, and which of its scores by their digests."""

    step: int = 0
    scores: list[str] = field(default_factory=list)
    read: int = 0  # bytes of the log that this process has read
    opened: Open = None
    over: bool = False


def follow(root: Path, grid: str, name: str, sink: Sink, wait: Callable[[], bool]) -> None:
    """Tell `sink` of a grid's run until `wait` (which takes its time) says that it is over."""
    folder = root / "grids" / grid
    note = folder / "tracked" / f"{name}.json"
    told = {
        digest: Told(known["step"], known["scores"])
        for digest, known in (read_json(note) or {}).items()
    }
    over = False
    while not over:
        over = wait()
        noted = runs.read(folder)
        found = _runs(noted["steps"] if noted else ())
        there = _there(root, found)
        try:
            for run, scores in found.items():
                _tell(there, run, scores, told.setdefault(run.digest, Told()), sink, over)
        finally:
            known = {d: {"step": one.step, "scores": one.scores} for d, one in told.items()}
            note.parent.mkdir(exist_ok=True)
            write_json(note, known)


def _runs(steps: Any) -> dict[Tracked, list[Tracked]]:
    """The steps that are a tracker's runs, each with the steps that score it."""
    known = {s["digest"]: Tracked(s["digest"], s["kind"], s["name"]) for s in steps}
    found: dict[Tracked, list[Tracked]] = {
        run: [] for run in known.values() if run.kind in ("pretrain", "finetune")
    }
    for step in steps:
        answered = step["inputs"].get("predictions")
        if step["kind"] == "score" and answered in known:
            found.setdefault(known[answered], []).append(known[step["digest"]])
    return found


def _there(root: Path, followed: Mapping[Tracked, Iterable[Tracked]]) -> dict[str, Path]:
    """The folders that there are, by digest, or digest and ".part", from a listing per kind."""
    kinds = {step.kind for run, scores in followed.items() for step in (run, *scores)}
    return {
        digest: root / kind / name
        for kind in sorted(kinds)
        for digest, name in listed(root / kind).items()
    }


def _tell(
    there: Mapping[str, Path],
    run: Tracked,
    scores: list[Tracked],
    told: Told,
    sink: Sink,
    last: bool,
) -> None:
    """What is new of one run; it is closed when nothing more can come."""
    if told.over:
        return
    whole = there.get(run.digest)
    losses = _losses(whole or there.get(f"{run.digest}.part"), told)
    new = [one for one in scores if one.digest not in told.scores]
    made = [(one, numbers) for one in new if (numbers := _scores(there.get(one.digest)))]
    if losses or made:
        told.opened = told.opened or sink.open(run)
    for step, numbers in losses:
        sink.tell(told.opened, step, numbers)
        told.step = step
    for one, numbers in made:
        sink.tell(told.opened, told.step, numbers)
        told.scores.append(one.digest)
    if last or (whole and len(made) == len(new)):
        told.over = True
        if told.opened is not None:
            sink.close(told.opened)


def _losses(folder: Path | None, told: Told) -> list[tuple[int, dict[str, float]]]:
    """The whole lines that a log has gained, those of steps that were told before left out."""
    if folder is None:
        return []
    try:
        with open(folder / "log.jsonl", "rb") as log:
            log.seek(told.read)
            new = log.read()
    except OSError:
        return []
    new = new[: new.rfind(b"\n") + 1]
    told.read += len(new)
    found: dict[int, dict[str, float]] = {}
    for event in parsed(new.splitlines()):
        if event["event"] == "step" and event.get("step", 0) > told.step:
            found[event["step"]] = _finite({name: event.get(name) for name in LOGGED})
    return sorted(found.items())


def _scores(folder: Path | None) -> dict[str, float]:
    """A score's metrics as "task/split/metric"."""
    if folder is None or not isinstance(made := read_json(folder / "scores.json"), dict):
        return {}
    spec = (read_json(folder / "spec.json") or {}).get("spec", {})
    clean = "clean" if "leakage" in (read_json(folder / "inputs.json") or {}) else ""
    level = (spec.get("options") or {}).get("level")
    task = f"{made['task']}@{level}" if level else made["task"]
    whose = Path(spec.get("predictions", "")).stem.removeprefix("predictions").strip(".")
    split = "-".join(filter(None, (made["split"], spec.get("part"), clean, whose)))
    metrics: Mapping[str, Any] = made["metrics"]
    values = _finite({name: metric.get("value") for name, metric in metrics.items()})
    return {f"{task}/{split}/{name}": value for name, value in values.items()}


def _finite(numbers: Mapping[str, object]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in numbers.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
