"""Means, intervals and tests for a handful of seeds, or for the examples of one run.

Intervals come with two refusals: none from a single value, and none from values without any spread
(three seeds that collapse to the same class say nothing about a fourth). Randomness is an argument.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """Mean of `n` values with their sample standard deviation and a t interval; None where
    refused."""

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Difference:
    """Mean of `n` paired differences a - b, with an interval and a two-sided p-value; None where
    refused."""

    n: int
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def sign(self) -> int:
        """1 or -1 where the interval excludes zero, else 0."""
        if self.low is None or self.high is None:
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


def summary(values: Sequence[float], level: float = LEVEL) -> Summary:
    """Mean, sample standard deviation (n - 1) and the t interval of `values`; ValueError on
    none."""
    n = len(values)
    if n == 0:
        raise ValueError("no mean of no values")
    mean = math.fsum(values) / n
    if n == 1:
        return Summary(1, mean)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    if _flat(sd, mean):
        return Summary(n, mean, 0.0)
    half = _t(n - 1, level) * sd / math.sqrt(n)
    return Summary(n, mean, sd, mean - half, mean + half)


def paired(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> Difference:
    """The paired difference a - b: its mean, t interval and the p-value of the paired t test."""
    from scipy.special import stdtr

    differences = [x - y for x, y in zip(a, b, strict=True)]
    found = summary(differences, level)
    if found.low is None or not found.sd:
        return Difference(found.n, found.mean)
    t = found.mean / (found.sd / math.sqrt(found.n))
    p = 2 * float(stdtr(found.n - 1, -abs(t)))
    return Difference(found.n, found.mean, found.low, found.high, p)


def permutation_p(
    differences: Sequence[float], rng: "np.random.Generator | None" = None, draws: int = 10_000
) -> float:
    """Two-sided p-value of the sign-flip test that paired differences are symmetric around zero.

    Exact up to 16 differences; beyond that `draws` sign vectors from `rng`, the observed one
    counted in.
    """
    import numpy as np

    values_N = np.asarray(differences, dtype=float)
    observed = abs(values_N.sum()) * (1 - 1e-12)
    if len(values_N) <= 16:
        signs_DN = np.array(list(product((1.0, -1.0), repeat=len(values_N))))
        return float(np.mean(np.abs(signs_DN @ values_N) >= observed))
    if rng is None:
        raise ValueError("more than 16 differences: pass a random generator")
    signs_DN = rng.choice((1.0, -1.0), size=(draws, len(values_N)))
    hits = int(np.sum(np.abs(signs_DN @ values_N) >= observed))
    return (hits + 1) / (draws + 1)


def bootstrap(
    differences: Sequence[float],
    rng: "np.random.Generator",
    draws: int = 10_000,
    level: float = LEVEL,
) -> Difference:
    """The mean of paired differences over examples, with the percentile interval of `draws`
    resamples.

    It answers for other examples of the same kind, not for another seed.
    """
    import numpy as np

    values_N = np.asarray(differences, dtype=float)
    n = len(values_N)
    if n < 2 or _flat(float(values_N.std()), float(values_N.mean())):
        return Difference(n, float(values_N.mean()))
    # Resampled in slices, so that a large dev set does not need draws x n numbers at once.
    slice_of = max(1, 2_000_000 // n)
    means = [
        values_N[rng.integers(0, n, size=(min(slice_of, draws - done), n))].mean(axis=1)
        for done in range(0, draws, slice_of)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Difference(n, float(values_N.mean()), float(low), float(high))


def wilson(fraction: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion over `n` examples, both ends in 0..1."""
    from scipy.special import ndtri

    if n < 1 or not 0 <= fraction <= 1:
        raise ValueError(f"no proportion: {fraction} of {n}")
    z = float(ndtri((1 + level) / 2))
    centre = (fraction + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(fraction * (1 - fraction) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, in the order given: reject where the result is at most alpha."""
    m = len(p_values)
    adjusted = [0.0] * m
    running = 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _t(freedom: int, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def _flat(sd: float, mean: float) -> bool:
    """Whether the spread is rounding noise only."""
    return sd <= 1e-9 * max(1.0, abs(mean))
