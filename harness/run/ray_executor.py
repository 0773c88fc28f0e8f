"""Steps as Ray tasks: references carry the order, files carry the data. The one file on Ray.

A step is one task that gets the outcomes of its inputs as references, so that it starts without a
word from the driver when they are there. Tasks return outcomes and never data. Ray retries nothing:
a lost worker, a full memory and a step's own error mean different things, and the schedule knows.
"""

import atexit
import dataclasses
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psutil

from glm.training.allocator import tune_allocator
from harness import cpus
from harness.errors import UserError
from harness.run.attempt import Outcome, attempt
from harness.run.guard import VARIABLE, Guard, gone, vital
from harness.run.progress import Progress
from harness.run.scheduler import Schedule
from harness.run.signals import Stop, say
from harness.steps.step import Machine, Step
from harness.store.attempts import events
from harness.store.store import Order, Store

CAP = 2000  # tasks handed to Ray at once; beyond it only those whose inputs are done
HEAD = "node:__internal_head__"  # the resource that marks a cluster's head node: 1 of it
GRACE = 6.0  # seconds that running steps get for a checkpoint after the driver was asked to stop
LAST_WORD = 0.3  # seconds after a step was lost in which its raylet may turn out to have ended
STARTING = 300.0  # seconds for a Ray to start
LEAVING = 4.0  # seconds to leave a Ray


def run(
    schedule: Schedule, store: Store, session: Mapping[str, Any], progress: Progress, stop: Stop
) -> None:
    """Run what is left of the schedule until it is done, failed, or asked to stop.

    A Ray that does not start, or is lost on the way, ends the run like a signal: what is left can
    be gone on with.
    """
    local = _address(schedule.machine) == "local"
    guard = _guard() if local else None
    over = threading.Event()
    stop.at_once = True
    try:
        ray = _connected(schedule, guard, stop, over)
        if ray is None:
            return
        stop.at_once = False
        needed = vital() if local else None
        try:
            lost = _fly(_Flight(ray, schedule, store, session), needed, progress, stop)
            if lost:
                stop.file.touch()  # steps that are still there write a checkpoint
                _tell(f"Ray has lost its {lost}, which was killed or ran out of memory", stop)
        finally:
            _shut(ray, whole=not _lost(needed))
    finally:
        stop.at_once = False
        over.set()
        if guard is not None:
            guard.close()


def _guard() -> Guard:
    """The guard of a local Ray. Raises UserError where there is no place for its folder."""
    try:
        return Guard()
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise UserError(
            f"there is no place for Ray's files ({error}): "
            "let RAY_TMPDIR, or TMPDIR, name a folder that can be written to"
        ) from None


def _connected(schedule: Schedule, guard: Guard | None, stop: Stop, over: threading.Event) -> Any:
    """Ray; None where it could not be started, which has been told.

    It starts in a thread of its own, where Python lets it put no handlers of signals in place, and
    where a start that hangs can be given up. The kernel ends Ray's processes with the thread that
    has started them: it waits until all is `over`.
    """
    started: SimpleQueue[Any] = SimpleQueue()

    def start() -> None:
        logging.getLogger("ray").setLevel(logging.ERROR)  # it would say that it has no handlers
        try:
            started.put(connect(schedule.machine, schedule.steps.values(), guard))
        except BaseException as error:
            started.put(error)
        over.wait()

    threading.Thread(target=start, name="ray", daemon=True).start()
    found, until = None, time.monotonic() + STARTING
    while found is None:
        stop.install()  # the library has put a handler in place that aborts
        with suppress(Empty):
            found = started.get(timeout=0.05)
        if found is None and time.monotonic() > until:
            found = TimeoutError(f"it is still starting after {STARTING:g} s")
    stop.install()
    if not isinstance(found, BaseException):
        return found
    if guard is None:
        where = _address(schedule.machine)
        raise UserError(f"no Ray cluster answers at {where} ({_first(found)})")
    _tell(f"Ray did not start ({_first(found)})", stop)
    if "ray" in sys.modules:
        _shut(sys.modules["ray"], whole=False)
    return None


def _tell(what: str, stop: Stop) -> None:
    say(f"{what}; what was done is kept. Go on with: {stop.resume}")


def _lost(needed: Mapping[str, psutil.Process] | None) -> str:
    """What our own Ray can do nothing without and has lost; a cluster's is not ours to watch."""
    return "" if needed is None else gone(needed)


