"""What GLM is compared with, on the same backbone: BERT, GPT, a prefix LM and UniLM.

Each is a frozen dataclass whose call makes a `Batch` from rows of text, as `BlankInfilling` does.

Shapes: B rows, N raw tokens, T positions, U documents, M scored positions.
"""

from dataclasses import dataclass, replace

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.documents import Documents, ascending, documents, grids, parts_first
from glm.objectives.draws import Draws, draws
from glm.objectives.spans import Poisson, inside

# The purposes of this module's draws; the modules of spans and blank infilling use those below 32.
_CHOSEN, _GRAM, _FATE, _WORD, _SPLIT, _MODE = range(32, 38)


@dataclass(frozen=True)
class MaskedLM:
    """BERT: some tokens are masked and predicted where they stand; everyone sees everyone.

    Every token but [CLS] and end tokens is chosen with probability `ratio`; of the chosen ones
    `masked` become [MASK], `random` any token of the vocabulary, the rest stay (Devlin et al.
    2019, section 3.1, which fixes the number per row instead). `grams` are the chances that a
    choice takes one, two or three tokens (UniLM: .8, .1, .1); the share chosen stays `ratio`.
    With `spans` the chosen tokens are theirs instead: `MaskedLM(spans=Poisson(), masked=1.0,
    random=0.0)` is the masked language model of the original GLM code.
    """

    ratio: float = 0.15
    masked: float = 0.8
    random: float = 0.1
    grams: tuple[float, float, float] = (1.0, 0.0, 0.0)
    spans: Poisson | None = None

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        docs = documents(text_BN, special)
        chosen = self._chosen(docs, keys, special)
        row, column = np.divmod(chosen, docs.text_BN.shape[1])
        tokens, position, document = grids(docs, special.pad)
        index = row * tokens.shape[1] + column
        target = docs.flat[chosen].astype(np.int64)
        tokens.ravel()[index] = self._replaced(target, row, column, keys, special)
        inner, branch = np.zeros_like(tokens), np.zeros_like(tokens)
        weight = np.ones(len(index), np.float32)
        return Batch(tokens, position, inner, document, branch, index, target, weight)

    def _chosen(self, docs: Documents, keys: Draws, special: Special) -> np.ndarray:
        """Indices into the flattened text of the tokens to predict, ascending."""
        if self.spans is not None:
            return inside(self.spans(docs, docs.draws(keys), special))
        length = docs.text_BN.shape[1]
        begins = keys.lanes(_CHOSEN, length) < np.uint16(round(self._start_rate() * 65536))
        chosen = begins.copy()
        if self.grams[0] < 1:
            gram = keys.lanes(_GRAM, length)
            for further in (1, 2):
                share = sum(self.grams[further:])
                longer = begins & (gram < np.uint16(round(share * 65536)))
                chosen[:, further:] |= longer[:, :-further]
        chosen &= docs.text_BN != special.cls
        chosen &= docs.text_BN != special.eos
        if special.pad != special.eos:
            chosen &= docs.text_BN != special.pad
        return np.flatnonzero(chosen)

    def _start_rate(self) -> float:
        """The chance to begin at a token for which the share of tokens chosen is `ratio`.

        A token stays unchosen if no one-, two- or three-token choice begins where it would cover.
        """
        two, three = self.grams[1] + self.grams[2], self.grams[2]
        rate = self.ratio
        for _ in range(20):
            missed = (1 - rate * two) * (1 - rate * three)
            rate = 1 - (1 - self.ratio) / missed
        return rate

    def _replaced(
        self, target: np.ndarray, row: np.ndarray, column: np.ndarray, keys: Draws, special: Special
    ) -> np.ndarray | int:
        """What the model is given in place of the chosen tokens."""
        if self.masked >= 1:
            return special.mask
        fate = (keys.at(_FATE, row, column) >> np.uint64(11)) * 2.0**-53
        words = np.where(fate < self.masked, special.mask, target)
        other = np.flatnonzero((fate >= self.masked) & (fate < self.masked + self.random))
        word = keys.at(_WORD, row[other], column[other]) >> np.uint64(32)
        words[other] = (word * np.uint64(special.size)) >> np.uint64(32)
        return words


