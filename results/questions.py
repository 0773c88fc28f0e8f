"""What was asked: the text of questions, from the rows of their data set in the store."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from results.scores import Manifest, inside, unsound
from tasks.atomic import read_json

LABELS = ("id", "label", "idx", "version", "source")  # fields of a row that ask nothing


def texts(grid: Manifest, folder: str, split: str) -> dict[str, Mapping[str, str]]:
    """The texts of the rows that a folder of answers was asked, by id; empty where it has none."""
    path = inside(grid.store, folder)
    given = read_json(path / "inputs.json") if path else None
    dataset = given.get("dataset") if isinstance(given, dict) else None
    name = f"{split}.jsonl"
    rows = inside(grid.store, dataset) if isinstance(dataset, str) else None
    if rows is None or unsound(grid.store, dataset, name):
        return {}
    return {str(row["id"]): _texts(row) for row in _read(rows / name) if "id" in row}


def _read(path: Path) -> list[Mapping[str, Any]]:
    try:
        read = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []
    return [row for row in read if isinstance(row, dict)]


def _texts(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {k: v for k, v in row.items() if isinstance(v, str) and k not in LABELS}


def worded(row: Mapping[str, str] | None, known: Collection[str]) -> str:
    """A row's texts with their fields' names; what is `known` already (the gold) is left out."""
    asked = {name: text for name, text in (row or {}).items() if text and text not in known}
    if len(asked) == 1:
        return next(iter(asked.values()))
    return " · ".join(f"{name}: {text}" for name, text in asked.items())
