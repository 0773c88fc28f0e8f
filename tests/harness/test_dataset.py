"""The dataset step: rows into the store, never half a group of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.steps.dataset import Dataset, read_rows
from tasks.source.folder import Folder
from tests.tasks.samples import RECORDS, jsonl, put


@dataclass
class Work:
    """What the step asks of the world around it."""

    folder: Path
    how: dict[str, Any]
    inputs: dict[str, Path] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def log(self, event: str, **facts: Any) -> None:
        pass


def passages(*answers: int) -> list[dict[str, Any]]:
    """MultiRC passages of one question, with so many answers each."""
    made = []
    for number, count in enumerate(answers):
        options = [{"idx": n, "text": f"Answer {n}", "label": n % 2} for n in range(count)]
        question = {"idx": 0, "question": "What is it?", "answers": options}
        made.append({"idx": number, "passage": {"text": "Tea.", "questions": [question]}})
    return made


@pytest.mark.parametrize(
    ("limit", "kept"), [(7, 7), (6, 4), (4, 4), (3, 4), (1, 4), (8, 7), (9, 9), (0, 9)]
)
def test_no_question_of_multirc_loses_some_of_its_answers(
    limit: int, kept: int, tmp_path: Path
) -> None:
    put(tmp_path, "multirc", jsonl(passages(4, 3, 2)))
    work: Any = Work(tmp_path / "step", {"source": Folder(str(tmp_path))})
    work.folder.mkdir()
    Dataset("multirc", ("dev",), limits={"dev": limit}).run(work)
    rows = read_rows(work.folder / "dev.jsonl")
    assert len(rows) == kept
    facts = json.loads((work.folder / "dataset.json").read_text())
    assert (facts["dev"]["rows"], facts["dev"]["of"]) == (kept, 9)


def test_rows_without_groups_are_cut_where_the_limit_says(tmp_path: Path) -> None:
    put(tmp_path, "cb", jsonl([RECORDS["cb"] | {"idx": n} for n in range(5)]))
    work: Any = Work(tmp_path / "step", {"source": Folder(str(tmp_path))})
    work.folder.mkdir()
    Dataset("cb", ("dev",), limits={"dev": 3}).run(work)
    assert [row["id"] for row in read_rows(work.folder / "dev.jsonl")] == ["0", "1", "2"]
