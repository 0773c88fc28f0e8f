"""Rows of text for the objectives' tests: a small vocabulary, whole rows and packed ones."""

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special

SPECIAL = Special(
    pad=0, eos=0, cls=1, sep=2, mask=3, unk=4, start=5, end=6, gmask=7, smask=8,
    sentinel_masks=tuple(range(400, 600, 2)), sentinel_starts=tuple(range(401, 600, 2)),
    size=600, padded=640, sentence_end=(20, 21),
)  # fmt: skip
WORDS = (30, 400)  # ids of words that end no sentence


def whole(rows: int, length: int, seed: int = 0, closed: bool = False) -> np.ndarray:
    """Rows of one document each, `[CLS] words` or `[CLS] words eos`."""
    text = np.random.default_rng(seed).integers(*WORDS, (rows, length))
    text[:, 0] = SPECIAL.cls
    if closed:
        text[:, -1] = SPECIAL.eos
    return text


def packed(sizes: list[int], length: int, seed: int = 0) -> np.ndarray:
    """One row of several documents `[CLS] words eos`, cut or padded to `length`."""
    rng = np.random.default_rng(seed)
    row: list[int] = []
    for size in sizes:
        row += [SPECIAL.cls, *rng.integers(*WORDS, size - 2).tolist(), SPECIAL.eos]
    return np.array([(row + [SPECIAL.pad] * length)[:length]])


def with_sentences(text_BN: np.ndarray, every: int) -> np.ndarray:
    """The same rows with a word that ends a sentence at every `every`-th place that is a word."""
    text = text_BN.copy()
    place = np.arange(text.shape[1]) % every == every - 1
    text[:, place] = np.where(text[:, place] >= WORDS[0], SPECIAL.sentence_end[0], text[:, place])
    return text


def same(one: Batch, other: Batch) -> bool:
    """Whether two batches are equal in every array."""
    return all(np.array_equal(a, getattr(other, name)) for name, a in vars(one).items())


def rows_of(batch: Batch, row: int) -> dict[str, np.ndarray]:
    """One row without its padding, and its targets (-1: none)."""
    target = np.full(batch.rows * batch.width, -1)
    target[batch.index_M] = batch.target_M
    real = batch.document_BT[row] >= 0
    grids = {"target": target.reshape(batch.rows, -1)}
    names = ("tokens", "position", "inner", "document", "branch")
    grids |= {name: getattr(batch, f"{name}_BT") for name in names}
    return {name: grid[row][real] for name, grid in grids.items()}


def restored(batch: Batch, row: int, special: Special = SPECIAL, sentinels: bool = False) -> list:
    """The text of a row of blank infilling, from what the model reads and must predict.

    A blank is found by its document and its mask's position (or by its sentinel); the words come
    from Part B's targets, so an open span has its last word too.
    """
    parts = rows_of(batch, row)
    pieces: dict[tuple, list[int]] = {}
    now = None
    for i in np.flatnonzero(parts["branch"] == 1):
        token = int(parts["tokens"][i])
        starts = special.sentinel_starts if sentinels else (special.start,)
        if token in starts:
            name = starts.index(token) if sentinels else int(parts["position"][i])
            now = pieces.setdefault((int(parts["document"][i]), name), [])
        assert now is not None
        goal = int(parts["target"][i])
        if goal != special.end:
            now.append(goal)
    text = []
    masks = {special.mask, special.gmask, special.smask, *special.sentinel_masks}
    for i in np.flatnonzero(parts["branch"] == 0):
        token = int(parts["tokens"][i])
        if token not in masks:
            text.append(token)
            continue
        name = special.sentinel_masks.index(token) if sentinels else int(parts["position"][i])
        text += pieces.pop((int(parts["document"][i]), name))
    assert not pieces
    return text
