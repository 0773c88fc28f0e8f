"""Driving a plan to its end: states, executor, signals and progress around one schedule."""

import importlib.util
import os
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError
from harness.run import inline
from harness.run import ray_executor as execute
from harness.run.progress import Progress
from harness.run.scheduler import Schedule
from harness.run.signals import Stop
from harness.steps.step import Machine, Step, ordered
from harness.store import locks, provenance
from harness.store.store import Store
from tasks.atomic import read_object, write_json
from tasks.checksums import fault

SMALL = 1 << 20  # bytes; smaller files of finished steps are read in full when a run begins


def drive(
    steps: Mapping[str, Step],
    store: Store,
    machine: Machine,
    *,
    resume: str = "the same command",
    seconds: Mapping[str, float] | None = None,
    quiet: bool = False,
    guest: bool = False,
) -> Schedule:
    """Run everything in `steps`, and what it needs, that the store does not have.

    `steps` are in the order of their importance; `seconds` are estimates by digest, for the time
    left; a `guest` never ends the process that it runs in. Returns the schedule with every step's
    status and reason; `interrupted` statuses, or todo ones, mean that it was asked to stop.
    """
    plan = ordered(steps)
    suspects = trust(plan, store)
    states = store.states(plan)
    schedule = Schedule(plan, states, machine)
    if set(states.values()) <= {"done"}:
        return schedule
    progress = Progress(schedule, store, seconds or {}, quiet=quiet)
    with _announced(store) as (session, stop_file):
        stop = Stop(stop_file, resume, progress.close, guest)
        stop.install()
        progress.open()
        for said in (_opening(states), *suspects):
            progress.say(said)
        try:
            runner(machine)(schedule, store, session, progress, stop)
        finally:
            progress.close()
            store.forget()
            stop.uninstall()
    return schedule


@contextmanager
def _announced(store: Store) -> Iterator[tuple[Mapping[str, object], Path]]:
    """A session of this process, and the file that asks its steps to stop.

    While the block runs, a note beside the store's steps says who is at work on them.
    """
    session = {
        "id": f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
        "provenance": provenance.of_the_run(),
    }
    _forget_the_dead(store)
    note = store.root / "sessions" / f"{session['id']}.json"
    stop_file = note.with_suffix(".stop")
    write_json(note, {**locks.me(), **session["provenance"]})
    try:
        yield session, stop_file
    finally:
        note.unlink(missing_ok=True)
        stop_file.unlink(missing_ok=True)


def _opening(states: Mapping[str, str]) -> str:
    """What there is to do, in a line."""
    count = Counter(states.values())
    done, partial = count["done"], count["partial"]
    verb = "resuming" if done or partial else "starting"
    return f"{verb}: {done} done, {partial} partial, {len(states) - done - partial} to do"


def _forget_the_dead(store: Store) -> None:
    """Remove what killed drivers of this machine have left behind."""
    for note in (store.root / "sessions").glob("*.json"):
        if locks.gone(read_object(note)):
            note.unlink(missing_ok=True)
            note.with_suffix(".stop").unlink(missing_ok=True)


def runner(machine: Machine) -> Callable[..., None]:
    """The executor's `run`. Ray is imported only when it is used."""
    if machine.executor not in ("auto", "inline", "ray"):
        raise UserError(f"machine.executor is {machine.executor!r}: use ray, inline or auto")
    there = importlib.util.find_spec("ray") is not None
    if machine.executor == "ray" and not there:
        raise UserError(
            "machine.executor is ray, which is not installed: pip install 'ray[default]'"
        )
    if machine.executor == "inline" or not there:
        return inline.run
    return execute.run


def trust(plan: Mapping[str, Step], store: Store) -> list[str]:
    """Look over the finished steps of a plan; what cannot be trusted goes to quarantine.

    Every file must be there with its size, and small ones are read. Large ones are read in full
    when a step is about to use them. Raises UserError for a default that moved under a result.
    """
    states = store.states(plan)
    done = [plan[digest] for digest, state in states.items() if state == "done"]
    moved: list[Step] = []
    found = []
    for step in done:
        reason = fault(store.path(step), small=SMALL)
        if reason:
            store.quarantine(store.path(step), reason)
            found.append(f"{step.folder}: {reason}; moved to quarantine, will be made again")
        else:
            moved.append(step)
    store.refuse_moved_defaults(moved)
    return found
