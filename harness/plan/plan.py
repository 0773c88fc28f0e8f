"""What a grid would do: every step's state, who shares it, what it costs, what is finished first.

Costs are estimates: FLOPs and bytes come from `harness.plan.estimate`, times from what steps of the
same kind took in this store, else from a matrix product measured here and now. Nothing but the
order in which things are shown depends on them.
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from harness import cpus
from harness.plan import estimate
from harness.plan.estimate import Cost
from harness.steps.step import Machine, Step
from harness.store.store import Store
from tasks.atomic import read_object

H100 = 989e12  # dense bf16 FLOP/s, NVIDIA's data sheet
UTILISATION = 0.4  # of it, assumed for large models
CPU_UTILISATION = 0.5  # of a small matrix product's speed; measured: 0.25 to 0.9 (micro to small)
OVERHEAD = 0.5  # seconds of a step that computes next to nothing
HISTORY = 40  # finished steps of a kind that are looked at


class Trial(Protocol):
    """What a plan asks of a cell's trial."""

    @property
    def score(self) -> Step: ...

    @property
    def selection(self) -> Step | None: ...


class Cell(Protocol):
    """What a plan asks of a cell."""

    @property
    def table(self) -> str: ...

    @property
    def trials(self) -> Sequence[Trial]: ...


class Unfolded(Protocol):
    """What a plan asks of an expansion: `steps` by digest, inputs first, and `cells`."""

    @cached_property
    def steps(self) -> dict[str, Step]: ...

    @property
    def cells(self) -> Sequence[Cell]: ...


@dataclass(frozen=True)
class Line:
    """One step of the plan."""

    step: Step
    state: str  # done | partial | to run
    cells: int  # that share it
    flops: float
    seconds: float
    disk_bytes: float
    devices: int = 1  # workers that it takes up at once


@dataclass(frozen=True)
class Plan:
    """All steps, inputs first, and when each table would be complete."""

    lines: tuple[Line, ...]
    cells: int
    results: int  # distinct ones: cells that are spelled differently may be the same
    tables: Mapping[str, tuple[int, float]]  # id -> cells, seconds until complete
    workers: int
    on_gpu: bool

    @property
    def seconds(self) -> Mapping[str, float]:
        """Estimated seconds by digest."""
        return {line.step.digest: line.seconds for line in self.lines}


def make(
    expansion: Unfolded,
    store: Store,
    machine: Machine,
    cost: Callable[[Step], Cost] = estimate.cost,
) -> Plan:
    """The plan of an expansion."""
    steps = expansion.steps
    states = store.states(steps)
    users = sharing(expansion.cells)
    on_gpu = bool(machine.gpus)
    costs = {digest: cost(step) for digest, step in steps.items()}
    rates = _Rates(store, steps, states, costs, on_gpu)
    lines = []
    for digest, step in steps.items():
        state = states[digest].replace("absent", "to run")
        devices = max(1, int(machine.gpus.get(step.kind, 1))) if step.uses == "gpu" else 1
        flops, disk_bytes = costs[digest].flops, costs[digest].disk_bytes
        seconds = rates.seconds(step, flops, devices)
        lines.append(Line(step, state, users[digest], flops, seconds, disk_bytes, devices))
    workers = _workers(machine, on_gpu)
    ends = _simulate(lines, workers)
    tables: dict[str, tuple[int, float]] = {}
    for cell in expansion.cells:
        cells, until = tables.get(cell.table, (0, 0.0))
        ends_at = max(ends[score.digest] for score in _scores(cell))
        tables[cell.table] = (cells + 1, max(until, ends_at))
    results = len({tuple(score.digest for score in _scores(cell)) for cell in expansion.cells})
    return Plan(tuple(lines), len(expansion.cells), results, tables, workers, on_gpu)


def _scores(cell: Cell) -> list[Step]:
    return [s for t in cell.trials for s in (t.score, t.selection) if s is not None]


