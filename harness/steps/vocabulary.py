"""The step that makes or reads a vocabulary."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from harness.steps.corpus import read_texts
from harness.steps.step import Cost, Work

TRAINING_DOCUMENTS = 50_000  # that a vocabulary is trained on


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
        from glm.data import tokenizer as tokens

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
