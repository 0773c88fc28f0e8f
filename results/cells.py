"""Cells: the runs behind one number, what they say together, and what the paper prints there.

A *run* is one (pretraining seed, finetuning seed) pair. With two or more pretraining seeds the
spread is over pretraining seeds, each averaged over its finetuning seeds; with one, it is over
finetuning seeds.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results import paper, statistics
from results.paper import Printed
from results.statistics import Difference, Summary

Seeds = tuple[Any, Any]  # (pretraining seed, finetuning seed)
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One metric of one cell: our runs and what they say, beside what the paper prints.

    `states` counts the runs that gave no number, by status. `versus` is the paired difference from
    the reference row; `stars` is 0, 1 (its interval excludes zero) or 2 (still so after Holm's
    correction over the table), and `better` says in which direction.
    """

    metric: str
    runs: Mapping[Seeds, float] = field(default_factory=dict)
    summary: Summary | None = None
    wanted: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    unit: str = "fraction"
    higher_is_better: bool = True
    n: int | None = None  # examples per run
    signatures: tuple[str, ...] = ()
    paper: Printed | None = None
    versus: Difference | None = None
    stars: int = 0

    @property
    def done(self) -> int:
        """How many runs gave a number."""
        return len(self.runs)

    @property
    def better(self) -> bool:
        """Whether the difference from the reference row is to the good."""
        return self.versus is not None and (self.versus.mean > 0) == self.higher_is_better


@dataclass(frozen=True)
class Column:
    """A column; `metrics` in the order the paper prints them."""

    id: str
    label: str
    metrics: tuple[str, ...]


def gathered(metric: str, records: Sequence[Record]) -> Entry:
    """The runs of one cell and metric, summed up."""
    runs = {
        (record["pretrain_seed"], record["finetune_seed"]): record["value"]
        for record in records
        if record["status"] == "done"
    }
    missing = [record for record in records if record["status"] != "done"]
    reasons = dict.fromkeys(record["reason"] or record["status"] for record in missing)
    known = next((record for record in records if record["unit"]), None)
    higher = known is None or known["higher_is_better"] is not False
    return Entry(
        metric,
        runs,
        spread(runs),
        len(records),
        dict(Counter(record["status"] for record in missing)),
        "; ".join(reasons) if records else "no cell of this grid",
        known["unit"] if known else "fraction",
        higher,
        known["n"] if known else None,
        tuple(sorted({record["signature"] for record in records if record["signature"]})),
    )


def per_unit(runs: Mapping[Seeds, float]) -> dict[Any, float]:
    """What the spread is over: pretraining seeds, or runs where there is only one pretraining."""
    by_seed: dict[Any, list[float]] = {}
    for (pretrain, _), value in runs.items():
        by_seed.setdefault(pretrain, []).append(value)
    if len(by_seed) < 2:
        return dict(runs)
    return {seed: math.fsum(values) / len(values) for seed, values in by_seed.items()}


def spread(runs: Mapping[Seeds, float]) -> Summary | None:
    """Mean, deviation and interval of runs; None where there is none."""
    return statistics.summary(list(per_unit(runs).values())) if runs else None


def contrast(a: Mapping[Seeds, float], b: Mapping[Seeds, float]) -> Difference | None:
    """The difference a - b over the seeds that both have; None where they share none."""
    shared = [seeds for seeds in a if seeds in b]
    if not shared:
        return None
    ours, theirs = ({seeds: runs[seeds] for seeds in shared} for runs in (a, b))
    return statistics.paired(list(per_unit(ours).values()), list(per_unit(theirs).values()))


def averaged(
    filled: Mapping[str, tuple[Entry, ...]],
    columns: Sequence[Column],
    printed: paper.PaperTable | None,
) -> Entry:
    """The mean over tasks, run by run; a run counts only if every task and metric has its
    number."""
    wanted = max((entry.wanted for entries in filled.values() for entry in entries), default=0)
    if printed and "avg" in printed.columns:
        lacking = set(printed.columns) - {"avg"} - {column.id for column in columns}
        if lacking:
            return Entry("avg", wanted=wanted, reason=f"no average without {_listed(lacking)}")
    entries = [entry for column in columns for entry in filled[column.id]]
    empty = [c.id for c in columns if not all(entry.runs for entry in filled[c.id])]
    if empty or not entries:
        return Entry("avg", wanted=wanted, reason=f"no average without {_listed(empty)}")
    complete = [seeds for seeds in entries[0].runs if all(seeds in e.runs for e in entries)]
    runs = {
        seeds: math.fsum(
            math.fsum(entry.runs[seeds] for entry in filled[column.id]) / len(column.metrics)
            for column in columns
        )
        / len(columns)
        for seeds in complete
    }
    states: Counter[str] = Counter()
    if len(runs) < wanted:
        states["incomplete"] = wanted - len(runs)
    return Entry(
        "avg",
        runs,
        spread(runs),
        wanted,
        states,
        "a seed without all of its tasks does not enter the average",
    )


def floored(metric: str, record: Record | None) -> Entry:
    """The majority class's score as an entry, from a record that knows it."""
    if record is None:
        return Entry(metric, reason="no majority class")
    higher = record["higher_is_better"] is not False
    return Entry(
        metric,
        {},
        Summary(1, record["floor"]),
        unit=record["unit"],
        higher_is_better=higher,
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
