"""Follows a grid's run by its files and tells a tracker: losses while they fall, scores when made.

A process of its own beside the run, so that a tracker that is slow, loud or broken costs the run
nothing: `python -m harness.track STORE GRID TRACKER`. What was told is noted, so that nothing is
told twice, and a grid that was run without a tracker can be told of later.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.store import runs
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
        for run, scores in _runs(noted["steps"] if noted else ()).items():
            _tell(root, run, scores, told.setdefault(run.digest, Told()), sink, over)
        note.parent.mkdir(exist_ok=True)
        write_json(note, {d: {"step": one.step, "scores": one.scores} for d, one in told.items()})


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


def _tell(
    root: Path, run: Tracked, scores: list[Tracked], told: Told, sink: Sink, last: bool
) -> None:
    """What is new of one run; it is closed when nothing more can come."""
    if told.over:
        return
    whole = _folder(root, run)
    losses = _losses(whole or _folder(root, run, ".part"), told)
    new = [one for one in scores if one.digest not in told.scores]
    made = [(one, numbers) for one in new if (numbers := _scores(_folder(root, one)))]
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


def _folder(root: Path, run: Tracked, ending: str = "") -> Path | None:
    """A step's folder, whatever the name under which it was made."""
    return next(iter((root / run.kind).glob(f"*-{run.digest}{ending}")), None)


def _losses(folder: Path | None, told: Told) -> list[tuple[int, dict[str, float]]]:
    """The whole lines that a log has gained, those of steps that were told before left out."""
    try:
        with open((folder or Path()) / "log.jsonl", "rb") as log:
            log.seek(told.read)
            new = log.read()
    except OSError:
        return []
    new = new[: new.rfind(b"\n") + 1]
    told.read += len(new)
    found: dict[int, dict[str, float]] = {}
    for line in new.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if (
            isinstance(event, dict)
            and event.get("event") == "step"
            and event.get("step", 0) > told.step
        ):
            found[event["step"]] = _finite({name: event.get(name) for name in LOGGED})
    return sorted(found.items())


def _scores(folder: Path | None) -> dict[str, float]:
    """A score's metrics as "task/split/metric"."""
    made = read_json((folder or Path()) / "scores.json")
    if folder is None or not isinstance(made, dict):
        return {}
    spec = (read_json(folder / "spec.json") or {}).get("spec", {})
    clean = "clean" if "leakage" in (read_json(folder / "inputs.json") or {}) else ""
    level = (spec.get("options") or {}).get("level")
    task = f"{made['task']}@{level}" if level else made["task"]
    whose = Path(spec.get("predictions", "")).stem.replace("predictions", "")
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
