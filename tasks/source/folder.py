"""Rows from a folder in the publishers' layout; the built-in world is a folder like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tasks.errors import UserError
from tasks.source import files
from tasks.source.files import SUFFIXES
from tasks.source.split import OnBadRow, Split, require_split
from tasks.spec import Task


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

    def split(self, task: Task, name: str) -> Split:
        """Where a split is. Raises `UserError` where it is not, and for a file not to be read."""
        require_split(name)
        paths = find(task, name, self)
        text, kept = _range(task, name, self)
        return Split(
            tuple(map(str, paths)),
            files.digest(paths) + text,
            lambda: task.read(paths),
            task.rows,
            self.counts.get(task.name, {}).get(name),
            *kept,
        )


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


def _range(task: Task, split: str, source: Folder) -> tuple[str, tuple[int, int | None]]:
    """The rows that a split's file is cut to: "#BEGIN:END", empty for all, and as numbers.

    Raises `UserError` for what is no range.
    """
    override = source.files.get(task.name, {}).get(split)
    first = override if isinstance(override, str) else override[0] if override else ""
    text = "".join(first.partition("#")[1:])
    if not text:
        return "", (0, None)
    begin, colon, end = text[1:].partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (begin, end)):
        raise UserError(f"files of {task.name}: {text!r} is no range of rows; write #BEGIN:END.")
    return text, (int(begin or 0), int(end) if end else None)


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
