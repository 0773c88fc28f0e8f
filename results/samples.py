"""Samples: the runs of one system in one column, and what they say of other seeds and examples.

A run is a pair (pretraining seed, finetuning seed); finetuning is nested in pretraining. An
estimate is the mean over pretrainings, each averaged over its own finetunings, so that a
pretraining with fewer of them weighs as much as any other.

    P  pretrainings      G  clusters of examples
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from results.items import Effects, weighted
from results.statistics import Difference, Error, welch

if TYPE_CHECKING:
    import numpy as np

Seeds = tuple[Any, Any]  # (pretraining seed, finetuning seed)


@dataclass(frozen=True, eq=False)
class Sample:
    """Runs on a unit's scale (points, or the log of perplexity), with the effects of examples.

    `effects` lacks runs whose statistics are not known; `pretrained` is the folder of the
    pretraining behind each pretraining seed.
    """

    values: Mapping[Seeds, float] = field(default_factory=dict)
    effects: Mapping[Seeds, Effects] = field(default_factory=dict)
    pretrained: Mapping[Any, str] = field(default_factory=dict)

    @property
    def pretrainings(self) -> list[Any]:
        """The pretraining seeds that have a run."""
        return list(dict.fromkeys(pretrain for pretrain, _ in self.values))

    @cached_property
    def means(self) -> "Means":
        """The means of each pretraining, in order."""
        return means(self)


@dataclass(frozen=True, eq=False)
class Means:
    """Of each pretraining its mean over finetunings, and its mean effects where all are known."""

    value_P: "np.ndarray"
    effect_PG: "np.ndarray | None"
    labels: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """The estimate."""
        return math.fsum(self.value_P) / len(self.value_P)

    @property
    def seeds(self) -> float:
        """The estimate's variance over pretraining seeds; there must be two."""
        return float(self.value_P.var(ddof=1)) / len(self.value_P)

    @property
    def shared(self) -> float:
        """The part of it that single seeds show on single examples: it is in both variances."""
        count = len(self.value_P)
        if self.effect_PG is None or count < 2:
            return 0.0
        apart_PG = self.effect_PG - self.effect_PG.mean(0)
        return float((apart_PG**2).sum()) / (count * (count - 1))


def means(sample: Sample, only: Sequence[Any] | None = None) -> Means:
    """The means of each pretraining (of those in `only`), in order."""
    import numpy as np

    seeds: dict[Any, list[Seeds]] = {}
    for run in sample.values:
        if only is None or run[0] in only:
            seeds.setdefault(run[0], []).append(run)
    order = list(seeds) if only is None else list(only)
    value_P = [math.fsum(sample.values[r] for r in seeds[p]) / len(seeds[p]) for p in order]
    parts: list[Effects] = []
    if all(run in sample.effects for p in order for run in seeds[p]):
        for p in order:
            share = 1 / len(seeds[p])
            parts.append(weighted([(share, sample.effects[run]) for run in seeds[p]]))
    if not parts:
        return Means(np.array(value_P), None)
    labels, effect_PG = _aligned(parts)
    return Means(np.array(value_P), effect_PG, labels)


def _aligned(parts: Sequence[Effects]) -> "tuple[tuple[str, ...], np.ndarray]":
    """Effects of several runs over one set of clusters; a cluster that a run lacks is 0 there."""
    import numpy as np

    labels = parts[0].labels
    if all(part.labels is labels or part.labels == labels for part in parts):
        return labels, np.stack([part.values_G for part in parts])
    union = tuple(dict.fromkeys(label for part in parts for label in part.labels))
    zero = Effects(union, np.zeros(len(union)))
    return union, np.stack([weighted([(1.0, zero), (1.0, part)]).values_G for part in parts])


def error(sample: Sample) -> Error | None:
    """The error of the mean; None with fewer than two pretrainings or seeds without a spread."""
    found = sample.means
    count = len(found.value_P)
    if count < 2 or flat(found.seeds, found.mean):
        return None
    examples, freedom = _examples(found.effect_PG, found.shared)
    return Error(found.seeds, count - 1, examples, freedom)


