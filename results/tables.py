"""Tables as values: the paper's rows, columns and order, filled with our numbers, beside the
paper's.

Nothing is shown that was not computed: a cell without runs has a reason instead of a number.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from results import gates, items, paper, samples, scores, setting, statistics
from results.cells import Column, Entry, Record, Summary, averaged, floored, gathered
from results.statistics import Difference, Error


@dataclass(frozen=True)
class Line:
    """A row. `kind` is "run", "not run" (a system whose number only the paper has) or "floor".

    `label` and `group` say what was run; `name` is what the grid calls the row, and `paper` the id
    of the paper's row beside it.
    """

    id: str
    label: str
    group: str
    kind: str
    paper: str
    cells: Mapping[str, tuple[Entry, ...]]
    variant: str = ""
    style: str = ""
    control: str = ""  # what a row that controls the table is for: "aa" or "planted"
    name: str = ""
    size: str = ""  # parameters: "0.34M"


@dataclass(frozen=True)
class Table:
    """A finished table, ready for any renderer. `reference` is the id of the row compared with.

    `title` is the grid's own, and "" where the rows and columns are those of a table of the
    paper's; `papers` is then what the paper says of that one. `place` and `facts` say what was run
    (see `results.setting`).
    """

    id: str
    title: str
    split: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    reference: str
    notes: tuple[str, ...]
    papers: str = ""
    place: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """Whether any run has given a number."""
        return any(e.runs for line in self.lines for es in line.cells.values() for e in es)


def build(store: Path | str, grid: str) -> list[Table]:
    """Every table of a grid, in the manifest's order; missing cells are shown, not left out."""
    read = scores.manifest(store, grid)
    return assemble(read, items.attached(read, scores.records(read)))


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
    columns = _columns(grid, spec)
    average = bool(spec.get("average")) and "avg" not in {column.id for column in columns}
    labels = setting.labels(grid, spec)
    lines = []
    for row in spec["rows"]:
        filled = {column.id: _entries(spec["id"], row, column, cells) for column in columns}
        if average:
            filled["avg"] = (averaged(filled, columns),)
        lines.append(_line(grid, spec, row, labels[row["id"]], filled))
    lines = _by_group(lines)
    floor = _floor(lines, columns, average)
    whole = printed.whole([column.id for column in columns]) if printed and average else 0
    if average:
        label = f"Avg of these (the paper's: of {whole})" if whole else "Avg"
        columns.append(Column("avg", label, ("avg",)))
    comparable = columns[:-1] if whole else columns
    lines = [_beside(line, comparable, printed) for line in lines]
    reference = spec.get("reference") or _reference(lines, printed)
    lines = _compare(lines, columns, reference)
    notes = (
        *_signatures(lines, columns),
        *_with_care(spec["id"], cells),
        *_differing(spec, lines),
        *(printed.notes if printed else ()),
    )
    lines += [floor] if floor else []
    split = spec.get("split") or ""
    return Table(
        spec["id"],
        "" if printed else spec["title"],
        split,
        tuple(columns),
        tuple(lines),
        reference,
        notes,
        printed.caption if printed else "",
        setting.place(grid),
        setting.facts(grid, spec["id"]),
    )


def _columns(grid: scores.Manifest, spec: Mapping[str, Any]) -> list[Column]:
    return [
        Column(
            each["id"],
            each["label"],
            tuple(each["metrics"]),
            **setting.column(grid, spec["id"], each["id"]),
            task=each["task"],
        )
        for each in spec["columns"]
    ]


def _entries(
    table: str,
    row: Mapping[str, Any],
    column: Column,
    cells: Mapping[tuple[str, str, str, str], list[Record]],
) -> tuple[Entry, ...]:
    """A row's numbers in a column, one a metric; one that is not asked says why."""
    found = [cells.get((table, row["id"], column.id, metric), []) for metric in column.metrics]
    entries = tuple(map(gathered, column.metrics, found))
    why = row.get("unasked", {}).get(column.id)
    return tuple(replace(each, reason=why) for each in entries) if why else entries


