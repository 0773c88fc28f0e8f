"""The step that brings one task's rows into the store, checked."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from harness.code import catalogue
from harness.errors import UserError
from harness.steps.corpus import read_texts
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.source.folder import Folder
from tasks.source.rows import load

SPLITS = ("train", "dev", "test")


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
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write {split}.jsonl and dataset.json (counts, skipped ids, files, digests)."""
        if "corpus" in work.inputs:
            self._held_out(work)
            return
        task = catalogue.of_step(work.how).tasks[self.task]
        world = work.inputs.get("world")
        source = Folder(str(world)) if world is not None else work.how["source"]
        facts: dict[str, Any] = {}
        for split in self.splits:
            loaded = load(task, split, source)
            rows = _first(loaded.rows, self.limits.get(split, 0), task.grouped_by)
            write_rows(work.folder / f"{split}.jsonl", rows)
            facts[split] = {
                "rows": len(rows),
                "of": len(loaded.rows),
                "skipped": list(loaded.skipped),
                "digest": loaded.digest,
            }
        write_facts(work.folder / "dataset.json", facts)
        work.provenance["data"] = {split: facts[split]["digest"] for split in facts}
        work.log("written", **{split: facts[split]["rows"] for split in facts})

    def _held_out(self, work: Work) -> None:
        """The corpus's held-out documents are rows of their own task."""
        limit = self.limits.get("test", 0) or None
        texts = list(islice(read_texts(work.inputs["corpus"] / "heldout.parquet"), limit))
        if not texts:
            raise UserError("the corpus is too small for a held-out part: give it more documents")
        rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
        write_rows(work.folder / "test.jsonl", rows)
        there = json.loads((work.inputs["corpus"] / "corpus.json").read_text())
        facts = {"test": {"rows": len(rows), "of": there["heldout"]["documents"]}}
        (work.folder / "dataset.json").write_text(json.dumps(facts))
        work.log("written", test=len(rows))

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The task."""
        return (("tasks", self.task),)


def _first(rows: list[Mapping[str, Any]], limit: int, grouped_by: str) -> list[Mapping[str, Any]]:
    """The first `limit` rows, without a torn group at the end (MultiRC's answers of a question,
    a row and its twins).

    A first group that is longer than the limit is kept whole.
    """
    if not limit or limit >= len(rows):
        return rows
    group = [row.get("twin", row[grouped_by]) for row in rows]
    last = limit
    while last > 0 and group[last - 1] == group[limit]:
        last -= 1
    return rows[: last or group.count(group[0])]


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows for `read_rows`, a line of JSON each."""
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that `write_rows` wrote, such as one split of a dataset step."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
