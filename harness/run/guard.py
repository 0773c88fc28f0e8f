"""Ends what is left of a local Ray when its driver is gone: `python guard.py DRIVER FOLDER MARK`.

A Ray that lost its raylet or its GCS, or whose driver was killed while it started, leaves processes
behind for up to a minute, and its folder for ever (Ray 2.60). This process learns of the driver's
end, or of the run's, when the pipe that is its input closes. It ends what is still there a moment
later and removes the folder. It imports nothing of ours, so that it is at work in a tenth of a
second.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

PATIENCE = 3.0  # seconds that Ray gets to end by itself
LONGEST = 40  # characters of a folder in which Ray's sockets still have room for their names
VITAL = ("raylet", "gcs_server")
VARIABLE = "GLM_HARNESS_RAY"  # in the environment of every process of a Ray: its mark


class Guard:
    """The guard of this process's Ray, and the folder in which that Ray lives."""

    def __init__(self) -> None:
        place = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
        self.folder = Path(
            tempfile.mkdtemp(prefix="glm-ray-", dir=place if len(place) <= LONGEST else "/tmp")
        )
        self.mark = secrets.token_hex(8)
        told = (str(os.getpid()), str(self.folder), self.mark)
        self._process = subprocess.Popen(
            [sys.executable, "-E", "-P", os.path.abspath(__file__), *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Wait until nothing of Ray is left."""
        self._process.communicate()  # closes its pipe


def vital() -> dict[str, psutil.Process]:
    """The processes without which this process's Ray does nothing more, by their names."""
    found = {}
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, IndexError):
            name = os.path.basename(child.cmdline()[0])
            if name in VITAL:
                found[name] = child
    return found


def gone(processes: Mapping[str, psutil.Process]) -> str:
    """The first of the vital ones that has ended; "" while all of them live."""
    for name in VITAL:
        try:
            if name not in processes or processes[name].status() == psutil.STATUS_ZOMBIE:
                return name
        except psutil.NoSuchProcess:
            return name
    return ""


def _left(driver: int, folder: str, mark: str) -> Iterator[psutil.Process]:
    """Processes of the Ray: by its mark, or where a title has taken its place, by their files."""
    for process in psutil.process_iter():
        if process.pid in (driver, os.getpid()):
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(VARIABLE) == mark or any(
                file.path.startswith(f"{folder}/") for file in process.open_files()
            ):
                yield process


def main(driver: int, folder: str, mark: str) -> None:
    """Wait for the end, then end what has not ended by itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    until = time.monotonic() + PATIENCE
    while (left := list(_left(driver, folder, mark))) and time.monotonic() < 2 * PATIENCE + until:
        if time.monotonic() > until:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__" and sys.platform == "linux":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
