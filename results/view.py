"""A table as a page shows it: a column a metric, and in every cell what belongs to its number.

A cell holds our number, why it cannot be compared (in words), its difference from the reference
row, the paper's number and the difference from that; the page's switches choose among them.
"""

from collections.abc import Mapping
from typing import Any

from results import checklist, layout, wording
from results.cells import Column, Entry
from results.legend import legend
from results.tables import Line, Table
from tasks.metrics.floors import FLOORS

Values = Mapping[str, Any]
# The names of the report's other files and of the page's own elements.
TAKEN = (
    *(
        "index",
        "tables",
        "cells",
        "claims",
        "loss",
        "curves",
        "budget",
        "examples",
        "samples",
        "results",
    ),
    *("choices", "sampled", "items", "answers"),
)


def html(table: Table) -> str:
    """A <figure> with the table, its caption, switches and notes; styled by the page around it."""
    notes, gates = wording.footnotes(table), wording.gates(table)
    reference = next((line.label for line in table.lines if line.id == table.reference), "")
    values = {
        "id": table.id,
        "stem": stem(table.id),
        "caption": wording.heading(table),
        "about": wording.setting(table),
        "in_paper": wording.in_paper(table),
        "reference": reference,
        "heads": [head for column in table.columns for head in heads(column)],
        "groups": _groups(table, notes, gates),
        "several": any(len(column.metrics) > 1 for column in table.columns),
        "legend": [*legend(table), *table.notes],
        "notes": [(str(index), reason) for reason, index in notes.items()],
        "gates": [(letter, reason) for reason, letter in gates.items()],
    }
    return layout.html("table.html.j2", values)


def stem(id: str) -> str:
    """A table's id as the stem of a file name and as an element's id: nothing leads elsewhere."""
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in id).strip("-") or "table"
    return f"{kept}-table" if kept in TAKEN else kept


def heads(column: Column) -> list[Values]:
    """A head for each metric; the label without the metrics that the heads name apart."""
    names = [wording.METRICS.get(metric, metric) for metric in column.metrics]
    label = column.label.removesuffix("/".join(column.metrics)).replace("/".join(names), "").strip()
    alone = len(names) == 1 and names[0] in column.label
    return [
        {
            "column": column.id,
            "label": column.label if alone else label,
            "metric": "" if alone else name,
            "used": column.used,
            "more": bool(index),
        }
        for index, name in enumerate(names)
    ]


def _groups(
    table: Table, notes: Mapping[str, int], gates: Mapping[str, str]
) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = []
    for line in table.lines:
        if not groups or groups[-1]["name"] != line.group:
            groups.append({"name": line.group, "rows": []})
        groups[-1]["rows"].append(_row(table, line, notes, gates))
    return groups


def _row(table: Table, line: Line, notes: Mapping[str, int], gates: Mapping[str, str]) -> Values:
    cells = []
    for column in table.columns:
        entries = line.cells[column.id]
        short = wording.partial(entries)
        reason = next((entry.reason for entry in entries if entry.states), "")
        mark = f" [{notes[reason]}]" if reason in notes else ""
        for index, entry in enumerate(entries):
            cell = _cell(entry, line, notes, gates)
            cell["seeds"] = f"{short}{mark}" if short and entry.summary else ""
            cells.append({**cell, "column": column.id, "more": bool(index)})
    return {
        "id": line.id,
        "label": line.label,
        "kind": line.kind.replace(" ", "-"),
        "control": line.control,
        "reference": line.id == table.reference,
        "seeds": wording.seeds(line),
        "cells": cells,
    }


def _cell(
    entry: Entry, line: Line, notes: Mapping[str, int], gates: Mapping[str, str]
) -> dict[str, Any]:
    found = entry.summary
    sign = wording.mark(entry)
    number, _, spread = wording.ours(entry).removesuffix(sign).rstrip().partition(" ")
    floor = ""
    if line.kind == "floor" and entry.floors:
        floor = ", ".join(FLOORS.get(name, name) for name in entry.floors)
    return {
        "sort": "" if found is None else f"{found.mean:.6g}",
        "missing": wording.dash(entry, dict(notes)) if found is None else "",
        "number": f"{number} {sign}".rstrip() if found else "",
        "interval": spread,
        "gate": entry.untestable,
        "letter": gates.get(entry.untestable, ""),
        "versus": checklist.difference(entry.versus, entry.unit) if entry.versus else "",
        "paper": f"{wording.paper_word([entry])} {wording.paper_text([entry])}".strip(),
        "gap": _gap(entry),
        "floor": floor,
    }


def _gap(entry: Entry) -> str:
    """How far our mean is from the paper's number, marked where that one is only recalled."""
    if entry.summary is None or entry.paper is None or entry.paper.value is None or not entry.runs:
        return ""
    text = wording.signed(entry.summary.mean - entry.paper.value)
    recalled = entry.paper.status != "confirmed"
    return f"≈{text}ʳ from the recalled" if recalled else f"{text} from the paper"
