"""One attempt at one step, in this process: the boundary between a step and what runs it.

Whatever executor runs a step calls `attempt`, so that its lock, folder, threads, time limit and
record are the same, and so are its bits. Nothing a step raises leaves here: a failure is a value.
"""

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from harness import errors
from harness.run import data_parallel
from harness.run.working import Working
from harness.steps.pretrain import Pretrain
from harness.steps.step import Machine
from harness.store import attempts as record
from harness.store import edited, locks, provenance
from harness.store.store import Order, Store
from tasks.checksums import fault


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    done, failed | interrupted (resumable) | busy (another driver has it) | unready (an input is
    not there) | corrupt (an input failed its checksums and is in quarantine) | oom | lost
    """

    digest: str
    state: str
    reason: str = ""
    seconds: float = 0.0
    culprits: tuple[str, ...] = ()  # names of the inputs that were at fault
    micro_batch: int | None = None  # rows per forward pass when memory ran out
    detail: Mapping[str, Any] = field(default_factory=dict)


def attempt(order: Order, machine: Machine, session: Mapping[str, Any]) -> Outcome:
    """Run one step to its end and say how it ended. Never raises for what the step does."""
    store = Store(machine.store)
    stop = store.root / "sessions" / f"{session['id']}.stop"
    lock = store.root / "locks" / order.digest
    if stop.exists():
        return Outcome(order.digest, "interrupted", "stopped before it began")
    try:
        held = locks.take(lock, session["id"], machine.lock_expiry)
    except OSError as error:
        return Outcome(order.digest, "failed", _reason(error, store))
    if held:
        return Outcome(order.digest, "busy", held)
    began = time.monotonic()
    try:
        with locks.beating(lock):
            if (store.root / order.folder).is_dir():
                return Outcome(order.digest, "done", "made by another driver")
            outcome = _untrusted_input(order, store) or _worked(
                order, store, machine, session, stop
            )
        return dataclasses.replace(outcome, seconds=time.monotonic() - began)
    finally:
        with contextlib.suppress(OSError):
            locks.release(lock)


def _untrusted_input(order: Order, store: Store) -> Outcome | None:
    """Checksums of everything the step will read; what fails goes to quarantine."""
    gone, reasons = [], []
    for name, folder in order.inputs.items():
        path = store.root / folder
        reason = fault(path) if path.is_dir() else "is gone"
        if reason:
            gone.append(name)
            reasons.append(f"{folder}: {reason}")
            if path.is_dir():
                store.quarantine(path, reason)
    return (
        Outcome(order.digest, "corrupt", "; ".join(reasons), culprits=tuple(gone)) if gone else None
    )


def _worked(
    order: Order, store: Store, machine: Machine, session: Mapping[str, Any], stop: Path
) -> Outcome:
    """Begin or go on, run, finish; every way it can end becomes an outcome and a record."""
    work: Working | None = None
    attempts: list[dict[str, Any]] = []
    part = store.root / f"{order.folder}.part"
    began = time.time()
    state, reason, detail = "done", "", {}
    try:
        edited.refuse(order.code)
        part = store.begin(order)
        attempts = record.open_record(part, machine)
        inputs = {name: store.root / folder for name, folder in order.inputs.items()}
        work = Working(part, inputs, machine, order.how, len(attempts), stop)
        with _threads(machine.threads or order.threads), _limit(order, machine, part):
            _run(order, work)
        record.close_record(part, attempts, state, reason, began)
        store.finish(order, _provenance(order, session, work, attempts, began))
        return Outcome(order.digest, "done")
    except errors.Interrupted:
        state, reason = "interrupted", "stopped; goes on from its last checkpoint"
    except errors.Lost as error:
        state, reason = "lost", str(error)
    except errors.Diverged as error:
        state, reason, detail = "failed", str(error), {"diverged": error.step, **error.detail}
    except (errors.UserError, errors.TimeLimit) as error:
        state, reason = "failed", str(error)
    except Exception as error:
        memory = errors.is_out_of_memory(error)
        state, reason = "oom" if memory else "failed", _reason(error, store)
        with contextlib.suppress(OSError):
            (part / "traceback.txt").write_text(traceback.format_exc())
    with contextlib.suppress(OSError):
        record.close_record(part, attempts, state, reason, began)
    rows = work.last.get("micro_batch", {}).get("rows") if work else None
    return Outcome(
        order.digest, state, reason, micro_batch=rows or machine.micro_batch, detail=detail
    )


def _run(order: Order, work: Working) -> None:
    """The step itself, here or on the several devices that it was given."""
    if work.machine.devices > 1 and isinstance(order.spec, Pretrain):
        data_parallel.pretrain(order.spec, work)
    else:
        order.spec.run(work)


def _reason(error: BaseException, store: Store) -> str:
    """One line for the table and the log."""
    full = errors.disk_full(error, store.root)
    text = str(error).strip().splitlines()
    return full or f"{type(error).__name__}: {text[0] if text else 'no message'}"


def _provenance(
    order: Order,
    session: Mapping[str, Any],
    work: Working,
    attempts: list[dict[str, Any]],
    began: float,
) -> dict[str, Any]:
    return {
        **session.get("provenance", {}),
        **provenance.of_the_step(),
        "seconds": time.time() - began,
        "threads": work.machine.threads or order.threads,
        "attempts": len(attempts),
        "data": work.provenance,
    }


# --- what a step may use


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """The step's own number of threads, whichever worker it meets: its bits depend on it."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)  # for a torch that the step is about to import
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # a warm worker keeps its device, not the step's memory


@contextlib.contextmanager
def _limit(order: Order, machine: Machine, part: Path) -> Iterator[None]:
    """Stop a step that runs past its limit, with every thread's stack in stacks.txt."""
    seconds = machine.time_limit.get(order.kind)
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return
    import faulthandler

    with open(part / "stacks.txt", "w") as stacks:

        def over(signum: int, frame: FrameType | None) -> None:
            faulthandler.dump_traceback(stacks)
            raise errors.TimeLimit(
                f"ran past its time limit of {seconds:g} s; its stack is in {stacks.name}"
            )

        before = signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        # Code that never returns to Python hears no signal: its worker is ended, not the driver.
        faulthandler.dump_traceback_later(seconds + 10, exit=machine.executor == "ray", file=stacks)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            signal.signal(signal.SIGALRM, before)
    with contextlib.suppress(OSError):
        (part / "stacks.txt").unlink()
