"""A plan as text: its sums, which table is first, what is pretrained, and its steps by kind."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from glm.objectives.amounts import UNITS
from harness.plan.estimate import planned, shape
from harness.plan.plan import H100, UTILISATION, Line, Plan
from harness.run.progress import duration
from harness.steps.pretrain import Pretrain
from harness.steps.step import Step
from harness.store.edited import Edited, told
from harness.store.store import Store

STATES = ("done", "partial", "to run")


def show(plan: Plan, store: Store, *, every: bool = False, said: Sequence[str] = ()) -> str:
    """The plan for people: its sums, what else is to be `said`, what is pretrained, its steps.

    Seeds share a line and so do steps of a kind, unless `every` one is asked for.
    """
    steps = aligned(_every(plan), 4) if every else aligned(_kinds(plan), 1)
    parts = (summary(plan, store), said, _pretrainings(plan, every), steps)
    return "\n\n".join("\n".join(part) for part in parts if part)


def _every(plan: Plan) -> list[Sequence[str]]:
    """A line for each step, inputs first."""
    head = ("state", "kind", "name", "digest", "cells", "FLOPs", "time", "disk")
    return [
        head,
        *(
            (
                line.state,
                line.step.kind,
                line.step.name,
                line.step.digest[:8],
                str(line.cells),
                *_costs([line]),
            )
            for line in plan.lines
        ),
    ]


def _kinds(plan: Plan) -> list[Sequence[str]]:
    """A line for each kind of step, with what is left of it."""
    kinds: dict[str, list[Line]] = {}
    for line in plan.lines:
        kinds.setdefault(line.step.kind, []).append(line)
    rows: list[Sequence[str]] = [("kind", "steps", *STATES, "FLOPs", "time", "disk")]
    for kind, lines in kinds.items():
        states = Counter(line.state for line in lines)
        left = [line for line in lines if line.state != "done"]
        counts = (f"{states[state]:,}" if states[state] else "-" for state in STATES)
        rows.append((kind, f"{len(lines):,}", *counts, *_costs(left)))
    return rows


def _costs(lines: Sequence[Line]) -> tuple[str, str, str]:
    """What steps take together: FLOPs, time of one worker, disk."""
    flops = sum(line.flops for line in lines)
    disk = sum(line.disk_bytes for line in lines)
    left = [line.seconds for line in lines if line.state != "done"]
    return (
        f"{flops:.1e}" if flops else "-",
        duration(sum(left)) if left else "-",
        size(disk) if disk else "-",
    )


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Rows of text in columns, the first `left` of them flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _pretrainings(plan: Plan, every: bool) -> list[str]:
    """What each pretraining amounts to, to be compared with the paper's settings."""
    trained = [line.step for line in plan.lines if line.step.kind == "pretrain"]
    alike = Counter(_row(step, every) for step in trained)
    head = ("pretraining", "parameters", "steps", "batch", "length")
    rows: list[Sequence[str]] = [(*head, "tokens", "positions", "targets", "FLOPs")]
    for (name, *amounts), count in alike.items():
        rows.append((f"{name} x {count}" if count > 1 else name, *amounts))
    return aligned(rows, 1) if alike else []


def _row(step: Step, every: bool) -> tuple[str, ...]:
    """A pretraining's line, that of its seeds alike unless `every` one is told apart."""
    spec, amounts = step.spec_of(Pretrain), planned(step)
    one = f"{step.name} {step.digest[:8]}"
    return (
        one if every else step.name.removesuffix(f"-s{spec.seed}"),
        millions(shape(step).parameters()),
        *(f"{count:,}" for count in (spec.optimisation.steps, spec.batch, spec.length)),
        *(f"{amounts[unit]:.3e}" for unit in UNITS),
    )


def millions(number: float) -> str:
    """A parameter count for people: 335M, 0.8M."""
    return f"{number / 1e6:.{0 if number >= 1e7 else 1}f}M"


def summary(plan: Plan, store: Store) -> list[str]:
    """Counts, sums, and which table is complete first."""
    states = Counter(line.state for line in plan.lines)
    left = [line for line in plan.lines if line.state != "done"]
    flops = sum(line.flops for line in left)
    disk = sum(line.disk_bytes for line in left)
    total = max((seconds for _, seconds in plan.tables.values()), default=0.0)
    said = [
        f"{plan.cells:,} cells from {plan.results:,} distinct results; "
        f"{len(plan.lines):,} steps: {states['done']:,} done, {states['partial']:,} partial, "
        f"{states['to run']:,} to run"
    ]
    if left:
        where = f"{plan.workers} GPU(s)" if plan.on_gpu else f"{plan.workers} worker(s)"
        said.append(
            f"to do: {flops:.2e} FLOPs, about {duration(total)} on {where}, {size(disk)} of disk"
        )
        hours = flops / (H100 * UTILISATION) / 3600
        if plan.on_gpu or hours > 1:
            said.append(
                f"{hours:,.0f} GPU-hours on H100 at {UTILISATION:.0%} of {H100 / 1e12:.0f} TFLOP/s"
            )
        said += _disk_warning(store, disk)
    ranked = sorted(plan.tables.items(), key=lambda item: item[1][1])
    for rank, (name, (cells, until)) in enumerate(ranked):
        when = f"complete after about {duration(until)}" if until else "complete"
        first = " (first)" if rank == 0 and until and len(ranked) > 1 else ""
        said.append(f"{name}: {cells:,} cells, {when}{first}")
    return said


def earlier(plan: Plan, found: Mapping[str, Edited]) -> list[str]:
    """What has been edited since results were made, and what making them again would take."""
    if not found:
        return []
    again = [line for line in plan.lines if line.step.digest in found]
    flops = sum(line.flops for line in again)
    seconds = sum(line.seconds for line in again) / plan.workers
    return [
        *told(found),
        f"making {len(again):,} steps again: {flops:.2e} FLOPs, about {duration(seconds)}. "
        "--code rerun does, --code keep keeps these results and marks them",
    ]


def _disk_warning(store: Store, needed: float) -> list[str]:
    folder = store.root
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if needed < free:
        return []
    return [f"warning: {size(needed)} are needed at {store.root}, {size(free)} are free"]


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
