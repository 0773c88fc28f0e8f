"""Both executors, the same steps: equal bits, and every way to go wrong told apart."""

from pathlib import Path
from typing import Any

import pytest

from harness.run.driver import drive
from harness.run.scheduler import Schedule
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store
from tasks.atomic import read_json
from tests.harness.driver import steps as counts
from tests.harness.steps_for_tests import Add, Fault

# Steps handed out ahead of one whose worker is lost once.
AFTER_LOST = [(k, f"after-lost-{k}") for k in range(4, 12)]


def faults() -> dict[str, Step]:
    """One step for every way to go wrong, and one behind each."""
    made: dict[str, Step] = {
        how: Step("fault", how, Fault(how)) for how in ("raise", "diverge", "kill", "hang", "disk")
    }
    made["oom"] = Step("fault", "oom", Fault("oom"))
    made["lost once"] = Step("fault", "lost-once", Fault("kill", first_only=True))
    made["oom once"] = Step("fault", "oom-once", Fault("oom", first_only=True))
    return made


def run(tmp: Path, executor: str, steps: list[Step]) -> tuple[Store, Schedule]:
    store = Store(tmp / executor).open()
    machine = Machine(executor=executor, cpus=2, time_limit={"fault": 2.0}, retries=1)
    plan = ordered({step.digest: step for step in steps})
    return store, drive(plan, store, machine, quiet=True)


@pytest.fixture(scope="module")
def both(tmp_path_factory: Any) -> dict[str, tuple[Store, Schedule, dict[str, Step]]]:
    tmp = tmp_path_factory.mktemp("stores")
    found = {}
    for executor in ("inline", "ray"):
        wrong = faults()
        if executor == "inline":  # these would take the test itself with them
            del wrong["kill"], wrong["lost once"]
        behind = [
            Step("add", f"behind-{s.name}", Add(2), {"f": s})
            for s in (wrong["raise"], wrong["oom"])
        ]
        if executor == "ray":
            behind += [Step("add", n, Add(k), {"f": wrong["lost once"]}) for k, n in AFTER_LOST]
        store, schedule = run(tmp, executor, [*wrong.values(), *behind, *counts(length=6).values()])
        found[executor] = (store, schedule, wrong)
    return found


def test_both_executors_write_the_same_bits(both: Any):
    inline, ray = both["inline"], both["ray"]
    for digest, step in counts(length=6).items():
        assert inline[1].status[digest] == ray[1].status[digest] == "done"
        files = [store.path(step) / "scores.json" for store in (inline[0], ray[0])]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_failure_is_a_value_and_the_grid_goes_on(both: Any, executor: str):
    _, schedule, wrong = both[executor]
    said = {how: schedule.reasons[step.digest] for how, step in wrong.items()}
    assert said["raise"] == "ValueError: this spec has a bug"
    assert said["diverge"] == "diverged@7 (lr=0.1, gradient_norm=inf)"
    assert "no space left at" in said["disk"]
    assert "time limit of 2 s" in said["hang"]
    assert "out of memory" in said["oom"] and "micro_batch" in said["oom"]
    assert schedule.tally()["blocked"] == 2
    blocked = [schedule.reasons[d] for d, s in schedule.status.items() if s == "blocked"]
    assert any(r.startswith("blocked by fault raise: ValueError") for r in blocked)


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_deterministic_error_is_not_tried_again(both: Any, executor: str):
    store, schedule, wrong = both[executor]
    for how in ("raise", "diverge", "hang", "disk"):
        attempts = read_json(store.part(wrong[how]) / "attempts.json")
        assert [a["outcome"] for a in attempts] == ["failed"], how
    assert schedule.counts["failed"] == len(wrong) - len([h for h in wrong if "once" in h])


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_out_of_memory_is_tried_once_more_with_half_the_micro_batch(both: Any, executor: str):
    store, schedule, wrong = both[executor]
    step = wrong["oom once"]
    assert schedule.status[step.digest] == "done" and schedule.counts["oom"] == 2
    tries = (store.path(step) / "tries.txt").read_text()
    assert tries == "1 None\n2 4\n"
    assert (store.part(wrong["oom"]) / "tries.txt").read_text() == "1 None\n2 4\n"


def test_a_lost_worker_is_another_counter_and_tried_again(both: Any):
    store, schedule, wrong = both["ray"]
    step = wrong["lost once"]
    assert schedule.status[step.digest] == "done"
    attempts = read_json(store.path(step) / "attempts.json")
    assert [a["outcome"] for a in attempts] == ["lost", "done"]
    # The other kills its worker every time: one retry, then it has failed.
    assert schedule.status[wrong["kill"].digest] == "failed"
    assert "lost 2 times" in schedule.reasons[wrong["kill"].digest]
    assert schedule.counts["lost"] == 2


def test_what_waits_for_a_lost_step_runs_when_it_has_been_made_again(both: Any):
    _, schedule, _ = both["ray"]
    states = {s.name: schedule.status[d] for d, s in schedule.steps.items() if s.kind == "add"}
    assert {states[name] for _, name in AFTER_LOST} == {"done"}


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_hanging_step_leaves_its_stack_on_record(both: Any, executor: str):
    store, _, wrong = both[executor]
    stacks = (store.part(wrong["hang"]) / "stacks.txt").read_text()
    assert "go_wrong" in stacks and "steps_for_tests.py" in stacks


def test_a_finished_plan_starts_nothing(both: Any):
    store, _, _ = both["ray"]
    schedule = drive(counts(length=6), store, Machine(executor="nonsense"), quiet=True)
    assert not schedule.open() and schedule.counts["ran"] == 0


def test_a_grid_that_grows_runs_only_what_is_new(tmp_path: Path):
    _, before = run(tmp_path, "inline", list(counts(seeds=2, length=2).values()))
    _, after = run(tmp_path, "inline", list(counts(seeds=3, length=2).values()))
    assert before.counts["ran"] == 6
    assert after.counts["ran"] == 3  # a count, its sum, and the sum of all
    again = Machine(executor="inline", micro_batch=2, workers=1, gpus={"count": 1.0})
    steps = counts(seeds=3, length=2)
    assert drive(steps, Store(tmp_path / "inline"), again, quiet=True).counts["ran"] == 0
