"""Ctrl-C and SIGTERM: once to stop with a checkpoint, twice to be out at once."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

GRACE = 8.0  # seconds that running steps get to write a checkpoint: out within 10 s in all
STOPPED = 3  # exit code: interrupted, resumable
HEARD = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the user, or the cluster, has asked this run to stop.

    The first signal writes the stop file that every step looks at, on whatever machine it runs.
    The second leaves at once; so does a step that has not stopped within its grace, and so does the
    first while nothing can be running (`at_once`: Ray is starting).

    Signals are answered by a thread of their own: the main one may be inside a library that does
    not come back to Python for a minute, or has put a handler of its own in place.
    """

    def __init__(
        self, file: Path, resume: str, before_leaving: Callable[[], None], guest: bool = False
    ) -> None:
        self.guest = guest  # in somebody else's process, which is interrupted but never ended
        self.file = file
        self.resume = resume  # the command that goes on
        self.before_leaving = before_leaving
        self.asked = False
        self.at_once = False
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None
        self._pipe: tuple[int, int] | None = None
        self._wakes = -1  # the file descriptor that was told of signals before

    def install(self) -> None:
        """Answer both signals from now on. Again after anything that installs its own handlers."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals are heard there only
        for number in HEARD[:1] if self.guest else HEARD:
            before = signal.signal(number, self._interrupted if self.guest else _nothing)
            self._before.setdefault(number, before)
        if self._pipe is None and not self.guest:
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            self._wakes = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            threading.Thread(target=self._listen, args=self._pipe[:1], daemon=True).start()

    def uninstall(self) -> None:
        """The run is over: nothing leaves in its name any more."""
        if self._pipe is not None:
            signal.set_wakeup_fd(self._wakes)
            os.close(self._pipe[1])  # the thread hears it, and ends
            self._pipe = None
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def leave(self, why: str) -> None:
        """Out at once, with the sentence and the command that goes on."""
        say(f"{why}. Go on with: {self.resume}")
        try:
            self.before_leaving()
        finally:
            os._exit(STOPPED)

    def _listen(self, pipe: int) -> None:
        with open(pipe, "rb", buffering=0) as signals:
            while numbers := signals.read(16):
                for number in filter(HEARD.__contains__, numbers):
                    self._heard(signal.Signals(number))

    def _heard(self, number: signal.Signals) -> None:
        if self.at_once:
            self.leave(f"{number.name}: stopped before a step was running")
        if self.asked:
            self.leave("out at once; the store is valid")
        self._ask(number)
        self._timer = threading.Timer(GRACE, self.leave, ["a step did not stop in time"])
        self._timer.daemon = True
        self._timer.start()

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.asked or self.at_once:
            raise KeyboardInterrupt
        self._ask(signal.Signals(number))

    def _ask(self, number: signal.Signals) -> None:
        self.asked = True
        self.file.touch()
        say(
            f"{number.name}: running steps write a checkpoint "
            f"(again: out at once). Go on with: {self.resume}"
        )


@contextlib.contextmanager
def answered(resume: str) -> Iterator[None]:
    """Both signals end the process with the command that goes on, as long as no run answers them:
    while a grid is read and planned, and while its tables are written."""

    def heard(number: int, frame: FrameType | None) -> None:
        say(f"{signal.Signals(number).name}: stopped. Go on with: {resume}")
        os._exit(STOPPED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, heard) for number in HEARD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing(number: int, frame: FrameType | None) -> None:
    """The thread has heard it."""


def say(text: str) -> None:
    """Straight to the terminal: a signal may come in the middle of a print."""
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), (text + "\n").encode())
