"""The step that looks for evaluation rows in what models were trained on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from harness.code import catalogue
from harness.steps.corpus import read_texts
from harness.steps.dataset import read_rows, write_rows
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.leakage import Index, apart, document, index
from tasks.spec import Task

EVALUATED = ("dev", "test")
FILE = "found.jsonl"


@dataclass(frozen=True)
class Leakage:
    """Which rows of a task's dev and test splits occur in its training rows or in the corpus.

    Inputs: the dataset, and the corpus where there is one. No training waits for it: what it finds
    marks numbers, and changes none.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    task: str
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write found.jsonl, a line for every row found, and leakage.json with their counts."""
        task, folder = catalogue.of_step(work.how).tasks[self.task], work.inputs["dataset"]
        facts: dict[str, dict[str, int]] = {}
        rows: list[dict[str, object]] = []
        for split in (s for s in EVALUATED if (folder / f"{s}.jsonl").is_file()):
            ids, index = _index(task, folder, split)
            facts[split] = {"rows": len(ids)}
            for where, documents in _read(task, folder, work.inputs.get("corpus")).items():
                found = index.search(documents)
                facts[split][where] = len(found)
                for each in found:
                    row = {"split": split, "row": ids[each.row], "in": where}
                    rows.append({**row, "document": each.document})
        write_rows(work.folder / FILE, rows)
        write_facts(work.folder / "leakage.json", facts)
        work.log("looked", **{split: sum(f.values()) - f["rows"] for split, f in facts.items()})

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The task."""
        return (("tasks", self.task),)


def _index(task: Task, folder: Path, split: str) -> tuple[list[str], Index]:
    """A split's ids, and its rows as they are looked for."""
    rows = read_rows(folder / f"{split}.jsonl")
    return [str(row["id"]) for row in rows], index(rows, apart(task))


def _read(task: Task, folder: Path, corpus: Path | None) -> dict[str, Iterable[str]]:
    """What a model reads before it is asked, as documents; only finetuning reads training rows."""
    read: dict[str, Iterable[str]] = {}
    if task.group != "language" and (folder / "train.jsonl").is_file():
        read["training"] = map(document, read_rows(folder / "train.jsonl"))
    if corpus is not None:
        read["corpus"] = read_texts(corpus / "train.parquet")
    return read


def leaked(folder: Path, split: str) -> set[str]:
    """The ids of a split's rows that were found."""
    return {each["row"] for each in read_rows(folder / FILE) if each["split"] == split}
