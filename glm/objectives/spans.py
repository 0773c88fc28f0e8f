"""Which spans of a text become blanks: short ones, one long one, or whole sentences.

Each kind is a frozen dataclass whose call takes the documents of a batch and the keys of their
randomness, and gives spans. Source: GLM, sections 2.1 and 2.2.

Shapes: U documents, S spans, K span lengths drawn for a document (more than are used).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from glm.data.special import Special
from glm.objectives.documents import Documents, ragged
from glm.objectives.draws import Draws

Chance = Annotated[float, Ge(0), Le(1)]
Ratio = Annotated[float, Gt(0), Lt(1), "share of the tokens to be masked"]
TOKENS = 22  # of a sentence, for expectations: measured on Wikipedia with BERT's WordPiece, 22.5

# The purposes for which a document's key is used; see `Draws`.
_LENGTHS, _SWAP, _OFFSETS, _SIZE, _FORM, _START, _SENTENCES, _HIDDEN, _SEEN = range(9)


@dataclass(frozen=True, eq=False)
class Spans:
    """Spans in text order: `unit_S` is the document, `begin_S` an index into the flattened text.

    An `open_S` span runs to the end of its document and is written without an end token.
    """

    unit_S: np.ndarray
    begin_S: np.ndarray
    size_S: np.ndarray
    open_S: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a choice of spans in one window of a document can come to, with the chance of each.

    `count_C` spans hide `masked_C` tokens; `open_C` of them are written without an end token.
    """

    chance_C: np.ndarray
    count_C: np.ndarray
    masked_C: np.ndarray
    open_C: np.ndarray


class Choice(Protocol):
    """A way to choose spans, and what it comes to in a window of `length` tokens."""

    @property
    def mask(self) -> str:
        """The field of `Special` whose token stands for such a span, with task masks."""
        ...

    def __call__(self, docs: Documents, draws: Draws, special: Special) -> Spans: ...

    def outcomes(self, length: int) -> Outcomes: ...


@dataclass(frozen=True)
class Poisson:
    """Short spans: lengths from a Poisson law restricted to 1 .. `longest`, until `ratio` is met.

    A row of L tokens gets at least floor(ratio * L) masked tokens, shared among its documents by
    their length. At least one visible token lies between two spans; [CLS], end tokens and the last
    token stay visible; words may be cut anywhere.

    The original serves packed documents from the shortest to the longest out of one list of
    lengths, and drops a sample whose list does not fit. Here every document draws its own list,
    and what does not fit into a very short document is shortened.
    """

    mean: Annotated[float, Gt(0), Le(100), "mean length of a span, in tokens"] = 3.0
    longest: Annotated[int, Ge(1), Le(1000), "longest span, in tokens"] = 39
    ratio: Ratio = 0.15

    @property
    def mask(self) -> str:
        """The shared [MASK]."""
        return "mask"

    def outcomes(self, length: int) -> Outcomes:
        """Exactly, by dynamic programming over spans drawn and tokens masked so far."""
        return _outcomes(tuple(self.law().tolist()), self.ratio, length)

    def law(self) -> np.ndarray:
        """P(length = 1), ..., P(length = longest)."""
        size = np.arange(1, self.longest + 1)
        logs = size * math.log(self.mean) - np.array([math.lgamma(s + 1) for s in size])
        weight = np.exp(logs)
        return weight / weight.sum()

    def __call__(self, docs: Documents, draws: Draws, special: Special) -> Spans:
        return _until_met(self.law(), self.ratio, docs, draws)


@dataclass(frozen=True)
class Geometric:
    """As `Poisson`, but each length ends with the same chance (SpanBERT, Joshi et al. 2020, 3.1).

    Lengths from a geometric law restricted to 1 .. `longest`: a mean of 3.8 with these defaults.
    The paper counts whole words; here, as everywhere, tokens are counted.
    """

    end: Annotated[float, Gt(0), Lt(1), "chance that a span ends behind a token"] = 0.2
    longest: Annotated[int, Ge(1), Le(1000), "longest span, in tokens"] = 10
    ratio: Ratio = 0.15

    @property
    def mask(self) -> str:
        """The shared [MASK]."""
        return "mask"

    def outcomes(self, length: int) -> Outcomes:
        """Exactly, as those of `Poisson`."""
        return _outcomes(tuple(self.law().tolist()), self.ratio, length)

    def law(self) -> np.ndarray:
        """P(length = 1), ..., P(length = longest)."""
        weight = (1 - self.end) ** np.arange(self.longest)
        return weight / weight.sum()

    def __call__(self, docs: Documents, draws: Draws, special: Special) -> Spans:
        return _until_met(self.law(), self.ratio, docs, draws)


