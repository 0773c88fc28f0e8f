"""BERT's objective: some tokens are masked and predicted where they stand.

Shapes: B rows, N raw tokens, T positions, M scored positions.
"""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, fixed
from glm.objectives.documents import Documents, documents, grids
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.spans import Chance, Choice, Ratio, inside

# The purposes of this module's draws; the modules of spans and blank infilling use those below 32.
_CHOSEN, _GRAM, _FATE, _WORD = range(32, 36)


@dataclass(frozen=True)
class MaskedLM:
    """BERT: some tokens are masked and predicted where they stand; everyone sees everyone.

    Every token but [CLS] and end tokens is chosen with probability `ratio`; of the chosen ones
    `masked` become [MASK], `random` any token of the vocabulary, the rest stay (Devlin et al.
    2019, section 3.1, which fixes the number per row instead). `grams` are the chances that a
    choice takes one, two or three tokens (UniLM: .8, .1, .1); the share chosen stays `ratio`.
    With `spans` the chosen tokens are theirs instead: `MaskedLM(spans=Poisson(), masked=1.0,
    random=0.0)` is the masked language model of the original GLM code, and
    `MaskedLM(spans=Geometric(), together=True)` SpanBERT's (Joshi et al. 2020, section 3.1)
    without its boundary objective, which needs an output layer of its own.

    RoBERTa's objective is this one: masks are drawn anew whenever a row is read, rows are full of
    running text, and there is no next sentence prediction (Liu et al. 2019, section 4).
    """

    ratio: Ratio = 0.15
    masked: Annotated[Chance, "chance that a chosen token becomes [MASK]"] = 0.8
    random: Annotated[Chance, "chance that it becomes any token"] = 0.1
    grams: Annotated[tuple[Chance, Chance, Chance], "of one, two, three tokens"] = (1.0, 0.0, 0.0)
    spans: Choice | None = None
    together: Annotated[bool, "a span's tokens are masked, replaced or kept together"] = False

    def __post_init__(self) -> None:
        if self.together and self.spans is None:
            raise ValueError("together is for spans: choose some, such as Geometric()")

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        chosen, leader = self._chosen(docs, keys, special)
        length = docs.text_BN.shape[1]
        row, column = np.divmod(chosen, length)
        leader = column if leader is chosen else leader % length
        tokens, position, document = grids(docs, special.pad)
        index = row * tokens.shape[1] + column
        target = docs.flat[chosen].astype(np.int64)
        tokens.ravel()[index] = self._replaced(target, leader, row, column, keys, special)
        inner, branch = np.zeros_like(tokens), np.zeros_like(tokens)
        weight = np.ones(len(index), np.float32)
        return Batch(tokens, position, inner, document, branch, index, target, weight)

    def _chosen(
        self, docs: Documents, keys: Draws, special: Special
    ) -> tuple[np.ndarray, np.ndarray]:
        """Indices into the flattened text of the tokens to predict, ascending, and of the token
        whose fate each of them shares: itself, or the first of its span."""
        if self.spans is not None:
            spans = self.spans(docs, docs.draws(keys), special)
            chosen = inside(spans)
            return chosen, np.repeat(spans.begin_S, spans.size_S) if self.together else chosen
        length = docs.text_BN.shape[1]
        rate, *shares = self._chances()
        begins = keys.lanes(_CHOSEN, length) < np.uint16(round(rate * 65536))
        chosen = begins.copy()
        if self.grams[0] < 1:
            gram = keys.lanes(_GRAM, length)
            for further, share in enumerate(shares, 1):
                longer = begins & (gram < np.uint16(round(share * 65536)))
                chosen[:, further:] |= longer[:, :-further]
        chosen &= docs.text_BN != special.cls
        chosen &= docs.text_BN != special.eos
        if special.pad != special.eos:
            chosen &= docs.text_BN != special.pad
        found = np.flatnonzero(chosen)
        return found, found

    def _chances(self) -> tuple[float, float, float]:
        """To begin a choice at a token, and for it to take a second and a third one.

        The first is such that the share of tokens chosen is `ratio`: a token stays unchosen if no
        one-, two- or three-token choice begins where it would cover.
        """
        two, three = self.grams[1] + self.grams[2], self.grams[2]
        rate = self.ratio
        for _ in range(20):
            missed = (1 - rate * two) * (1 - rate * three)
            rate = 1 - (1 - self.ratio) / missed
        return rate, two, three

    def _replaced(
        self,
        target: np.ndarray,
        leader: np.ndarray,
        row: np.ndarray,
        column: np.ndarray,
        keys: Draws,
        special: Special,
    ) -> np.ndarray | int:
        """What the model is given in place of the chosen tokens."""
        if self.masked >= 1:
            return special.mask
        fate = (keys.at(_FATE, row, leader) >> np.uint64(11)) * 2.0**-53
        words = np.where(fate < self.masked, special.mask, target)
        other = np.flatnonzero((fate >= self.masked) & (fate < self.masked + self.random))
        word = keys.at(_WORD, row[other], column[other]) >> np.uint64(32)
        words[other] = (word * np.uint64(special.size)) >> np.uint64(32)
        return words

    @property
    def layout(self) -> Layout:
        """Masks are asked where they stand; nothing is written."""
        return Layout("prefix", serves=("masked tokens", "vector"))

    @property
    def likelihood(self) -> Likelihood:
        """A product of conditionals that is no distribution."""
        return Likelihood("pseudo", "each token masked in turn")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """Exact, but for what `spans` says of its own expectations."""
        if self.spans is not None:
            spans = self.spans.outcomes(length)
            return fixed(length, float(spans.chance_C @ spans.masked_C), length**2)
        begun, two, three = (round(share * 65536) / 65536 for share in self._chances())
        # The first word may be reached from [CLS], the later ones from two places.
        first = 1 - (1 - begun) * (1 - begun * two)
        later = 1 - (1 - first) * (1 - begun * three)
        words = max(length - 1, 0)
        return fixed(length, min(words, 1) * first + max(words - 1, 0) * later, length**2)

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self
