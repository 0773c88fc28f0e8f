"""Ends what is left of a local Ray when its driver is gone: `python guard.py DRIVER`, input a pipe.

Ray's own processes follow a driver that dies, except for two agents that outlive a killed driver by
about a minute (Ray 2.60). This process notes Ray's processes while the driver lives, learns of its
end when the pipe closes, and ends those that are still there a moment later. It imports nothing of
ours, so that it is at work in less than a tenth of a second.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys

import psutil

EVERY = 5.0  # seconds between looks at the process table
PATIENCE = 3.0  # seconds that Ray gets to end by itself


def start() -> "subprocess.Popen[bytes]":
    """Start the guard of this process; it ends when this process does, or closes the pipe."""
    return subprocess.Popen(
        [sys.executable, "-E", "-P", os.path.abspath(__file__), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _of_ray(driver: psutil.Process) -> set[psutil.Process]:
    """Ray's processes below the driver."""
    found: set[psutil.Process] = set()
    with contextlib.suppress(psutil.Error):
        for child in driver.children():
            with contextlib.suppress(psutil.Error):
                if any("/ray/" in word for word in child.cmdline()):
                    found |= {child, *child.children(recursive=True)}
    return found


def main(driver: psutil.Process) -> None:
    """Watch until the pipe closes, then end what has not ended by itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    known: set[psutil.Process] = set()
    while True:
        known |= _of_ray(driver)
        if select.select([0], [], [], EVERY)[0]:
            break
    _, alive = psutil.wait_procs(known, timeout=PATIENCE)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()


if __name__ == "__main__" and sys.platform == "linux":
    with contextlib.suppress(psutil.NoSuchProcess):  # gone already: there is nothing to guard
        main(psutil.Process(int(sys.argv[1])))
