"""Files that somebody else made, at the boundary: read within bounds, or one `UserError`.

JSON and lists are read here, with bounds on size, values and nesting. What only a library can parse
(tokenizers, tensors, parquet) is parsed inside `parsing`, which turns whatever the library makes of
a hostile file into one sentence with the place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tasks.errors import UserError, out_of_memory
from tasks.source import files
from tasks.source.faults import shown

Kind = TypeVar("Kind")
PANIC = "PanicException"  # of a library in Rust: no `Exception`, and of a class that has no module


def json_value(path: Path, kind: type[Kind], what: str) -> Kind:
    """The JSON value of a file that is `what`, of the kind that it must be."""
    try:
        value = files.whole_json(path)
    except files.BadRow as error:
        raise UserError(f"{path}: not {what}: {shown(str(error), 200)}") from None
    if not isinstance(value, kind):
        raise UserError(f"{path}: not {what}: a {type(value).__name__}, not a {kind.__name__}")
    return value


def lines(path: Path, what: str, most: int) -> Iterator[str]:
    """The lines of a text file that is `what`, at most `most` of them."""
    for line in files.text_lines(path):
        if line.record is None:
            raise UserError(f"{path}:{line.number}: not {what}: {line.fault}")
        if line.number > most:
            raise UserError(f"{path}: not {what}: more than {most:,} lines")
        yield line.record["text"]


@contextmanager
def parsing(path: Path, what: str) -> Iterator[None]:
    """Turns what a foreign parser raises into a `UserError`: a bad file has no type of its own.

    That memory ran out says nothing of the file, and is raised as it is.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise UserError(_said(path, what, error)) from None
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise UserError(_said(path, what, error)) from None


def _said(path: Path, what: str, error: BaseException) -> str:
    told = str(error).strip().splitlines()
    reason = f": {shown(told[0], 200)}" if told else ""
    return f"{path}: cannot be read as {what} ({type(error).__name__}{reason})"
