"""A grid: which tables, how big, which seeds, which data, and on what machine.

A file is read with the place of everything (`positions`), checked key by key (`schema`), name by
name and pair by pair (`check`), for its files (`files`) and its cost (`limits`). All that is wrong
is said at once, with file, line and column. `machine` says how a grid is run; nothing in it
reaches a step's digest.
"""

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ablations.settings import wording
from ablations.tables import Table
from harness.code import catalogue, plugin
from harness.code.catalogue import Catalogue
from harness.errors import UserError
from harness.grid import files, limits
from harness.grid.check import Check, Written
from harness.grid.checkpoints import system
from harness.grid.positions import Document, Key, opened, override
from harness.grid.schema import Grid, InlineColumn, InlineRow, InlineTable, TablePart
from harness.grid.tables import unfolded, written_out
from harness.steps import step
from harness.track import sinks
from tasks import AT, leveled
from tasks.errors import meant, nearest

SHIPPED = catalogue.of(())
ELSEWHERE = "Trained elsewhere"  # the group of a checkpoint's row that names none
Model = TypeVar("Model", bound=BaseModel)


def load(
    path: str | Path,
    options: Sequence[str] = (),
    known: Catalogue | None = None,
    *,
    to_run: bool = True,
) -> Grid:
    """The grid in a file with `--set` options applied. Raises UserError with every problem.

    A grid whose results are only read (not `to_run`) needs none of its files.
    """
    return checked(opened(Path(path)), options, known, to_run=to_run)


def checked(
    document: Document,
    options: Sequence[str] = (),
    known: Catalogue | None = None,
    *,
    to_run: bool = True,
) -> Grid:
    """The grid in a document. Raises UserError with every problem, in the order of their places.

    Its names are those of `known`, by default the shipped and installed ones, and of its plugins.
    """
    grid = None
    if isinstance(document.value, dict):
        for option in options:
            override(document, option)
        known = _named(document, known or catalogue.of(plugin.installed()))
        grid = _grid(document, known, to_run)
    elif not document.problems:
        document.blame((), "is no mapping: write `tables: [table1]` and the like")
    if document.problems or grid is None:
        inorder = sorted(document.problems, key=lambda p: (p.place.line, p.place.column))
        unique = list(dict.fromkeys(str(problem) for problem in inorder))
        count = f"{len(unique)} errors" if len(unique) > 1 else "1 error"
        raise UserError("\n".join([*unique, f"{count} in {document.source}; nothing was run"]))
    return grid


def _named(document: Document, known: Catalogue) -> Catalogue:
    """The catalogue with the grid's own plugins and tasks; what cannot be read is blamed."""
    folder, found = Path(document.source).parent, list(known.plugins)
    listed, tasks = document.value.get("plugins", []), document.value.get("tasks", {})
    entries = [listed] if isinstance(listed, str) else listed
    for i, entry in enumerate(entries if isinstance(entries, list) else ()):
        with _blamed(document, ("plugins", i)):
            found += plugin.read(str(entry), folder)
    for name, mapping in tasks.items() if isinstance(tasks, dict) else ():
        with _blamed(document, ("tasks", name)):
            found += plugin.tasks_of("tasks", {name: mapping})
    made = catalogue.of(tuple(found))
    with _blamed(document, ("plugins",)):
        made.refuse_clashes()
        return made
    return known


@contextmanager
def _blamed(document: Document, path: Key) -> Iterator[None]:
    """What a plugin does wrong, at its place in the grid."""
    try:
        yield
    except UserError as error:
        document.blame(path, str(error))


def _grid(document: Document, known: Catalogue, to_run: bool) -> Grid:
    """The grid as far as it can be read, with everything blamed that is wrong with it."""
    read = _validated(Grid, document.value, document, ()) or Grid.model_validate({})
    grid = _placed(read, document, known)
    check = Check(grid, document, known)
    sized = check.grid_itself()
    if not grid.tables:
        document.once(("tables",), "no tables: name at least one")

    # Tables as far as they are sound: what is wrong in one row hides nothing in the next.
    tables: list[Table] = []
    for i, each in enumerate(grid.tables):
        table = _table(check, each, ("tables", i))
        if table is not None and table.id in [other.id for other in tables]:
            document.blame(("tables", i), f"table `{table.id}` is there twice")
        tables += [table] if table is not None else []
    grid._tables = tuple(tables)

    # What the tables need as a whole.
    check.idle()
    check.size(tables)
    if to_run:
        files.check(grid, document)
        limits.check(grid, document, sized)
        lacking = sinks.missing(grid.machine.track) if grid.machine.track else ""
        if lacking:
            document.blame(("machine", "track"), lacking)
    return grid


def _placed(grid: Grid, document: Document, known: Catalogue) -> Grid:
    """The grid with its name, where it was read from, and paths that hold from anywhere."""
    data, machine = grid.data, grid.machine
    if data.root:
        root = _path(data.root, ("data", "root"), document)
        data = data.model_copy(update={"root": root})
    if machine.store and ("machine", "store") in document.values:
        store = _path(machine.store, ("machine", "store"), document)
        machine = machine.model_copy(update={"store": store})
    name = grid.name or Path(document.source).stem
    grid = grid.model_copy(update={"name": name, "data": data, "machine": machine})
    grid._document, grid._known = document, known
    return grid


def _path(written: str, path: Key, document: Document) -> str:
    """A path as it is meant: relative to the grid's file, or, with --set, to where one is."""
    from_option = document.place(path).line == 0
    return str((Path() if from_option else Path(document.source).parent).absolute() / written)


