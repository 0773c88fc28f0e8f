"""Locks with a heartbeat: each step is written once, however many drivers share a store.

A lock is a small file that names its holder; its time of change is the heartbeat. It appears with
its content in one operation (a hard link), which also holds on network file systems. A holder is
dead when its process is gone (seen from its own machine) or its heartbeat has expired.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tasks.atomic import read_object

BEAT = 2.0  # seconds between heartbeats


def me() -> dict[str, Any]:
    """This process: host, its boot and process space (so that pids can be compared), pid, start."""
    return {
        "host": socket.gethostname(),
        "space": _space(),
        "pid": os.getpid(),
        "start": _own_start(os.getpid()),
    }


def take(path: Path, session: str, expiry: float) -> str | None:
    """Take the lock; None when it is ours, else who holds it and since when, as one sentence.

    `session` names the driver: its own steps' locks are taken over at once, because it only asks
    again when it knows that the worker is lost.
    """
    holder = {**me(), "session": session, "since": time.time()}
    mine = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    mine.write_text(json.dumps(holder))
    try:
        for _ in range(3):
            try:
                os.link(mine, path)
                return None
            except FileExistsError:
                other = read_object(path)
                if not other and not path.exists():  # released in this moment
                    continue
                own = other.get("session") == session
                if not own and not dead(path, other, expiry, mine):
                    return _sentence(path, other, mine)
                _replace(path, other, mine, expiry)
                if (now := read_object(path)) and now.get("since") == holder["since"]:
                    return None
        return "waiting for a lock that changes hands"
    finally:
        mine.unlink(missing_ok=True)


def release(path: Path) -> None:
    """Give the lock back, if it is still this process's."""
    held = read_object(path)
    if held and held.get("pid") == os.getpid() and held.get("space") == _space():
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def beating(path: Path) -> Iterator[None]:
    """Touch `path` every two seconds while the block runs."""
    if not _heart:
        _heart.append(threading.Thread(target=_beat, name="heartbeat", daemon=True))
        _heart[0].start()
    _beating.add(path)
    try:
        yield
    finally:
        _beating.discard(path)


# One thread for the whole process: to start one for each of a thousand short steps costs more than
# the steps do.
_heart: list[threading.Thread] = []
_beating: set[Path] = set()


def _beat() -> None:
    while True:
        time.sleep(BEAT)
        for path in list(_beating):
            with contextlib.suppress(OSError):
                os.utime(path)


def dead(path: Path, other: dict[str, Any], expiry: float, probe: Path | None = None) -> bool:
    """Whether a lock's holder is: its process is gone or, elsewhere, its heartbeat has expired.

    The heartbeat's age is that of `_age`, which a `probe` makes exact.
    """
    return gone(other) or (other.get("space") != _space() and _age(path, probe) > expiry)


def gone(other: dict[str, Any]) -> bool:
    """Whether a process described by `me` is known to be no more: only seen on its own machine."""
    if other.get("space") != _space():
        return False
    with contextlib.suppress(OSError, ValueError, KeyError):
        return _start(int(other["pid"])) != other["start"]
    return False


def _replace(path: Path, other: dict[str, Any], mine: Path, expiry: float) -> None:
    """Put our lock in a dead holder's place, one taker at a time."""
    guard = path.with_name(f"{path.name}.takeover")
    try:
        os.link(mine, guard)
    except FileExistsError:
        if _age(guard, mine) > expiry:
            guard.unlink(missing_ok=True)
        return
    try:
        if read_object(path) == other:
            copy = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            copy.write_text(mine.read_text())
            copy.replace(path)
    finally:
        guard.unlink(missing_ok=True)


def _age(path: Path, probe: Path | None) -> float:
    """Seconds since the last heartbeat, by the file system's own clock, which touching a `probe`
    tells; whoever may write none goes by this machine's."""
    try:
        if probe is None:
            return time.time() - path.stat().st_mtime
        os.utime(probe)
        return probe.stat().st_mtime - path.stat().st_mtime
    except OSError:
        return 0.0


def _sentence(path: Path, other: dict[str, Any], probe: Path) -> str:
    since = time.strftime("%H:%M:%S", time.localtime(other.get("since", 0)))
    holder = f"{other.get('host')}:{other.get('pid')}"
    return f"waiting for {holder} since {since}, last heartbeat {_age(path, probe):.0f} s ago"


@cache
def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


@cache
def _own_start(pid: int) -> str:
    return _start(pid)


def _start(pid: int | None = None) -> str:
    """When the process began, in the kernel's ticks: tells a reused pid from its first owner."""
    try:
        stat = Path(f"/proc/{pid or os.getpid()}/stat").read_text()
    except OSError:
        return "gone"
    fields = stat.rsplit(")", 1)[1].split()
    return "gone" if fields[0] == "Z" else fields[19]