def difference(a: Sample, b: Sample) -> Difference | None:
    """The difference a - b, paired by example; None where one of them has no run.

    It is paired by seed where the two rest on the same pretrainings (one model finetuned or asked
    in two ways). Two systems with equal seed numbers were pretrained apart: they are taken as
    independent, which is right if they are and cautious if a common order of the data makes them
    alike.
    """
    if not a.values or not b.values:
        return None
    common = [p for p in a.pretrainings if p in b.pretrained and same(a, b, p)]
    n = (len(a.pretrainings), len(b.pretrainings))
    if common:
        ours, theirs = means(a, common), means(b, common)
        found = _minus(ours, theirs)
        if len(common) < 2 or flat(found.seeds, ours.mean):
            return Difference(found.mean, (len(common), len(common)))
        examples, freedom = _examples(found.effect_PG, found.shared)
        parts = Error(found.seeds, len(common) - 1, examples, freedom)
        return Difference(found.mean, (len(common), len(common)), parts)
    ours, theirs = a.means, b.means
    mean = ours.mean - theirs.mean
    if min(n) < 2 or flat(ours.seeds + theirs.seeds, ours.mean):
        return Difference(mean, n)
    examples, freedom = examples_of(ours, theirs)
    seeds = ours.seeds + theirs.seeds
    known = welch((ours.seeds, theirs.seeds), (n[0] - 1, n[1] - 1))
    return Difference(mean, n, Error(seeds, known, examples, freedom))


def same(a: Sample, b: Sample, pretrain: object) -> bool:
    """Whether two samples rest on the same pretraining under one seed."""
    folder = a.pretrained.get(pretrain)
    return bool(folder) and folder == b.pretrained.get(pretrain)


def examples_of(ours: Means, theirs: Means) -> tuple[float | None, float]:
    """What examples add to the variance of the difference of two independent systems' means."""
    if ours.effect_PG is None or theirs.effect_PG is None:
        return None, math.inf
    sides = [
        Effects(side.labels, side.effect_PG.mean(0))
        for side in (ours, theirs)
        if side.effect_PG is not None
    ]
    apart = weighted([(1.0, sides[0]), (-1.0, sides[1])])
    return _examples(apart.values_G[None], ours.shared + theirs.shared)


def _examples(effect_PG: "np.ndarray | None", shared: float) -> tuple[float | None, float]:
    """The variance over examples without what the seeds' variance holds already, and its degrees
    of freedom."""
    if effect_PG is None:
        return None, math.inf
    whole = float((effect_PG.mean(0) ** 2).sum())
    return max(whole - shared, 0.0), effect_PG.shape[1] - 1


def _minus(ours: Means, theirs: Means) -> Means:
    """Pretraining by pretraining, the first less the second."""
    value_P = ours.value_P - theirs.value_P
    if ours.effect_PG is None or theirs.effect_PG is None:
        return Means(value_P, None)
    pairs = [
        weighted([(1.0, Effects(ours.labels, a_G)), (-1.0, Effects(theirs.labels, b_G))])
        for a_G, b_G in zip(ours.effect_PG, theirs.effect_PG)
    ]
    labels, effect_PG = _aligned(pairs)
    return Means(value_P, effect_PG, labels)


def mixed(samples: Sequence[Sample], weights: Sequence[float]) -> Sample:
    """The weighted sum of several columns, run by run; only runs that all of them have."""
    first = samples[0]
    runs = [run for run in first.values if all(run in sample.values for sample in samples)]
    known = [run for run in runs if all(run in sample.effects for sample in samples)]
    values = {
        run: math.fsum(w * sample.values[run] for w, sample in zip(weights, samples))
        for run in runs
    }
    effects = {
        run: weighted([(w, sample.effects[run]) for w, sample in zip(weights, samples)])
        for run in known
    }
    return Sample(values, effects, first.pretrained)


def flat(variance: float, mean: float) -> bool:
    """Whether a spread is rounding noise only."""
    return math.sqrt(variance) <= 1e-9 * max(1.0, abs(mean))
