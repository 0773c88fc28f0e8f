"""A tracker beside a run: a process that follows its files, begun and ended with it."""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Beside:
    """The process that tells a tracker of a grid."""

    process: "subprocess.Popen[bytes]"
    tracker: str
    log: Path
    again: str  # the command that tells what is left

    def end(self, patience: float) -> None:
        """Let it tell the rest within `patience` seconds. What goes wrong with it stops nothing."""
        try:
            self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.returncode:
            said = f"{self.tracker} was not told everything (see {self.log})"
            print(f"{said}; to tell it the rest: {self.again}", file=sys.stderr, flush=True)


def start(root: Path, grid: str, tracker: str) -> Beside:
    """Tell `tracker` of the grid from now on."""
    folder = root / "grids" / grid / "tracked"
    folder.mkdir(exist_ok=True)
    log = folder / f"{tracker}.log"
    command = [sys.executable, "-m", "harness.track", str(root), grid, tracker]
    with open(log, "wb") as out:
        # A session of its own: Ctrl-C is the run's to hear, and the end of its input ends this.
        process = subprocess.Popen(
            [*command, "--follow"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Beside(process, tracker, log, shlex.join(["python", *command[1:]]))
