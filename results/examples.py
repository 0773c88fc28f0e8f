"""Examples: what two systems answered to the same questions, for a page to set side by side.

Every row speaks through its first finished run. A long list of questions is sampled evenly, and
says so: all of them are in the runs' predictions.parquet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results import escapes, predictions, questions, setting
from results.escapes import clean
from results.scores import Manifest

COLUMNS = ("id", "group", "candidates", "scores", "choice", "gold", "text", "references")
QUESTIONS = 40  # of a column that are shown at most
ANSWERS = 6000  # of a page, over all of its columns and rows
CUT = 240  # characters of an answer
ASKED = 400  # characters of a question


@dataclass(frozen=True)
class Answer:
    """What a system said to one question, and the score it gave that.

    `right` is None where an answer is a text and not one of several candidates.
    """

    text: str
    score: float | None
    right: bool | None


@dataclass(frozen=True)
class Said:
    """A system's answer to a question, with the question's gold answers and its group."""

    gold: tuple[str, ...]
    group: str
    answer: Answer


@dataclass(frozen=True)
class Item:
    """A question: its text where its data set is there, its gold, and every row's answer."""

    id: str
    asked: str
    gold: str
    answers: tuple[Answer | None, ...]


@dataclass(frozen=True)
class Compared:
    """A column's questions, their answers in the order of `rows` (labels)."""

    name: str
    rows: tuple[str, ...]
    items: tuple[Item, ...]
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
        texts = questions.texts(grid, next(iter(folders.values())), str(table.get("split", "")))
        items = tuple(_item(id, list(answered.values()), texts) for id in chosen)
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
                (
                    clean(item.id),
                    item.asked,
                    clean(item.gold),
                    [a and [a.text, shown(a), a.right] for a in item.answers],
                )
                for item in one.items
            ],
        }
        for one in columns
    ]
    return escapes.script(plain)


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


def _read(grid: Manifest, folder: str) -> dict[str, Said]:
    """Question -> what was said to it; empty where there is none, or none that can be read."""
    found = {}
    for row in predictions.rows(grid, folder, COLUMNS):
        known = _said(row)
        if known is not None:
            found[str(row["id"])] = known
    return found


def _said(row: Mapping[str, Any]) -> Said | None:
    candidates, choice = row.get("candidates") or [], row.get("choice")
    group = str(row.get("group") or "")
    if candidates and choice is not None and 0 <= choice < len(candidates):
        gold = [int(index) for index in row.get("gold") or []]
        named = tuple(str(candidates[index]) for index in gold if 0 <= index < len(candidates))
        scores = row.get("scores") or []
        score = float(scores[choice]) if len(scores) == len(candidates) else None
        answer = Answer(_cut(candidates[choice]), score, choice in gold)
        return Said(named, group, answer)
    if row.get("text"):
        references = tuple(map(str, row.get("references") or []))
        return Said(references, group, Answer(_cut(row["text"]), None, None))
    return None


def _cut(text: object, length: int = CUT) -> str:
    text = clean(str(text))
    return text if len(text) <= length else f"{text[:length]}…"


def _item(id: str, rows: list[dict[str, Said]], texts: Mapping[str, Mapping[str, str]]) -> Item:
    known = next(row[id] for row in rows if id in row)
    row = texts.get(id) or texts.get(known.group)
    asked = _cut(questions.worded(row, known.gold), ASKED)
    answers = tuple(row[id].answer if id in row else None for row in rows)
    return Item(id, asked, _cut(" / ".join(known.gold)), answers)
