"""What the models answered: a few generated samples, and paired answers to the same questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results import setting
from results.scores import Manifest, inside, unsound

GENERATED = ("cnndm", "xsum", "gigaword", "squad_qg", "yahoo")  # tasks whose answers are text
SAMPLES = 3


@dataclass(frozen=True)
class Sample:
    """One question's generated answers: (row label, text) per system, and the reference text."""

    table: str
    column: str
    id: str
    reference: str
    answers: tuple[tuple[str, str], ...]


def rows(grid: Manifest, folder: str | None, columns: Sequence[str]) -> list[Mapping[str, Any]]:
    """The rows of a folder's predictions.parquet, with those of `columns` that it has.

    Empty where there is no readable file: a report is not lost over a missing sample.
    """
    path = inside(grid.store, folder)
    if path is None or unsound(grid.store, folder, "predictions.parquet"):
        return []
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path / "predictions.parquet")
        there = [name for name in columns if name in file.schema_arrow.names]
        return file.read(columns=there).to_pylist()
    except (OSError, pyarrow.ArrowException):
        return []


def samples(grid: Manifest, count: int = SAMPLES) -> list[Sample]:
    """The first `count` questions (by id) of every generating column, with every system's answer.

    Each row speaks through its first finished run.
    """
    first: dict[tuple[str, str, str], str] = {}
    for cell in grid.cells:
        if cell["state"] == "done" and cell.get("selected") is not False:
            first.setdefault(
                (cell["table"], cell["column"], cell["row"]), cell.get("predictions") or ""
            )
    found = []
    for table in grid.tables:
        for column in table["columns"]:
            if column["task"] not in GENERATED:
                continue
            texts: dict[str, dict[str, str]] = {}  # question -> row label -> text
            references: dict[str, str] = {}
            for row, label in setting.labels(grid, table).items():
                folder = first.get((table["id"], column["id"], row))
                for answer in _texts(grid, folder, count):
                    texts.setdefault(str(answer["id"]), {})[label] = str(answer["text"])
                    given = answer.get("references")
                    if given is not None and len(given):
                        references.setdefault(str(answer["id"]), str(given[0]))
            for id in sorted(texts)[:count]:
                answers = tuple(texts[id].items())
                shown = Sample(table["id"], column["id"], id, references.get(id, ""), answers)
                found.append(shown)
    return found


def _texts(grid: Manifest, folder: str | None, count: int) -> list[Mapping[str, Any]]:
    """The first answers of a file by id, if they are text."""
    answers = [a for a in rows(grid, folder, ("id", "text", "references")) if a.get("text")]
    return sorted(answers, key=lambda answer: str(answer["id"]))[:count]
