"""A grid on a real cluster: a head and two more nodes, a token, a dashboard for this host only."""

import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import results
from harness.store.store import Store
from tests.harness.cluster import RAY, Cluster, cluster, left_over
from tests.harness.test_plugins import GRID as OWN
from tests.harness.test_plugins import MINE

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ablations", "glm", "harness", "results", "tasks")
GRID = """
name: tiny
scale: micro
overrides: {steps: 4, rows: 16, eval_rows: 12, world: 0.05, documents: 120}
tables:
  - {id: one, rows: [glm-base], columns: [copa]}
"""


@pytest.fixture(scope="module")
def there() -> Iterator[Cluster]:
    with cluster(1, 1, 1) as found:
        yield found
    assert not left_over(found.folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: Any) -> Path:
    """The project's packages and a grid, as a folder that can be handed to a cluster."""
    folder = tmp_path_factory.mktemp("project")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "grid.yaml").write_text(GRID)
    return folder


def run(there: Cluster, folder: Path, *command: str, **environment: str) -> str:
    """What a command prints, in the cluster's environment."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=there.environment | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def scores(store: Path) -> dict[str, bytes]:
    found = {f.name: f / "scores.json" for f in Store(store).folders()}
    return {name: path.read_bytes() for name, path in found.items() if path.exists()}


@pytest.fixture(scope="module")
def runs(there: Cluster, project: Path, tmp_path_factory: Any) -> dict[str, tuple[str, Path]]:
    """The grid run by a driver of this machine, and the grid as a submitted job."""
    tmp = tmp_path_factory.mktemp("stores")
    grid = [
        sys.executable,
        "-m",
        "harness.run",
        "grid.yaml",
        "--address",
        "auto",
        "--store",
    ]
    submit = [RAY, "job", "submit", "--address", there.dashboard, "--working-dir", ".", "--"]
    return {
        "driver": (run(there, project, *grid, str(tmp / "driver")), tmp / "driver"),
        "job": (run(there, project, *submit, *grid, str(tmp / "job")), tmp / "job"),
    }


@pytest.mark.parametrize("how", ["driver", "job"])
def test_a_grid_runs_to_its_tables_on_the_cluster(runs: Any, how: str):
    said, store = runs[how]
    assert "COPA" in said and "report: " in said, said
    assert (store / "grids" / "tiny" / "cells.json").exists()
    assert len(scores(store)) == 1


def test_a_job_computes_the_bits_of_a_driver(runs: Any):
    assert scores(runs["job"][1]) == scores(runs["driver"][1])


@pytest.fixture(scope="module")
def strangers(there: Cluster, tmp_path_factory: Any) -> dict[str, tuple[str, Path]]:
    """A grid with a plugin beside it and nothing of ours, run by a driver and as a job.

    The package is where it would be installed, on every node.
    """
    folder, tmp = tmp_path_factory.mktemp("mine"), tmp_path_factory.mktemp("stores")
    rows = [{"id": str(i), "place": f"town {i}", "label": i % 2} for i in range(8)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "mine.py").write_text(MINE)
    (folder / "grid.yaml").write_text(OWN.replace("EXECUTOR", "ray"))
    installed = {"PYTHONPATH": str(ROOT)}
    grid = [sys.executable, "-m", "harness.run", "grid.yaml", "--address", "auto", "--store"]
    submit = [RAY, "job", "submit", "--address", there.dashboard, "--working-dir", "."]
    submit += ["--runtime-env-json", json.dumps({"env_vars": installed}), "--"]
    return {
        "driver": (run(there, folder, *grid, str(tmp / "driver"), **installed), tmp / "driver"),
        "job": (run(there, folder, *submit, *grid, str(tmp / "job")), tmp / "job"),
    }


@pytest.mark.parametrize("how", ["driver", "job"])
def test_a_strangers_plugin_comes_with_the_steps_that_it_decides(strangers: Any, how: str):
    said, store = strangers[how]
    assert "A table of my own" in said and "Weather" in said, said
    read = results.load(store, "grid")
    assert set(read.row) == {"mine", "glm"} and read.value.notna().all(), read
    plugged = {
        f.name.split("-")[0]: json.loads(f.joinpath("spec.json").read_text())["spec"]
        for f in Store(store).folders()
        if f.parent.name == "pretrain"
    }
    assert {name: list(spec["plugins"]) for name, spec in plugged.items()} == {
        "mine": ["mine.py"],
        "glm": [],
    }


def test_a_strangers_job_computes_the_bits_of_a_driver(strangers: Any):
    assert scores(strangers["job"][1]) == scores(strangers["driver"][1])
    assert len(scores(strangers["job"][1])) == 2


def test_without_the_token_the_dashboard_tells_nothing(there: Cluster):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{there.dashboard}/api/jobs/", timeout=20)
    with caught.value as refused:
        assert refused.code == 401


def test_the_dashboard_listens_on_the_loopback_interface_only(there: Cluster):
    port = int(there.dashboard.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: asks which address would be ours
        outer = probe.getsockname()[0]
    if outer != "127.0.0.1":
        with pytest.raises(OSError):
            socket.create_connection((outer, port), 5).close()
