"""BART's objective: an encoder reads a text in disorder, a decoder writes it as it was.

    text        x1 x2 . x3 x4 x5 .
    disorder    x3 x4 x5 . x1 x2 .          sentences in any order
    read        [CLS] x3 [M] . x1 [M] x2 .  spans, empty ones too, as one mask each
    written     [START] x1 x2 . x3 x4 x5
    targets     x1      x2 . x3 x4 x5 .

Shapes: B rows, N raw tokens, U documents, S spans or sentences, K spans of a document.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from annotated_types import Gt, Le

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, divided
from glm.objectives.documents import Documents, documents, ragged
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.pair import Texts, corrupted, paired
from glm.objectives.spans import Ratio, Spans, budgets, by_group, last_to_anywhere, place

_LENGTHS, _SENTENCES = 24, 25  # the purposes of this module's draws; spans and order use others


@dataclass(frozen=True)
class Denoising:
    """Sentences are permuted, then spans of Poisson lengths give way to one mask each (Lewis et al.
    2020, section 2.2: text infilling and sentence permutation, 30% of the tokens).

    Lengths are drawn until `ratio` of a row's tokens are hidden, the last one cut to hide no more.
    A span of length 0 puts in a mask and hides nothing. One visible token at least lies between two
    masks; [CLS] and the last token stay. A sentence ends in a token of `Special.sentence_end`, and
    what follows the last of them is one too.
    """

    mean: Annotated[float, Gt(0), Le(100), "mean length of a span, in tokens"] = 3.0
    ratio: Ratio = 0.3
    permute: Annotated[bool, "put the sentences in any order"] = True

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        by_document = docs.draws(keys)
        text = _permuted(docs, by_document, special) if self.permute else docs.flat
        read = corrupted(docs, text, self._spans(docs, by_document), special.mask)

        # A [START] in place of what comes before the first word, and all but the last word.
        size = docs.begin_U + docs.size_U - docs.low_U
        first = np.cumsum(size) - size
        tokens = docs.flat[ragged(docs.low_U - 1, size)]
        tokens[first[size > 0]] = special.start
        target = docs.flat[ragged(docs.low_U, size)]
        ends = docs.closed_U & (size > 0)
        target[(first + size - 1)[ends]] = special.end
        return paired(docs, read, Texts(tokens, size), target, special.pad)

    def law(self) -> np.ndarray:
        """P(length = 0), P(length = 1), ... as far as it matters."""
        size = np.arange(int(self.mean + 12 * math.sqrt(self.mean) + 12))
        logs = size * math.log(self.mean) - np.array([math.lgamma(s + 1) for s in size])
        weight = np.exp(logs - logs.max())
        return weight / weight.sum()

    def _spans(self, docs: Documents, keys: Draws) -> Spans:
        """Spans of every document, in the order of the text."""
        room = docs.high_U - docs.low_U
        budget = np.minimum(budgets(docs, self.ratio), room)
        most = np.where(budget > 0, room - budget + 1, 0)
        edges = np.cumsum(self.law())[:-1]
        columns = int(1.3 * budget.max(initial=0) / self.mean) + 8
        while True:
            lengths = np.searchsorted(edges, keys.uniform(_LENGTHS, columns), side="right")
            total = np.cumsum(lengths, axis=1)
            if ((total[:, -1] >= budget) | (columns >= most)).all():
                break
            columns *= 2
        # As many as meet the budget, or as have room beside it; the last hides what is left.
        used = np.minimum((total < budget[:, None]).sum(axis=1) + 1, most)
        before = np.minimum(total - lengths, budget[:, None])
        column = np.arange(columns)
        last = column == used[:, None] - 1
        lengths = np.where(last, budget[:, None] - before, lengths)
        lengths[column >= used[:, None]] = 0
        lengths = last_to_anywhere(lengths, used, keys)
        begin, valid = place(lengths, used, room, keys)
        unit, which = np.nonzero(valid)
        start = (begin + docs.low_U[:, None])[unit, which]
        return Spans(unit, start, lengths[unit, which], np.zeros(len(unit), bool))

    @property
    def layout(self) -> Layout:
        """A source with its blank, and all of the text written anew."""
        serves = ("one blank", "continuation", "vector")
        return Layout("pair", inner=False, serves=serves, blanks="rewritten")

    @property
    def likelihood(self) -> Likelihood:
        """The chain rule, over a text that is written anew from one blank."""
        return Likelihood("exact", "left to right, written anew from one blank")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """Exact: the number of spans is that of draws until the budget is met."""
        room = max(length - 2, 0)
        hidden = min(int(self.ratio * length), room)
        written = max(length - 1, 0)
        chance = _counts(self.law(), hidden, room - hidden + 1)
        parts = {(length - hidden + count, written): each for count, each in chance.items()}
        return divided(length, written, parts)

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self


def _counts(law: np.ndarray, budget: int, most: int) -> dict[int, float]:
    """The chance of each number of draws after which their sum first meets `budget`; `most` stands
    for itself and for all larger ones."""
    if not budget:
        return {0: 1.0}
    below_T, chance = np.zeros(budget), {}
    below_T[0] = 1.0
    for count in range(1, most + 1):
        after_T = np.convolve(below_T, law)[:budget]
        here = float(below_T.sum() - after_T.sum()) if count < most else float(below_T.sum())
        if here > 1e-15:
            chance[count] = here
        below_T = after_T
        if below_T.sum() < 1e-15:
            break
    return chance


def _permuted(docs: Documents, keys: Draws, special: Special) -> np.ndarray:
    """The flattened text with every document's sentences in any order."""
    flat, stop_U = docs.flat, docs.begin_U + docs.size_U - docs.closed_U
    ends = np.zeros(max(special.size, special.padded, int(flat.max(initial=0)) + 1), bool)
    ends[list(special.sentence_end)] = True
    units = np.flatnonzero(stop_U > docs.low_U)

    # A sentence begins behind [CLS] and behind the end of another one of the same document.
    begin = np.concatenate([docs.low_U[units], np.flatnonzero(ends[flat]) + 1])
    begin = np.unique(begin[begin < flat.size])
    unit = np.searchsorted(docs.begin_U, begin, side="right") - 1
    inside = (unit >= 0) & (begin >= docs.low_U[unit]) & (begin < stop_U[unit])
    unit, begin = unit[inside], begin[inside]
    following = np.append(begin[1:], flat.size)
    size = np.minimum(following, stop_U[unit]) - begin

    which = np.arange(len(unit)) - np.searchsorted(unit, unit)
    order = by_group(unit, keys.at(_SENTENCES, unit, which))
    text = flat.copy()
    to = ragged(docs.low_U[units], (stop_U - docs.low_U)[units])
    text[to] = flat[ragged(begin[order], size[order])]
    return text
