"""A local Ray: reachable by nobody, lost on the way, slow to start, or stopped at any moment."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.run.driver import drive
from harness.steps.step import Machine
from harness.store.store import Store
from tests.harness.driver import steps
from tests.harness.test_promises import checkpointed, scores, until, whole

ROOT = Path(__file__).resolve().parents[2]
LENGTH = 60
PROMISED = 8.0  # seconds after the end until nothing is left


@dataclass(frozen=True)
class Place:
    """Where a test's Ray lives: all that it leaves would be found by this folder."""

    folder: Path

    def start(self, store: Path, **environment: str) -> "subprocess.Popen[str]":
        """A driver in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.harness.driver", str(store), "ray", str(LENGTH)],
            cwd=ROOT,
            env=os.environ | {"RAY_TMPDIR": str(self.folder)} | environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        """Of Ray and ours, by their environment or their open files."""
        found = []
        for process in psutil.process_iter():
            try:
                named = process.environ().get("RAY_TMPDIR") == str(self.folder)
                files = any(f.path.startswith(str(self.folder)) for f in process.open_files())
                if named or files:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def named(self, name: str) -> psutil.Process | None:
        """The process whose program is called so."""
        for process in self.processes():
            try:
                if os.path.basename(process.cmdline()[0]) == name:
                    return process
            except (psutil.Error, IndexError):
                continue
        return None

    def assert_nothing_is_left(self) -> None:
        until(lambda: not self.processes() and not list(self.folder.iterdir()), PROMISED)


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="g-") as folder:  # short: sockets' paths have a limit
        yield Place(Path(folder))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = tmp_path_factory.mktemp("undisturbed")
    drive(steps(length=LENGTH), Store(store).open(), Machine(executor="inline"), quiet=True)
    return scores(store)


def test_ray_listens_on_the_loopback_only_and_its_token_is_private(tmp_path: Path, place: Place):
    driver = place.start(tmp_path)
    until(lambda: checkpointed(tmp_path))
    heard = set[str]()
    for process in [psutil.Process(driver.pid), *place.processes()]:
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                heard.add(connection.laddr.ip)
    (token,) = place.folder.glob("glm-ray-*/token")
    mode = token.stat().st_mode & 0o777
    driver.terminate()
    said, _ = driver.communicate(timeout=30)
    assert heard <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"} and mode == 0o600
    assert "127.0.0.1" in heard
    assert driver.returncode == 3, said
    place.assert_nothing_is_left()


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_ray_that_is_lost_ends_the_run_with_a_sentence_and_the_next_goes_on(
    name: str, tmp_path: Path, place: Place, undisturbed: dict[str, bytes]
):
    driver = place.start(tmp_path)
    until(lambda: checkpointed(tmp_path))
    victim = place.named(name)
    assert victim is not None
    victim.kill()
    said, _ = driver.communicate(timeout=30)
    assert driver.returncode == 3, said
    assert f"Ray has lost its {name}" in said and "Go on with: python -m harness.run" in said
    assert "Traceback" not in said
    place.assert_nothing_is_left()
    drive(steps(length=LENGTH), Store(tmp_path).open(), Machine(executor="inline"), quiet=True)
    assert scores(tmp_path) == undisturbed
    whole(tmp_path)


@pytest.mark.parametrize("fate", ["too slow", "killed"])
def test_a_ray_that_does_not_start_is_a_sentence(fate: str, tmp_path: Path, place: Place):
    driver = place.start(tmp_path, RAY_raylet_start_wait_time_s="3")
    raylet = until(lambda: place.named("raylet"))
    if fate == "killed":
        raylet.kill()
    else:
        raylet.suspend()
    said, _ = driver.communicate(timeout=60)
    assert driver.returncode == 3, said
    assert "Go on with: python -m harness.run" in said and "Traceback" not in said
    assert "Ray did not start (" in said or "Ray has lost its raylet" in said
    place.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, "at once"),
        (signal.SIGTERM, "gcs_server"),
        (signal.SIGTERM, "raylet"),
        (signal.SIGINT, "raylet"),
        (signal.SIGTERM, "a worker"),
    ],
)
def test_a_signal_while_ray_starts_ends_with_the_command_that_goes_on(
    number: signal.Signals, moment: str, tmp_path: Path, place: Place
):
    driver = place.start(tmp_path)
    happens = {
        "at once": lambda: list(place.folder.iterdir()),
        "gcs_server": lambda: place.named("gcs_server"),
        "raylet": lambda: place.named("raylet"),
        "a worker": lambda: len(place.processes()) > 6,
    }
    until(happens[moment])
    began = time.monotonic()
    os.kill(driver.pid, number)
    said, _ = driver.communicate(timeout=30)
    assert driver.returncode == 3 and time.monotonic() - began < 10, said
    assert "Go on with: python -m harness.run" in said and "Traceback" not in said
    place.assert_nothing_is_left()
