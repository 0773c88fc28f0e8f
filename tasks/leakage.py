"""Leakage: rows of an evaluation that occur, word for word, in what a model has read.

Texts are compared as words: lower-cased, without punctuation or layout. A row is told by its texts
of two words or more (by all of them together where none is so long), without its id, label and
title. It occurs in a document when each of these texts does: a text of up to 13 words as a whole, a
longer one with at least `SHARE` of its 13-grams. So a passage without its question is no row, and
neither is a common phrase.

Words and n-grams go by 64-bit hashes. Those of the rows are few and sorted; a document's are looked
up in a table of bits first (a Bloom filter of one function), so that text streams past at the speed
of numpy: about 5 seconds for 100 MB.

    B  bytes of a chunk of documents       W  its words
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tasks.spec import Row, Task

N = 13  # words of an n-gram, as in GPT-3's and the Pile's checks (Brown et al., 2020, appendix C)
APART = ("id", "title", "twin")  # fields that are no part of what is asked
SHARE = 0.8  # of a long text's n-grams that must be there
CHUNK = 1 << 21  # bytes that are hashed at once
LONGEST = 1 << 22  # bytes of a document; a longer one is looked at in pieces

_WORD = re.compile(rb"[0-9a-z\x80-\xff]+")
_MARK = re.compile(r"[^\x00-\x7f\w]+")  # beyond ASCII what is no letter and no digit
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_ROLL = 0xD1B54A32D192ED03


@dataclass(frozen=True)
class Found:
    """A row that occurs in a document, the first of those it occurs in."""

    row: int  # its place among the rows
    document: int


@dataclass(frozen=True, eq=False)
class Index:
    """What is looked for: the hashes of rows' texts, and which texts tell which row."""

    hashes_H: "np.ndarray"  # sorted uint64
    filter: "np.ndarray"  # bits by the first bits of a hash
    shift: int
    lengths: tuple[int, ...]  # of n-grams that occur
    units_of: tuple["np.ndarray", "np.ndarray"]  # by hash: where its texts begin, and the texts
    needed_U: "np.ndarray"  # n-grams of a text that must be found
    rows_of: tuple["np.ndarray", "np.ndarray"]  # by text: where its rows begin, and the rows
    texts_R: "np.ndarray"  # texts that tell a row

    def search(self, documents: Iterable[str], chunk: int = CHUNK) -> list[Found]:
        """The rows that occur in any of the documents, each once."""
        if not len(self.hashes_H):
            return []
        first: dict[int, int] = {}
        for numbers, texts in _chunks(map(_plain, documents), chunk):
            rows, places = self._chunk(texts)
            for row, place in zip(rows.tolist(), places.tolist()):
                first.setdefault(row, numbers[place])
        return [Found(row, first[row]) for row in sorted(first)]

    def _chunk(self, documents: Sequence[bytes]) -> "tuple[np.ndarray, np.ndarray]":
        """Rows and the documents that they occur in, by their places in the chunk."""
        import numpy as np

        # Which n-grams of rows are in which document.
        hits = []
        for document_W, hash_W in _ngrams(documents, self.lengths):
            near = np.flatnonzero(self.filter[hash_W >> np.uint64(self.shift)])
            rank = np.minimum(np.searchsorted(self.hashes_H, hash_W[near]), len(self.hashes_H) - 1)
            right = self.hashes_H[rank] == hash_W[near]
            hits.append(document_W[near[right]] * len(self.hashes_H) + rank[right])
        document, rank = np.divmod(np.unique(np.concatenate(hits)), len(self.hashes_H))

        # Which texts have enough of theirs in one document, and which rows all of their texts.
        document, unit = _spread(document, rank, self.units_of)
        document, unit = _counted(document, unit, self.needed_U)
        document, row = _spread(document, unit, self.rows_of)
        document, row = _counted(document, row, self.texts_R)
        return row, document


def apart(task: "Task") -> tuple[str, ...]:
    """The fields of a task's rows that tell no row from another."""
    return (*APART, task.label, task.grouped_by)


def index(rows: "Sequence[Row]", without: Sequence[str] = APART) -> Index:
    """The index of rows, by their texts; `without` the fields that do not count."""
    import numpy as np

    texts: dict[bytes, int] = {}
    told: list[list[int]] = []
    for row in rows:
        told.append(sorted({texts.setdefault(text, len(texts)) for text in telling(row, without)}))
    lengths = [min(N, len(text.split())) for text in texts]
    grams: dict[int, set[int]] = {}
    counts = [0] * len(texts)
    wanted = tuple(sorted(set(lengths)))
    for numbers, chunk in _chunks(texts):
        for length, (document_W, hash_W) in zip(wanted, _ngrams(chunk, wanted)):
            for place, value in zip(document_W.tolist(), hash_W.tolist()):
                unit = numbers[place]
                if lengths[unit] == length and unit not in grams.setdefault(value, set()):
                    grams[value].add(unit)
                    counts[unit] += 1
    hashes_H = np.array(sorted(grams), np.uint64)
    bits = max(20, (16 * len(hashes_H)).bit_length())
    present = np.zeros(1 << bits, bool)
    present[hashes_H >> np.uint64(64 - bits)] = True
    return Index(
        hashes_H,
        present,
        64 - bits,
        wanted,
        _lists([sorted(grams[value]) for value in hashes_H.tolist()]),
        np.ceil(np.array(counts) * SHARE - 1e-9).astype(np.int64),
        _lists(_inverse(told, len(texts))),
        np.array([len(units) for units in told]),
    )


