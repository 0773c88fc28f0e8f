"""What a pretraining sequence amounts to, on average: the units in which budgets are matched.

A sequence of n raw tokens is a window of a longer document: [CLS] and n - 1 words. Amounts are
expectations over an objective's draws, exact where an objective can give them in closed form.

Shapes: C outcomes of a draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from glm.data.example import MULTIPLE
from glm.data.extent import Extent

Unit = Literal["corpus_tokens", "positions", "targets", "flops"]
UNITS: tuple[Unit, ...] = get_args(Unit)  # what a budget is counted in, and a ledger


@dataclass(frozen=True)
class Amounts:
    """Means per sequence.

    `targets` bear loss; `pairs` are the query-key pairs that see each other; `sizes` gives the
    chance of each number of positions that a sequence may take, padding not counted, and `parts`
    that of each division of them into Part A and Part B, where an objective says it.
    """

    corpus_tokens: float
    targets: float
    pairs: float
    sizes: Mapping[int, float]
    parts: Mapping[tuple[int, int], float] = field(default_factory=dict)

    @property
    def positions(self) -> float:
        """Positions that the model has to process, padding not counted."""
        return sum(size * chance for size, chance in self.sizes.items())

    def padded(self, rows: int, power: int = 1) -> float:
        """The mean of a batch's width to a power: of `rows` sequences the longest, rounded up."""
        sizes = np.array(sorted(self.sizes))
        below = np.cumsum([self.sizes[size] for size in sizes])
        chance = np.diff((below / below[-1]) ** rows, prepend=0.0)
        return float(chance @ _rounded(sizes) ** power)

    def extent(self, rows: int) -> Extent:
        """What a forward pass over a batch of `rows` sequences goes over for each of them."""
        whole = (self.padded(rows), self.padded(rows, power=2))
        if not self.parts:
            return Extent(*whole)
        # The widest Part A and the widest Part B of a batch need not be of one sequence.
        first, second = (np.unique([part[side] for part in self.parts]) for side in (0, 1))
        chance_AB = np.zeros((len(first), len(second)))
        for (a, b), chance in self.parts.items():
            chance_AB[np.searchsorted(first, a), np.searchsorted(second, b)] += chance
        below_AB = chance_AB.cumsum(0).cumsum(1)
        widest_AB = (below_AB / below_AB[-1, -1]) ** rows
        widest_AB = np.diff(np.diff(widest_AB, axis=0, prepend=0.0), axis=1, prepend=0.0)
        a_A, b_B = _rounded(first), _rounded(second)
        read_A, written_B = widest_AB.sum(axis=1), widest_AB.sum(axis=0)
        return Extent(
            *whole,
            float(read_A @ a_A),
            float(read_A @ a_A**2),
            float(written_B @ b_B),
            float(written_B @ b_B**2),
            float(a_A @ widest_AB @ b_B),
        )


def _rounded(sizes: np.ndarray) -> np.ndarray:
    """Widths of batches whose longest sequences have these sizes."""
    return (-(-sizes // MULTIPLE) * MULTIPLE).astype(float)


def fixed(length: int, targets: float, pairs: float) -> Amounts:
    """The amounts where every sequence takes as many positions as it has tokens."""
    return Amounts(length, targets, pairs, {length: 1.0})


def divided(length: int, targets: float, parts: Mapping[tuple[int, int], float]) -> Amounts:
    """The amounts where what is read and what is written is known: Part B sees Part A and its own
    past."""
    sizes: dict[int, float] = {}
    pairs = 0.0
    for (a, b), chance in parts.items():
        sizes[a + b] = sizes.get(a + b, 0.0) + chance
        pairs += chance * (a * (a + b) + triangle(b))
    return Amounts(length, targets, pairs, sizes, parts)


def mixed(parts: Sequence[tuple[float, Amounts]]) -> Amounts:
    """The means of amounts with weights (of any sum)."""
    total = sum(weight for weight, _ in parts)
    sizes: dict[int, float] = {}
    division: dict[tuple[int, int], float] = {}
    for weight, each in parts:
        for size, chance in each.sizes.items():
            sizes[size] = sizes.get(size, 0.0) + chance * weight / total
        for part, chance in each.parts.items():
            division[part] = division.get(part, 0.0) + chance * weight / total
    known = division if all(each.parts for _, each in parts) else {}

    def mean(name: str) -> float:
        return sum(weight * getattr(each, name) for weight, each in parts) / total

    return Amounts(mean("corpus_tokens"), mean("targets"), mean("pairs"), sizes, known)


def triangle(size: float) -> float:
    """Pairs of a causal run: each of `size` positions sees itself and those before it."""
    return size * (size + 1) / 2


def cut_pairs(length: int) -> float:
    """Pairs of a text whose beginning is seen whole, cut anywhere with the same chance.

    Cut behind its first p tokens it has p * (p - 1) / 2 pairs more than a causal run: all that look
    ahead. Their mean over p = 1 .. length - 1 is length * (length - 2) / 6.
    """
    return triangle(length) + max(length * (length - 2), 0) / 6
