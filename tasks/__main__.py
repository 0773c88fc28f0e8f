"""Look at tasks from the command line.

python -m tasks show copa --source folder --path DIR --split val -n 3
python -m tasks check --source folder --path DIR
python -m tasks show copa@2 --source microworld
python -m tasks world --out DIR --documents 50000 --seed 1 --levels 2,3 --distance 0,4,8
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tasks import TASKS, leveled
from tasks.errors import UserError, nearest
from tasks.microworld.passages import Mixture
from tasks.microworld.write import write
from tasks.show import show
from tasks.source.folder import Folder, find
from tasks.source.hub import Hub
from tasks.source.rows import Source, load
from tasks.spec import How, Task, questions
from tasks.survey import beside, survey

SPLIT = {"train": "train", "dev": "dev", "val": "dev", "validation": "dev", "test": "test"}
SAMPLE_WORLD = 200  # documents of the world that is made when none is given


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 if all is well, 1 if rows are bad, 2 for a user's error."""
    given = _parser().parse_args(arguments)
    try:
        with ExitStack() as stack:
            return {"show": _show, "check": _check, "world": _world}[given.command](given, stack)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tasks", description="Look at tasks: their questions, files and world."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print rendered questions")
    show.add_argument("task", help="copa, or copa@2 for rows of level 2 of the built-in world")
    show.add_argument("--split", choices=sorted(SPLIT), default="dev")
    show.add_argument("-n", type=int, default=3, help="rows to print")
    show.add_argument("--style", default="", help="cloze | classifier | ... (the task's first)")
    show.add_argument("--pattern", type=int, default=0)
    show.add_argument("--mode", default="", help="WSC: rank | generate | classify")
    show.add_argument("--train", action="store_true", help="as asked in training")
    show.add_argument("--file", help="this file below --path instead of the split's own")
    show.add_argument("--on-bad-row", choices=("stop", "skip"), default="stop")
    check = commands.add_parser("check", help="count and check every file below a folder")
    check.add_argument("tasks", nargs="*", metavar="TASK", help="these tasks only")
    check.add_argument("--official", action="store_true", help="the official counts are required")
    for command in (show, check):
        command.add_argument("--source", choices=("folder", "hub", "microworld"), default="folder")
        command.add_argument("--path", help="the folder (a world's, for microworld)")
        command.add_argument("--seed", type=int, default=0, help="of a world made for the purpose")
    world = commands.add_parser("world", help="write the built-in world's corpus and data sets")
    world.add_argument("--out", required=True)
    world.add_argument("--documents", type=int, required=True)
    world.add_argument("--seed", type=int, default=0)
    every = "comma-separated; every value as often as it is named"
    world.add_argument("--levels", type=_numbers, help=f"of the rows, {every}")
    world.add_argument("--distance", type=_numbers, help=f"sentences after the facts, {every}")
    world.add_argument("--distractors", type=_numbers, help=f"other facts of the kind, {every}")
    return parser


def _named(name: str) -> Task:
    if name in TASKS:
        return TASKS[name]
    raise UserError(f"there is no task `{name}`{nearest(name, TASKS)}")


def _root(given: argparse.Namespace, stack: ExitStack) -> str:
    """The folder to read; for the microworld without a path, a small one made and removed again."""
    if given.path:
        return given.path
    if given.source == "folder":
        raise UserError("--source folder needs --path DIR, the folder that holds the files.")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="world-"))
    write(folder, seed=given.seed, documents=SAMPLE_WORLD)
    return folder