def _differing(spec: Mapping[str, Any], lines: Sequence[Line]) -> list[str]:
    """How systems that were run differ from those that the paper quotes, each difference once."""
    run = {line.id: line.label for line in lines if line.kind == "run"}
    rows_of: dict[str, list[str]] = {}
    for row in spec["rows"]:
        if row.get("differs") and row["id"] in run:
            rows_of.setdefault(row["differs"], []).append(run[row["id"]])
    return [f"{', '.join(rows)}: {differs}." for differs, rows in rows_of.items()]


def _line(
    grid: scores.Manifest,
    spec: Mapping[str, Any],
    row: Mapping[str, Any],
    label: str,
    filled: Mapping[str, tuple[Entry, ...]],
) -> Line:
    kind, why = "run", grid.not_run.get((spec["id"], row["id"]))
    if why is not None and not any(e.runs for entries in filled.values() for e in entries):
        kind = "not run"
        reason = f"not run: {why}"
        filled = {c: tuple(replace(e, reason=reason) for e in es) for c, es in filled.items()}
    return Line(
        id=row["id"],
        label=label,
        group=setting.group(grid, spec, row),
        kind=kind,
        paper=row.get("paper") or "",
        cells=filled,
        variant=row.get("variant") or "",
        style=row.get("style") or "",
        control=row.get("control") or "",
        name=row["label"],
        size=setting.size(grid, spec["id"], row["id"]),
    )


def _by_group(lines: Sequence[Line]) -> list[Line]:
    """The lines with those of a group together, what was not run last."""
    order = list(dict.fromkeys(line.group for line in lines if line.group != setting.NOT_RUN))
    return sorted(lines, key=lambda line: [*order, setting.NOT_RUN].index(line.group))


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
    return replace(line, cells={**line.cells, **cells})


def _reference(lines: Sequence[Line], printed: paper.PaperTable | None) -> str:
    """The paper's reference row if it is here and ran, else the first row that ran, else none."""
    ran = [line for line in lines if line.kind == "run"]
    named = [line for line in ran if printed and line.paper == printed.reference]
    return next((line.id for line in named + ran), "")


def _compare(lines: list[Line], columns: Sequence[Column], reference: str) -> list[Line]:
    """Every entry with its difference from the reference row, its gate and its mark."""
    against = next((line for line in lines if line.id == reference), None)
    if against is None:
        return lines
    places = [(column.id, index) for column in columns for index in range(len(column.metrics))]
    judged = {place: _column(lines, against, place, columns) for place in places}

    # A family is a column's metric; the smallest p of each stands for it in Holm's steps.
    smallest = [
        min((max(p, 1e-300) for _, p, _ in judged[place].values() if p is not None), default=1.0)
        for place in places
    ]
    adjusted = statistics.holm(smallest)
    factor = {place: a / s for place, a, s in zip(places, adjusted, smallest)}

    def marked(line: Line, place: tuple[str, int], entry: Entry) -> Entry:
        if line.id not in judged[place]:
            return entry
        versus, p, gate = judged[place][line.id]
        kept = p is not None and not gate and p * factor[place] <= 1 - statistics.LEVEL
        return replace(entry, versus=versus, p=p, marked=kept, untestable=gate)

    return [
        replace(
            line,
            cells={
                id: tuple(marked(line, (id, i), entry) for i, entry in enumerate(entries))
                for id, entries in line.cells.items()
            },
        )
        for line in lines
    ]


Judged = Mapping[str, tuple[Difference, float | None, str]]  # row -> difference, p, gate


