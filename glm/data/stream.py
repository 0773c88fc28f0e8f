"""Batches as a pure function of (seed, step): windows over a flat stream of tokens.

The stream holds every document of the corpus as `[CLS] words eos`, one after the other. A row of a
batch is a window of `length` tokens. A token of the stream is drawn uniformly, which draws a
document in proportion to its length. If that document is longer than a row, the window begins
anywhere in it and its first token is replaced by [CLS]; otherwise the window begins with the
document and goes on with those that follow it until the row is full, the last one cut off.

The original fills a row with further random documents rather than the next ones (so order the
stream at random), and moves most cuts to the ends of sentences, which makes its rows a few tokens
shorter than they could be. Here every row has exactly `length` tokens.

Shapes: L tokens in the stream, D documents, B rows, N raw tokens in a row.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glm.data.example import Batch, padded
from glm.data.special import Special
from glm.objectives.draws import Draws, draws
from glm.objectives.objective import Objective

_WINDOW, _START = 64, 65  # the purposes of this module's draws; objectives use those below


@dataclass(frozen=True, eq=False)
class TokenStream:
    """A corpus as token ids: `tokens_L` (uint16 or uint32, memory-mapped or not) and where
    documents begin. `offsets` has D + 1 entries, the last is L. Document d is
    `tokens_L[offsets[d] : offsets[d + 1]]`, with [CLS] in front and the end token behind."""

    tokens_L: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        ends = (int(self.offsets[0]), int(self.offsets[-1])) if len(self.offsets) else (-1, -1)
        if len(self.offsets) < 2 or ends != (0, len(self.tokens_L)):
            raise ValueError(
                f"a stream of {len(self.tokens_L)} tokens whose offsets run from {ends[0]} to "
                f"{ends[1]}: they must begin at 0 and end at the number of tokens, which is not 0"
            )

    @property
    def documents(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def open(cls, folder: Path) -> "TokenStream":
        """The stream in `folder`, memory-mapped: tokens.bin, offsets.npy, and tokens.json for the
        type of an id."""
        facts = json.loads((folder / "tokens.json").read_text())
        tokens = np.memmap(folder / "tokens.bin", np.dtype(facts["dtype"]), mode="r")
        return cls(tokens, np.load(folder / "offsets.npy"))


def token_type(special: Special) -> type[np.unsignedinteger]:
    """The narrowest type that holds every id of the vocabulary."""
    return np.uint16 if max(special.size, special.padded) <= 2**16 else np.uint32


def stream(texts: Iterable[Sequence[int] | np.ndarray], special: Special) -> TokenStream:
    """A stream in memory from the word ids of documents; empty documents are left out."""
    pieces = [[special.cls, *text, special.eos] for text in texts if len(text)]
    sizes = np.array([len(piece) for piece in pieces], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    flat = (token for piece in pieces for token in piece)
    return TokenStream(np.fromiter(flat, token_type(special), int(offsets[-1])), offsets)


def windows(corpus: TokenStream, keys: Draws, length: int, special: Special) -> np.ndarray:
    """One row of `length` tokens for each key: (B, N) int32. The stream goes round at its end."""
    if corpus.tokens_L[0] != special.cls:
        raise ValueError(
            f"the stream begins with token {corpus.tokens_L[0]}, not with [CLS] ({special.cls}): "
            "documents are stored as [CLS] words eos"
        )
    total = len(corpus.tokens_L)
    count = len(keys.key_R)
    drawn = keys.below(_WINDOW, np.full(count, total))
    document = np.searchsorted(corpus.offsets, drawn, side="right") - 1
    begin = corpus.offsets[document]
    spare = np.maximum(corpus.offsets[document + 1] - begin - length, 0)
    first = begin + keys.below(_START, spare + 1)
    index = first[:, None] + np.arange(length)
    if int(first.max(initial=0)) + length > total:
        index %= total
    rows = corpus.tokens_L[index].astype(np.int32)
    rows[:, 0] = special.cls
    return rows


def batch_at(
    corpus: TokenStream,
    objective: Objective,
    special: Special,
    *,
    seed: int,
    step: int,
    rows: int,
    length: int,
    rank: int = 0,
    world: int = 1,
    width: int = 0,
    targets: int = 0,
) -> Batch:
    """What rank `rank` of `world` trains on in step `step`: its share of `rows` rows.

    `rows` are those of the whole step, over all ranks, each of `length` raw tokens. The ranks'
    shares are consecutive and, put together, are the batch of `world=1` row for row. `width` and
    `targets` ask for a fixed shape (see `padded`).
    """
    if not 0 <= rank < world <= rows:
        raise ValueError(f"rank {rank} of {world} for {rows} rows: 0 <= rank < world <= rows")
    key = np.array([seed, step], np.uint64)
    everyone = draws(np.random.Generator(np.random.Philox(key=key)), rows)
    mine = everyone.take(slice(rows * rank // world, rows * (rank + 1) // world))
    text = windows(corpus, mine, length, special)
    return padded(objective.build(text, mine, special), width, targets, special.pad)
