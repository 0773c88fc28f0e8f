"""What a training sees of the world around it, and the two ways in which it ends early.

Apart from the loop, so that whoever runs trainings can name these without torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Session(Protocol):
    """Where a training writes, whom it tells, and when it is asked to stop."""

    @property
    def folder(self) -> Path:
        """Where checkpoints go; may hold one of an earlier attempt."""
        ...

    def log(self, event: str, **facts: object) -> None:
        """Record an event: "step", "checkpoint" and "resume" with `step=n`."""
        ...

    def stopping(self) -> bool:
        """Whether to write a checkpoint and raise `Interrupted` now. Cheap: called every step."""
        ...


class Interrupted(Exception):
    """The training was asked to stop, has saved what it needs to go on, and left."""


class Diverged(Exception):
    """The loss is NaN or infinite at `step`; `detail` holds batch ids, gradient norm, lr, loss."""

    def __init__(self, step: int, detail: Mapping[str, Any] | None = None) -> None:
        self.step = step
        self.detail = dict(detail or {})
        super().__init__(step, self.detail)

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.detail.items())
        return f"diverged@{self.step}" + (f" ({facts})" if facts else "")
