"""The prefix LM: the beginning of a document is seen whole, and the rest predicted left to right.

Shapes: B rows, N raw tokens, T positions, U documents.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, cut_pairs, fixed
from glm.objectives.causal import next_token
from glm.objectives.documents import Documents, documents, grids, parts_first
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import PREFIX, Layout
from glm.objectives.objective import ExtraTokens, Likelihood

SPLIT = 36  # the purpose of a cut's draw; the masked language model's are those below


@dataclass(frozen=True)
class PrefixLM:
    """The first tokens of a document see each other, and the rest is predicted left to right.

    The prefix has between one and all but one of the document's tokens, each as likely. Its last
    token predicts the first one after it, as in T5's prefix LM.
    """

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        prefix = 1 + docs.draws(keys).below(SPLIT, docs.size_U - 1)
        tokens, position, document = grids(docs, special.pad)
        branch = after(docs, prefix, position, document)
        batch = next_token(docs, tokens, position, document, branch, prefix - 1)
        return batch if docs.whole else parts_first(batch)

    @property
    def layout(self) -> Layout:
        """A source, seen whole, and what follows it."""
        return PREFIX

    @property
    def likelihood(self) -> Likelihood:
        """The chain rule, from a given prefix on."""
        return Likelihood("exact", "left to right behind a prefix")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None beside those that every vocabulary has."""
        return ExtraTokens()

    def amounts(self, length: int) -> Amounts:
        """Exact: the mean over all cuts."""
        return fixed(length, length / 2, cut_pairs(length))

    def at_positions(self, positions: int) -> Self:
        """The same: nothing in it hangs on the model's size."""
        return self


def after(
    docs: Documents, cut_U: np.ndarray, position: np.ndarray, document: np.ndarray
) -> np.ndarray:
    """Branch 1 from a document's `cut`-th token on (`cut` >= 1), 0 before it and on padding."""
    if docs.whole:
        return (position >= cut_U[:, None].astype(np.int32)).astype(np.int32)
    cut = np.ones((len(position), int(document.max(initial=0)) + 1), np.int32)
    cut[docs.row_U, docs.ordinal_U] = cut_U
    bound = np.take_along_axis(cut, np.maximum(document, 0), axis=1)
    return (position >= bound).astype(np.int32)
