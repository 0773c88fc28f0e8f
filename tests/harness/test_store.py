"""Folders are whole or not there; what is damaged is found and put away."""

import os
import shutil
import time
from dataclasses import make_dataclass
from pathlib import Path

import pytest

from harness.errors import StoreDamaged, UserError
from harness.run.driver import drive
from harness.steps.step import Machine, Step, ordered
from harness.store import locks
from harness.store.store import Store
from tasks.atomic import read_object, write_json
from tasks.checksums import FORMAT, fault
from tests.harness.steps_for_tests import Add, Count

INLINE = Machine(executor="inline")


def chain() -> tuple[Step, Step]:
    first = Step("add", "first", Add(1))
    return first, Step("add", "second", Add(2), {"first": first})


def run(store: Store, *steps: Step):
    return drive({s.digest: s for s in steps}, store, INLINE, quiet=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store").open()


def test_a_folder_is_there_if_and_only_if_the_step_is_done(store: Store):
    first, second = chain()
    assert store.state(first) == "absent"
    part = store.begin(store.order(first))
    assert part.name.endswith(".part") and store.state(first) == "partial"
    run(store, second)
    assert store.state(first) == store.state(second) == "done" and not part.exists()
    names = {path.name for path in store.path(second).iterdir()}
    assert names >= {
        "spec.json",
        "inputs.json",
        "provenance.json",
        "checksums.json",
        "attempts.json",
        "scores.json",
    }
    assert not list(store.root.glob("locks/*")) and not list(store.root.glob("sessions/*"))


def test_a_digest_made_under_another_name_is_found(store: Store):
    first, _ = chain()
    run(store, first)
    again = Step("add", "renamed", Add(1.0))
    assert store.path(again) == store.path(first)
    schedule = run(store, Step("add", "on", Add(5), {"first": again}))
    assert schedule.counts["ran"] == 1


def test_a_moved_default_is_an_error_that_names_the_field(store: Store):
    run(store, Step("add", "x", Add()))
    namespace = {"run": Add.run, "version": 1}
    moved = make_dataclass("Add", [("number", float, 1.0)], frozen=True, namespace=namespace)
    with pytest.raises(UserError, match=r"default of `number` moved from 0 to 1"):
        run(store, Step("add", "x", moved()))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "a flipped byte": lambda folder: flip(folder / "scores.json"),
    "a truncated file": lambda folder: os.truncate(folder / "scores.json", 3),
    "an empty file": lambda folder: os.truncate(folder / "scores.json", 0),
    "a missing file": lambda folder: (folder / "scores.json").unlink(),
    "no checksums": lambda folder: (folder / "checksums.json").unlink(),
    "an old schema": lambda folder: (folder / "checksums.json").write_text('{"files": {}}'),
    "a damaged spec": lambda folder: (folder / "spec.json").write_text("{"),
    "checksums as a list": lambda folder: noted(folder, ["spec.json", "scores.json"]),
    "checksums of one number": lambda folder: noted(folder, {"spec.json": 3}),
    "checksums of a NUL": lambda folder: noted(folder, {"spec.json": [1, "x"], "\0": [0, ""]}),
    "no checksum of the spec": lambda folder: noted(folder, {}),
    "deep checksums": lambda folder: (folder / "checksums.json").write_text("[" * 100_000),
    "binary checksums": lambda folder: (folder / "checksums.json").write_bytes(b"\xff\0"),
}


def noted(folder: Path, files: object) -> None:
    write_json(folder / "checksums.json", {"format": FORMAT, "files": files})


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_result_goes_to_quarantine_and_is_made_again(store: Store, how: str):
    first, second = chain()
    run(store, second)
    before = (store.path(second) / "scores.json").read_bytes()
    DAMAGE[how](store.path(first))
    assert [f.folder for f in store.verify()] == [store.path(first)]
    schedule = run(store, second)
    assert schedule.counts["ran"] == 1 and schedule.status[first.digest] == "done"
    assert list((store.root / "quarantine").glob(f"*{first.digest}*.json"))
    assert (store.path(second) / "scores.json").read_bytes() == before and not store.verify()


