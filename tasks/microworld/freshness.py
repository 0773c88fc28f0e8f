"""Keeping evaluation text out of what a model trains on.

The passages and questions of dev and test rows are registered as word n-grams: a text of up to
`GRAM` words as a whole, a longer one by every `GRAM` words in a row. A training text that holds a
registered n-gram is refused, and its maker draws another. `GRAM` is 10, so that nothing of 13
tokens is shared even when punctuation marks count as tokens.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

GRAM = 10
_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_BITS = 22


def words(text: str) -> list[str]:
    """The normal form: lower-case words without punctuation."""
    return _WORD.findall(text.lower())


class Registry:
    """N-grams that must not occur again, looked up by 64-bit rolling hashes.

    A chance collision (about one in 10**13 per lookup) refuses a good text, never the reverse.
    """

    def __init__(self, gram: int = GRAM):
        self.gram = gram
        self.ids: dict[str, int] = {}
        self.grams: dict[int, set[int]] = {n: set() for n in range(1, gram + 1)}
        self._tables: dict[int, tuple[np.ndarray, np.ndarray]] | None = None

    def _codes(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Codes of all words, with a separator (code of id 0) after each text, and text lengths."""
        ids, stream, lengths = self.ids, [], np.empty(len(texts), np.int64)
        for index, text in enumerate(texts):
            found = words(text)
            lengths[index] = len(found) + 1
            stream += found
            stream.append("")
        for word in set(stream):
            ids.setdefault(word, len(ids) + 1)
        numbers = np.fromiter(map(ids.__getitem__, stream), np.uint64, len(stream))
        # splitmix64's finaliser spreads small ids over 64 bits.
        z = numbers * _FACTOR
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        return z ^ (z >> np.uint64(27)), lengths

    def add(self, texts: Iterable[str]) -> None:
        """Register the n-grams of the texts."""
        texts = list(texts)
        if not texts:
            return
        codes, lengths = self._codes(texts)
        ends = np.cumsum(lengths)
        counts = np.minimum(lengths - 1, self.gram)
        hashes = np.zeros(len(codes), np.uint64)
        for n in range(1, self.gram + 1):
            hashes = _extend(hashes, codes, n)
            for index in np.flatnonzero(counts == n):
                start, stop = ends[index] - lengths[index], ends[index] - n
                self.grams[n].update(hashes[start:stop].tolist())
        self._tables = None

    def hits(self, texts: Sequence[str]) -> np.ndarray:
        """For each text, whether it holds a registered n-gram."""
        if self._tables is None:
            self._tables = {n: _table(grams) for n, grams in self.grams.items() if grams}
        codes, lengths = self._codes(texts)
        found = np.zeros(len(codes), bool)
        hashes = np.zeros(len(codes), np.uint64)
        for n in range(1, self.gram + 1):
            hashes = _extend(hashes, codes, n)
            if n in self._tables:
                bits, grams = self._tables[n]
                maybe = np.flatnonzero(bits[hashes >> np.uint64(64 - _BITS)])
                at = np.searchsorted(grams, hashes[maybe])
                sure = maybe[grams[np.minimum(at, len(grams) - 1)] == hashes[maybe]]
                found[sure] = True
        starts = np.cumsum(lengths) - lengths
        return np.logical_or.reduceat(found, starts)


def _extend(hashes: np.ndarray, codes: np.ndarray, n: int) -> np.ndarray:
    """Hashes of the n-grams that start at each place, from those of the (n-1)-grams."""
    new = hashes[: len(codes) - n + 1] * _FACTOR
    new += codes[n - 1 :]
    return new


def _table(grams: set[int]) -> tuple[np.ndarray, np.ndarray]:
    ordered = np.sort(np.fromiter(grams, np.uint64, len(grams)))
    bits = np.zeros(1 << _BITS, bool)
    bits[ordered >> np.uint64(64 - _BITS)] = True
    return bits, ordered