def _fly(
    flight: "_Flight",
    needed: Mapping[str, psutil.Process] | None,
    progress: Progress,
    stop: Stop,
) -> str:
    """Hand out steps and take in their outcomes; returns which process of Ray was lost, or ""."""
    schedule, store = flight.schedule, flight.store
    waited: set[str] = set()
    polled = asked = 0.0
    while schedule.open():
        try:
            if not stop.asked:
                flight.launch()
            elif not asked:
                asked = time.monotonic()
            if stop.asked and (not flight.refs or time.monotonic() - asked > GRACE):
                break
            landed = flight.landed(timeout=0.5)
        except Exception:
            time.sleep(LAST_WORD)
            if lost := _lost(needed):
                return lost
            raise
        if any(outcome.state != "done" for _, outcome in landed):
            time.sleep(LAST_WORD)  # a step that is lost with its raylet is not to blame
        if lost := _lost(needed):
            return lost
        for step, outcome in landed:
            progress.settled(step, outcome, schedule.settle(outcome))
        if time.monotonic() - polled > 1.0:
            polled = time.monotonic()
            waited = progress.waits(schedule.poll(store), waited)
    return ""


def _shut(ray: Any, *, whole: bool) -> None:
    """Leave Ray. One that is not `whole` may wait for processes that are no more, or never were:
    for a while, and it is not asked again at exit."""
    if whole:
        ray.shutdown()
        return
    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(LEAVING)
    if leaving.is_alive():
        atexit.unregister(ray.shutdown)


