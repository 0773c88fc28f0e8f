"""Tables, scores and answers as pandas frames."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results import escapes, predictions, render, wording
from results.legend import legend
from results.scores import Manifest
from results.tables import Table

if TYPE_CHECKING:
    import pandas as pd

ANSWER = ("id", "group", "candidates", "scores", "choice", "gold", "text", "references", "values")
CELL = ("table", "row", "column", "pretrain_seed", "finetune_seed")


def printed(table: Table) -> "pd.DataFrame":
    """The table as it is printed: a line a system, the text of each cell."""
    import pandas as pd

    notes, barred = wording.footnotes(table), wording.gates(table)
    heads = [" ".join(filter(None, wording.header(column))) for column in table.columns]
    rows = [
        [
            wording.seeds(line),
            *(
                " ".join(
                    piece.text for piece in wording.pieces(line.cells[column.id], notes, barred)
                )
                for column in table.columns
            ),
        ]
        for line in table.lines
    ]
    systems = pd.Index([line.label for line in table.lines], name="System")
    return pd.DataFrame(rows, index=systems, columns=["Seeds", *heads])


def html(table: Table) -> str:
    """The printed table for a notebook, with its notes: nothing of it needs a style sheet."""
    notes = [f"{at} {reason}" for at, reason in wording.reasons(table)]
    said = [escapes.html(text) for text in (*legend(table), *table.notes, *notes)]
    items = "".join(f"<li>{text}</li>" for text in said)
    heading = escapes.html(wording.heading(table))
    return f"<h4>{heading}</h4>{printed(table).to_html()}<ul>{items}</ul>"


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
