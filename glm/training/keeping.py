"""What a training keeps on its way: the checkpoint that it goes on from, and snapshots."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from glm.training import checkpoints
from glm.training.curve import Curve
from glm.training.learner import Learner
from glm.training.patience import Patience
from glm.training.session import Interrupted, Session

SNAPSHOTS = "snapshots"  # the folder of models on the way, each in a folder named by its step


@dataclass
class Keeping:
    """Puts a training back to where it was stopped, and saves it so that it can be stopped."""

    session: Session
    learner: Learner
    optimizer: torch.optim.Optimizer
    patience: Patience | None
    seconds: float  # between two checkpoints
    snapshots: Collection[int]  # steps after which the model is kept, which changes nothing else
    lead: bool  # whether this process writes
    saved: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """The checkpoint's."""
        return self.session.folder / "checkpoint"

    def begin(self) -> tuple[int, dict[str, float], list[float]]:
        """Put a checkpoint's weights and moments in place, if there is one.

        Returns the number of steps that are done, the ledger so far, and the losses that no line of
        the curve has told.
        """
        step, ledger, looked, losses = 0, dict[str, float](), list[float](), list[float]()
        if (self.folder / checkpoints.RECORD).exists():
            model, head = self.learner.model, self.learner.head
            extra = checkpoints.restore(self.folder, model, self.optimizer, head)
            step, ledger = int(extra["step"]), dict(extra["ledger"])
            looked, losses = list(extra.get("looked", ())), list(extra.get("losses", ()))
        if step and self.lead:
            self.session.log("resume", step=step)
        if self.patience is not None:
            self.patience.losses[:] = looked
        self.saved = time.monotonic()
        return step, ledger, losses

    def after(self, done: int, of: int, curve: Curve) -> None:
        """Between two steps: a snapshot where one is wished, a checkpoint where one is due.

        Raises `Interrupted`, with a checkpoint written, where the training is asked to stop.
        """
        stop = self.session.stopping()
        if done in self.snapshots and self.lead:
            extra = {"step": done, "ledger": curve.ledger() | {"steps": done}}
            folder = self.session.folder / SNAPSHOTS / str(done)
            checkpoints.save(folder, self.learner.model, extra=extra)
        due = time.monotonic() - self.saved > self.seconds
        if (stop or due) and done < of:
            curve.flush()
            self._checkpoint(done, curve)
        if stop and done < of:
            raise Interrupted(f"stopped after step {done} of {of}")

    def _checkpoint(self, done: int, curve: Curve) -> None:
        if self.lead:
            extra: dict[str, Any] = {"step": done, "ledger": curve.ledger(), "losses": curve.losses}
            if self.patience is not None:
                extra["looked"] = self.patience.losses
            model, head = self.learner.model, self.learner.head
            checkpoints.save(self.folder, model, self.optimizer, extra, head)
            self.session.log("checkpoint", step=done)
        self.saved = time.monotonic()
