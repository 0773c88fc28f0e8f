"""What differences a grid's seeds and examples can show, before anything is run.

A claim compares two rows in a column. With P pretrainings of each, a spread s over pretrainings and
examples that add e to the variance of one difference, the error of the difference has

    seeds       2 s^2 / P    with 2 (P - 1) degrees of freedom
    examples    e / n        with n - 1

and from there on the formulas are those of the verdicts (`results.statistics.Error`). Spreads are
the grid's own where two pretrainings of a row are finished, else those of `results/priors.yaml`.
Two systems that answer independently give e = 2 p (1 - p) at most, which stands in where single
answers are not known yet: systems that agree on easy examples are told apart with less.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.grid.expansion import Expansion
from harness.plan.plan import Plan
from harness.plan.text import aligned
from harness.run.progress import duration
from harness.steps.dataset import Dataset
from harness.store.about import examples
from harness.store.store import Store
from results import priors, samples, tables
from results.cells import Entry
from results.priors import Prior
from results.statistics import POWER, Error
from results.wording import number
from tasks.errors import UserError

MOST = 10_000  # pretrainings that are thought of
SEEDED = ("pretrain", "finetune", "zeroshot", "score")  # kinds of step that a seed makes more of

Place = tuple[str, str]  # task, metric


@dataclass(frozen=True)
class Spread:
    """How far numbers lie apart: in points, or in percent of a perplexity.

    `seeds` is a deviation over pretrainings; `one` what one example adds to the variance of a
    difference, None where nothing is known.
    """

    seeds: float
    one: float | None
    source: str

    def error(self, pretrainings: int, count: int | None) -> Error:
        """The error of a difference between two rows."""
        seeds, freedom = 2 * self.seeds**2 / pretrainings, 2 * (pretrainings - 1)
        if self.one is None or count is None or count < 2:
            return Error(seeds, freedom)
        return Error(seeds, freedom, self.one / count, count - 1)


@dataclass(frozen=True)
class Column:
    """One metric that a grid measures, on how many examples."""

    group: str
    task: str
    metric: str
    count: int | None
    spread: Spread

    def detectable(self, pretrainings: int, *, texts: bool) -> float | None:
        """The smallest difference found with 80% power, for such texts or for this test set."""
        error = self.spread.error(pretrainings, self.count)
        if pretrainings < 2 or (texts and error.examples is None):
            return None
        return (error if texts else error.fixed).detectable()

    def pretrainings(self, wanted: float, *, texts: bool) -> int | None:
        """How many pretrainings of each row show a difference; None where no number does."""

        def enough(count: int) -> bool:
            found = self.detectable(count, texts=texts)
            return found is not None and found <= wanted

        if not enough(MOST):
            return None
        low, high = 1, MOST
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    def examples(self, wanted: float) -> int | None:
        """How many examples show a difference to pretrainings without number."""
        if self.spread.one is None:
            return None
        alone = Error(0.0, math.inf, self.spread.one, math.inf).detectable()
        return math.ceil((alone / wanted) ** 2)


def columns(grid_name: str, expansion: Expansion, store: Store) -> list[Column]:
    """The first metric of every task that the grid measures, where a spread of it is known."""
    own, prior = measured(grid_name, expansion, store), priors.read()
    finetunings = Counter((c.table, c.row, c.column, c.pretrain_seed) for c in expansion.cells)
    found: dict[Place, Column] = {}
    for cell in expansion.cells:
        score = cell.trials[0].score
        place = (score.spec.task, score.spec.metrics[0])
        if place in found or (place not in own and place not in prior):
            continue
        dataset, split = score.inputs["dataset"], score.spec.split
        count = examples(dataset, split, store).get("used") or dataset.spec_of(Dataset).limits.get(
            split
        )
        trained = score.inputs["predictions"].kind == "finetune"
        group = "finetuned" if trained else "language"
        each = finetunings[cell.table, cell.row, cell.column, cell.pretrain_seed]
        spread = own.get(place) or shipped(prior[place], each)
        found[place] = Column(group, *place, count, spread)
    return list(found.values())


def shipped(prior: Prior, finetunings: int) -> Spread:
    """The spread of a prior, with so many finetunings of each pretraining."""
    one = prior.example**2 if prior.example is not None else None
    if one is None and prior.unit == "fraction":
        one = independent(prior.mean)
    return Spread(prior.seeds(finetunings), one, "earlier priors" if prior.earlier else "priors")


def independent(mean: float) -> float:
    """What one example adds at most to the variance of a difference, at a mean in points."""
    return 2 * mean * (100 - mean)


def measured(grid: str, expansion: Expansion, store: Store) -> dict[Place, Spread]:
    """The spreads of the grid's own finished runs, by task and metric."""
    if not (store.root / "grids" / grid / "cells.json").exists():
        return {}
    try:
        built = tables.build(store.root, grid)
    except UserError:
        return {}
    tasks = {(t.id, c.id): c.task for t in expansion.tables for c in t.columns}
    entries: dict[Place, list[tuple[Entry, Entry | None]]] = {}
    for table in built:
        against = next((line for line in table.lines if line.id == table.reference), None)
        # A planted row is another system on purpose.
        runs = (each for each in table.lines if each.kind == "run" and each.control != "planted")
        for line in runs:
            for column, those in line.cells.items():
                for index, entry in enumerate(those):
                    place = (tasks.get((table.id, column), ""), entry.metric)
                    other = against.cells[column][index] if against and against != line else None
                    entries.setdefault(place, []).append((entry, other))
    spreads = {place: _spread(pairs) for place, pairs in entries.items() if place[0]}
    return {place: spread for place, spread in spreads.items() if spread is not None}


