"""A running step's view of the world: its folders, its log, and whether it is asked to stop."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.steps.step import Machine


@dataclass
class Working:
    """A running step's view of the world: see `harness.steps.step.Work`."""

    folder: Path
    inputs: Mapping[str, Path]
    machine: Machine
    how: Mapping[str, Any]
    attempt: int
    stop: Path
    provenance: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    looked: float = 0.0

    def log(self, event: str, **facts: object) -> None:
        """Append one event to log.jsonl, in one write, so that a kill cuts at most its own line."""
        self.last[event] = facts
        line = json.dumps({"event": event, "time": round(time.time(), 3), **facts})
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(line + "\n")

    def stopping(self) -> bool:
        """Whether the driver has asked to stop; the file system is asked five times a second."""
        now = time.monotonic()
        if now - self.looked < 0.2:
            return False
        self.looked = now
        return self.stop.exists()
