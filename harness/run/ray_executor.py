"""Steps as Ray tasks: references carry the order, files carry the data. The one file on Ray.

A step is one task that gets the outcomes of its inputs as references, so that it starts without a
word from the driver when they are there. Tasks return outcomes and never data. Ray retries nothing:
a lost worker, a full memory and a step's own error mean different things, and the schedule knows.
"""

import dataclasses
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from glm.training.allocator import tune_allocator
from harness import cpus
from harness.errors import UserError
from harness.run import guard
from harness.run.attempt import Outcome, attempt
from harness.run.progress import Progress
from harness.run.scheduler import Schedule
from harness.run.signals import Stop
from harness.steps.step import Machine, Step
from harness.store.attempts import events
from harness.store.store import Order, Store

CAP = 2000  # tasks handed to Ray at once; beyond it only those whose inputs are done
HEAD = "node:__internal_head__"  # the resource that marks a cluster's head node: 1 of it
GRACE = 6.0  # seconds that running steps get for a checkpoint after the driver was asked to stop


def run(
    schedule: Schedule, store: Store, session: Mapping[str, Any], progress: Progress, stop: Stop
) -> None:
    """Run what is left of the schedule until it is done, failed, or asked to stop."""
    ray = connect(schedule.machine, schedule.steps.values())
    watch = guard.start()
    stop.install()  # Ray has put its own handler in place
    flight = _Flight(ray, schedule, store, session)
    waited: set[str] = set()
    polled = asked = 0.0
    try:
        while schedule.open():
            if not stop.asked:
                flight.launch()
            elif not asked:
                asked = time.monotonic()
            if stop.asked and (not flight.refs or time.monotonic() - asked > GRACE):
                break
            for step, outcome in flight.landed(timeout=0.5):
                progress.settled(step, outcome, schedule.settle(outcome))
            if time.monotonic() - polled > 1.0:
                polled = time.monotonic()
                waited = progress.waits(schedule.poll(store), waited)
    finally:
        ray.shutdown()
        watch.communicate()  # closes its pipe, and waits until nothing of Ray is left


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


def connect(machine: Machine, steps: Iterable[Step] = ()) -> Any:
    """Ray, connected to the machine's cluster or to a local one that ends with this process."""
    address = _address(machine)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    root = str(Path(__file__).resolve().parents[2])
    if address != "local":
        import ray

        if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a submitted job brings its own code
            common["runtime_env"] = {"py_modules": packages(root, steps)}
        ray.init(address=address, **common)
        return ray
    # Ray's token authentication is its default for local clusters; said aloud, it is also silent.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    import ray

    ray.init(
        address="local",
        num_cpus=machine.cpus or cpus.allowed(),
        num_gpus=machine.local_gpus,
        include_dashboard=False,
        object_store_memory=100 * 2**20,  # outcomes are small; data goes through files
        **common,
    )
    return ray


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
