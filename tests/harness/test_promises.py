"""The promises under real faults: processes killed at bad moments, two drivers, signals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.run.driver import drive
from harness.steps.step import Machine
from harness.store.store import Store
from tasks.atomic import read_json
from tests.harness.driver import steps

LENGTH = 24
ROOT = Path(__file__).resolve().parents[2]


def start(store: Path, executor: str, length: int = LENGTH) -> "subprocess.Popen[str]":
    """A driver in a session of its own, as a terminal would give it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.harness.driver", str(store), executor, str(length)],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(happens: Callable[[], Any], seconds: float = 90) -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = happens()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def scores(store: Path) -> dict[str, bytes]:
    """The bytes of every finished score, by folder."""
    return {
        f"{folder.parent.name}/{folder.name}": (folder / "scores.json").read_bytes()
        for folder in Store(store).folders()
    }


def running(store: Path) -> list[int]:
    """Processes that hold a step's lock."""
    held = (read_json(path) for path in (store / "locks").glob("*"))
    return [found["pid"] for found in held if found and _alive(found["pid"])]


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def session_of(pid: int) -> list[int]:
    """Every living process of a session: a driver's children and theirs."""
    found = []
    for other in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getsid(other) == pid and _alive(other):
                found.append(other)
    return found


def checkpointed(store: Path) -> list[Path]:
    return list(store.glob("count/*.part/checkpoint.json"))


def whole(store: Path) -> None:
    """Nothing half-written is taken for done, and nothing is left over."""
    assert not Store(store).verify()
    assert not list(store.glob("*/*.part")) and not list((store / "locks").iterdir())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: Any) -> dict[str, bytes]:
    store = tmp_path_factory.mktemp("undisturbed")
    drive(steps(length=LENGTH), Store(store).open(), Machine(executor="inline"), quiet=True)
    return scores(store)


def test_a_driver_killed_at_random_ends_in_the_same_bytes(tmp_path: Path, undisturbed: Any):
    rng = random.Random(5)
    killed, said = 0, ""
    while killed < 5:
        driver = start(tmp_path, "inline")
        until(lambda d=driver: running(tmp_path) or d.poll() is not None)
        time.sleep(rng.uniform(0.0, 0.35))
        if driver.poll() is not None:  # it was quicker than we were
            break
        os.killpg(driver.pid, signal.SIGKILL)
        said += driver.communicate()[0]
        killed += 1
    driver = start(tmp_path, "inline")
    out, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, out
    assert killed >= 2 and "resuming: " in said + out
    assert scores(tmp_path) == undisturbed
    whole(tmp_path)
    # Every finished step was executed to its end exactly once.
    for path in tmp_path.glob("*/*/attempts.json"):
        outcomes = [attempt["outcome"] for attempt in read_json(path)]
        assert outcomes.count("done") == 1 and set(outcomes[:-1]) <= {"lost"}


def test_workers_and_drivers_on_ray_are_killed_and_the_bytes_are_the_same(
    tmp_path: Path, undisturbed: Any
):
    driver = start(tmp_path, "ray")
    until(lambda: checkpointed(tmp_path))
    for pid in running(tmp_path):
        os.kill(pid, signal.SIGKILL)  # every worker that holds a step
    lost = until(lambda: [p for p in tmp_path.glob("count/*/attempts.json") if _lost(p)])
    until(lambda: running(tmp_path))
    os.kill(driver.pid, signal.SIGKILL)
    out, _ = driver.communicate()
    assert "again (lost)" in out
    until(lambda: not session_of(driver.pid), 20)  # no orphans: not Ray's, not ours
    assert lost and not running(tmp_path)

    driver = start(tmp_path, "ray")
    out, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, out
    assert "resuming: " in out and "partial" in out
    assert scores(tmp_path) == undisturbed
    whole(tmp_path)
    assert not session_of(driver.pid)
    attempts = [a for p in tmp_path.glob("count/*/attempts.json") for a in read_json(p)]
    cost = [a for a in attempts if a["outcome"] == "lost"]
    assert cost and all(a["lost_steps"] >= 0 and a["lost_device_seconds"] >= 0 for a in cost)


def _lost(path: Path) -> bool:
    return any(attempt.get("outcome") == "lost" for attempt in read_json(path) or [])


@pytest.mark.parametrize("executor", ["inline", "ray"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_writes_a_checkpoint_and_exits_3_within_ten_seconds(
    tmp_path: Path, executor: str, number: signal.Signals, undisturbed: Any
):
    length = 400
    driver = start(tmp_path, executor, length)
    until(lambda: checkpointed(tmp_path))
    began = time.monotonic()
    # A terminal's Ctrl-C reaches the whole group, `kill` and most schedulers the driver alone.
    (os.killpg if number == signal.SIGINT else os.kill)(driver.pid, number)
    out, _ = driver.communicate(timeout=20)
    assert driver.returncode == 3 and time.monotonic() - began < 10
    assert out.count("Go on with: python -m harness.run grid.yaml") == 1
    interrupted = [read_json(p) for p in tmp_path.glob("count/*.part/attempts.json")]
    assert interrupted and all(a[-1]["outcome"] == "interrupted" for a in interrupted)
    assert not session_of(driver.pid) and not list((tmp_path / "locks").iterdir())
    saved = max(json.loads(path.read_text())[0] for path in checkpointed(tmp_path))
    assert saved > 0


def test_two_signals_leave_at_once_and_the_store_is_valid(tmp_path: Path):
    # A step that does not look up: the first signal alone would wait for it.
    driver = start(tmp_path, "inline", 400)
    until(lambda: checkpointed(tmp_path))
    os.kill(driver.pid, signal.SIGINT)
    began = time.monotonic()
    os.kill(driver.pid, signal.SIGINT)
    driver.communicate(timeout=10)
    assert driver.returncode == 3 and time.monotonic() - began < 2
    assert not Store(tmp_path).verify()


def test_two_drivers_share_a_store_and_write_each_step_once(tmp_path: Path, undisturbed: Any):
    drivers = [start(tmp_path, "inline") for _ in range(2)]
    outs = [driver.communicate(timeout=120)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outs
    assert scores(tmp_path) == undisturbed
    whole(tmp_path)
    for path in tmp_path.glob("*/*/attempts.json"):
        assert [attempt["outcome"] for attempt in read_json(path)] == ["done"]
    assert any("waiting for " in out and "last heartbeat" in out for out in outs)


def test_an_artefact_damaged_between_runs_never_becomes_a_number(tmp_path: Path, undisturbed: Any):
    plan, store = steps(length=LENGTH), Store(tmp_path).open()
    drive(plan, store, Machine(executor="inline"), quiet=True)
    rng = random.Random(3)
    for _ in range(6):
        folder = rng.choice(store.folders())
        victim = rng.choice(sorted(p for p in folder.iterdir() if p.name != "checksums.json"))
        data = bytearray(victim.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        victim.write_bytes(bytes(data))
        assert len(store.verify()) == 1
        schedule = drive(plan, store, Machine(executor="inline"), quiet=True)
        assert schedule.counts["ran"] == 1 and scores(tmp_path) == undisturbed
    assert len(list((tmp_path / "quarantine").glob("*.json"))) == 6
