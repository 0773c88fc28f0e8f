"""Ctrl-C and SIGTERM: once to stop with a checkpoint, twice to be out at once."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

GRACE = 8.0  # seconds that running steps get to write a checkpoint: out within 10 s in all
STOPPED = 3  # exit code: interrupted, resumable


class Stop:
    """Whether the user, or the cluster, has asked this run to stop.

    The first signal writes the stop file that every step looks at, on whatever machine it runs.
    The second leaves at once; so does a step that has not stopped within its grace.
    """

    def __init__(
        self, file: Path, resume: str, before_leaving: Callable[[], None], guest: bool = False
    ) -> None:
        self.guest = guest  # in somebody else's process, which is interrupted but never ended
        self.file = file
        self.resume = resume  # the command that goes on
        self.before_leaving = before_leaving
        self.asked = False
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def install(self) -> None:
        """Answer both signals from now on. Again after anything that installs its own handlers."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals are heard there only
        for number in (signal.SIGINT,) if self.guest else (signal.SIGINT, signal.SIGTERM):
            before = signal.signal(number, self._heard)
            self._before.setdefault(number, before)

    def uninstall(self) -> None:
        """The run is over: nothing leaves in its name any more."""
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self.guest:
            raise KeyboardInterrupt
        if self.asked:
            self._leave("out at once; the store is valid")
        self.asked = True
        self.file.touch()
        _say(
            f"{signal.Signals(number).name}: running steps write a checkpoint "
            f"(again: out at once). Go on with: {self.resume}"
        )
        if self.guest:
            return
        self._timer = threading.Timer(GRACE, self._leave, ["a step did not stop in time"])
        self._timer.daemon = True
        self._timer.start()

    def _leave(self, why: str) -> None:
        _say(f"{why}. Go on with: {self.resume}")
        try:
            self.before_leaving()
        finally:
            os._exit(STOPPED)


def _say(text: str) -> None:
    """Straight to the terminal: a signal may come in the middle of a print."""
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), (text + "\n").encode())
