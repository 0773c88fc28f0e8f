"""Where rows come from: a folder in the publishers' layout, or the hub. The same rows from both.

Every row is checked. A bad file gives one report (line numbers, counts, the first five samples) and
stops, or, with `on_bad_row="skip"`, gives the good rows and the ids of the others. The built-in
world is a folder like any other, written by `tasks.microworld`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from tasks import files
from tasks.errors import UserError
from tasks.faults import Fault, report
from tasks.files import SUFFIXES, BadRow, Line
from tasks.spec import Row, Task

OnBadRow = Literal["stop", "skip"]
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Folder:
    """Files below a root: ROOT/superglue/CB/train.jsonl or ROOT/CB/train.jsonl, plain, .xz or .gz.

    `files` names other files, task -> split -> path below the root (a list where a split has
    several). `PATH#0:1500` is the file's first 1,500 good rows, for data that came as one file.
    `counts` the rows expected, task -> split -> count, where another count is an error.
    """

    root: str
    files: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=dict)
    on_bad_row: OnBadRow = "stop"
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hub:
    """The hub's data sets, pinned; `revisions` (task -> commit) overrides a task's own commit."""

    revisions: Mapping[str, str] = field(default_factory=dict)
    on_bad_row: OnBadRow = "stop"


Source = Folder | Hub


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
    _require_split(split)
    if isinstance(source, Hub):
        from tasks import hub

        where = hub.address(task, split, source.revisions)
        lines, parse = hub.lines(task, split, where), _hub_rows(task)
        named, identity = (str(where),), where.digest
        wanted = task.counts.get(split)  # a pinned revision has the official rows
    else:
        paths = find(task, split, source)
        lines, parse = task.read(paths), task.rows
        named, identity = (
            tuple(map(str, paths)),
            files.digest(paths) + _rows_text(task, split, source),
        )
        wanted = source.counts.get(task.name, {}).get(split)
    rows, faults = checked(task, lines, parse, labelled=split != "test")
    name = ", ".join(named)
    if faults and source.on_bad_row != "skip":
        raise UserError(report(name, faults, len(rows)))
    if not rows:
        raise UserError(f"{name}: no good row in it ({len(faults)} bad ones).")
    if wanted is not None and len(rows) + len(faults) != wanted:
        raise UserError(f"{name}: {len(rows) + len(faults)} rows, not the {wanted} expected.")
    rows = rows[_range(task, split, source)]
    return Loaded(rows, tuple(fault.name for fault in faults), identity, named)


def checked(
    task: Task, lines: Iterable[Line], parse: Any = None, *, labelled: bool = True
) -> tuple[list[Row], list[Fault]]:
    """Splits records into checked rows and faults; of two rows with one id the second is at fault.

    `parse` turns a record into rows (default: the record is the row, its id the line number);
    `labelled` says that a row without the task's label is at fault.
    """
    rows: list[Row] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for line in lines:
        if line.record is None:
            faults.append(Fault(line.number, "", line.fault, line.sample))
            continue
        try:
            found = parse(line.record) if parse else [{"id": str(line.number)} | dict(line.record)]
        except BadRow as error:
            faults.append(Fault(line.number, "", str(error), line.sample))
            continue
        for row in found:
            fault = task.check(row)
            if not fault and labelled and task.label and task.label not in row:
                fault = f"field '{task.label}' is missing"
            if not fault and row["id"] in seen:
                fault = f"duplicated id: {row['id']} is also on line {seen[row['id']]}"
            if fault:
                faults.append(Fault(line.number, row["id"], fault, line.sample))
            else:
                seen[row["id"]] = line.number
                rows.append(row)
    return rows, faults


def fingerprint(task: Task, split: str, source: Source) -> str:
    """What `load` would report as digest, without parsing a row or touching the network."""
    _require_split(split)
    if isinstance(source, Hub):
        from tasks import hub

        return hub.address(task, split, source.revisions).digest
    return files.digest(find(task, split, source)) + _rows_text(task, split, source)


def find(task: Task, split: str, source: Folder) -> tuple[Path, ...]:
    """The files of a split. Raises `UserError` that says where it looked."""
    root = Path(source.root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder. Give the folder that holds {task.folder}.")
    override = source.files.get(task.name, {}).get(split)
    if override is not None:
        names = (override,) if isinstance(override, str) else tuple(override)
        return _named(root, tuple(name.partition("#")[0] for name in names), task)
    if split not in task.names:
        raise UserError(f"{task.title} has no {split} split (it has {', '.join(task.names)}).")
    for folder in folders(task, root):
        for names in task.names[split]:
            paths = [_present(folder / name) for name in names]
            if all(paths):
                return tuple(path for path in paths if path)
    last = PurePosixPath(task.folder).name
    options = " or ".join(" + ".join(names) for names in task.names[split])
    raise UserError(
        f"{task.title} has no {split} file: looked for {options} (also .xz, .gz) in "
        f"{root / task.folder} and {root / last}. Put it there, or name it under "
        f"files: {{{task.name}: {{{split}: PATH}}}}."
    )


def _rows_text(task: Task, split: str, source: Source) -> str:
    """What follows "#" in the name of a split's file, with the "#"; empty for all rows."""
    override = source.files.get(task.name, {}).get(split) if isinstance(source, Folder) else None
    if override is None:
        return ""
    first = override if isinstance(override, str) else override[0]
    return "".join(first.partition("#")[1:])


def _range(task: Task, split: str, source: Source) -> slice:
    """The rows that a split's file is cut to. Raises `UserError` for what is no range."""
    text = _rows_text(task, split, source)
    if not text:
        return slice(None)
    begin, colon, end = text[1:].partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (begin, end)):
        raise UserError(f"files of {task.name}: {text!r} is no range of rows; write #BEGIN:END.")
    return slice(int(begin or 0), int(end) if end else None)


def folders(task: Task, root: Path) -> list[Path]:
    """The folders below (or at) a root that may hold the task's files, best first."""
    last = PurePosixPath(task.folder).name
    options = [root / task.folder, root / last]
    if root.resolve().name == last:
        options.append(root)
    return [folder for folder in dict.fromkeys(options) if folder.is_dir()]


def _present(path: Path) -> Path | None:
    options = (path.with_name(path.name + suffix) for suffix in SUFFIXES)
    return next((option for option in options if option.is_file()), None)


def _named(root: Path, names: tuple[str, ...], task: Task) -> tuple[Path, ...]:
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"files of {task.name}: {name!r} must be a path below {root}.")
        if not _present(root / name):
            raise UserError(f"{root / name}: no such file (named as a file of {task.name}).")
    return tuple(path for name in names if (path := _present(root / name)))


def _hub_rows(task: Task) -> Any:
    return task.hub.rows if task.hub else None


def _require_split(split: str) -> None:
    if split not in SPLITS:
        raise UserError(f"there is no split {split!r}: it is one of {', '.join(SPLITS)}.")
