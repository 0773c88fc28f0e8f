"""Steps that turn text into token ids: a vocabulary, and the corpus encoded with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.step import Cost, Work
from harness.steps.data import read_texts

TRAINING_DOCUMENTS = 50_000  # that a vocabulary is trained on
ENCODED_AT_ONCE = 1024


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer: WordPiece trained on the corpus, or a published one read from files or the hub.

    `files` are the content digests of the published files, which lie at `how["paths"]`.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    kind: str = "train"  # train | bert | roberta | gpt2 | hub
    size: int = 2048  # of a trained vocabulary
    files: tuple[str, ...] = ()
    hub: str = ""

    def run(self, work: Work) -> None:
        """Write the tokenizer's folder."""
        from glm import tokens

        if self.kind == "train":
            texts = islice(read_texts(work.inputs["corpus"] / "train.parquet"), TRAINING_DOCUMENTS)
            tokenizer = tokens.train_wordpiece(texts, self.size)
        elif self.kind == "hub":
            tokenizer = tokens.hub(self.hub)
        else:
            paths = [Path(path) for path in work.how["paths"]]
            if self.kind == "bert":
                tokenizer = tokens.bert(paths[0])
            else:
                tokenizer = tokens.bpe(self.kind, paths[0], paths[1])
        tokenizer.save(work.folder)
        work.log("written", size=tokenizer.special.size, digest=tokenizer.digest)

    def cost(self) -> Cost:
        """Seconds of one core; no FLOPs to speak of."""
        return Cost(0.0, self.size * 40)


@dataclass(frozen=True)
class Tokens:
    """The corpus as one flat file of token ids, with the documents' offsets.

    Every document is `[CLS] words eos`, as `glm.batch.TokenStream` wants it; ids are uint16 where
    the vocabulary allows it.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"

    def run(self, work: Work) -> None:
        """Write tokens.bin, offsets.npy and tokens.json (counts)."""
        from glm import tokens
        from glm.batch import token_type

        tokenizer = tokens.load(work.inputs["tokenizer"])
        special = tokenizer.special
        kind = token_type(special)
        lengths: list[int] = []
        with (work.folder / "tokens.bin").open("wb") as out:
            texts = read_texts(work.inputs["corpus"] / "train.parquet")
            for group in _groups(texts, ENCODED_AT_ONCE):
                encoded = [
                    [special.cls, *ids, special.eos] for ids in tokenizer.encode_batch(group) if ids
                ]
                lengths += [len(ids) for ids in encoded]
                out.write(np.concatenate([np.asarray(ids, kind) for ids in encoded]).tobytes())
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        np.save(work.folder / "offsets.npy", offsets)
        facts = {"tokens": int(offsets[-1]), "documents": len(lengths), "dtype": kind.__name__}
        (work.folder / "tokens.json").write_text(json.dumps(facts, indent=1))
        work.log("written", **facts)

    def cost(self) -> Cost:
        """About a million tokens a second on one core."""
        return Cost()


def _groups(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while group := list(islice(texts, size)):
        yield group
