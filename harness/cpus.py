"""How many CPUs this process may use: its affinity and its cgroup's quota, not the machine's count.

A batch system gives an allocation by either; a harness that counts the machine's CPUs would start
too many workers in it and slow them all down.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def allowed(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """CPUs that this process may run on, at least one; a quota of 1.5 CPUs counts as two."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    found = groups("cpu", root, membership)
    quotas = [_version_1(place) if first else _version_2(place) for place, first in found]
    limits = [math.ceil(quota) for quota in quotas if quota > 0]
    return max(1, min([count, *limits]))


def groups(controller: str, root: Path, membership: Path) -> Iterator[tuple[Path, bool]]:
    """The folders of this process's cgroup and of those around it, and whether of version 1."""
    try:
        entries = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, group in (entry for entry in entries if len(entry) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        base = root if not controllers else root / controller
        folder = base / group.lstrip("/")
        for place in (folder, *folder.parents):
            if place != base and base not in place.parents:
                break
            yield place, bool(controllers)


def _version_2(folder: Path) -> float:
    """`cpu.max` holds "QUOTA PERIOD" or "max PERIOD"; 0 where there is no limit."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return 0.0
    return 0.0 if quota == "max" else int(quota) / int(period)


def _version_1(folder: Path) -> float:
    """A quota of -1 is none."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return quota / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return 0.0
