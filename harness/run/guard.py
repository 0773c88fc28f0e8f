"""Ends what is left of a local Ray when its driver is gone: `python guard.py DRIVER`, input a pipe.

Ray's own processes follow a driver that dies, except for two agents that outlive a killed driver by
about a minute (Ray 2.60). This process notes Ray's processes while the driver
lives, learns of its end when the pipe closes, and ends those that are still there a moment later.
It imports nothing of ours, so that it starts in a few milliseconds.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

EVERY = 5.0  # seconds between looks at the process table
PATIENCE = 3.0  # seconds that Ray gets to end by itself


def start() -> "subprocess.Popen[bytes]":
    """Start the guard of this process; it ends when this process does, or closes the pipe."""
    return subprocess.Popen(
        [sys.executable, "-S", "-E", os.path.abspath(__file__), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _processes() -> dict[int, tuple[int, str]]:
    """Every process's parent and its time of start."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
                found[int(name)] = (int(fields[1]), fields[19])
    return found


def _of_ray(driver: int) -> dict[int, str]:
    """Ray's processes below the driver, with their times of start."""
    table = _processes()
    below: set[int] = set()
    for pid, (parent, _) in table.items():
        with contextlib.suppress(OSError):
            if parent == driver:
                with open(f"/proc/{pid}/cmdline") as file:
                    if "/ray/" in file.read():
                        below.add(pid)
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in table.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return {pid: table[pid][1] for pid in below}


def main(driver: int) -> None:
    """Watch until the pipe closes, then end what has not ended by itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    known: dict[int, str] = {}
    while True:
        known |= _of_ray(driver)
        if select.select([0], [], [], EVERY)[0]:
            break
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and known.items() & _alive(known).items():
        time.sleep(0.1)
    for pid in _alive(known):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _alive(known: dict[int, str]) -> dict[int, str]:
    table = _processes()
    return {pid: start for pid, start in known.items() if table.get(pid, (0, ""))[1] == start}


if __name__ == "__main__" and sys.platform == "linux":
    main(int(sys.argv[1]))
