"""Intervals and tests for an estimate that varies over seeds and over examples.

Two estimands have names. *This test set*: other seeds, the same examples. *Such texts*: other seeds
and other examples of the same kind. An `Error` holds the two parts of the variance, each with its
degrees of freedom, and everything else follows from it (`docs/statistics.md` has the formulas).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

LEVEL = 0.95
POWER = 0.8
TEXTS, TEST_SET = "such texts", "this test set"


@dataclass(frozen=True)
class Error:
    """Variance of an estimate: over seeds, and what examples add to it.

    `examples` is None where nothing is known of single examples: then only "this test set" can be
    spoken of.
    """

    seeds: float
    seeds_freedom: float
    examples: float | None = None
    examples_freedom: float = math.inf

    @property
    def deviation(self) -> float:
        """The standard error."""
        return math.sqrt(self.seeds + (self.examples or 0.0))

    @property
    def fixed(self) -> "Error":
        """The error for this test set: examples do not vary."""
        return replace(self, examples=None)

    def quantile(self, alpha: float) -> float:
        """What |estimate - truth| / deviation exceeds with probability `alpha`.

        Between Student's quantiles of the two parts. Satterthwaite's single degree of freedom is
        too bold with two or three pretrainings (87% instead of 95%) and Cochran's weights, the
        variances, too timid (98%); squared variances, times the quantiles' ratio, keep within
        94.6 and 97.0% whatever the parts are.
        """
        upper = student(alpha, self.seeds_freedom)
        if not self.examples:
            return upper
        lower = student(alpha, self.examples_freedom)
        if lower <= 0:
            return 0.0
        weight = upper / lower * self.seeds**2
        return lower + (upper - lower) * weight / (weight + self.examples**2)

    def p(self, t: float) -> float:
        """The probability of at least |t| deviations, both sides."""
        t = abs(t)
        if not self.examples:
            return tail(t, self.seeds_freedom)
        ends = sorted((tail(t, self.seeds_freedom), tail(t, self.examples_freedom)))
        low, high = math.log(max(ends[0], 1e-300)), math.log(max(ends[1], 1e-300))
        for _ in range(30):
            middle = (low + high) / 2
            if self.quantile(math.exp(middle)) > t:
                low = middle
            else:
                high = middle
        return math.exp(high)

    def freedom(self) -> float:
        """The degrees of freedom at which Student's quantile is this error's."""
        if not self.examples:
            return self.seeds_freedom
        wanted = self.quantile(1 - LEVEL)
        low, high = math.log(0.5), math.log(1e7)
        for _ in range(40):
            middle = (low + high) / 2
            if student(1 - LEVEL, math.exp(middle)) > wanted:
                low = middle
            else:
                high = middle
        return math.exp(high)

    def detectable(self) -> float:
        """The smallest true difference that a test at 5% finds with 80% power."""
        from scipy.special import nctdtrinc

        found = float(nctdtrinc(self.freedom(), 1 - POWER, self.quantile(1 - LEVEL)))
        return found * self.deviation


@dataclass(frozen=True)
class Difference:
    """An estimated difference a - b, with `n` pretrainings of each; p-values are two-sided.

    `error` is None where fewer than two pretrainings, or seeds without any spread, say nothing
    about another seed.
    """

    mean: float
    n: tuple[int, int]
    error: Error | None = None
    level: float = LEVEL
    limit: float = math.inf  # beyond which no difference can be

    @property
    def estimand(self) -> str:
        """What the interval speaks of."""
        return TEXTS if self.error and self.error.examples is not None else TEST_SET

    @property
    def fixed(self) -> "Difference":
        """The same for this test set."""
        return replace(self, error=self.error.fixed) if self.error else self

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        if self.error is None:
            return None
        return self.error.quantile(1 - self.level) * self.error.deviation

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        return None if self.half is None else max(self.mean - self.half, -self.limit)

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        return None if self.half is None else min(self.mean + self.half, self.limit)

    @property
    def p(self) -> float | None:
        """Of no difference."""
        return None if self.error is None else self.error.p(self.mean / self.error.deviation)

    @property
    def detectable(self) -> float | None:
        """The smallest true difference found with 80% power."""
        return None if self.error is None else self.error.detectable()

    def equivalence(self, margin: float) -> float | None:
        """The p-value of two one-sided tests that the difference is within the margin."""
        if self.error is None:
            return None
        t = (margin - abs(self.mean)) / self.error.deviation
        beyond = self.error.p(t) / 2
        return beyond if t > 0 else 1 - beyond


def student(alpha: float, freedom: float) -> float:
    """What |t| exceeds with probability `alpha`."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(freedom):
        return float(-ndtri(alpha / 2))
    return float(-stdtrit(freedom, alpha / 2))