def _show(given: argparse.Namespace, stack: ExitStack) -> int:
    name, options = leveled(given.task)
    task, split, level = _named(name), SPLIT[given.split], options.get("level")
    style = given.style or task.styles[0]
    if style not in task.styles:
        raise UserError(f"{task.title} has no style {style!r}: {', '.join(task.styles)}.")
    how = How(style=style, train=given.train, pattern=given.pattern, mode=given.mode)
    loaded = load(task, split, _source(given, task, split, stack))
    print(f"{task.title}, {given.split}: {len(loaded.rows)} rows from {', '.join(loaded.files)}")
    if loaded.skipped:
        print(f"left out {len(loaded.skipped)} bad rows: {', '.join(loaded.skipped[:20])}")
    rows = [row for row in loaded.rows if row.get("level") == level] if level else loaded.rows
    if not rows:
        raise UserError(f"no row here says that it is of level {level}: the built-in world's do.")
    for row in rows[: given.n]:
        asked = questions(task, row, how)
        for question in asked:
            print("\n" + show(question))
        if not asked:
            print(f"\n  id {row['id']}\n    (not asked in training)")
    return 0


def _source(given: argparse.Namespace, task: Task, split: str, stack: ExitStack) -> Source:
    if given.source == "hub":
        return Hub(on_bad_row=given.on_bad_row)
    root = _root(given, stack)
    if given.file:
        return Folder(root, {task.name: {split: given.file}}, given.on_bad_row)
    plain = Folder(root, on_bad_row=given.on_bad_row)
    try:
        find(task, split, plain)
    except UserError:
        others = [path.relative_to(root) for path in beside(task, root)]
        if not others:
            raise
        options = [path for path in others if SPLIT.get(path.name.split(".")[0]) == split]
        chosen = str((options or others)[0])
        print(f"{task.title} has no {split} file of its own here; showing {chosen}.")
        return Folder(root, {task.name: {split: chosen}}, given.on_bad_row)
    return plain


def _check(given: argparse.Namespace, stack: ExitStack) -> int:
    tasks = [_named(name) for name in given.tasks] or list(TASKS.values())
    if given.source == "hub":
        return _check_hub(tasks)
    root = _root(given, stack)
    if not Path(root).is_dir():
        raise UserError(f"{root}: no such folder.")
    seen, bad = set(), 0
    for found in survey(root, tasks):
        seen.add(found.task.name)
        official = found.official if given.source == "folder" else None
        wrong_count = official is not None and found.rows != official
        note = "" if official is None else " (official)"
        note = f" (the official split has {official})" if wrong_count else note
        name = " + ".join(str(path.relative_to(root)) for path in found.files)
        groups = f"{found.groups} questions, " if found.groups else ""
        print(
            f"{found.task.title:<10} {found.split or '-':<6} {groups}{found.rows} rows, "
            f"{len(found.faults)} bad{note}{_levels(found.levels)}  {name}"
        )
        if not found.well:
            print(found.report())
        bad += not found.well or (wrong_count and given.official)
    absent = [task.title for task in tasks if task.name not in seen]
    if absent:
        print(f"not here: {', '.join(absent)}")
    if not seen:
        raise UserError(f"{root}: none of the tasks' files are here.")
    return int(bad > 0)


def _levels(counts: Mapping[int, int]) -> str:
    each = ", ".join(f"{count} of level {level}" for level, count in sorted(counts.items()))
    return f" ({each})" if each else ""


def _check_hub(tasks: Sequence[Task]) -> int:
    for task in tasks:
        for split in task.hub.splits if task.hub else ():
            print(f"{task.title:<10} {split:<6} {len(load(task, split, Hub()).rows)} rows, 0 bad")
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(",") if part.strip().isdecimal())
    if not numbers or len(numbers) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 0,1,2")
    return numbers


def _world(given: argparse.Namespace, stack: ExitStack) -> int:
    if given.documents < 1:
        raise UserError("--documents must be at least 1.")
    wanted = {name: getattr(given, name) for name in ("levels", "distance", "distractors")}
    mixture = Mixture(**{name: value for name, value in wanted.items() if value})
    write(given.out, seed=given.seed, documents=given.documents, mixture=mixture)
    print(f"wrote the world of seed {given.seed} to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
