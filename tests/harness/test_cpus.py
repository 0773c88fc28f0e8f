"""How many CPUs a run counts with: those it was given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cpus


def groups(tmp_path: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A cgroup file system with these files, and the process's entry in it."""
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    entry = tmp_path / "self"
    entry.write_text(membership)
    return tmp_path / "cgroup", entry


def test_a_process_bound_to_one_cpu_counts_one():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    code += "from harness import cpus; print(cpus.allowed())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/job\n", {"job/cpu.max": "100000 100000"}, 1),
        ("0::/job/step\n", {"job/cpu.max": "50000 100000", "job/step/cpu.max": "max 100000"}, 1),
        ("0::/job\n", {"job/cpu.max": "max 100000"}, None),
        (
            "3:cpu,cpuacct:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "100000", "cpu/job/cpu.cfs_period_us": "100000"},
            1,
        ),
        (
            "3:cpu,cpuacct:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"},
            None,
        ),
        ("0::/job\n", {"job/cpu.max": "nonsense"}, None),
        ("", {}, None),
    ],
)
def test_a_quota_of_the_cgroup_or_of_one_around_it_bounds_the_count(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int | None
):
    every = len(os.sched_getaffinity(0))
    assert cpus.allowed(*groups(tmp_path, membership, files)) == (expected or every)
