"""Tables as values: the paper's rows, columns and order, filled with our numbers, beside the
paper's.

Nothing is shown that was not computed: a cell without runs has a reason instead of a number.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from results import paper, scores, statistics
from results.cells import Column, Entry, Record, averaged, contrast, floored, gathered
from results.statistics import Difference, Summary


@dataclass(frozen=True)
class Line:
    """A row. `kind` is "run", "not run" (a system whose number only the paper has) or "floor"."""

    id: str
    label: str
    group: str
    kind: str
    paper: str
    cells: Mapping[str, tuple[Entry, ...]]
    variant: str = ""
    style: str = ""


@dataclass(frozen=True)
class Table:
    """A finished table, ready for any renderer. `reference` is the id of the row compared with."""

    id: str
    title: str
    split: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    reference: str
    notes: tuple[str, ...]


def build(store: Path | str, grid: str) -> list[Table]:
    """Every table of a grid, in the manifest's order; missing cells are shown, not left out."""
    read = scores.manifest(store, grid)
    return assemble(read, scores.records(read))


def assemble(grid: scores.Manifest, records: Iterable[Record]) -> list[Table]:
    """`build` from a manifest and records that are already at hand."""
    cells: dict[tuple[str, str, str, str], list[Record]] = {}
    for record in records:
        if record["selected"] is False:  # a sweep's candidate that the selection rule passed over
            continue
        key = (record["table"], record["row"], record["column"], record["metric"])
        cells.setdefault(key, []).append(record)
    return [_table(grid, table, cells) for table in grid.tables]


def _table(
    grid: scores.Manifest,
    spec: Mapping[str, Any],
    cells: Mapping[tuple[str, str, str, str], list[Record]],
) -> Table:
    printed = paper.table(spec["id"])
    columns = [Column(c["id"], c["label"], tuple(c["metrics"])) for c in spec["columns"]]
    average = bool(spec.get("average")) and "avg" not in {column.id for column in columns}
    lines = []
    for row in spec["rows"]:
        filled = {}
        for column in columns:
            found = [cells.get((spec["id"], row["id"], column.id, m), []) for m in column.metrics]
            filled[column.id] = tuple(map(gathered, column.metrics, found))
        if average:
            filled["avg"] = (averaged(filled, columns, printed),)
        why = grid.not_run.get((spec["id"], row["id"]))
        lines.append(_line(row, filled, why, printed))
    floor = _floor(spec["id"], columns, cells, average)
    if average:
        columns.append(Column("avg", "Avg", ("avg",)))
    lines = [_beside(line, columns, printed) for line in lines]
    reference = spec.get("reference") or _reference(lines, printed)
    lines = _compare(lines, reference)
    notes = (
        *_signatures(lines, columns),
        *_with_care(spec["id"], cells),
        *(printed.notes if printed else ()),
    )
    lines += [floor] if floor else []
    split = spec.get("split") or ""
    return Table(spec["id"], spec["title"], split, tuple(columns), tuple(lines), reference, notes)


def _line(
    row: Mapping[str, Any],
    filled: Mapping[str, tuple[Entry, ...]],
    not_run: str | None,
    printed: paper.PaperTable | None,
) -> Line:
    id = row.get("paper") or ""
    group = row.get("group") or ""
    if not group and printed and id in printed.rows:
        group = printed.rows[id].group
    kind = "run"
    if not_run is not None and not any(e.runs for entries in filled.values() for e in entries):
        kind = "not run"
        reason = f"not run: {not_run}"
        filled = {c: tuple(replace(e, reason=reason) for e in es) for c, es in filled.items()}
    variant, style = row.get("variant") or "", row.get("style") or ""
    return Line(row["id"], row["label"], group, kind, id, filled, variant, style)


def _beside(line: Line, columns: Sequence[Column], printed: paper.PaperTable | None) -> Line:
    """The line with the paper's number in every entry that has one."""
    if printed is None:
        return line
    cells = {
        column.id: tuple(
            replace(entry, paper=printed.printed(line.paper, column.id, column.metrics, index))
            for index, entry in enumerate(line.cells[column.id])
        )
        for column in columns
    }
    return replace(line, cells=cells)


