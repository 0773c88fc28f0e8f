"""What a pretraining sequence amounts to, on average: the units in which budgets are matched.

A sequence of n raw tokens is a window of a longer document: [CLS] and n - 1 words. Amounts are
expectations over an objective's draws, exact where an objective can give them in closed form.

Shapes: C outcomes of a draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from glm.data.example import MULTIPLE

Unit = Literal["corpus_tokens", "positions", "targets", "flops"]
UNITS: tuple[Unit, ...] = get_args(Unit)  # what a budget is counted in, and a ledger


@dataclass(frozen=True)
class Amounts:
    """Means per sequence.

    `targets` bear loss; `pairs` are the query-key pairs that see each other; `sizes` gives the
    chance of each number of positions that a sequence may take, padding not counted.
    """

    corpus_tokens: float
    targets: float
    pairs: float
    sizes: Mapping[int, float]

    @property
    def positions(self) -> float:
        """Positions that the model has to process, padding not counted."""
        return sum(size * chance for size, chance in self.sizes.items())

    def padded(self, rows: int, power: int = 1) -> float:
        """The mean of a batch's width to a power: of `rows` sequences the longest, rounded up."""
        sizes = np.array(sorted(self.sizes))
        below = np.cumsum([self.sizes[size] for size in sizes])
        chance = np.diff((below / below[-1]) ** rows, prepend=0.0)
        widths = -(-sizes // MULTIPLE) * MULTIPLE
        return float(chance @ widths.astype(float) ** power)


def fixed(length: int, targets: float, pairs: float) -> Amounts:
    """The amounts where every sequence takes as many positions as it has tokens."""
    return Amounts(length, targets, pairs, {length: 1.0})


def mixed(parts: Sequence[tuple[float, Amounts]]) -> Amounts:
    """The means of amounts with weights (of any sum)."""
    total = sum(weight for weight, _ in parts)
    sizes: dict[int, float] = {}
    for weight, each in parts:
        for size, chance in each.sizes.items():
            sizes[size] = sizes.get(size, 0.0) + chance * weight / total

    def mean(name: str) -> float:
        return sum(weight * getattr(each, name) for weight, each in parts) / total

    return Amounts(mean("corpus_tokens"), mean("targets"), mean("pairs"), sizes)


def triangle(size: float) -> float:
    """Pairs of a causal run: each of `size` positions sees itself and those before it."""
    return size * (size + 1) / 2


def cut_pairs(length: int) -> float:
    """Pairs of a text whose beginning is seen whole, cut anywhere with the same chance.

    Cut behind its first p tokens it has p * (p - 1) / 2 pairs more than a causal run: all that look
    ahead. Their mean over p = 1 .. length - 1 is length * (length - 2) / 6.
    """
    return triangle(length) + max(length * (length - 2), 0) / 6
