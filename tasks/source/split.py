"""One split of one task where a source has it, before it is read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tasks.errors import UserError, nearest
from tasks.source.files import Line
from tasks.spec import Row

OnBadRow = Literal["stop", "skip"]
SPLITS = ("train", "dev", "test")
Parse = Callable[[Mapping[str, Any]], list[Row]]


@dataclass(frozen=True)
class Split:
    """What a source finds for a task's split: `lines` reads its records, `parse` makes them rows.

    `digest` identifies the bytes (or the commit) and the range of rows that is kept.
    """

    names: tuple[str, ...]  # of the files, for messages
    digest: str
    lines: Callable[[], Iterator[Line]]
    parse: Parse | None
    wanted: int | None = None  # rows that there must be, good and bad
    begin: int = 0  # of the good rows that are kept
    end: int | None = None


def require_split(split: str) -> None:
    """Raises `UserError` for what is no split."""
    if split not in SPLITS:
        raise UserError(f"there is no split `{split}`{nearest(split, SPLITS)}")