def _reference(lines: Sequence[Line], printed: paper.PaperTable | None) -> str:
    """The paper's reference row if it is here and ran, else the first row that ran, else none."""
    ran = [line for line in lines if line.kind == "run"]
    named = [line for line in ran if printed and line.paper == printed.reference]
    return next((line.id for line in named + ran), "")


def _compare(lines: list[Line], reference: str) -> list[Line]:
    """Every entry with its paired difference from the reference row, and its stars."""
    against = next((line for line in lines if line.id == reference), None)
    if against is None:
        return lines
    found: dict[tuple[str, str, int], Difference] = {}
    for line in lines:
        for column, entries in line.cells.items():
            for index, entry in enumerate(entries):
                difference = contrast(entry.runs, against.cells[column][index].runs)
                if line.id != reference and difference is not None:
                    found[line.id, column, index] = difference
    tested = [key for key, difference in found.items() if difference.p is not None]
    adjusted = dict(zip(tested, statistics.holm([found[key].p or 0.0 for key in tested])))

    def judged(key: tuple[str, str, int], entry: Entry) -> Entry:
        if key not in found:
            return entry
        alone = found[key].sign != 0
        kept = alone and adjusted.get(key, 1.0) <= 1 - statistics.LEVEL
        return replace(entry, versus=found[key], stars=alone + kept)

    return [
        replace(
            line,
            cells={
                column: tuple(judged((line.id, column, i), e) for i, e in enumerate(entries))
                for column, entries in line.cells.items()
            },
        )
        for line in lines
    ]


def _floor(
    table: str,
    columns: Sequence[Column],
    cells: Mapping[tuple[str, str, str, str], list[Record]],
    average: bool,
) -> Line | None:
    """What answering with the majority class scores, as a row; None if no task says."""
    known: dict[tuple[str, str], Record] = {}
    for (of, _, column, metric), records in cells.items():
        for record in records:
            if of == table and record.get("floor") is not None:
                known.setdefault((column, metric), record)
    if not known:
        return None
    filled = {}
    for column in columns:
        filled[column.id] = tuple(
            floored(metric, known.get((column.id, metric))) for metric in column.metrics
        )
    if average:
        values = [[e.summary.mean for e in es if e.summary] for es in filled.values()]
        whole = all(len(v) == len(es) for v, es in zip(values, filled.values()))
        mean = math.fsum(sum(v) / len(v) for v in values if v) / len(values) if whole else None
        filled["avg"] = (
            Entry("avg", summary=Summary(1, mean))
            if mean is not None
            else Entry("avg", reason="no average without every task's floor"),
        )
    return Line("floor", "Majority class", "Floor", "floor", "", filled)


def _signatures(lines: Sequence[Line], columns: Sequence[Column]) -> list[str]:
    """What differs between the rows of a column in how they were measured, said once."""
    columns_of: dict[tuple[str, ...], list[str]] = {}
    for column in columns:
        for index, metric in enumerate(column.metrics):
            found = {s for line in lines for s in line.cells[column.id][index].signatures}
            split = [signature.split("|") for signature in found]
            shared = set.intersection(*map(set, split)) if split else set()
            ways = {"|".join(part for part in parts if part not in shared) for parts in split}
            if len(ways) > 1:
                name = column.id if len(column.metrics) == 1 else f"{column.id} {metric}"
                columns_of.setdefault(tuple(sorted(ways)), []).append(name)
    return [
        f"{', '.join(names)}: not all rows were measured in one way: {' or '.join(ways)}"
        for ways, names in columns_of.items()
    ]


def _with_care(table: str, cells: Mapping[tuple[str, str, str, str], list[Record]]) -> list[str]:
    """What is to be known of numbers that are there, such as bad rows that were skipped."""
    columns_of: dict[str, dict[str, None]] = {}
    for (of, _, column, _), records in cells.items():
        for record in records:
            if of == table and record["status"] == "done" and record["reason"]:
                columns_of.setdefault(record["reason"], {})[column] = None
    return [f"{', '.join(columns)}: {reason}" for reason, columns in columns_of.items()]
