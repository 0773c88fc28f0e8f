"""The step that brings documents to pretrain on into the store."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from harness.errors import UserError
from harness.steps import documents
from harness.steps.step import Work
from tasks.atomic import write_facts

ROW_GROUP = 2048  # documents written at a time,
ROW_GROUP_BYTES = 16 * 2**20  # or as many as have so many bytes


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
    unit: documents.Unit = "line"  # what a document of a text file is
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
                for document in documents.read(Path(path), self.format, self.text, self.unit)
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
    with _Texts(folder, "train") as train, _Texts(folder, "heldout") as held:
        for text in documents:
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            held_out = held.documents < limit and int.from_bytes(digest) % holdout == 0
            (held if held_out else train).add(text)
    return {each.name: (each.documents, each.size) for each in (train, held)}


def _write(folder: Path, name: str, texts: Iterator[str]) -> tuple[int, int]:
    """Write one parquet file of a text column; returns documents and bytes of text."""
    with _Texts(folder, name) as out:
        for text in texts:
            out.add(text)
    return out.documents, out.size


class _Texts:
    """A parquet file of a text column that is being written, a group of rows at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self.name, self.documents, self.size = name, 0, 0
        self._group: list[str] = []
        self._held = 0  # bytes of the group
        self._schema = pa.schema([("text", pa.string())])
        path = folder / f"{name}.parquet"
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def __enter__(self) -> "_Texts":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self._flush()
        self._writer.close()

    def add(self, text: str) -> None:
        length = len(text.encode())
        self._group.append(text)
        self.documents += 1
        self.size += length
        self._held += length
        if len(self._group) == ROW_GROUP or self._held >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.table({"text": self._group}, self._schema))
        self._group, self._held = [], 0


def read_texts(path: Path) -> Iterator[str]:
    """The documents of a corpus step's parquet file, in order: no more than a group in memory."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    for group in range(file.num_row_groups):
        yield from file.read_row_group(group, columns=["text"]).column(0).to_pylist()


@dataclass(frozen=True)
class Texts:
    """The first documents of a corpus step's parquet file, to be read more than once."""

    path: Path
    most: int

    def __iter__(self) -> Iterator[str]:
        return islice(read_texts(self.path), self.most)
