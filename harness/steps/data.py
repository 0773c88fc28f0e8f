"""Steps that bring text into the store: the built-in world, a corpus, one task's rows."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from harness import documents
from harness.errors import UserError
from harness.step import Cost, Work

SPLITS = ("train", "dev", "test")
ROW_GROUP = 2048  # documents written at a time


@dataclass(frozen=True)
class World:
    """The built-in world's corpus and every task's files, in the official formats."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    seed: int = 0
    documents: int = 5000
    scale: float = 1.0  # of the tasks' sizes
    generator: int = 1  # `tasks.microworld.VERSION`: other bytes from the same seed

    def run(self, work: Work) -> None:
        """Write the world's folder layout into the step's folder."""
        from tasks import microworld

        if self.generator != microworld.VERSION:
            raise UserError(
                f"this world was asked of generator {self.generator}, "
                f"but the one installed is {microworld.VERSION}"
            )
        sizes = microworld.Sizes().scaled(self.scale)
        counts = microworld.write(
            work.folder, seed=self.seed, documents=self.documents, sizes=sizes
        )
        work.log("written", documents=self.documents, counts=counts)

    def cost(self) -> Cost:
        """About 700 bytes a document, and as much again for the tasks."""
        return Cost(0.0, self.documents * 700 + 2e7 * self.scale)


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
        (work.folder / "corpus.json").write_text(json.dumps(facts, indent=1))
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

    def cost(self) -> Cost:
        """Unknown without reading the files."""
        return Cost()


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


@dataclass(frozen=True)
class Dataset:
    """One task's rows, checked: what a model is finetuned and measured on.

    The rows come from the input world, from the folder in `how["source"]` whose content is
    `files`, or from the hub. `limits` keeps the first rows of a split (0 = all).
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    task: str
    splits: tuple[str, ...] = SPLITS
    files: Mapping[str, str] = field(default_factory=dict)  # split -> content digest
    limits: Mapping[str, int] = field(default_factory=dict)
    on_bad_row: str = "stop"

    def run(self, work: Work) -> None:
        """Write {split}.jsonl and dataset.json (counts, skipped ids, files, digests)."""
        from tasks import TASKS
        from tasks.source import Folder, load

        if "corpus" in work.inputs:
            self._held_out(work)
            return
        task = TASKS[self.task]
        world = work.inputs.get("world")
        source = Folder(str(world)) if world is not None else work.how["source"]
        facts: dict[str, Any] = {}
        for split in self.splits:
            loaded = load(task, split, source)
            rows = _first(loaded.rows, self.limits.get(split, 0))
            with (work.folder / f"{split}.jsonl").open("w", encoding="utf-8") as out:
                out.writelines(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
            facts[split] = {
                "rows": len(rows),
                "of": len(loaded.rows),
                "skipped": list(loaded.skipped),
                "digest": loaded.digest,
            }
        (work.folder / "dataset.json").write_text(json.dumps(facts, indent=1))
        work.provenance["data"] = {split: facts[split]["digest"] for split in facts}
        work.log("written", **{split: facts[split]["rows"] for split in facts})

    def _held_out(self, work: Work) -> None:
        """The corpus's held-out documents are rows of their own task."""
        limit = self.limits.get("test", 0) or None
        texts = list(islice(read_texts(work.inputs["corpus"] / "heldout.parquet"), limit))
        if not texts:
            raise UserError("the corpus is too small for a held-out part: give it more documents")
        rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
        with (work.folder / "test.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (work.folder / "dataset.json").write_text(json.dumps({"test": {"rows": len(rows)}}))
        work.log("written", test=len(rows))

    def cost(self) -> Cost:
        """Reading and checking costs next to nothing."""
        return Cost()


def _first(rows: list[Mapping[str, Any]], limit: int) -> list[Mapping[str, Any]]:
    """The first `limit` rows, without a torn group at the end (MultiRC's answers of a question)."""
    if not limit or limit >= len(rows):
        return rows
    group = [row.get("group", row["id"]) for row in rows[: limit + 1]]
    last = limit
    while last > 0 and group[last - 1] == group[limit]:
        last -= 1
    return rows[:last] or rows[:limit]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one split of a dataset step."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