NONSENSE = {
    "nothing": b"",
    "cut": b'[{"began": 1',
    "a list": b"[1, [2]]",
    "a text": b'"x"',
    "a number": b"3",
    "an object": b'{"began": "x"}',
    "attempts of texts": b'[{"began": "now", "ended": "then", "outcome": 3}]',
    "deep": b"[" * 100_000,
    "binary": b"\xff\0",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_in_files_of_unfinished_work_stops_nothing(store: Store, what: str):
    _, second = chain()
    run(store, second)
    shutil.rmtree(store.path(second))
    part = store.begin(store.order(second))
    files = [part / "attempts.json", part / "code.json", part / "log.jsonl"]
    files += [store.root / "sessions" / "far-1-x.json"]
    files += [store.root / "locks" / second.digest]
    for path in files:
        path.write_bytes(NONSENSE[what])
        os.utime(path, (time.time() - 600, time.time() - 600))  # a lock whose holder is silent
    assert run(store, second).status[second.digest] == "done" and not store.verify()


@pytest.mark.parametrize("what", NONSENSE)
def test_a_store_whose_note_is_nonsense_is_damaged(store: Store, what: str):
    (store.root / "store.json").write_bytes(NONSENSE[what])
    with pytest.raises(StoreDamaged, match=r"store\.json"):
        store.open()


def test_folders_that_were_swapped_are_found_and_made_again(store: Store):
    one, two = Step("add", "one", Add(1)), Step("add", "two", Add(2))
    run(store, one, two)
    first, second = store.path(one), store.path(two)
    first.rename(first.with_name("away"))
    second.rename(first)
    first.with_name("away").rename(second)
    assert all("not what its name says" in found.reason for found in store.verify())
    assert len(store.verify()) == 2
    schedule = run(store, one, two)
    assert schedule.counts["ran"] == 2 and not store.verify()
    assert (store.path(one) / "scores.json").read_text() == '{"sum": 1}'


def test_a_file_in_a_kinds_place_is_a_damaged_store(store: Store):
    (store.root / "score").write_text("x")
    assert [found.folder.name for found in store.verify()] == ["score"]
    with pytest.raises(StoreDamaged, match="score is a file"):
        run(store, Step("score", "x", Add(1)))


def test_a_large_input_is_read_in_full_before_it_is_used(store: Store, monkeypatch):
    monkeypatch.setattr("harness.run.driver.SMALL", 0)  # every file counts as large
    first, second = chain()
    run(store, first)
    flip(store.path(first) / "scores.json")
    schedule = run(store, second)
    assert schedule.counts["corrupt"] == 1 and schedule.counts["ran"] == 2
    assert (store.path(second) / "scores.json").read_text() == '{"sum": 3}'


def test_a_root_that_is_no_store_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreDamaged):
        Store(tmp_path / "file").open()
    (tmp_path / "store.json").write_text('{"format": 99}')
    with pytest.raises(StoreDamaged, match="99"):
        Store(tmp_path).open()


def test_a_thousand_states_cost_one_listing_per_kind(store: Store):
    steps = ordered({s.digest: s for s in (Step("add", f"a{i}", Add(i)) for i in range(1000))})
    for step in list(steps.values())[:500]:
        (store.root / step.folder).mkdir(parents=True)
    began = time.process_time()
    states = store.states(steps)
    assert time.process_time() - began < 0.1
    assert list(states.values()).count("done") == 500


def test_a_lock_names_its_holder_and_passes_on_when_the_holder_is_dead(tmp_path: Path):
    lock = tmp_path / "lock"
    assert locks.take(lock, "one", 30) is None
    assert f":{os.getpid()} since" in str(locks.take(lock, "two", 30))
    child = os.fork()
    if child == 0:
        locks.release(lock)
        locks.take(lock, "child", 30)
        os._exit(0)
    os.waitpid(child, 0)
    # A fork shares our lock's name but not our pid, so its release was refused and ours stands.
    assert locks.take(lock, "two", 30) is not None
    locks.release(lock)
    assert locks.take(lock, "two", 30) is None


def test_a_holder_on_another_machine_is_dead_when_its_heartbeat_expires(tmp_path: Path):
    lock = tmp_path / "lock"
    lock.write_text('{"host": "far", "space": "other", "pid": 1, "session": "x", "since": 0}')
    holder = read_object(lock)
    assert "far:1" in str(locks.take(lock, "mine", 30)) and not locks.dead(lock, holder, 30)
    os.utime(lock, (time.time() - 60, time.time() - 60))
    assert locks.dead(lock, holder, 30)
    assert locks.take(lock, "mine", 30) is None


def test_a_full_disk_is_said_and_the_same_command_goes_on(store: Store):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    from tests.harness.steps_for_tests import Fault

    step = Step("fault", "full", Fault("disk", first_only=True))
    schedule = run(store, step)
    assert schedule.status[step.digest] == "failed"
    assert f"no space left at {store.root}" in schedule.reasons[step.digest]
    assert store.state(step) == "partial"
    assert run(store, step).status[step.digest] == "done"


def test_a_result_is_not_read_twice_in_one_process(store: Store):
    step = Step("count", "c", Count(steps=1, pause=0))
    run(store, step)
    assert fault(store.path(step)) is None
    flip(store.path(step) / "scores.json")
    assert "checksum" in str(fault(store.path(step)))
