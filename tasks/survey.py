"""What a folder holds: every file of every task, counted and checked, whole or not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import UserError
from tasks.source.faults import Fault, report
from tasks.source.files import SUFFIXES, jsonl
from tasks.source.folder import Folder, find, folders
from tasks.source.rows import checked
from tasks.spec import Task


@dataclass(frozen=True)
class Found:
    """One split's files (or one file beside the splits) and what checking it gave."""

    task: Task
    split: str  # "" for a file beside the official splits
    files: tuple[Path, ...]
    rows: int
    groups: int  # questions, where several rows share one; else 0
    faults: tuple[Fault, ...]
    damage: str = ""  # the file cannot be read at all
    levels: Mapping[int, int] = field(default_factory=dict)  # level -> rows that say it

    @property
    def official(self) -> int | None:
        """Rows of the official split."""
        return self.task.counts.get(self.split)

    @property
    def well(self) -> bool:
        """Whether there are rows, and no bad ones."""
        return bool(self.rows) and not self.faults and not self.damage

    def report(self) -> str:
        """What is wrong, for a reader."""
        name = ", ".join(map(str, self.files))
        if self.damage or not self.faults:
            return self.damage or f"{name}: no row in it."
        return report(name, self.faults, self.rows)


def survey(root: str, tasks: Sequence[Task]) -> Iterator[Found]:
    """Checks every file of the tasks below a root, the splits first. Raises no `UserError`."""
    for task in tasks:
        official: set[Path] = set()
        for split in task.names:
            try:
                files = find(task, split, Folder(root))
            except UserError:
                continue  # a split that is not here is no fault
            official.update(files)
            yield _checked(task, split, files)
        for file in beside(task, root):
            if file not in official:
                yield _checked(task, "", (file,))


def beside(task: Task, root: str) -> list[Path]:
    """All JSON Lines files in and below the task's folder, where it reads such files."""
    if task.read is not jsonl:
        return []
    bases = folders(task, Path(root))[:1]
    ends = [f"*.jsonl{suffix}" for suffix in SUFFIXES]
    found = [path for base in bases for end in ends for path in base.rglob(end)]
    return sorted(found)


def _checked(task: Task, split: str, files: tuple[Path, ...]) -> Found:
    labelled = split in ("train", "dev")
    try:
        name = ", ".join(map(str, files))
        rows, faults = checked(name, task, task.read(files), task.rows, labelled=labelled)
    except UserError as error:
        return Found(task, split, files, 0, 0, (), damage=str(error))
    groups = len({row[task.grouped_by] for row in rows}) if task.grouped_by != "id" else 0
    levels = Counter(row["level"] for row in rows if "level" in row)
    return Found(task, split, files, len(rows), groups, tuple(faults), levels=levels)
