"""P4: a file system that is full for real, at whichever write it happens to be."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import disk_full
from harness.run.driver import drive
from harness.run.scheduler import Schedule
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store
from tests.harness.steps_for_tests import Add, Count

PAGE = 4096  # what tmpfs gives out at a time: a file or a folder takes one at least


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a tmpfs needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def grid() -> dict[str, Step]:
    """A chain whose every step needs the one before."""
    first = Step("add", "first", Add(1))
    count = Step("count", "count", Count(steps=3, pause=0.0, every=1), {"first": first})
    last = Step("add", "last", Add(2), {"count": count})
    return ordered({last.digest: last})


def leave(folder: Path, pages: int) -> Path:
    """Fill the file system but for so many pages."""
    ballast = folder / "ballast"
    found = os.statvfs(folder)
    with open(ballast, "wb") as file:
        file.write(b"x" * max(0, found.f_bavail * found.f_frsize - pages * PAGE))
    return ballast


def attempt(store: Path) -> tuple[str, Schedule | None]:
    """What a run says at its end, and its schedule where there was room to begin."""
    try:
        schedule = drive(grid(), Store(store).open(), Machine(executor="inline"), quiet=True)
    except OSError as error:
        assert error.errno == errno.ENOSPC
        return disk_full(error, store) or "", None
    return " ".join(schedule.reasons.values()), schedule


def test_whatever_write_meets_a_full_disk_nothing_half_written_is_taken_for_done(
    small: Path, tmp_path: Path
):
    undisturbed = attempt(tmp_path / "roomy")[1]
    assert undisturbed and undisturbed.tally()["done"] == 3
    failures = 0
    for pages in range(40):
        store = small / f"store-{pages}"
        ballast = leave(small, pages)
        said, schedule = attempt(store)
        whole = schedule is not None and schedule.tally()["done"] == 3
        if not whole:
            failures += 1
            assert f"no space left at {store}" in said, (pages, said)
        ballast.unlink()
        assert not store.exists() or not Store(store).verify()
        _, schedule = attempt(store)
        assert schedule and schedule.tally()["done"] == 3, (pages, schedule and schedule.reasons)
        for path in (tmp_path / "roomy").glob("*/*/scores.json"):
            assert (store / path.relative_to(tmp_path / "roomy")).read_bytes() == path.read_bytes()
        subprocess.run(["rm", "-r", str(store)], check=True)
        if whole:
            break
    assert failures > 10 and whole  # it failed at many places, and the last one had room enough