@dataclass(frozen=True)
class Causal:
    """GPT: the next token of the document at every position; the end token is the last target."""

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes nothing from `rng`, for nothing is random."""
        return self.build(text_BN, Draws(0, np.zeros(len(text_BN), np.uint64)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same; the keys are not used."""
        docs = documents(text_BN, special)
        tokens, position, document = grids(docs, special.pad)
        branch = np.ones_like(tokens)
        return _next_token(docs, tokens, position, document, branch, np.zeros_like(docs.size_U))


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
        prefix = 1 + docs.draws(keys).below(_SPLIT, docs.size_U - 1)
        tokens, position, document = grids(docs, special.pad)
        branch = _after(docs, prefix, position, document)
        batch = _next_token(docs, tokens, position, document, branch, prefix - 1)
        return batch if docs.whole else parts_first(batch)


@dataclass(frozen=True)
class UniLM:
    """One masked language model under four attention masks (Dong et al. 2019, section 2.3).

    Every row is seen bidirectionally, left to right, right to left, or as source and target, with
    the given shares. Masked tokens are predicted where they stand in all four. Right to left is
    left to right over the document written backwards, every token with the position it had.
    Source and target are the two sides of a random cut of a document: the source sees itself, the
    target sees the source and its own past.

    The paper's two segments are neighbouring pieces of text; here the cut may fall inside a
    sentence, and no [SEP] is put there, so that all objectives read the same rows.
    """

    words: MaskedLM = MaskedLM(grams=(0.8, 0.1, 0.1))
    both: float = 1 / 3
    forward: float = 1 / 6
    backward: float = 1 / 6
    sequence: float = 1 / 3

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        batch = self.words.build(text_BN, keys, special)
        edges = np.cumsum([self.both, self.forward, self.backward, self.sequence])
        drawn = keys.uniform(_MODE, 1)[:, 0] * edges[-1]
        mode = np.searchsorted(edges[:-1], drawn, side="right")
        batch.branch_BT[(mode == 1) | (mode == 2)] = 1
        docs = documents(text_BN, special)
        cut = 1 + docs.draws(keys).below(_SPLIT, docs.size_U - 1)
        cut = np.where(mode[docs.row_U] == 3, cut, docs.size_U)
        batch.branch_BT[:] |= _after(docs, cut, batch.position_BT, batch.document_BT)
        batch = _backwards(batch, docs, np.flatnonzero(mode == 2))
        return batch if docs.whole else parts_first(batch)


def _next_token(
    docs: Documents,
    tokens: np.ndarray,
    position: np.ndarray,
    document: np.ndarray,
    branch: np.ndarray,
    first_U: np.ndarray,
) -> Batch:
    """Predict the next token from the `first`-th token of each document to its last but one."""
    length, width = docs.text_BN.shape[1], tokens.shape[1]
    count = np.maximum(docs.size_U - 1 - first_U, 0)
    begin = docs.begin_U + docs.row_U * (width - length) + first_U
    before = np.cumsum(count) - count
    index = np.repeat(begin - before, count) + np.arange(int(count.sum()))
    target = tokens.ravel()[index + 1].astype(np.int64)
    weight = np.ones(len(index), np.float32)
    inner = np.zeros_like(tokens)
    return Batch(tokens, position, inner, document, branch, index, target, weight)


def _after(
    docs: Documents, cut_U: np.ndarray, position: np.ndarray, document: np.ndarray
) -> np.ndarray:
    """Branch 1 from a document's `cut`-th token on (`cut` >= 1), 0 before it and on padding."""
    if docs.whole:
        return (position >= cut_U[:, None].astype(np.int32)).astype(np.int32)
    cut = np.ones((len(position), int(document.max(initial=0)) + 1), np.int32)
    cut[docs.row_U, docs.ordinal_U] = cut_U
    bound = np.take_along_axis(cut, np.maximum(document, 0), axis=1)
    return (position >= bound).astype(np.int32)


def _backwards(batch: Batch, docs: Documents, rows: np.ndarray) -> Batch:
    """Some rows with every document written from its end, positions kept."""
    if not len(rows):
        return batch
    length, width = docs.text_BN.shape[1], batch.width
    shift = docs.row_U * (width - length)
    mirror = np.arange(batch.rows * width)
    unit = np.flatnonzero(np.isin(docs.row_U, rows))
    begin, size = docs.begin_U[unit] + shift[unit], docs.size_U[unit]
    where = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))
    mirror[where] = np.repeat(2 * begin + size - 1, size) - where
    for grid in (batch.tokens_BT, batch.position_BT):
        flat = grid.ravel()
        flat[where] = flat[mirror[where]]
    index = mirror[batch.index_M]
    order = ascending(index, batch.rows * width)
    return replace(batch, index_M=index[order], target_M=batch.target_M[order])
