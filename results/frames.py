"""Tables, scores and answers as pandas frames."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results import escapes, predictions, render, view, wording
from results.legend import legend
from results.scores import Manifest
from results.tables import Table

if TYPE_CHECKING:
    import pandas as pd

ANSWER = ("id", "group", "candidates", "scores", "choice", "gold", "text", "references", "values")
CELL = ("table", "row", "column", "pretrain_seed", "finetune_seed")


def printed(table: Table) -> "pd.DataFrame":
    """The table as it is printed: a line a system, a column a metric, the text of each cell."""
    import pandas as pd

    notes, barred = wording.footnotes(table), wording.gates(table)
    heads = [_named(head) for column in table.columns for head in view.heads(column)]
    rows = [
        [
            wording.seeds(line),
            *(
                " ".join(piece.text for piece in wording.pieces([entry], notes, barred))
                for column in table.columns
                for entry in line.cells[column.id]
            ),
        ]
        for line in table.lines
    ]
    systems = pd.Index([line.label for line in table.lines], name="System")
    return pd.DataFrame(rows, index=systems, columns=["Seeds", *heads])


def _named(head: Mapping[str, Any]) -> str:
    """A column's name: what was asked, the metric, and the examples used of those there."""
    used = f"({head['used']})" if head["used"] else ""
    return " ".join(filter(None, (head["label"], head["metric"], used)))


def html(table: Table) -> str:
    """The printed table for a notebook, with its notes: nothing of it needs a style sheet."""
    notes = [f"{at} {reason}" for at, reason in wording.reasons(table)]
    said = [escapes.html(text) for text in (*legend(table), *table.notes, *notes)]
    items = "".join(f"<li>{text}</li>" for text in said)
    heading = escapes.html(wording.heading(table))
    return f"<h4>{heading}</h4>{whole(printed(table))}<ul>{items}</ul>"


def whole(frame: "pd.DataFrame") -> str:
    """A frame as HTML with nothing cut, whatever pandas is set to cut."""
    import pandas as pd

    with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
        return frame.to_html(border=0)


def tidy(table: Table) -> "pd.DataFrame":
    """A line for each row, column and metric, with its numbers in full, as in the CSV file."""
    import pandas as pd

    return pd.read_csv(io.StringIO(render.csv(table)))


def answers(grid: Manifest) -> "pd.DataFrame":
    """Every finished cell's answers: the cell's names and seeds, then `ANSWER`'s columns."""
    import pandas as pd

    read: dict[str, list[Mapping[str, Any]]] = {}
    found = []
    for cell in grid.cells:
        folder = cell.get("predictions")
        if cell["state"] != "done" or not folder:
            continue
        if folder not in read:
            read[folder] = predictions.rows(grid, folder, ANSWER)
        found += [{**{name: cell.get(name) for name in CELL}, **row} for row in read[folder]]
    return pd.DataFrame(found, columns=[*CELL, *ANSWER])
