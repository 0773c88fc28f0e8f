"""Randomness by row: one 64-bit number per row, and everything about the row follows from it.

An objective draws exactly one number for the batch and one per row from its generator; the rest
is a hash of those (the finaliser of SplitMix64, Steele, Lea and Flood 2014, over a counter). So a
row does not depend on the rows beside it: a rank builds only its own rows of a global batch, in
any micro-batch, and gets the same bits.

Shapes: R keyed things (rows, or documents inside rows), K numbers for each.
"""

from dataclasses import dataclass

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mixed(state: np.ndarray) -> np.ndarray:
    """SplitMix64's output function, elementwise on uint64 (overwrites `state`)."""
    state ^= state >> np.uint64(30)
    state *= _FIRST
    state ^= state >> np.uint64(27)
    state *= _SECOND
    state ^= state >> np.uint64(31)
    return state


@dataclass(frozen=True, eq=False)
class Draws:
    """Keys of R things and of the batch they are in. Equal keys give equal numbers.

    `stream` tells the uses of one key apart: a small integer, different for every purpose.
    """

    batch: int
    key_R: np.ndarray

    def bits(self, stream: int, count: int) -> np.ndarray:
        """(R, count) of uniform uint64; the first columns do not depend on `count`."""
        base = self._stream(stream)
        counter = np.arange(1, count + 1, dtype=np.uint64) * _STEP
        return mixed(base[:, None] + counter)

    def uniform(self, stream: int, count: int) -> np.ndarray:
        """(R, count) of float64, uniform on [0, 1)."""
        return (self.bits(stream, count) >> np.uint64(11)) * 2.0**-53

    def below(self, stream: int, bound_R: np.ndarray) -> np.ndarray:
        """(R,) of integers, uniform on 0 .. bound - 1 (0 where the bound is below 1)."""
        drawn = self.uniform(stream, 1)[:, 0] * np.maximum(bound_R, 1)
        return drawn.astype(np.int64)

    def lanes(self, stream: int, count: int) -> np.ndarray:
        """(R, count) of uniform uint16: four for the price of one."""
        bits = self.bits(stream, -(-count // 4)).astype("<u8", copy=False)
        return bits.view("<u2")[:, :count]

    def at(self, stream: int, which_S: np.ndarray, counter_S: np.ndarray) -> np.ndarray:
        """(S,) of uniform uint64: the `counter`-th number of the `which`-th key."""
        base = self._stream(stream)[which_S]
        return mixed(base + (counter_S.astype(np.uint64) + np.uint64(1)) * _STEP)

    def shared(self, stream: int) -> float:
        """One number on [0, 1) for the whole batch, on every rank."""
        alone = Draws(0, np.array([self.batch], np.uint64))
        return float(alone.uniform(stream, 1)[0, 0])

    def take(self, which: np.ndarray | slice) -> "Draws":
        """The keys of some of the R things."""
        return Draws(self.batch, self.key_R[which])

    def children(self, parent_U: np.ndarray, ordinal_U: np.ndarray) -> "Draws":
        """A key for each child: the `ordinal`-th one of the `parent`-th thing."""
        salt = (ordinal_U.astype(np.uint64) + np.uint64(1)) * _SECOND
        return Draws(self.batch, mixed(self.key_R[parent_U] + salt))

    def _stream(self, stream: int) -> np.ndarray:
        return mixed(self.key_R + np.array([stream + 1], np.uint64) * _FIRST)


def draws(rng: np.random.Generator, rows: int) -> Draws:
    """Keys for a batch of `rows`: takes 1 + rows 64-bit numbers from `rng`."""
    keys = rng.integers(0, 2**64, size=rows + 1, dtype=np.uint64)
    return Draws(int(keys[0]), keys[1:])