def welch(variances: Sequence[float], freedoms: Sequence[float]) -> float:
    """The degrees of freedom of a sum of independent variances, each with its own (Welch, 1947).

    A variance's square is estimated without bias by s^4 f / (f + 2); Satterthwaite's formula takes
    s^4, which with one or two degrees of freedom each is far too cautious. There are never more
    than equal variances would give, all of them together.
    """
    squares = math.fsum(v * v / (f + 2) for v, f in zip(variances, freedoms, strict=True))
    return min(math.fsum(variances) ** 2 / squares - 2, math.fsum(freedoms))


def tail(t: float, freedom: float) -> float:
    """The probability that |t| is exceeded."""
    from scipy.special import ndtr, stdtr

    return 2 * float(ndtr(-abs(t)) if math.isinf(freedom) else stdtr(freedom, -abs(t)))


def wilson(mean: float, squared: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion, both ends in 0..1.

    `squared` is the quantile's square over the number of examples; for an estimate with another
    error, (half the plain interval's width)^2 / (mean (1 - mean)), which is the same for a
    binomial one.
    """
    centre = (mean + squared / 2) / (1 + squared)
    half = math.sqrt(squared * mean * (1 - mean) + squared * squared / 4) / (1 + squared)
    return max(0.0, centre - half), min(1.0, centre + half)


def holm(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Holm's step-down adjustment, in the order given: reject where the result is at most alpha.

    `family` is how many tests were declared where some of them gave no p-value.
    """
    m = max(family or 0, len(p_values))
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


@lru_cache(maxsize=4096)
def dunnett(t: float, freedom: float, loadings: tuple[float, ...]) -> float:
    """Dunnett's p-value of a row against a reference: that any of m rows comes to at least |t|.

    All share one pooled error of `freedom` degrees; `loadings` has for every row the root of
    n_row / (n_row + n_reference), its correlation with the reference's error (Dunnett, 1955).
    """
    import numpy as np
    from scipy.special import chdtri, ndtr

    # By quadrature over the pooled deviation (S) and the reference's own error (Z).
    (nodes_S, weight_S), (error_Z, weight_Z) = _quadrature()
    deviation_S = np.sqrt(chdtri(freedom, (1 - nodes_S) / 2) / freedom)
    loading_M = np.asarray(loadings)
    rest_M = np.sqrt(1 - loading_M**2)
    edge_S11 = (abs(t) * deviation_S)[:, None, None] / rest_M
    shift_ZM = error_Z[:, None] * loading_M / rest_M
    inside_SZM = ndtr(edge_S11 - shift_ZM) - ndtr(-edge_S11 - shift_ZM)
    none = float(weight_S @ inside_SZM.prod(-1) @ weight_Z) / 2 / float(weight_Z.sum())
    # Far out the quadrature's error outweighs the tail; one row alone is Student's t.
    return min(1.0, max(1 - none, tail(t, freedom)))


@cache
def _quadrature():
    """Gauss's nodes and weights for a uniform and for a normal weight."""
    from numpy.polynomial import hermite_e, legendre

    return legendre.leggauss(20), hermite_e.hermegauss(28)
