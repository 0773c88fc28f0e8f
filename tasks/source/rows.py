"""The checked rows of a task's split, the same from every source.

Every row is checked. A bad file gives one report (line numbers, counts, the first five samples) and
stops, or, with `on_bad_row="skip"`, gives the good rows and the ids of the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.errors import UserError
from tasks.source.faults import MOST, Fault, report
from tasks.source.files import BadRow, Line, require_clean
from tasks.source.folder import Folder
from tasks.source.hub import Hub
from tasks.source.split import Parse
from tasks.spec import Row, Task

Source = Folder | Hub
MARKS = ("level", "twin")  # fields that rows of every task keep: how hard, and of which twins


@dataclass(frozen=True)
class Loaded:
    """A split's checked rows, the ids of those left out, and what identifies the bytes they had."""

    rows: list[Row]
    skipped: tuple[str, ...]
    digest: str
    files: tuple[str, ...]


def load(task: Task, split: str, source: Source) -> Loaded:
    """The checked rows of a split ("train", "dev" or "test").

    Raises `UserError` for a missing or damaged file, and with a report for one with bad rows.
    """
    there = source.split(task, split)
    name = ", ".join(there.names)
    lines, labelled = there.lines(), split != "test"
    skipped: list[str] = []
    if source.on_bad_row == "skip":
        rows = []
        for found in examined(task, lines, there.parse, labelled=labelled):
            if isinstance(found, Fault):
                skipped.append(found.name)
            else:
                rows.append(found)
    else:
        rows, faults = checked(name, task, lines, there.parse, labelled=labelled)
        if faults:
            raise UserError(report(name, faults, len(rows)))
    if not rows:
        raise UserError(f"{name}: no good row in it ({len(skipped):,} bad ones).")
    count = len(rows) + len(skipped)
    if there.wanted is not None and count != there.wanted:
        raise UserError(f"{name}: {count} rows, not the {there.wanted} expected.")
    return Loaded(rows[there.begin : there.end], tuple(skipped), there.digest, there.names)


def checked(
    name: str,
    task: Task,
    lines: Iterable[Line],
    parse: Parse | None = None,
    *,
    labelled: bool = True,
) -> tuple[list[Row], list[Fault]]:
    """The rows of a file that is called `name`, and its faults; see `examined`.

    Raises `UserError` where the faults are so many that they would fill the memory.
    """
    rows: list[Row] = []
    faults: list[Fault] = []
    for found in examined(task, lines, parse, labelled=labelled):
        if not isinstance(found, Fault):
            rows.append(found)
        elif len(faults) < MOST:
            faults.append(found)
        else:
            raise UserError(f"{report(name, faults, len(rows))}\n  Nothing more was read.")
    return rows, faults


def examined(
    task: Task, lines: Iterable[Line], parse: Parse | None = None, *, labelled: bool = True
) -> Iterator[Row | Fault]:
    """Every row of the records, or its fault; of two rows with one id the second is at fault.

    `parse` turns a record into rows (default: the record is the row, its id the line number);
    `labelled` says that a row without the task's label is at fault.
    """
    seen: dict[str, int] = {}
    for line in lines:
        if line.record is None:
            yield Fault(line.number, "", line.fault, line.sample)
            continue
        try:
            require_clean(line.record)
            found = parse(line.record) if parse else [{"id": str(line.number)} | dict(line.record)]
        except BadRow as error:
            yield Fault(line.number, "", str(error), line.sample)
            continue
        marks = {name: line.record[name] for name in MARKS if name in line.record}
        for row in found:
            row = {**marks, **row}
            fault = task.check(row)
            if not fault and labelled and task.label and task.label not in row:
                fault = f"field '{task.label}' is missing"
            if not fault and row["id"] in seen:
                fault = f"duplicated id: {row['id']} is also on line {seen[row['id']]}"
            if fault:
                yield Fault(line.number, row["id"], fault, line.sample)
            else:
                seen[row["id"]] = line.number
                yield row


def fingerprint(task: Task, split: str, source: Source) -> str:
    """What `load` would report as digest, without parsing a row or touching the network."""
    return source.split(task, split).digest