def _column(
    lines: Sequence[Line], against: Line, place: tuple[str, int], columns: Sequence[Column]
) -> Judged:
    """One metric of one column: every row against the reference, all with one pooled error."""
    id, index = place
    entries = {line.id: line.cells[id][index] for line in lines if line.kind == "run"}
    reference = against.cells[id][index]
    means = {row: e.sample.means for row, e in entries.items() if e.runs}
    several = {row: found for row, found in means.items() if len(found.value_P) > 1}
    variance, freedom = _pooled(several.values())
    rows = [row for row in several if row != against.id and against.id in several]
    own = several[against.id] if rows else None
    loadings = tuple(_loading(len(several[row].value_P), own) for row in rows)
    found: dict[str, tuple[Difference, float | None, str]] = {}
    for row, entry in entries.items():
        if row == against.id or not entry.runs or not reference.runs:
            continue
        n = (len(means[row].value_P), len(means[against.id].value_P))
        mean = means[row].mean - means[against.id].mean
        gate = _gate(next(line for line in lines if line.id == row), against, place, columns)
        if own is None or row not in rows or not freedom:
            found[row] = Difference(mean, n), None, gate
            continue
        examples, clusters = samples.examples_of(several[row], own)
        error = Error(variance * (1 / n[0] + 1 / n[1]), freedom, examples, clusters)
        p = statistics.dunnett(mean / error.deviation, error.freedom(), loadings)
        limit = items.LIMITS.get(entry.unit, math.inf)
        found[row] = Difference(mean, n, error, limit=limit), p, gate
    return found


def _pooled(rows: Iterable[samples.Means]) -> tuple[float, int]:
    """The variance of one pretraining pooled over rows, and its degrees of freedom.

    Rows whose seeds are all alike have collapsed: they say nothing of how far others spread.
    """
    spread = [found for found in rows if not samples.flat(found.seeds, found.mean)]
    freedom = sum(len(found.value_P) - 1 for found in spread)
    squares = math.fsum(
        found.seeds * len(found.value_P) * (len(found.value_P) - 1) for found in spread
    )
    return (squares / freedom if freedom else 0.0), freedom


def _loading(count: int, reference: samples.Means | None) -> float:
    """A row's correlation with the reference's error, by their numbers of pretrainings."""
    return math.sqrt(count / (count + len(reference.value_P))) if reference else 0.0


def _gate(line: Line, against: Line, place: tuple[str, int], columns: Sequence[Column]) -> str:
    """Why a row cannot be compared with the reference in a column; an average by its parts."""
    id, index = place
    if id != "avg":
        return gates.untestable(line.cells[id][index], against.cells[id][index])
    parts = [column for column in columns if column.id != "avg"]
    closed = [
        column.id
        for column in parts
        if any(
            gates.untestable(*pair, among=len(parts))
            for pair in zip(line.cells[column.id], against.cells[column.id])
        )
    ]
    return f"rests on columns that are not testable: {', '.join(closed)}" if closed else ""


def _floor(lines: Sequence[Line], columns: Sequence[Column], average: bool) -> Line | None:
    """What is reached without understanding, as a row; None where no column has a floor."""
    filled = {
        column.id: tuple(
            floored(metric, (line.cells[column.id][index] for line in lines))
            for index, metric in enumerate(column.metrics)
        )
        for column in columns
    }
    if not any(entry.summary for entries in filled.values() for entry in entries):
        return None
    if average:
        values = [[e.summary.mean for e in es if e.summary] for es in filled.values()]
        whole = all(len(v) == len(es) for v, es in zip(values, filled.values()))
        mean = math.fsum(sum(v) / len(v) for v in values if v) / len(values) if whole else None
        filled["avg"] = (
            Entry("avg", summary=Summary(1, mean))
            if mean is not None
            else Entry("avg", reason="no average without every task's floor"),
        )
    return Line("floor", "Highest floor", "Floor", "floor", "", filled)


def _signatures(lines: Sequence[Line], columns: Sequence[Column]) -> list[str]:
    """What differs between the rows of a column in how they were measured, said once."""
    columns_of: dict[tuple[str, ...], list[str]] = {}
    for column in columns:
        for index, metric in enumerate(column.metrics):
            # A planted row is another system on purpose.
            told = (line for line in lines if line.control != "planted")
            found = {s for line in told for s in line.cells[column.id][index].signatures}
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
