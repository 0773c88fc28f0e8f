"""The step that makes or reads a vocabulary."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from glm.data import tokenizer as tokens
from glm.data.vocabularies import HUB, IDS
from harness.steps.corpus import Texts
from harness.steps.step import Work

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
    task_masks: bool = False  # with [gMASK] and [sMASK]

    @property
    def ids(self) -> int:
        """How many ids it will have, special ones counted (a trained one: at most)."""
        if self.kind == "train":
            return self.size
        return IDS[HUB[self.hub][1] if self.kind == "hub" else self.kind]

    def run(self, work: Work) -> None:
        """Write the tokenizer's folder."""
        if self.kind == "train":
            texts = Texts(work.inputs["corpus"] / "train.parquet", TRAINING_DOCUMENTS)
            tokenizer = tokens.train_wordpiece(texts, self.size, task_masks=self.task_masks)
        elif self.kind == "hub":
            tokenizer = tokens.hub(self.hub, task_masks=self.task_masks)
        else:
            paths = [Path(path) for path in work.how["paths"]]
            if self.kind == "bert":
                tokenizer = tokens.bert(paths[0], task_masks=self.task_masks)
            else:
                tokenizer = tokens.bpe(self.kind, *paths, task_masks=self.task_masks)
        tokenizer.save(work.folder)
        work.log("written", size=tokenizer.special.size, digest=tokenizer.digest)