def _table(check: Check, written: object, path: Key) -> Table | None:
    """A table of the grid as far as it is sound, checked; None where there is nothing of it."""
    document = check.document
    named = {"table": written} if isinstance(written, str) else written
    if isinstance(named, dict) and "table" in named:
        part = _validated(TablePart, named, document, path)
        return check.part(part, path) if part is not None else None
    inline = _validated(InlineTable, written, document, path)
    if inline is None:
        return None
    rows = _entries(InlineRow, "variant", inline.rows, document, (*path, "rows"))
    rows = {i: _system(check, row, (*path, "rows", i)) for i, row in rows.items()}
    known = check.known
    columns = _entries(InlineColumn, "task", inline.columns, document, (*path, "columns"))
    columns = {i: _leveled(each, document, (*path, "columns", i)) for i, each in columns.items()}
    sound = check.own_table(Written(inline, rows, columns), *path)
    table = written_out(inline, list(sound.rows.values()), list(sound.columns.values()), known)
    unread = [row.id or row.variant for i, row in rows.items() if i not in sound.rows]
    check.ids(table, sound, unread, *path)
    places = [
        (*path, "columns", i) for i, each in sound.columns.items() for _ in unfolded(each, known)
    ]
    check.pairs(table, [(*path, "rows", i) for i in sound.rows], places, path)
    return table


def _leveled(column: InlineColumn, document: Document, path: Key) -> InlineColumn:
    """A column with the level that its task's name ends in, `rte@2`, among its options."""
    try:
        task, level = leveled(column.task)
    except UserError as error:
        document.blame((*path, "task"), str(error))
        return column.model_copy(update={"task": column.task.partition(AT)[0]})
    if not level:
        return column
    said = {"task": task, "id": column.id or column.task, "options": {**column.options, **level}}
    return column.model_copy(update=said)


def _system(check: Check, row: InlineRow, path: Key) -> InlineRow:
    """A row that names a checkpoint as one that names a system; the check knows that from now."""
    if not row.checkpoint:
        if row.revision:
            check.document.blame((*path, "revision"), "`revision` is a checkpoint's")
        if row.get:
            check.document.blame((*path, "get"), "`get` is a checkpoint's")
        return row
    if row.variant:
        said = "a row is a `variant` or a `checkpoint`, not both"
        check.document.blame((*path, "checkpoint"), said)
        return row
    try:
        beside = Path(check.document.source).parent
        found = system(row.checkpoint, row.revision, beside, row.get)
    except UserError as error:
        check.document.once(path, str(error))
        return row
    check.know(found)
    group = row.group or ELSEWHERE
    return row.model_copy(update={"variant": found.name, "group": group})


def _entries(
    model: type[Model], key: str, written: Sequence[Any], document: Document, path: Key
) -> dict[int, Model]:
    """The rows or columns of a table by their place; a word alone is an entry's `key`."""
    found = {}
    for i, each in enumerate(written):
        value = {key: each} if isinstance(each, str) else each
        entry = _validated(model, value, document, (*path, i))
        if entry is not None:
            found[i] = entry
    return found


def _validated(model: type[Model], value: object, document: Document, prefix: Key) -> Model | None:
    """The model's value; what is wrong is blamed and left out, so that names are checked too."""
    if not isinstance(value, dict):
        document.blame(prefix, f"{value!r} is neither a name nor a mapping")
        return None
    value = copy.deepcopy(value)
    while True:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for each in error.errors():
                path = (*prefix, *each["loc"])
                key = each["type"] == "extra_forbidden"
                document.once(path, _message(model, each), key=key)
                if not _leave_out(value, each["loc"]):
                    return model.model_validate({})


def _leave_out(value: object, loc: Sequence[int | str]) -> bool:
    """Delete the innermost key of `loc`; a list goes as a whole, so that places stay right."""
    within, last = value, None
    for part in loc:
        if isinstance(within, dict) and part in within:
            last = (within, part)
            within = within[part]
        elif isinstance(within, list) and isinstance(part, int) and part < len(within):
            within = within[part]
        else:
            break
    if last is None:
        return False
    last[0].pop(last[1], None)
    return True


def _message(model: Any, error: Any) -> str:
    """pydantic's error in the words of a grid."""
    loc, kind = error["loc"], error["type"]
    name = ".".join(str(part) for part in loc) or "this"
    found = error.get("input")
    shown = repr(found) if len(repr(found)) < 60 else repr(found)[:57] + "..."
    if kind == "extra_forbidden":
        return f"unknown key `{loc[-1]}`{nearest(str(loc[-1]), _keys(model, loc[:-1]))}"
    if kind == "literal_error":
        allowed = error["ctx"]["expected"]
        close = meant(str(found), re.findall(r"'([^']*)'", allowed))
        return f"`{name}` is {shown}: use {allowed}{close}"
    if kind == "value_error":
        return f"`{name}` is {shown}: {error['ctx']['error']}"
    message = wording(error)
    if isinstance(found, str) and found.lower() in ("yes", "no", "on", "off"):
        message += f"; `{found}` is text here, write true or false"
    return f"`{name}` is {shown}: {message}"


def _keys(model: Any, path: Sequence[Any]) -> list[str]:
    """The keys that a model knows at a path."""
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = model.model_fields[part].annotation
        while not hasattr(model, "model_fields"):
            inner = [a for a in getattr(model, "__args__", ()) if a is not type(None)]
            if not inner:
                return []
            model = inner[-1] if len(inner) > 1 and inner[0] is str else inner[0]
    return list(model.model_fields)


def machine(grid: Grid, **options: object) -> step.Machine:
    """The grid's machine, with what the command line says instead."""
    settings: Mapping[str, Any] = grid.machine.model_dump()
    given = {name: value for name, value in options.items() if value is not None}
    return dataclasses.replace(step.Machine(**settings), **given)
