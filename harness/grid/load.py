"""A grid: which tables, how big, which seeds, which data, and on what machine.

Every key and type is checked here and every name in `harness.grid.names`, and all that is wrong is
said at once, with file, line and column. `machine` says how; nothing in it reaches a step's digest.
"""

import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import UserError
from harness.grid.names import Names, check
from harness.grid.positions import Document, override, read
from harness.grid.schema import Grid, InlineTable
from harness.steps import step
from tasks.errors import nearest


def load(path: str | Path, options: Sequence[str] = (), names: Names | None = None) -> Grid:
    """The grid in a file with `--set` options applied. Raises UserError with every problem."""
    path = Path(path)
    document = read(path)
    grid = None
    if not document.problems or document.value is not None:
        grid = _checked(document, options, names, path.stem)
    if document.problems or grid is None:
        inorder = sorted(document.problems, key=lambda p: (p.place.line, p.place.column))
        unique = list(dict.fromkeys(str(problem) for problem in inorder))
        count = f"{len(unique)} errors" if len(unique) > 1 else "1 error"
        raise UserError("\n".join([*unique, f"{count} in {path}; nothing was run"]))
    return grid


def _checked(
    document: Document, options: Sequence[str], names: Names | None, stem: str
) -> Grid | None:
    if not isinstance(document.value, dict):
        if not document.problems:
            document.blame((), "is no mapping: write `tables: [table1]` and the like")
        return None
    for option in options:
        override(document, option)
    value = document.value
    grid = _validated(Grid, value, document, ())
    tables = value.get("tables")
    if grid is not None and isinstance(tables, list):
        written = [
            each
            if isinstance(each, str)
            else _validated(InlineTable, each, document, ("tables", i))
            for i, each in enumerate(tables)
        ]
        grid = grid.model_copy(update={"tables": written, "name": grid.name or stem})
        check(grid, document, names or Names.installed())
    return grid


def _validated(model: Any, value: Any, document: Document, prefix: tuple[Any, ...]) -> Any:
    """The model's value; what is wrong is blamed and left out, so that names are checked too."""
    if not isinstance(value, dict):
        document.blame(prefix, f"{value!r} is neither a table's name nor a table")
        return None
    value = copy.deepcopy(value)
    for _ in range(20):
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for each in error.errors():
                path = (*prefix, *each["loc"])
                _blame(document, path, _message(model, each), each["type"] == "extra_forbidden")
                if each["type"] == "missing" or not _leave_out(value, each["loc"]):
                    return None
    return None


def _blame(document: Document, path: tuple[Any, ...], message: str, key: bool) -> None:
    """One problem per place: a value that was refused as YAML is not refused again by its type."""
    place = document.place(path, key=key)
    if place not in [problem.place for problem in document.problems] or not place.line:
        document.blame(path, message, key=key)


def _leave_out(value: Any, loc: Sequence[Any]) -> bool:
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
    if kind == "missing":
        return f"`{loc[-1]}` is missing"
    if kind == "literal_error":
        allowed = error["ctx"]["expected"]
        close = nearest(str(found), re.findall(r"'([^']*)'", allowed))
        return f"`{name}` is {shown}: use {allowed}" + (close if "did you mean" in close else "")
    if kind == "value_error":
        return f"`{name}` is {shown}: {error['ctx']['error']}"
    message = error["msg"].removeprefix("Input should be ").replace("valid ", "")
    message = re.sub(r"^a (?=[aeio])", "an ", message)
    if isinstance(found, str) and found.lower() in ("yes", "no", "on", "off"):
        message += f"; `{found}` is text here, write true or false"
    return f"`{name}` is {shown}: it should be {message}"


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


def machine(grid: Grid, **options: Any) -> step.Machine:
    """The grid's machine, with what the command line says instead."""
    settings: Mapping[str, Any] = grid.machine.model_dump()
    given = {name: value for name, value in options.items() if value is not None}
    return dataclasses.replace(step.Machine(**settings), **given)


def schema() -> dict[str, Any]:
    """The JSON Schema of a grid, for editors."""
    made, table = Grid.model_json_schema(), InlineTable.model_json_schema()
    made["$defs"] |= {**table.pop("$defs"), "InlineTable": table}
    written = {"$ref": "#/$defs/InlineTable"}
    made["properties"]["tables"]["items"] = {"anyOf": [{"type": "string"}, written]}
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "grid.yaml"
    return made
