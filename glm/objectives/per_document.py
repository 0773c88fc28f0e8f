"""An objective written for one document at a time, lifted to batches.

A rule is plain Python: it is given a document's tokens, a generator and the special ids, and
returns an `Example`. A prefix LM that always cuts in the middle:

    @dataclass(frozen=True)
    class Halves:
        def __call__(self, document, rng, special):
            half = max(1, len(document) // 2)
            targets = [-1] * (half - 1) + [*document[half:], -1]
            places = [range(len(document)), [0] * len(document)]
            return Example(document, np.array(targets), np.array(places), context=half)

    halves = PerDocument(Halves(), PREFIX, Likelihood("exact", "left to right"))

Shapes: B rows, N raw tokens, U documents, T tokens of one of them.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, Self

import numpy as np

from glm.data.example import Batch, Example, laid
from glm.data.special import Special
from glm.objectives.amounts import Amounts, triangle
from glm.objectives.documents import documents
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.spans import TOKENS

SIMULATED = 256  # documents from which amounts are estimated


class Rule(Protocol):
    """What is made of one document: `[CLS] words`, and an end token unless the row cuts it off.

    In a spec a rule is a frozen dataclass of plain values, so that it has an identity.
    """

    def __call__(
        self, document_T: np.ndarray, rng: np.random.Generator, special: Special, /
    ) -> Example: ...


@dataclass(frozen=True)
class PerDocument:
    """A rule for one document as an objective; every document has a generator of its own.

    `sentinels` asks for a pair of them for each position of the model, `task_masks` for [gMASK] and
    [sMASK]. A rule runs at Python's speed: one that is trained for days is worth vectorising.
    """

    rule: Rule
    layout: Layout
    likelihood: Likelihood
    sentinels: bool = False
    task_masks: bool = False

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        key_U = docs.draws(keys).key_R
        rows: list[list[Example]] = [[] for _ in text_BN]
        for row, begin, size, key in zip(docs.row_U, docs.begin_U, docs.size_U, key_U, strict=True):
            rng = np.random.Generator(np.random.Philox(key=int(key)))
            rows[row].append(self._example(docs.flat[begin : begin + size], rng, special))
        return laid(rows, special.pad)

    def _example(
        self, document_T: np.ndarray, rng: np.random.Generator, special: Special
    ) -> Example:
        """The rule's example, if its arrays belong together."""
        made = self.rule(document_T, rng, special)
        shapes = (np.shape(made.targets_T), np.shape(made.positions_2T))
        if shapes != ((made.length,), (2, made.length)) or not 0 <= made.context <= made.length:
            raise ValueError(
                f"{type(self.rule).__name__} made an example of {made.length} tokens with targets "
                f"of shape {shapes[0]}, positions of shape {shapes[1]} and a context of "
                f"{made.context}: give a target (-1: none) and two positions for each token"
            )
        return made

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """As the fields say."""
        return ExtraTokens(positions if self.sentinels else 0, self.task_masks)

    def amounts(self, length: int) -> Amounts:
        """An estimate: the means of 256 documents of random words, always the same ones."""
        return _simulated(self, length)

    def at_positions(self, positions: int) -> Self:
        """The same: a rule that hangs on the model's size says so in a field of its own."""
        return self


@lru_cache(maxsize=64)
def _simulated(objective: PerDocument, length: int) -> Amounts:
    special = Special(
        pad=0, eos=0, cls=1, sep=2, mask=3, unk=4, start=5, end=6, gmask=8, smask=9,
        sentinel_masks=tuple(range(1000, 2000)), sentinel_starts=tuple(range(2000, 3000)),
        size=3000, padded=3072, sentence_end=(7,),
    )  # fmt: skip
    rng = np.random.Generator(np.random.Philox(0))
    text = rng.integers(100, 1000, size=(SIMULATED, length), dtype=np.int32)
    text[:, TOKENS::TOKENS] = 7
    text[:, 0] = special.cls
    sizes: Counter[int] = Counter()
    targets = pairs = 0.0
    for document_T in text:
        made = objective._example(document_T, rng, special)
        sizes[made.length] += 1
        targets += float((np.asarray(made.targets_T) >= 0).sum())
        seen, *branches = np.bincount(made.branches, minlength=1).tolist()
        pairs += seen * made.length + sum(triangle(size) for size in branches)
    chances = {size: count / SIMULATED for size, count in sizes.items()}
    return Amounts(length, targets / SIMULATED, pairs / SIMULATED, chances)
