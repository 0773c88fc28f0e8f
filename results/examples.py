"""Examples: what two systems answered to the same questions, for a page to set side by side.

Every row speaks through its first finished run. A long list of questions is sampled evenly, and
says so: all of them are in the runs' predictions.parquet.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results import predictions, setting
from results.escapes import clean
from results.scores import Manifest

COLUMNS = ("id", "candidates", "scores", "choice", "gold", "text", "references")
QUESTIONS = 40  # of a column that are shown at most
ANSWERS = 6000  # of a page, over all of its columns and rows
CUT = 240  # characters of an answer


@dataclass(frozen=True)
class Answer:
    """What a system said to one question, and the score it gave that.

    `right` is None where an answer is a text and not one of several candidates.
    """

    text: str
    score: float | None
    right: bool | None


@dataclass(frozen=True)
class Compared:
    """A column's questions: id, gold and every row's answer, in the order of `rows` (labels)."""

    name: str
    rows: tuple[str, ...]
    items: tuple[tuple[str, str, tuple[Answer | None, ...]], ...]
    of: int

    @property
    def said(self) -> str:
        """How many questions there are, and how they were chosen."""
        if len(self.items) == self.of:
            return f"All {self.of} questions, by each row's first run."
        return (
            f"{len(self.items)} of {self.of} questions, evenly spaced, by each row's first run; "
            "all are in its predictions.parquet."
        )


def compared(grid: Manifest, names: Mapping[str, str]) -> list[Compared]:
    """Every column that two rows or more have answered; `names` are the tables' by id."""
    places = [
        (table, column, folders)
        for table in grid.tables
        for column in table["columns"]
        if len(folders := _folders(grid, table["id"], column["id"])) > 1
    ]
    runs = sum(len(folders) for _, _, folders in places)
    count = max(6, min(QUESTIONS, ANSWERS // max(1, runs)))
    found = []
    for table, column, folders in places:
        labels = setting.labels(grid, table)
        answered = {labels[row]: _read(grid, folder) for row, folder in folders.items()}
        answered = {label: answers for label, answers in answered.items() if answers}
        if len(answered) < 2:
            continue
        ids = list(dict.fromkeys(id for answers in answered.values() for id in answers))
        chosen = ids if len(ids) <= count else [ids[i * len(ids) // count] for i in range(count)]
        items = tuple(_item(id, list(answered.values())) for id in chosen)
        name = f"{names.get(table['id'], table['id'])}: {column['label']}"
        found.append(Compared(name, tuple(answered), items, len(ids)))
    return found


def data(columns: list[Compared]) -> str:
    """The columns as JSON that may stand in a page's script element."""
    plain = [
        {
            "name": clean(one.name),
            "said": one.said,
            "rows": [clean(row) for row in one.rows],
            "items": [
                [clean(id), clean(gold), [a and [a.text, shown(a), a.right] for a in answers]]
                for id, gold, answers in one.items
            ],
        }
        for one in columns
    ]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def shown(answer: Answer) -> str | None:
    """The score of an answer as a reader sees it."""
    return None if answer.score is None else f"{answer.score:.2f}"


def _folders(grid: Manifest, table: str, column: str) -> dict[str, str]:
    """The answers' folder of each row's first finished run."""
    found: dict[str, str] = {}
    for cell in grid.cells:
        here = (cell["table"], cell["column"]) == (table, column) and cell["state"] == "done"
        if here and cell.get("selected") is not False and cell.get("predictions"):
            found.setdefault(cell["row"], cell["predictions"])
    return found


def _read(grid: Manifest, folder: str) -> dict[str, tuple[str, Answer]]:
    """Question -> gold and answer; empty where there are none, or none that can be read."""
    found = {}
    for row in predictions.rows(grid, folder, COLUMNS):
        known = _answer(row)
        if known is not None:
            found[str(row["id"])] = known
    return found


def _answer(row: Mapping[str, Any]) -> tuple[str, Answer] | None:
    candidates, choice = row.get("candidates") or [], row.get("choice")
    if candidates and choice is not None and 0 <= choice < len(candidates):
        gold = [int(index) for index in row.get("gold") or []]
        named = [str(candidates[index]) for index in gold if 0 <= index < len(candidates)]
        scores = row.get("scores") or []
        score = float(scores[choice]) if len(scores) == len(candidates) else None
        return _cut(" / ".join(named)), Answer(_cut(candidates[choice]), score, choice in gold)
    if row.get("text"):
        references = row.get("references") or []
        return _cut(" / ".join(map(str, references))), Answer(_cut(row["text"]), None, None)
    return None


def _cut(text: object) -> str:
    text = clean(str(text))
    return text if len(text) <= CUT else f"{text[:CUT]}…"


def _item(
    id: str, rows: list[dict[str, tuple[str, Answer]]]
) -> tuple[str, str, tuple[Answer | None, ...]]:
    gold = next(row[id][0] for row in rows if id in row)
    return id, gold, tuple(row[id][1] if id in row else None for row in rows)
