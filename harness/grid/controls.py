"""Controls: runs beside a table's rows that show what its numbers can tell.

    aa        the reference row again under other seeds: it must not differ from the first
    planted   the reference row after half its pretraining: it must differ, if the table can tell
    blind     the reference row finetuned on other questions' passages: a floor of the column

The first two are rows of the table. A floor stands in the manifest's cells, beside the floors that
scores compute from their own rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ablations.tables import Row, Table
from glm.training.optimisation import Optimisation
from harness.steps.score import Score
from harness.steps.step import Step

OTHER_SEEDS = 10_000  # added to every seed of an A/A row: a number of seeds means 0 .. below this
GROUP = "Controls"
LABELS: Mapping[str, str] = {
    "aa": "{} (again, other seeds)",
    "planted": "{} (half the pretraining)",
}


@dataclass(frozen=True)
class Floor:
    """What a column gives without what it is about: the mean over some runs' scores."""

    name: str  # one of `tasks.metrics.floors.FLOORS`
    scores: tuple[Step[Score], ...]


def reference(table: Table) -> Row | None:
    """The row that differences are taken against: the one named, else the first that runs."""
    running = [row for row in table.rows if row.variant]
    named = [row for row in running if row.id == table.reference]
    return next(iter(named + running), None)


def controlled(table: Table, kinds: Iterable[str]) -> Table:
    """The table with a control row of each kind that is asked for.

    A table of one running row compares nothing, and needs none.
    """
    row = reference(table)
    if row is None or sum(bool(each.variant) for each in table.rows) < 2:
        return table
    added = tuple(
        replace(
            row,
            id=f"{row.id}_{kind}",
            label=LABELS[kind].format(row.label),
            paper="",
            group=GROUP,
            control=kind,
        )
        for kind in LABELS
        if kind in kinds
    )
    return replace(table, rows=(*table.rows, *added))


def halved(optimisation: Optimisation) -> dict[str, int]:
    """The changes that give a pretraining half its steps, its schedule in proportion."""
    return {
        "steps": max(1, optimisation.steps // 2),
        "warmup_steps": max(1, optimisation.warmup_steps // 2),
        "decay_steps": max(1, optimisation.decay_steps // 2),
    }