class _Flight:
    """The tasks that Ray has, and the references between them."""

    def __init__(
        self, ray: Any, schedule: Schedule, store: Store, session: Mapping[str, Any]
    ) -> None:
        self.ray, self.schedule, self.store, self.session = ray, schedule, store, session
        self.resources = ray.cluster_resources()
        self.refs: dict[str, Any] = {}  # digest -> reference, of steps that are flying
        self.steps: dict[Any, Step] = {}  # reference -> step
        self.tasks: dict[tuple[Any, ...], Any] = {}
        self.cap = schedule.machine.workers or CAP

    def launch(self) -> None:
        """Hand over every step that may run, and ahead of their inputs as many as there is room."""
        while len(self.refs) < self.cap:
            step = self.schedule.next(ahead=self.schedule.machine.workers is None)
            if step is None:
                return
            machine = dataclasses.replace(
                self.schedule.machine_for(step), store=str(self.store.root), executor="ray"
            )
            task, machine = self._task(step, machine)
            before = [self.refs[i.digest] for i in step.inputs.values() if i.digest in self.refs]
            ref = task.remote(self.store.order(step), machine, self.session, *before)
            self.refs[step.digest] = ref
            self.steps[ref] = step

    def landed(self, timeout: float) -> list[tuple[Step, Outcome]]:
        """Outcomes of the tasks that have ended, inputs before what needs them."""
        # Only tasks whose inputs have landed can be next, and a short list is quick to wait for.
        front = [
            self.refs[d]
            for d in self.refs
            if not any(i.digest in self.refs for i in self.schedule.steps[d].inputs.values())
        ]
        if not front:
            time.sleep(min(timeout, 0.1))
            return []
        ready, _ = self.ray.wait(front, num_returns=1, timeout=timeout, fetch_local=False)
        if ready and len(front) > 1:
            ready, _ = self.ray.wait(front, num_returns=len(front), timeout=0, fetch_local=False)
        found = []
        for ref in ready:
            step = self.steps.pop(ref)
            found.append((step, self._outcome(step, ref)))
            del self.refs[step.digest]
        return found

    def _outcome(self, step: Step, ref: Any) -> Outcome:
        """The task's outcome, or what its end without one means."""
        ray = self.ray
        try:
            return ray.get(ref)
        except ray.exceptions.OutOfMemoryError as error:
            return Outcome(step.digest, "oom", _first(error), micro_batch=self._rows(step))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ray.exceptions.RayError):
                # It was handed out with the reference of an input whose worker was lost since; the
                # input may have been made again by now, but this task never ran.
                return Outcome(step.digest, "unready")
            if any(self.schedule.status[i.digest] != "done" for i in step.inputs.values()):
                return Outcome(step.digest, "unready")
            return Outcome(step.digest, "failed", _first(error.cause or error))
        except ray.exceptions.RayError as error:
            if any(self.schedule.status[i.digest] != "done" for i in step.inputs.values()):
                return Outcome(step.digest, "unready")
            stacks = self.store.part(step) / "stacks.txt"
            if stacks.exists() and stacks.stat().st_size:
                return Outcome(
                    step.digest, "failed", f"ran past its time limit; its stack is in {stacks}"
                )
            return Outcome(step.digest, "lost", type(error).__name__)

    def _rows(self, step: Step) -> int | None:
        log = self.store.part(step) / "log.jsonl"
        said = [e["rows"] for e in events(log) if e["event"] == "micro_batch" and "rows" in e]
        return said[-1] if said else self.schedule.machine_for(step).micro_batch

    def _task(self, step: Step, machine: Machine) -> tuple[Any, Machine]:
        """The remote function with the step's resources, made once for each set of them."""
        cpus = min(machine.threads or step.threads, int(self.resources.get("CPU", 1)) or 1)
        share = machine.gpus.get(step.kind, 1.0 if step.uses == "gpu" else 0.0)
        if share > 1:
            return self._parallel(cpus, dataclasses.replace(machine, devices=int(share)))
        on_gpu = share if self.resources.get("GPU", 0) else 0.0
        key = (cpus, on_gpu)
        if key not in self.tasks:
            # A process keeps the device that torch met first. With one GPU that is always the
            # right one, and the worker stays warm; with several, a GPU step gets a fresh process.
            real = any(name.startswith("accelerator_type") for name in self.resources)
            fresh = 1 if on_gpu and real and self.resources["GPU"] > 1 else 0
            self.tasks[key] = self.ray.remote(
                num_cpus=cpus, num_gpus=on_gpu, max_retries=0, max_calls=fresh
            )(_step)
        return self.tasks[key], machine

    def _parallel(self, cpus: int, machine: Machine) -> tuple[Any, Machine]:
        """A step on several devices: it starts one process for each and takes up none itself.

        If it held a CPU, its own processes might wait for that one for ever. So that no more of
        them start than there are devices for, each takes its part of the head node's marker.
        """
        kind = "GPU" if machine.device != "cpu" and self.resources.get("GPU") else "CPU"
        there = self.resources.get(kind, 0) / (1 if kind == "GPU" else cpus)
        if there < machine.devices and _address(machine) == "local":
            raise UserError(
                f"machine.gpus asks for {machine.devices} devices for one step, and this machine "
                f"has {there:g} {kind}s: ask for fewer, or give the address of a cluster"
            )
        key = ("parallel", machine.devices)
        if key not in self.tasks:
            at_once = max(1, int(there // machine.devices))
            part = int(9_500 / at_once) / 10_000  # Ray Train needs a little of the marker itself
            self.tasks[key] = self.ray.remote(
                num_cpus=0, resources={HEAD: part}, max_retries=0, max_calls=1
            )(_step)
        return self.tasks[key], machine


def _step(order: Order, machine: Machine, session: Mapping[str, Any], *before: Outcome) -> Outcome:
    """The task: one attempt, if everything it needs is there."""
    if any(outcome.state != "done" for outcome in before):
        return Outcome(order.digest, "unready")
    if not _prepared:
        _prepare()
    return attempt(order, machine, session)


_prepared: list[bool] = []  # whether this worker process has been made ready


def _prepare() -> None:
    """Once for each worker: an allocator that keeps its pages, where there is one to set."""
    _prepared.append(True)
    tune_allocator()


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def connect(machine: Machine, steps: Iterable[Step] = (), guard: Guard | None = None) -> Any:
    """Ray, connected to the machine's cluster, or to a local one in the folder of a guard."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    root = str(Path(__file__).resolve().parents[2])
    if guard is None:
        import ray

        if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a submitted job brings its own code
            common["runtime_env"] = {"py_modules": packages(root, steps)}
        ray.init(address=_address(machine), **common)
        return ray
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    with _closed(guard):
        import ray

        ray.init(
            address="local",
            num_cpus=machine.cpus or cpus.allowed(),
            num_gpus=machine.local_gpus,
            include_dashboard=False,
            object_store_memory=100 * 2**20,  # outcomes are small; data goes through files
            _temp_dir=str(guard.folder),
            **common,
        )
    return ray


@contextmanager
def _closed(guard: Guard) -> Iterator[None]:
    """A local Ray that nobody else can reach: on the loopback interface, and behind a token.

    `ray.init` turns a loopback address that it is given into an outward one. The variable is the
    only way to the loopback (Ray 2.60): there, as on desktops, it is where Ray listens.
    """
    wanted = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",  # the default, but silent when it is said aloud
        "RAY_raylet_start_wait_time_s": "120",
    }
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    if not os.environ.get("RAY_AUTH_TOKEN") and not os.environ.get("RAY_AUTH_TOKEN_PATH"):
        path = guard.folder / "token"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_token())
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(path)
    os.environ[VARIABLE] = guard.mark
    try:
        yield
    finally:
        for name in (VARIABLE, *ours):  # a cluster that this process starts later is not ours
            os.environ.pop(name, None)
        if os.environ.get("RAY_AUTH_TOKEN_PATH") == str(guard.folder / "token"):
            del os.environ["RAY_AUTH_TOKEN_PATH"]


@cache
def _token() -> str:
    """This process's own: Ray keeps the first that it has read."""
    return secrets.token_hex(32)


def _address(machine: Machine) -> str:
    return machine.address or os.environ.get("RAY_ADDRESS") or "local"


def packages(root: str, steps: Iterable[Step]) -> list[str]:
    """Folders of the packages that workers elsewhere need: ours and those of the steps' specs."""
    names = {"harness", "glm", "tasks", "ablations", "results"}
    names |= {type(step.spec).__module__.split(".")[0] for step in steps}
    names |= {p.module.split(".")[0] for step in steps for p in step.how.get("plugins", ())}
    found = []
    for name in sorted(names):
        loaded = sys.modules.get(name)
        path = getattr(loaded, "__path__", [os.path.join(root, name)])[0]
        if os.path.isdir(path):
            found.append(path)
    return found
