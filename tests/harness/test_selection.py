"""What settings are selected on is never what is reported."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.steps import predictions
from harness.steps.halves import half
from harness.steps.score import Score
from tasks.spec import Answer


@dataclass
class Work:
    """What the step asks of the world around it."""

    folder: Path
    inputs: dict[str, Path] = field(default_factory=dict)
    how: dict[str, Any] = field(default_factory=dict)


def rows(passages: int) -> list[dict[str, Any]]:
    """MultiRC rows: two questions a passage, two answers a question."""
    return [
        {
            "id": f"{p}-{q}-{a}",
            "question_id": f"{p}-{q}",
            "passage": "Tea.",
            "question": "What is it?",
            "answer": f"Answer {a}",
            "label": a,
        }
        for p in range(passages)
        for q in range(2)
        for a in range(2)
    ]


def scored(tmp_path: Path, part: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """scores.json and items of one part of 12 passages."""
    dataset, answered = tmp_path / "dataset", tmp_path / "answered"
    folder = tmp_path / (part or "whole")
    for path in (dataset, answered, folder):
        path.mkdir(exist_ok=True)
    asked = rows(12)
    (dataset / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (dataset / "dataset.json").write_text("{}")
    answers = [
        Answer(row["id"], row["question_id"], ("No", "Yes"), (0.0, 1.0), 1, (row["label"],))
        for row in asked
    ]
    predictions.write(answered / "predictions.parquet", answers)
    spec = Score("multirc", "dev", ("f1a",), ("f1a|v:1",), part=part)
    work: Any = Work(folder, {"dataset": dataset, "predictions": answered})
    spec.run(work)
    items = parquet.read_table(folder / "items.parquet").to_pylist()
    return json.loads((folder / "scores.json").read_text()), items


def test_the_two_halves_are_the_split_and_tear_no_passage(tmp_path: Path):
    whole, every = scored(tmp_path, "")
    halves = [scored(tmp_path, part) for part in ("select", "report")]
    counts = [found["metrics"]["f1a"]["n"] for found, _ in halves]
    assert sum(counts) == whole["metrics"]["f1a"]["n"] and min(counts) > 0
    clusters = [{item["cluster"] for item in items} for _, items in halves]
    assert not clusters[0] & clusters[1]
    assert sorted(item["id"] for _, items in halves for item in items) == sorted(
        item["id"] for item in every
    )


@given(st.lists(st.text(), unique=True, min_size=200, max_size=200))
def test_halves_are_halves(clusters: list[str]):
    selected = sum(half(cluster) == "select" for cluster in clusters)
    assert 50 < selected < 150  # seven deviations of a fair coin