def _spread(pairs: Sequence[tuple[Entry, Entry | None]]) -> Spread | None:
    """The spread of a column's rows, pooled; None with fewer than two pretrainings of each."""
    squares, ones = [], []
    for entry, other in pairs:
        if len(entry.sample.pretrainings) < 2:
            continue
        percent = 100 if entry.unit == "ppl" else 1  # of a logarithm
        squares.append((percent**2) * float(entry.sample.means.value_P.var(ddof=1)))
        apart = samples.difference(entry.sample, other.sample) if other else None
        if apart and apart.error and apart.error.examples is not None and entry.n:
            ones.append(percent**2 * apart.error.examples * entry.n)
    if not squares:
        return None
    one = math.fsum(ones) / len(ones) if ones else None
    return Spread(math.sqrt(math.fsum(squares) / len(squares)), one, "this store")


def told(found: Sequence[Column], pretrainings: int, plan: Plan, wanted: float | None) -> list[str]:
    """What can be told apart, as lines; with `wanted`, what it would take to tell that much."""
    if not found:
        return []
    seeds = "1 pretraining" if pretrainings == 1 else f"{pretrainings} pretrainings"
    lines = [
        f"differences between two rows that {seeds} of each show with {POWER:.0%} power "
        "(points; percent of a perplexity):",
    ]
    head = ["", "metric", "examples", "this test set", "such texts", "spread from"]
    if wanted:
        head += [f"pretrainings for {wanted:g}", "such texts", "examples at least"]
    rows: list[list[str]] = [head]
    for column in found:
        row = [column.task, column.metric, _count(column.count)]
        row += [
            "-" if value is None else number(value, min(value, 9.0))
            for value in (column.detectable(pretrainings, texts=t) for t in (False, True))
        ]
        row.append(column.spread.source)
        if wanted:
            row += [_count(column.pretrainings(wanted, texts=t)) for t in (False, True)]
            row.append(_count(column.examples(wanted)))
        rows.append(row)
    lines += aligned(rows, 2)
    if pretrainings < 2:
        lines.append("one pretraining shows no difference: set seeds.pretrain to 2 or more")
    return lines + (_price(found, pretrainings, plan, wanted) if wanted else [])


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _price(found: Sequence[Column], pretrainings: int, plan: Plan, wanted: float) -> list[str]:
    """How many pretrainings every column needs, and how long the grid would take with them."""
    needed = [column.pretrainings(wanted, texts=False) for column in found]
    reach = [count for count in needed if count is not None]
    lines = []
    if reach:
        each = sum(
            line.seconds * line.devices for line in plan.lines if line.step.kind in SEEDED
        ) / (pretrainings * plan.workers)
        price = ", ".join(
            f"{count:,} pretrainings in about {duration(count * each)}"
            for count in sorted({min(reach), max(reach)})
        )
        lines.append(f"{wanted:g} in the easiest and in the hardest column, whole grid: {price}")
    return lines
