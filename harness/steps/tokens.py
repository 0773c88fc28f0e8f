"""The step that turns a corpus into token ids."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glm.data import tokenizer as tokens
from glm.data.stream import token_type
from harness.steps.corpus import read_texts
from harness.steps.step import Work
from tasks.atomic import write_facts

ENCODED_AT_ONCE = 1024  # documents,
CHARACTERS_AT_ONCE = 2**22  # or as many as have so many characters


@dataclass(frozen=True)
class Tokens:
    """The corpus as one flat file of token ids, with the documents' offsets.

    Every document is `[CLS] words eos`, as `glm.data.stream.TokenStream` wants it; ids are uint16
    where the vocabulary allows it.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"

    def run(self, work: Work) -> None:
        """Write tokens.bin, offsets.npy and tokens.json (counts)."""
        tokenizer = tokens.load(work.inputs["tokenizer"])
        special = tokenizer.special
        kind = token_type(special)
        lengths: list[int] = []
        with (work.folder / "tokens.bin").open("wb") as out:
            texts = read_texts(work.inputs["corpus"] / "train.parquet")
            for group in _groups(texts):
                encoded = [
                    [special.cls, *ids, special.eos] for ids in tokenizer.encode_batch(group) if ids
                ]
                lengths += [len(ids) for ids in encoded]
                out.write(np.concatenate([np.asarray(ids, kind) for ids in encoded]).tobytes())
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        np.save(work.folder / "offsets.npy", offsets)
        facts = {"tokens": int(offsets[-1]), "documents": len(lengths), "dtype": kind.__name__}
        write_facts(work.folder / "tokens.json", facts)
        work.log("written", **facts)


def _groups(texts: Iterator[str]) -> Iterator[list[str]]:
    group: list[str] = []
    held = 0
    for text in texts:
        group.append(text)
        held += len(text)
        if len(group) == ENCODED_AT_ONCE or held >= CHARACTERS_AT_ONCE:
            yield group
            group, held = [], 0
    if group:
        yield group
