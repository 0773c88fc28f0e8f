"""The record of a step's attempts: what interruptions cost, and the events of its log.

`attempts.json` holds, per attempt, when it began and ended, where, how it ended (done, failed,
interrupted, lost, oom), and for one that was gone on with, the steps and device-seconds of its work
that came after its last checkpoint. The log's "step" and "checkpoint" events count them.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.steps.step import Machine
from tasks.atomic import read_json, write_json


def open_record(part: Path, machine: Machine) -> list[dict[str, Any]]:
    """Earlier attempts, the last one closed as lost if it never ended, and this one."""
    log = part / "log.jsonl"
    _mend(log)
    attempts = recorded(part)
    if attempts and "ended" not in attempts[-1]:
        attempts[-1].update(ended=_last_sign(part), outcome="lost", reason="the process ended")
    if attempts:
        steps, seconds = _lost(log, attempts[-1])
        attempts[-1].update(lost_steps=steps, lost_device_seconds=round(seconds, 3))
    attempts.append(
        {
            "began": time.time(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "micro_batch": machine.micro_batch,
        }
    )
    write_json(part / "attempts.json", attempts)
    return attempts


def recorded(part: Path) -> list[dict[str, Any]]:
    """The attempts so far; none where the record is not there, or not as it was written."""
    found = read_json(part / "attempts.json")
    if not isinstance(found, list):
        return []
    numbers = ("began", "ended")
    return [
        each
        for each in found
        if isinstance(each, dict)
        and "began" in each
        and all(isinstance(each[key], int | float) for key in numbers if key in each)
        and ("ended" in each) == ("outcome" in each)
    ]


def close_record(
    part: Path, attempts: list[dict[str, Any]], state: str, reason: str, began: float
) -> None:
    if attempts:
        attempts[-1].update(ended=time.time(), outcome=state, reason=reason)
        attempts[-1]["seconds"] = round(time.time() - began, 3)
        write_json(part / "attempts.json", attempts)


def _mend(log: Path) -> None:
    """End a line that a kill has cut, so that the next event starts on its own."""
    if log.exists() and log.stat().st_size:
        with open(log, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _last_sign(part: Path) -> float:
    return max((path.stat().st_mtime for path in part.iterdir()), default=time.time())


def _lost(log: Path, before: Mapping[str, Any]) -> tuple[int, float]:
    """Steps and seconds of an attempt's work that came after its last checkpoint."""
    reached = saved = 0
    saved_at = float(before["began"])
    for event in events(log):
        if event.get("time", 0) > before["ended"] + 1 or "step" not in event:
            continue
        reached = max(reached, int(event["step"]))
        if event["event"] == "checkpoint":
            saved, saved_at = int(event["step"]), max(saved_at, float(event["time"]))
    if before["outcome"] == "interrupted":
        return max(0, reached - saved), 0.0
    return max(0, reached - saved), max(0.0, float(before["ended"]) - saved_at)


def events(log: Path) -> Iterator[dict[str, Any]]:
    """The events of a log, as `parsed` has them; none where there is no log."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return
    yield from parsed(lines)


def parsed(lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
    """The events of a log's lines; a line that was cut is skipped."""
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event
