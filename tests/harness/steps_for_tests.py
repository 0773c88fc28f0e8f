"""Small steps that the tests of the engine run: real work on real files, in milliseconds."""

import json
import os
import signal
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.errors import Diverged, Interrupted


@dataclass(frozen=True)
class Add:
    """Adds its inputs' numbers to its own and writes the sum."""

    number: float = 0.0
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    threads: ClassVar[int] = 1

    def run(self, work: Any) -> None:
        total = self.number
        for folder in work.inputs.values():
            total += json.loads((folder / "scores.json").read_text())["sum"]
        (work.folder / "scores.json").write_text(json.dumps({"sum": total}))


@dataclass(frozen=True)
class Count:
    """Counts slowly with checkpoints: a training loop as the engine sees one."""

    steps: int = 20
    pause: float = 0.05
    every: int = 5
    seed: int = 0
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    threads: ClassVar[int] = 1

    def run(self, work: Any) -> None:
        saved = work.folder / "checkpoint.json"
        step, value = json.loads(saved.read_text()) if saved.exists() else (0, float(self.seed))
        if step:
            work.log("resume", step=step)
        while step < self.steps:
            time.sleep(self.pause)
            step, value = step + 1, value * 1.5 + 0.1 * step
            work.log("step", step=step, of=self.steps, loss=1 / step, tokens_per_second=100.0)
            if step % self.every == 0 or work.stopping():
                beside = work.folder / ".checkpoint"
                beside.write_text(json.dumps([step, value]))
                beside.replace(saved)
                work.log("checkpoint", step=step)
            if work.stopping() or work.stop.exists():
                beside = work.folder / ".checkpoint"
                beside.write_text(json.dumps([step, value]))
                beside.replace(saved)
                raise Interrupted
        saved.unlink(missing_ok=True)
        (work.folder / "scores.json").write_text(json.dumps({"sum": value}))


@dataclass(frozen=True)
class Fault:
    """Goes wrong in the way it is told, always or only in its first attempt."""

    how: str = "raise"  # raise | diverge | kill | hang | oom | disk
    first_only: bool = False
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    threads: ClassVar[int] = 1

    def run(self, work: Any) -> None:
        with open(work.folder / "tries.txt", "a") as file:
            file.write(f"{work.attempt} {work.machine.micro_batch}\n")
        work.log("micro_batch", rows=work.machine.micro_batch or 8)
        if work.attempt == 1 or not self.first_only:
            self.go_wrong()
        (work.folder / "scores.json").write_text(json.dumps({"sum": 0}))

    def go_wrong(self) -> None:
        if self.how == "raise":
            raise ValueError("this spec has a bug")
        if self.how == "diverge":
            raise Diverged(7, {"lr": 0.1, "gradient_norm": "inf"})
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "hang":
            while True:
                time.sleep(0.1)
        if self.how == "oom":
            raise MemoryError("asked for more than there is")
        if self.how == "disk":
            with open("/dev/full", "w") as file:
                file.write("x")


@dataclass(frozen=True)
class Nothing:
    """Does nothing, or sleeps; asks for a GPU where it says so."""

    number: int = 0
    pause: float = 0.0
    uses: str = "cpu"
    version: ClassVar[int] = 1
    threads: ClassVar[int] = 1

    def run(self, work: Any) -> None:
        if self.pause:
            time.sleep(self.pause)
