"""T5's objective: an encoder reads a text with holes, a decoder writes what was in them.

    text        thank you for inviting me to your party last week
    read        thank you [M0] me to your party [M1] week
    written     [S0] for inviting [S1] last [S2]
    targets     for inviting [S1] last [S2] [END]

Shapes: B rows, N raw tokens, U documents, S spans.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, divided
from glm.objectives.blank_infilling import require_sentinels
from glm.objectives.documents import Documents, documents, ragged
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.pair import Texts, corrupted, paired
from glm.objectives.spans import Choice, Segments, Spans

SEGMENTS = Segments()


@dataclass(frozen=True)
class SpanCorruption:
    """Every span gives way to a sentinel, and all are written left to right, each behind its own
    (Raffel et al. 2020, figure 2); one more sentinel says that nothing is left.

    A sentinel is two tokens here, a mask where it is read and a start where it is written. The
    decoder begins with the first sentinel, which T5's has to predict after a token of its own.
    """

    spans: Choice = SEGMENTS

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        return self.write(docs, self.spans(docs, docs.draws(keys), special), special)

    def write(self, docs: Documents, spans: Spans, special: Special) -> Batch:
        """The batch of given spans, which come in the order of the text."""
        unit = spans.unit_S
        number = np.arange(len(unit)) - np.searchsorted(unit, unit)
        require_sentinels(special.sentinel_masks, number + 1)
        read = corrupted(docs, docs.flat, spans, np.array(special.sentinel_masks, np.int32)[number])

        # What is written ends in the next sentinel: as if an empty span came last.
        count = np.bincount(unit, minlength=len(docs.size_U))
        last = np.flatnonzero(count)
        order = np.argsort(np.concatenate([unit, last]), kind="stable")
        number = np.concatenate([number, count[last]])[order]
        block = np.concatenate([spans.size_S, np.zeros_like(last)])[order] + 1
        begin = np.concatenate([spans.begin_S, docs.begin_U[last] + 1])[order]
        tokens = docs.flat[ragged(begin - 1, block)]
        first = np.cumsum(block) - block
        tokens[first] = np.array(special.sentinel_starts, np.int32)[number]
        written = np.bincount(unit, spans.size_S, len(count)).astype(np.int64)
        written += np.where(count > 0, count + 1, 0)
        target = np.append(tokens[1:], 0)
        target[(np.cumsum(written) - 1)[last]] = special.end
        return paired(docs, read, Texts(tokens, written), target, special.pad)

    @property
    def layout(self) -> Layout:
        """A source with sentinels, and answers between sentinels."""
        serves = ("one blank", "many blanks", "continuation", "vector")
        return Layout("pair", inner=False, serves=serves, blanks="spans")

    @property
    def likelihood(self) -> Likelihood:
        """The chain rule, over what a blank holds."""
        return Likelihood("exact", "left to right in one blank")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """As many sentinels as blanks can stand in so many positions with a token between any two,
        and one for the end."""
        return ExtraTokens(positions // 2 + 1)

    def amounts(self, length: int) -> Amounts:
        """Exact, but for what `spans` says of its own expectations."""
        spans = self.spans.outcomes(length)
        read_C = length - spans.masked_C + spans.count_C
        written_C = spans.masked_C + spans.count_C + (spans.count_C > 0)
        parts: dict[tuple[int, int], float] = {}
        for a, b, chance in zip(read_C.tolist(), written_C.tolist(), spans.chance_C.tolist()):
            parts[a, b] = parts.get((a, b), 0.0) + chance
        return divided(length, float(spans.chance_C @ written_C), parts)

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self