def sharing(cells: Iterable[Cell]) -> Counter[str]:
    """How many cells need each step, by digest."""
    above: dict[str, frozenset[str]] = {}

    def needs(step: Step) -> frozenset[str]:
        if step.digest not in above:
            own = frozenset((step.digest,))
            above[step.digest] = own.union(*(needs(i) for i in step.inputs.values()))
        return above[step.digest]

    count: Counter[str] = Counter()
    for cell in cells:
        count.update(frozenset().union(*(needs(score) for score in _scores(cell))))
    return count


def _workers(machine: Machine, on_gpu: bool) -> int:
    if machine.executor == "inline":
        return 1
    if on_gpu:
        return machine.workers or machine.local_gpus or 8
    return machine.workers or machine.cpus or cpus.allowed()


class _Rates:
    """Seconds of a step, from what its kind took before or from a short calibration."""

    def __init__(
        self,
        store: Store,
        steps: Mapping[str, Step],
        states: Mapping[str, str],
        costs: Mapping[str, Cost],
        on_gpu: bool,
    ) -> None:
        self.on_gpu = on_gpu
        seen: dict[str, list[tuple[float, float]]] = {}
        for digest, step in steps.items():
            if states[digest] == "done" and len(seen.setdefault(step.kind, [])) < HISTORY:
                found = read_object(store.path(step) / "provenance.json")
                if found.get("seconds"):
                    seen[step.kind].append((costs[digest].flops, found["seconds"]))
        self.mean = {k: sum(s for _, s in v) / len(v) for k, v in seen.items() if v}
        self.rate = {k: sum(f for f, _ in v) / sum(s for _, s in v) for k, v in seen.items() if v}
        self.calibrated = 0.0

    def seconds(self, step: Step, flops: float, devices: int = 1) -> float:
        if flops and self.rate.get(step.kind):
            return flops / self.rate[step.kind]
        if not flops:
            return self.mean.get(step.kind, OVERHEAD)
        if self.on_gpu and step.uses == "gpu":
            return OVERHEAD + flops / (H100 * UTILISATION * devices)
        self.calibrated = self.calibrated or calibrate() * CPU_UTILISATION
        return OVERHEAD + flops / self.calibrated


def calibrate() -> float:
    """FLOP/s of a matrix product in fp32 on this machine, the best in about 40 ms."""
    import numpy as np

    side, best = 64, 0.0  # below the size at which BLAS would start threads
    a = np.ones((side, side), np.float32)
    until = time.perf_counter() + 0.04
    while (began := time.perf_counter()) < until:
        np.matmul(a, a)
        best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best


def _simulate(lines: Sequence[Line], workers: int) -> dict[str, float]:
    """When each step would end if free workers took the first step in the plan that is ready."""
    ends = {line.step.digest: 0.0 for line in lines if line.state == "done"}
    missing: list[int] = []
    consumers: dict[str, list[int]] = {}
    for rank, line in enumerate(lines):
        done = line.state == "done"  # and stays so, whatever became of its inputs
        needed = set() if done else {i.digest for i in line.step.inputs.values()} - ends.keys()
        missing.append(len(needed))
        for digest in needed:
            consumers.setdefault(digest, []).append(rank)
    ready = [rank for rank, line in enumerate(lines) if line.state != "done" and not missing[rank]]
    running: list[tuple[float, int, int]] = []  # end, rank, workers held
    now, free = 0.0, workers
    while ready or running:
        while ready and (held := min(lines[ready[0]].devices, workers)) <= free:
            rank = heapq.heappop(ready)
            free -= held
            heapq.heappush(running, (now + lines[rank].seconds, rank, held))
        now, rank, held = heapq.heappop(running)
        free += held
        ends[lines[rank].step.digest] = now
        for behind in consumers.get(lines[rank].step.digest, ()):
            missing[behind] -= 1
            if not missing[behind]:
                heapq.heappush(ready, behind)
    return ends
