"""The step that brings documents to pretrain on into the store."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.errors import UserError
from harness.steps import documents
from harness.steps.step import Work
from tasks.atomic import write_facts

ROW_GROUP = 2048  # documents written at a time


@dataclass(frozen=True)
class Corpus:
    """Documents to pretrain on, one row of text each, and a held-out part that is never trained on.

    Reads the input world's corpus; or the files in `how["paths"]`, whose content is `files`; or a
    hub data set. One document in `holdout` is held out, chosen by the hash of its text.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    files: tuple[str, ...] = ()  # content digests, in reading order
    format: str = "auto"  # text | jsonl | parquet | auto (by the file's name)
    text: str = "text"  # the field that holds the document
    hub: str = ""  # "name" or "name:config"
    revision: str = ""
    split: str = "train"
    limit: int = 0  # documents; 0 = all
    holdout: int = 200
    holdout_limit: int = 2000

    def run(self, work: Work) -> None:
        """Write train.parquet and heldout.parquet."""
        world = work.inputs.get("world")
        if world is not None:
            parts = {
                name: documents.jsonl(world / "corpus" / f"{name}.jsonl", "text") for name in _PARTS
            }
            counts = {name: _write(work.folder, name, texts) for name, texts in parts.items()}
        else:
            counts = _split(work.folder, self._documents(work), self.holdout, self.holdout_limit)
        if not counts["train"][0]:
            raise UserError("the corpus has no documents: check the paths and the text field")
        facts = {name: {"documents": n, "bytes": size} for name, (n, size) in counts.items()}
        write_facts(work.folder / "corpus.json", facts)
        work.log("written", **facts)

    def _documents(self, work: Work) -> Iterator[str]:
        if self.hub:
            found = documents.from_hub(self.hub, self.revision, self.split, self.text)
        else:
            found = (
                document
                for path in work.how["paths"]
                for document in documents.read(Path(path), self.format, self.text)
            )
        for number, document in enumerate(found):
            if self.limit and number >= self.limit:
                return
            yield document


_PARTS = ("train", "heldout")


def _split(
    folder: Path, documents: Iterator[str], holdout: int, limit: int
) -> dict[str, tuple[int, int]]:
    """Write documents to train or held-out by the hash of their text."""
    held: list[str] = []

    def kept() -> Iterator[str]:
        for text in documents:
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            if len(held) < limit and int.from_bytes(digest) % holdout == 0:
                held.append(text)
            else:
                yield text

    train = _write(folder, "train", kept())
    return {"train": train, "heldout": _write(folder, "heldout", iter(held))}


def _write(folder: Path, name: str, texts: Iterator[str]) -> tuple[int, int]:
    """Write one parquet file of a text column; returns documents and bytes of text."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([("text", pa.string())])
    documents = size = 0
    with parquet.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd") as writer:
        group: list[str] = []
        for text in texts:
            group.append(text)
            documents, size = documents + 1, size + len(text.encode())
            if len(group) == ROW_GROUP:
                writer.write_table(pa.table({"text": group}, schema))
                group = []
        writer.write_table(pa.table({"text": group}, schema))
    return documents, size


def read_texts(path: Path) -> Iterator[str]:
    """The documents of a corpus step's parquet file, in order."""
    from pyarrow import parquet

    for batch in parquet.ParquetFile(path).iter_batches(ROW_GROUP, columns=["text"]):
        yield from batch.column(0).to_pylist()
