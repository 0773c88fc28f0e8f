"""Grids that are too much to be meant: a model larger than memory, a step of years.

A slip of the pen (one zero too many in `overrides`) is refused with what it would cost, before
the memory is full or a night is gone. `limits:` in the grid raises the bounds.
"""

from dataclasses import replace
from pathlib import Path

from ablations.budget import spent, steps
from ablations.recipes import Pretraining
from ablations.scale import SCALES, Scale, architecture, pretraining
from ablations.settings import changed
from ablations.systems import Variant
from glm.data.special import table_rows
from glm.data.vocabularies import IDS
from harness import memory
from harness.errors import UserError
from harness.grid.overrides import Overrides, overrides, scaled
from harness.grid.positions import Document, Key
from harness.grid.schema import Grid
from harness.plan.plan import CPU_UTILISATION, H100, UTILISATION, calibrate
from harness.steps import checkpoint

TRAINING_BYTES = 16  # per parameter in fp32: weight, gradient and AdamW's two averages
GPU_MEMORY = 80.0  # GB
SLOWEST = 1e9  # FLOP/s: less than any machine's, so that most grids need no measurement
DAY = 86_400.0


def check(grid: Grid, document: Document, sized: bool) -> None:
    """Blame what would not fit into memory or take longer than the limits of the grid say.

    Of a grid whose scale has faults itself (not `sized`), only what does not depend on it.
    """
    limits = grid.limits
    scale = scaled(grid) if sized else SCALES["micro"]
    documents = grid.data.documents or scale.documents
    if grid.data.kind == "microworld" and documents > limits.documents:
        place = ("data", "documents") if grid.data.documents else ("overrides", "documents")
        document.blame(
            place,
            f"{documents:,} documents are about {documents * 7e-7:,.0f} GB of text: at most "
            f"{limits.documents:,} are made (limits: {{documents: ...}})",
        )
    if not sized:
        return
    seen: set[tuple[Variant, tuple]] = set()
    for row in (row for table in grid.resolved_tables for row in table.rows if row.variant):
        found = overrides(row)
        variant = found.of(grid.known.systems[str(row.variant)], grid.known.objectives)
        if variant.checkpoint is not None:
            _checkpoint(grid, document, variant)
            continue
        key = (variant, tuple(sorted(found.pretraining.items())))
        if key not in seen and len(seen) < 1000:
            seen.add(key)
            _pretraining(grid, document, scale, variant, found)


def _pretraining(
    grid: Grid, document: Document, scale: Scale, variant: Variant, found: Overrides
) -> None:
    """Blame a pretraining that cannot be built, does not fit, or would hardly end."""
    place: Key = ("overrides",) if grid.overrides else ("scale",)
    try:
        body = architecture(variant, scale, grid.hyperparameters)
    except ValueError as error:
        document.once(place, f"{variant.name} would have {error}")
        return
    settings: Pretraining = changed(
        pretraining(variant, scale, grid.hyperparameters), found.pretrain
    )
    wanted = grid.data.vocabulary
    ids = IDS.get(wanted.kind) or wanted.size or scale.vocabulary or IDS[variant.vocabulary]
    if settings.length > body.positions:
        said = f"sequences of {settings.length} tokens for {body.positions} positions"
        document.once(place, f"{variant.name} would have {said}: raise `positions`")
        return

    heavy = _heavy(grid, replace(body, vocabulary=table_rows(ids)).parameters())
    if heavy:
        document.once(place, f"{variant.name} would have {heavy}")
        return
    count = steps(variant, scale, grid.hyperparameters, grid.match, ids)
    count = settings.steps if "steps" in found.pretrain else count
    size = (settings.batch, settings.length, count)
    slow = _slow(grid, spent(variant.objective, body, ids, *size)["flops"])
    if slow:
        document.once(place, f"{variant.name} would take {count:,} steps and {slow}")


def _heavy(grid: Grid, parameters: int) -> str:
    """What is too much about a training of so many parameters on one device, if anything is."""
    needed, there = parameters * TRAINING_BYTES / 1e9, _memory(grid)
    if needed <= there:
        return ""
    return (
        f"{parameters:,} parameters, which take {needed:,.0f} GB to train: there are "
        f"{there:,.0f} (limits: {{memory_gb: ...}})"
    )


def _slow(grid: Grid, flops: float) -> str:
    """What is too much about a training of so many FLOPs at this machine's speed, as the plan
    estimates it, if anything is."""
    if flops / SLOWEST < grid.limits.days * DAY:
        return ""
    days = flops / _speed(grid) / DAY
    if days <= grid.limits.days:
        return ""
    return (
        f"{flops:.1e} FLOPs to pretrain, about {_long(days)} on this machine: at most "
        f"{grid.limits.days:g} days are meant "
        "(limits: {days: ...}, or machine: {gpus: {pretrain: ...}})"
    )


def _checkpoint(grid: Grid, document: Document, variant: Variant) -> None:
    """Blame a checkpoint whose weights do not fit, before they are read. One of the hub may not be
    here yet: its step looks."""
    assert variant.checkpoint is not None
    if variant.checkpoint.revision:
        return
    try:
        needed, there = checkpoint.gigabytes(Path(variant.checkpoint.path)), _memory(grid)
    except UserError as error:
        document.once(("tables",), str(error))
        return
    if needed > there:
        said = f"checkpoint {variant.checkpoint.name} takes {needed:,.0f} GB in fp32"
        document.once(("tables",), f"{said}: there are {there:,.0f} (limits: {{memory_gb: ...}})")


def _memory(grid: Grid) -> float:
    """GB for one training."""
    if grid.limits.memory_gb:
        return grid.limits.memory_gb
    if grid.machine.gpus or grid.machine.address:
        return GPU_MEMORY
    return memory.allowed() / 1e9


def _speed(grid: Grid) -> float:
    """FLOP/s of one pretraining."""
    gpus = grid.machine.gpus.get("pretrain", 1.0 if grid.machine.address else 0.0)
    return H100 * UTILISATION * gpus if gpus else calibrate() * CPU_UTILISATION


def _long(days: float) -> str:
    return f"{days:,.0f} days" if days < 1000 else f"{days / 365:,.0f} years"
