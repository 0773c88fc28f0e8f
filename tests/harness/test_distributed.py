"""Two processes pretrain what one would: the same batches, and losses up to the order of sums."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from harness.errors import UserError
from harness.run import data_parallel as distributed
from harness.run import ray_executor as execute
from harness.run.driver import drive
from harness.run.scheduler import Schedule
from harness.run.working import Working
from harness.steps.step import Step, ordered
from harness.store.attempts import events
from harness.store.store import Store
from tasks.atomic import read_json
from tests.harness.cluster import cluster
from tests.harness.small_pretraining import ALONE, ONE, WILD, killed

TOLERANCE = 1e-4  # relative, of losses and of weights after 20 steps in fp32
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Runs:
    """What the tests look at: everything was run before the first of them."""

    one: Path  # the result of one process
    store: Store
    step: Step  # the step that ran on two devices
    found: dict[str, Any]  # what was said there: statuses, reasons and counts

    @property
    def two(self) -> Path:
        """The result of two processes."""
        return self.store.path(self.step)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: Any) -> Runs:
    tmp = tmp_path_factory.mktemp("distributed")
    one, two = Store(tmp / "one").open(), Store(tmp / "two")
    alone = drive(ordered({ALONE.digest: ALONE}), one, ONE, quiet=True)
    assert alone.status[ALONE.digest] == "done", alone.reasons
    command = [sys.executable, "-m", "tests.harness.small_pretraining", str(tmp)]
    with cluster(2, dashboard=False) as there:
        done = subprocess.run(
            [*command, there.address],
            cwd=ROOT,
            env=there.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return Runs(one.path(ALONE), two, killed(tmp), read_json(tmp / "found.json") or {})


def curve(folder: Path) -> list[tuple[int, float]]:
    log = events(folder / "log.jsonl")
    return [(event["step"], event["loss"]) for event in log if event["event"] == "step"]


def close(a: Path, b: Path) -> None:
    """The weights of two models are equal within the tolerance, tensor by tensor."""
    mine, theirs = (load_file(folder / "model.safetensors") for folder in (a, b))
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        largest = float(abs(tensor).max())
        assert float(abs(tensor - theirs[name]).max()) <= TOLERANCE * max(largest, 0.02), name


def test_two_processes_end_with_the_losses_and_weights_of_one(runs: Runs):
    one, two = runs.one, runs.two
    assert [step for step, _ in curve(one)] == [10, 20]
    # The second was stopped and killed before step 10: its first line is of fewer steps.
    assert dict(curve(two))[20] == pytest.approx(dict(curve(one))[20], rel=TOLERANCE)
    close(one, two)


def test_the_ledger_is_the_sum_over_processes(runs: Runs):
    one, two = (read_json(f / "ledger.json") or {} for f in (runs.one, runs.two))
    for name in ("corpus_tokens", "positions", "targets", "steps", "parameters"):
        assert two[name] == one[name], name
    # Each process pads to its own longest row.
    assert two["flops"] == pytest.approx(one["flops"], rel=0.05)


def test_a_step_on_several_devices_leaves_nothing_behind_but_its_result(runs: Runs):
    one, two = runs.one, runs.two
    assert {p.name for p in two.iterdir()} == {p.name for p in one.iterdir()}


def test_a_loss_that_is_no_number_is_told_by_the_step_that_it_was_in(runs: Runs):
    assert runs.found["status"][WILD.digest] == "failed"
    assert runs.found["reasons"][WILD.digest].startswith("diverged@")
    attempts = read_json(runs.store.part(WILD) / "attempts.json")
    assert [attempt["outcome"] for attempt in attempts] == ["failed"]


def test_a_stop_is_heard_by_all_and_a_killed_process_is_a_lost_worker(runs: Runs):
    assert runs.found["said"] == "stopped after step 1 of 20"
    assert runs.found["status"][runs.step.digest] == "done", runs.found["reasons"]
    attempts = read_json(runs.two / "attempts.json")
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "done"]
    assert runs.found["counts"]["lost"] == 1
    log = events(runs.two / "log.jsonl")
    first, second = (event["step"] for event in log if event["event"] == "resume")
    # The killed process may be a step ahead of the one that was writing the fifth checkpoint.
    assert first == 1 and second in (4, 5)


def test_more_devices_than_rows_are_refused(tmp_path: Path):
    work = Working(tmp_path, {}, replace(ONE, devices=8), {}, 1, tmp_path / "stop")
    with pytest.raises(UserError, match=r"machine.gpus.pretrain is 8, more than a step's 7"):
        distributed.pretrain(ALONE.spec, work)


def test_more_devices_than_the_machine_has_are_refused_before_anything_starts():
    class Two:
        def cluster_resources(self) -> dict[str, float]:
            return {"CPU": 2.0}

    flight = execute._Flight(Two(), Schedule({}, {}, ONE), Store("nowhere"), {})
    machine = replace(ONE, gpus={"pretrain": 4}, address="local")
    with pytest.raises(UserError, match="4 devices for one step, and this machine has 2 CPUs"):
        flight._task(ALONE, machine)
