"""Simulated runs with known variance components, as records that the results code reads.

An answer is right where a sum of normal effects is above zero:

    level + pretraining + finetuning + cluster + example + example of this system + answer

so that the true accuracy is a value of the normal distribution function, both of a system on the
questions drawn (other seeds) and of a system on all such questions (other seeds, other questions).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from scipy.special import ndtr

from results import claims as judge
from results import items, statistics, tables
from results.paper import Claim
from results.scores import Manifest
from results.tables import Table

TABLE = "simulated"


@dataclass(frozen=True)
class World:
    """Components, as standard deviations beside an answer's own of 1, and sizes."""

    pretrain: int = 3
    finetune: int = 2
    n: int = 277
    size: int = 1  # answers of a cluster
    seed: float = 0.08  # over pretrainings
    tuning: float = 0.06  # over finetunings
    cluster: float = 0.0
    example: float = 0.8  # shared by all systems
    own: float = 0.3  # of a system on an example
    lost: float = 0.0  # the chance that a run fails

    @property
    def seeds(self) -> float:
        """The variance of what an answer adds and what differs between runs."""
        return 1 + self.seed**2 + self.tuning**2

    def truth(self, level: float) -> float:
        """A system's accuracy over other seeds and other questions, in percent."""
        spread = self.seeds + self.cluster**2 + self.example**2 + self.own**2
        return 100 * NormalDist().cdf(level / spread**0.5)

    def level(self, percent: float) -> float:
        """The level whose true accuracy is `percent`."""
        spread = self.seeds + self.cluster**2 + self.example**2 + self.own**2
        return NormalDist().inv_cdf(percent / 100) * spread**0.5


# Seeds (pretraining x finetuning), and what else differs from three by two on 277 questions.
SCENARIOS = {
    "2x2": World(pretrain=2),
    "3x2": World(),
    "5x1": World(pretrain=5, finetune=1),
    "5x2, runs lost": World(pretrain=5, lost=0.3),
    "3x2, n=56": World(n=56),
    "3x2, n=2000": World(n=2000, example=0.9),
    "3x2, texts of 4": World(n=400, size=4, cluster=0.6),
    "3x2, seeds far apart": World(n=800, seed=0.25),
}


@dataclass(frozen=True)
class Drawn:
    """A table with one column for every draw, and what is true of its systems there."""

    table: Table
    truth: np.ndarray  # over other seeds and questions, by row
    fixed: np.ndarray  # over other seeds, by draw and row


def drawn(
    world: World,
    percents: Sequence[float],
    draws: int,
    rng: np.random.Generator,
    floor: float | None = 0.0,
    family: str = "",
) -> Drawn:
    """`draws` columns of systems whose true accuracies are `percents`; rows are r0, r1, ..."""
    clusters = np.arange(world.n) // world.size
    labels = tuple(f"{family}{index}" for index in range(int(clusters[-1]) + 1))
    records, fixed = [], np.zeros((draws, len(percents)))
    levels = [world.level(percent) for percent in percents]
    for draw in range(draws):
        shared = world.cluster * rng.normal(size=len(labels))[clusters]
        shared = shared + world.example * rng.normal(size=world.n)
        for row, level in enumerate(levels):
            hard = level + shared + world.own * rng.normal(size=world.n)
            fixed[draw, row] = 100 * ndtr(hard / world.seeds**0.5).mean()
            records += _runs(world, hard, clusters, labels, rng, f"c{draw}", f"r{row}", floor)
    columns = [_column(f"c{draw}") for draw in range(draws)]
    rows = [
        {"id": f"r{row}", "label": f"r{row}", "paper": f"r{row}", "variant": f"r{row}"}
        for row in range(len(percents))
    ]
    spec = {"id": TABLE, "title": "Simulated", "split": "dev", "rows": rows, "columns": columns}
    grid = Manifest(Path(), "g", (spec,), (), {})
    (table,) = tables.assemble(grid, records)
    return Drawn(table, np.array([world.truth(level) for level in levels]), fixed)


