"""A plan as text: one line a step, what is pretrained, the sums, and which table is first."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from glm.objectives.amounts import UNITS
from harness.plan.estimate import planned, shape
from harness.plan.plan import H100, UTILISATION, Plan
from harness.run.progress import duration
from harness.steps.pretrain import Pretrain
from harness.store.edited import Edited, told
from harness.store.store import Store


def show(plan: Plan, store: Store) -> str:
    """The plan for people: one line a step, one a pretraining, then the sums."""
    rows = [("state", "kind", "name", "digest", "cells", "FLOPs", "time", "disk")]
    for line in plan.lines:
        rows.append(
            (
                line.state,
                line.step.kind,
                line.step.name,
                line.step.digest[:8],
                str(line.cells),
                f"{line.flops:.1e}" if line.flops else "-",
                duration(line.seconds) if line.state != "done" else "-",
                size(line.disk_bytes) if line.disk_bytes else "-",
            )
        )
    return "\n".join([*aligned(rows, 4), *_pretrainings(plan), "", *summary(plan, store)])


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


def _pretrainings(plan: Plan) -> list[str]:
    """What each pretraining amounts to, to be compared with the paper's settings."""
    head = ("pretraining", "parameters", "steps", "batch", "length")
    rows: list[Sequence[str]] = [(*head, "tokens", "positions", "targets", "FLOPs")]
    for line in plan.lines:
        if line.step.kind == "pretrain":
            spec = line.step.spec_of(Pretrain)
            counts = (spec.optimisation.steps, spec.batch, spec.length)
            amounts = planned(line.step)
            rows.append(
                (
                    f"{line.step.name} {line.step.digest[:8]}",
                    millions(shape(line.step).parameters()),
                    *(f"{count:,}" for count in counts),
                    *(f"{amounts[unit]:.3e}" for unit in UNITS),
                )
            )
    return ["", *aligned(rows, 1)] if len(rows) > 1 else []


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
