"""What a run of a grid has set out to do, for whoever watches it: `STORE/grids/NAME/run.json`.

Written when a run begins and again when it ends, and read by nothing that decides a number.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.plan.plan import Line
from harness.store import locks
from tasks.atomic import read_json, read_object, write_json

FILE = "run.json"


def begin(folder: Path, lines: Sequence[Line], workers: int) -> Mapping[str, Any]:
    """Note who runs the grid from now on, and every step of it, inputs first; the note."""
    steps = [
        {
            "kind": line.step.kind,
            "name": line.step.name,
            "digest": line.step.digest,
            "inputs": {name: needed.digest for name, needed in line.step.inputs.items()},
            "seconds": line.seconds,
            "state": line.state,
        }
        for line in lines
    ]
    noted = {"by": locks.me(), "began": time.time(), "workers": workers, "steps": steps}
    write_json(folder / FILE, noted)
    return noted


def end(folder: Path, begun: Mapping[str, Any], code: int, failed: Mapping[str, str]) -> None:
    """Note the end of the run that began with this note: its exit code, and by digest what failed
    and why. Where another has begun since, the note is that one's and stays as it is."""
    noted = read_object(folder / FILE)
    if any(noted.get(key) != begun[key] for key in ("by", "began")):
        return
    ended = {"ended": time.time(), "code": code, "failed": dict(failed)}
    write_json(folder / FILE, {**noted, **ended})


def read(folder: Path) -> dict[str, Any] | None:
    """What was noted of the grid's last run; None where nothing that can be read was."""
    noted = read_json(folder / FILE)
    whole = isinstance(noted, dict) and isinstance(noted.get("steps"), list)
    return noted if whole else None