@dataclass(frozen=True)
class Segments:
    """T5's spans: text and spans by turns, both cut at random (Raffel et al. 2020, section 3.1.4).

    A document's n tokens between its first and its last have `ratio` * n hidden ones, to the next
    whole number, in as many spans as come nearest to a `mean` length. Hidden and visible tokens
    are each cut into that many pieces, every way as likely, which then alternate, a visible piece
    first: so a document's last span goes up to its last token. This is `random_spans_noise_mask`
    of T5's code, which the paper describes by its share and its mean.
    """

    mean: Annotated[float, Ge(1), Le(100), "mean length of a span, in tokens"] = 3.0
    ratio: Ratio = 0.15

    @property
    def mask(self) -> str:
        """The shared [MASK]."""
        return "mask"

    def outcomes(self, length: int) -> Outcomes:
        """The only one: numbers are not drawn."""
        hidden, count = self._counts(np.array([max(length - 2, 0)]))
        return Outcomes(np.ones(1), count, hidden, np.zeros(1, np.int64))

    def _counts(self, room_U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many tokens of so many are hidden, and in how many spans."""
        hidden = np.clip(np.rint(self.ratio * room_U), 1, np.maximum(room_U - 1, 1))
        hidden = np.where(room_U < 2, 0, hidden).astype(np.int64)
        most = np.minimum(hidden, room_U - hidden)
        return hidden, np.minimum(np.maximum(np.rint(hidden / self.mean), 1), most).astype(np.int64)

    def __call__(self, docs: Documents, draws: Draws, special: Special) -> Spans:
        room = docs.high_U - docs.low_U
        hidden, count = self._counts(room)
        size = _composition(hidden, count, draws, _HIDDEN)
        seen = _composition(room - hidden, count, draws, _SEEN)
        unit = np.repeat(np.arange(len(count)), count)
        before = np.cumsum(size + seen) - size  # over all documents
        first = np.cumsum(room * (count > 0)) - room * (count > 0)
        begin = docs.low_U[unit] + before - first[unit]
        return Spans(unit, begin, size, np.zeros(len(unit), bool))


@dataclass(frozen=True)
class Document:
    """One long span per document: a share of it uniform on [`least`, 1], but never its first word.

    With probability `suffix` the span is the document's end and is written without an end token
    (the original's form for its document objective); otherwise it lies anywhere in the middle.
    The length is drawn per document, or once per batch as in the original (`per="batch"`). `most`
    is the longest share where it is less than the whole.
    """

    least: Annotated[float, Gt(0), Le(1), "shortest span, as a share of the document"] = 0.5
    suffix: Annotated[float, Ge(0), Le(1), "chance of a span that ends the document"] = 0.5
    per: Annotated[Literal["sequence", "batch"], "what a draw is made for"] = "sequence"
    most: Annotated[float, Gt(0), Le(1), "longest span, as a share of the document"] = 1.0

    def __post_init__(self) -> None:
        if self.most < self.least:
            raise ValueError(f"most is {self.most}, which is less than least, {self.least}")

    @property
    def mask(self) -> str:
        """[gMASK]."""
        return "gmask"

    def outcomes(self, length: int) -> Outcomes:
        """Every size is as likely, and `suffix` of the spans are open."""
        low, high = self._bounds(np.array([length]))
        size = np.arange(int(low[0]), int(high[0]) + 1)
        size = size[size > 0]
        chance = np.concatenate([size * 0 + self.suffix, size * 0 + 1 - self.suffix])
        is_open = np.repeat([1, 0], len(size))
        masked = np.concatenate([size, size])
        return Outcomes(chance / max(len(size), 1), np.ones_like(masked), masked, is_open)

    def _bounds(self, size_U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shortest and the longest span of documents of these sizes."""
        longest = np.maximum((self.most * size_U).astype(np.int64), 1)
        high = np.maximum(np.minimum(size_U - 2, longest), 0)
        return np.minimum(np.maximum((self.least * size_U).astype(np.int64), 1), high), high

    def __call__(self, docs: Documents, draws: Draws, special: Special) -> Spans:
        low, high = self._bounds(docs.size_U)
        if self.per == "batch":
            size = low + (draws.shared(_SIZE) * (high - low + 1)).astype(np.int64)
            suffix = np.full(len(size), draws.shared(_FORM) < self.suffix)
        else:
            size = low + draws.below(_SIZE, high - low + 1)
            suffix = draws.uniform(_FORM, 1)[:, 0] < self.suffix
        free = np.maximum(docs.high_U - docs.low_U - size, 0)
        middle = docs.low_U + draws.below(_START, free + 1)
        begin = np.where(suffix, docs.begin_U + docs.size_U - size, middle)
        unit = np.flatnonzero(size > 0)
        return Spans(unit, begin[unit], size[unit], suffix[unit])


@dataclass(frozen=True)
class Sentences:
    """Whole sentences in random order, until at least floor(ratio * L) tokens are masked.

    A sentence ends in a token of `Special.sentence_end`. What the row cuts off after the last one
    counts as a sentence; words before an end token that no sentence mark closes do not. [CLS] is
    never masked (the original masks it when a later document of a packed row begins with it).
    """

    ratio: Ratio = 0.15

    @property
    def mask(self) -> str:
        """[sMASK]."""
        return "smask"

    def outcomes(self, length: int) -> Outcomes:
        """For sentences of `TOKENS` tokens each, the last one cut off by the window's end.

        The budget is met by so many whole sentences, or by one more where the short one is among
        them and leaves too little.
        """
        budget = int(self.ratio * length)
        whole, rest = divmod(length - 1, TOKENS)
        there = whole + (rest > 0)
        needed = min(-(-budget // TOKENS), there)
        among = needed / there if rest else 0.0  # the chance that the short one is
        more = (needed - 1) * TOKENS + rest < budget and needed < there
        short = TOKENS - rest if rest else 0
        count = np.array([needed, needed + more])
        chance = np.array([1 - among, among])
        return Outcomes(chance, count, count * TOKENS - [0, short], np.zeros(2, np.int64))

    def __call__(self, docs: Documents, draws: Draws, special: Special) -> Spans:
        unit, begin, size = _sentences(docs, special)
        which = np.arange(len(unit)) - np.searchsorted(unit, unit)
        order = by_group(unit, draws.at(_SENTENCES, unit, which))
        total = np.cumsum(size[order]) - size[order]
        first = np.searchsorted(unit, unit)  # `unit` is sorted, and so is unit[order]
        before = total - total[first]
        taken = np.sort(order[before < budgets(docs, self.ratio)[unit]])
        return Spans(unit[taken], begin[taken], size[taken], np.zeros(len(taken), bool))


@lru_cache(maxsize=64)
def _outcomes(law: tuple[float, ...], ratio: float, length: int) -> Outcomes:
    """Spans are drawn until the budget is met; the last one is cut where there is no room for it.

    `chance_T` holds the chance that T tokens are masked after so many spans, and not yet enough.
    """
    budget, room = int(ratio * length), length - 2
    ended: dict[tuple[int, int], float] = {}
    chance_T = np.zeros(budget)
    chance_T[:1] = 1.0
    count = 0
    while chance_T.any():
        after_T = np.zeros(budget)
        for total in np.flatnonzero(chance_T):
            here, left = chance_T[total], room - int(total) - count
            if left <= 0:
                key = (count, int(total))
                ended[key] = ended.get(key, 0.0) + here
                continue
            for size, weight in enumerate(law, 1):
                if size <= left and total + size < budget:
                    after_T[total + size] += here * weight
                else:
                    key = (count + 1, int(total) + min(size, left))
                    ended[key] = ended.get(key, 0.0) + here * weight
        chance_T, count = after_T, count + 1
    if not ended:
        ended[0, 0] = 1.0
    counts, masked = np.array(list(ended)).T
    return Outcomes(np.array(list(ended.values())), counts, masked, np.zeros_like(counts))


def _until_met(law: np.ndarray, ratio: float, docs: Documents, draws: Draws) -> Spans:
    """Spans whose lengths are drawn from `law` until `ratio` is met, anywhere in a document."""
    budget, room = budgets(docs, ratio), docs.high_U - docs.low_U
    lengths, used = _lengths(law, draws, budget, room)
    lengths = last_to_anywhere(lengths, used, draws)
    begin, valid = place(lengths, used, room, draws)
    unit, which = np.nonzero(valid)
    begin = (begin + docs.low_U[:, None])[unit, which]
    return Spans(unit, begin, lengths[unit, which], np.zeros(len(unit), bool))


def _lengths(
    law: np.ndarray, draws: Draws, budget_U: np.ndarray, room_U: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (U, K), 0 where unused, and how many are used (U,)."""
    edges = np.cumsum(law)[:-1]
    most = max(int(budget_U.max(initial=0)), 1)
    mean = float(law @ np.arange(1, len(law) + 1))
    # Nearly always enough; if not, `most` always is, and the first columns stay the same.
    likely = int(1.3 * most / mean) + 6
    for count in (min(likely, most), most):
        lengths = np.searchsorted(edges, draws.uniform(_LENGTHS, count), side="right") + 1
        total = np.cumsum(lengths, axis=1)
        if (total[:, -1] >= budget_U).all():
            break
    before = total - lengths
    allowed = room_U[:, None] - before - np.arange(lengths.shape[1])
    wanted = (before < budget_U[:, None]) & (allowed > 0)
    return np.where(wanted, np.minimum(lengths, allowed), 0), wanted.sum(axis=1)


def _composition(total_U: np.ndarray, parts_U: np.ndarray, draws: Draws, stream: int) -> np.ndarray:
    """Each total as so many positive summands, every way as likely; one document after another.

    The places to cut at are those of the smallest of random numbers, one for each place.
    """
    places = max(int(total_U.max(initial=1)) - 1, 0)
    none = np.uint64(2**64 - 1)
    key_UP = draws.bits(stream, places + 1)
    key_UP[np.arange(places + 1) >= total_U[:, None] - 1] = none
    cuts_U1 = np.maximum(parts_U - 1, 0)[:, None]
    cut_UP = key_UP < np.take_along_axis(np.sort(key_UP, axis=1), cuts_U1, 1)
    unit, place = np.nonzero(cut_UP)
    unit = np.concatenate([unit, np.flatnonzero(parts_U)])
    stop = np.concatenate([place + 1, total_U[parts_U > 0]])
    order = np.argsort(unit, kind="stable")
    unit, stop = unit[order], stop[order]
    return np.where(np.diff(unit, prepend=-1) == 0, np.diff(stop, prepend=0), stop)


def budgets(docs: Documents, ratio: float) -> np.ndarray:
    """Tokens to mask in every document: they sum to floor(ratio * length) over each row."""
    start = docs.begin_U - docs.row_U * docs.text_BN.shape[1]
    share = np.floor(ratio * (start + docs.size_U)) - np.floor(ratio * start)
    return share.astype(np.int64)


def by_group(group_S: np.ndarray, key_S: np.ndarray) -> np.ndarray:
    """The order that sorts by group and, inside a group, by the random key (uint64)."""
    return np.argsort((group_S.astype(np.uint64) << np.uint64(40)) | (key_S >> np.uint64(24)))


def starts(offsets_UK: np.ndarray, lengths_UK: np.ndarray) -> np.ndarray:
    """Where spans begin, from sorted offsets into the room that spans and gaps leave free.

    Every span is pushed right by all the spans before it and by one visible token after each.
    """
    push = np.cumsum(lengths_UK + 1, axis=-1) - lengths_UK - 1
    return offsets_UK + push


def place(
    lengths_UK: np.ndarray, used_U: np.ndarray, room_U: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray]:
    """Put the first `used` lengths of every document into its `room`, in their order.

    Offsets are drawn with replacement and sorted, as in the original. Returns the starts (U, K),
    counted from the first token that may be masked, and which of them are in use.
    """
    count = lengths_UK.shape[1]
    valid = np.arange(count) < used_U[:, None]
    free = room_U - lengths_UK.sum(axis=1) - np.maximum(used_U - 1, 0)
    offsets = draws.uniform(_OFFSETS, count) * (np.maximum(free, 0) + 1)[:, None]
    offsets = np.where(valid, offsets, np.inf)
    offsets.sort(axis=1)
    offsets[~valid] = 0
    return starts(offsets.astype(np.int64), lengths_UK), valid


def last_to_anywhere(lengths_UK: np.ndarray, used_U: np.ndarray, draws: Draws) -> np.ndarray:
    """Swap the last used length with a random one.

    The last length is the one that met the budget, so it is longer than the others on average;
    those before it are exchangeable, so one swap does what shuffling the list would do.
    """
    unit = np.flatnonzero(used_U > 1)
    last = used_U[unit] - 1
    other = draws.below(_SWAP, used_U)[unit]
    swapped = lengths_UK.copy()
    swapped[unit, last], swapped[unit, other] = lengths_UK[unit, other], lengths_UK[unit, last]
    return swapped


def _sentences(docs: Documents, special: Special) -> tuple[np.ndarray, ...]:
    """All sentences that may be masked: document, begin and size, in text order."""
    flat = docs.flat
    ends = np.zeros(max(special.size, special.padded, int(flat.max(initial=0)) + 1), bool)
    ends[list(special.sentence_end)] = True
    after = np.flatnonzero(ends[flat]) + 1
    tail = np.where(docs.closed_U, -1, docs.begin_U + docs.size_U)
    stops = np.unique(np.concatenate([after, tail[tail >= 0]]))
    unit = np.searchsorted(docs.begin_U, stops - 1, side="right") - 1
    same = np.flatnonzero(np.diff(unit, prepend=-1) == 0)
    begin = docs.low_U[unit]
    begin[same] = stops[same - 1]
    size = stops - begin
    limit = docs.begin_U + docs.size_U - docs.closed_U
    real = (size > 0) & (unit >= 0) & (stops <= limit[unit])
    return unit[real], begin[real], size[real]


def inside(spans: Spans) -> np.ndarray:
    """Indices into the flattened text of every token in a span, in text order."""
    return ragged(spans.begin_S, spans.size_S)
