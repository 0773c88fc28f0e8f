"""How much memory this process may use: the machine's, or what its cgroup leaves of it."""

import os
from pathlib import Path

from harness.cpus import CGROUPS, MEMBERSHIP, groups


def allowed(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Bytes that there are for this process; a batch system gives an allocation by its cgroup."""
    there = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for place, first in groups("memory", root, membership):
        try:
            said = (place / ("memory.limit_in_bytes" if first else "memory.max")).read_text()
            there.append(int(said))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(there)