def telling(row: "Row", without: Sequence[str] = APART) -> list[bytes]:
    """The texts that tell a row from others, as words with one space between them."""
    every = [
        normal(value) for name, value in row.items() if name not in without and type(value) is str
    ]
    long = [text for text in every if b" " in text]
    joined = b" ".join(text for text in every if text)
    return long or ([joined] if joined else [])


def document(row: "Row") -> str:
    """A row as a document: all of its texts."""
    return "\n".join(value for value in row.values() if type(value) is str)


def normal(text: str) -> bytes:
    """The words of a text: lower case, no punctuation, one space between two of them."""
    return b" ".join(_WORD.findall(_plain(text)))


def _plain(text: str) -> bytes:
    if not text.isascii():
        text = _MARK.sub(" ", unicodedata.normalize("NFKC", text))
    return text.lower().encode("utf-8", "replace")


# ---- hashes


def _chunks(
    documents: Iterable[bytes], chunk: int = CHUNK
) -> Iterator[tuple[list[int], list[bytes]]]:
    """Documents in groups of about so many bytes, with their numbers."""
    numbers: list[int] = []
    texts: list[bytes] = []
    size = 0
    for number, text in enumerate(documents):
        for begin in range(0, max(len(text), 1), LONGEST):
            piece = text[begin : begin + LONGEST]
            numbers.append(number)
            texts.append(piece)
            size += len(piece)
            if size >= chunk:
                yield numbers, texts
                numbers, texts, size = [], [], 0
    if texts:
        yield numbers, texts


def _ngrams(
    documents: Sequence[bytes], lengths: Sequence[int]
) -> "Iterator[tuple[np.ndarray, np.ndarray]]":
    """For each length, every n-gram of words: its document's place, and its hash."""
    import numpy as np

    document_W, word_W = _words(documents)
    rolled_W = np.zeros(len(word_W), np.uint64)
    for length in range(1, max(lengths, default=0) + 1):
        count = len(word_W) - length + 1
        if count <= 0:
            rolled_W = rolled_W[:0]
        else:
            rolled_W = rolled_W[:count] * np.uint64(_ROLL) + word_W[length - 1 :]
        if length in lengths:
            within = document_W[: max(count, 0)] == document_W[length - 1 :]
            yield document_W[: max(count, 0)][within], _mixed(rolled_W[within] + np.uint64(length))


def _words(documents: Sequence[bytes]) -> "tuple[np.ndarray, np.ndarray]":
    """Every word's document and hash."""
    import numpy as np

    text_B = np.frombuffer(b" ".join(documents) + b" ", np.uint8)
    kind_256, value_256 = _tables()
    inside_B = kind_256[text_B]
    edges = np.flatnonzero(np.diff(inside_B, prepend=False, append=False))
    starts_W, ends_W = edges[::2], edges[1::2]

    # A word's hash is the difference of two sums over the chunk, moved to the chunk's beginning.
    power_B, inverse_B = _powers(1 << len(text_B).bit_length())
    sums_B = np.zeros(len(text_B) + 1, np.uint64)
    np.cumsum(value_256[text_B] * power_B[: len(text_B)], out=sums_B[1:])
    word_W = _mixed((sums_B[ends_W] - sums_B[starts_W]) * inverse_B[starts_W])
    begins = np.cumsum([0, *(len(text) + 1 for text in documents)])
    return np.searchsorted(begins, starts_W, side="right") - 1, word_W


@lru_cache(maxsize=1)
def _tables() -> "tuple[np.ndarray, np.ndarray]":
    """Which bytes are of words, and a random number for each byte."""
    import numpy as np

    kind_256 = np.array([bool(_WORD.fullmatch(bytes([value]))) for value in range(256)])
    rng = np.random.Generator(np.random.Philox(0))
    return kind_256, rng.integers(1, 2**64, 256, np.uint64)


@lru_cache(maxsize=2)
def _powers(size: int) -> "tuple[np.ndarray, np.ndarray]":
    """The powers of the multiplier and of its inverse, modulo 2**64."""
    import numpy as np

    both = []
    for base in (_MULTIPLIER, pow(_MULTIPLIER, -1, 2**64)):
        powers = np.full(size, base, np.uint64)
        powers[0] = 1
        both.append(np.cumprod(powers, dtype=np.uint64))
    return both[0], both[1]


def _mixed(values: "np.ndarray") -> "np.ndarray":
    """A bijection of 64 bits whose every output bit depends on all input bits (splitmix64)."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


# ---- lists of lists as arrays


def _lists(lists: Sequence[Sequence[int]]) -> "tuple[np.ndarray, np.ndarray]":
    import numpy as np

    begins = np.cumsum([0, *map(len, lists)])
    return begins, np.array([item for each in lists for item in each], np.int64)


def _inverse(lists: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for place, each in enumerate(lists):
        for item in each:
            found[item].append(place)
    return found


def _spread(
    document: "np.ndarray", item: "np.ndarray", lists: "tuple[np.ndarray, np.ndarray]"
) -> "tuple[np.ndarray, np.ndarray]":
    """(document, item) -> (document, each entry of the item's list)."""
    import numpy as np

    begins, entries = lists
    counts = begins[item + 1] - begins[item]
    ends = np.cumsum(counts)
    place = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return np.repeat(document, counts), entries[np.repeat(begins[item], counts) + place]


def _counted(
    document: "np.ndarray", item: "np.ndarray", needed: "np.ndarray"
) -> "tuple[np.ndarray, np.ndarray]":
    """The distinct pairs that occur as often as the item needs."""
    import numpy as np

    width = max(len(needed), 1)
    pairs, counts = np.unique(document * width + item, return_counts=True)
    document, item = np.divmod(pairs, width)
    enough = counts >= needed[item] if len(item) else counts > 0
    return document[enough], item[enough]