def _column(id: str) -> dict:
    return {"id": id, "label": id, "task": "boolq", "metrics": ["acc"], "options": {}}


def _runs(world, hard, clusters, labels, rng, column, row, floor) -> list[dict]:
    """The records of one system in one column."""
    made = []
    for p in range(world.pretrain):
        trained = world.seed * rng.normal()
        failed = rng.random() < world.lost / 2  # a pretraining takes its finetunings with it
        for f in range(world.finetune):
            tuned = trained + world.tuning * rng.normal()
            right = hard + tuned + rng.normal(size=world.n) > 0
            record = {
                "table": TABLE,
                "row": row,
                "column": column,
                "task": "boolq",
                "metric": "acc",
                "pretrain_seed": p,
                "finetune_seed": f,
                "selected": None,
                "unit": "fraction",
                "higher_is_better": True,
                "signature": "acc",
                "n": world.n,
                "reason": "",
                "pretrain": f"pretrain/{row}-{p}",
                "status": "done",
                "floors": {} if floor is None else {"constant": floor},
                "commonest": {"answer": "Yes", "share": 0.5},
            }
            if failed or rng.random() < world.lost / 2:
                made.append(record | {"status": "failed", "reason": "out of memory"})
                continue
            sums = np.stack([np.bincount(clusters, right), np.bincount(clusters)], axis=1)
            effects = items.effects(sums.astype(float), labels, "ratio", "fraction")
            made.append(record | {"value": 100 * float(right.mean()), "effects": effects})
    return made


def claims(draws: int, over: str = "r0", under: str = "r1") -> list[Claim]:
    """A claim for each draw: that one row is better than another in that column."""
    return [
        Claim(f"k{i}", TABLE, over, under, (f"c{i}.acc",), "", "confirmed", ())
        for i in range(draws)
    ]


def coverage(found: Drawn, estimand: str) -> list[bool]:
    """Whether each interval holds what is true of its system; cells without one are left out."""
    lines = [line for line in found.table.lines if line.kind == "run"]
    inside = []
    for row, line in enumerate(lines):
        for draw, column in enumerate(found.table.columns):
            said = line.cells[column.id][0].summary
            if said is None or said.low is None or said.high is None or said.fixed is None:
                continue
            if estimand == statistics.TEXTS:
                inside.append(bool(said.low <= found.truth[row] <= said.high))
            else:
                inside.append(bool(said.fixed[0] <= found.fixed[draw, row] <= said.fixed[1]))
    return inside


def false_verdicts(table: Table, family: Sequence[Claim]) -> list[bool]:
    """Whether each claim, of systems that do not differ, is called supported or reversed."""
    verdicts = judge.check([table], family)
    return [verdict.verdict in ("supported", "reversed") for verdict in verdicts]


def f1_sums(rng: np.random.Generator, clusters: int, seed: float) -> np.ndarray:
    """One run's sums for F1, by cluster of five answers of which two in five are right."""
    at = np.repeat(np.arange(clusters), 5)
    gold = rng.random(len(at)) < 0.4
    base = 0.8 * rng.normal(size=clusters)[at] + 0.6 * rng.normal(size=len(at)) + gold - 0.5
    chosen = base + seed + rng.normal(size=len(at)) > 0
    columns = (chosen & gold, chosen, gold)
    return np.stack([np.bincount(at, column, minlength=clusters) for column in columns], axis=1)


def perplexity_sums(rng: np.random.Generator, clusters: int, seed: float) -> np.ndarray:
    """One run's nats and tokens, by document; long documents are the easier ones."""
    tokens = rng.lognormal(5, 0.8, size=clusters).round() + 1
    nats = tokens * (3 + 0.3 * rng.normal(size=clusters) - 0.05 * np.log(tokens) + seed / 5)
    return np.stack([nats, tokens], axis=1)
