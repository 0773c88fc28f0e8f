"""Rows from the Hugging Face hub, at a pinned revision; without a network, from its cache.

The one module of `tasks/` that imports `datasets`, and only when a row is asked for.
"""

import hashlib
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from tasks.errors import UserError
from tasks.source.files import Line
from tasks.source.split import OnBadRow, Split, require_split
from tasks.spec import Task

CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class Hub:
    """The hub's data sets, pinned; `revisions` (task -> commit) overrides a task's own commit."""

    revisions: Mapping[str, str] = field(default_factory=dict)
    on_bad_row: OnBadRow = "stop"

    def split(self, task: Task, name: str) -> Split:
        """Where a split is, without touching the network. Raises `UserError` where it is not."""
        require_split(name)
        where = address(task, name, self.revisions)
        return Split(
            (str(where),),
            where.digest,
            lambda: lines(task, name, where),
            task.hub.rows if task.hub else None,
            task.counts.get(name),  # a pinned revision has the official rows
        )


@dataclass(frozen=True)
class Address:
    """One split of one configuration of a hub data set at a commit."""

    path: str
    config: str | tuple[str, ...]
    split: str
    revision: str

    @property
    def digest(self) -> str:
        """Identifies the content, because a commit does."""
        return hashlib.sha256(str(self).encode()).hexdigest()

    def __str__(self) -> str:
        several = not isinstance(self.config, str)
        config = f"/{len(self.config)} configurations" if several else f"/{self.config}"
        config = config if self.config else ""
        return f"hub:{self.path}{config}/{self.split}@{self.revision}"


def address(task: Task, split: str, revisions: Mapping[str, str]) -> Address:
    """Where a task's split is on the hub. Raises `UserError` where it is not there."""
    if task.hub is None:
        raise UserError(f"{task.title} has no hub data set here: give its files as a folder.")
    if split not in task.hub.splits:
        raise UserError(
            f"{task.title} has no {split} split on the hub ({task.hub.path}): "
            f"give its files as a folder."
        )
    revision = revisions.get(task.name, task.hub.revision)
    return Address(task.hub.path, task.hub.config, task.hub.splits[split], revision)


def lines(task: Task, split: str, where: Address) -> Iterator[Line]:
    """The records of a split, numbered from 1 in the data set's order.

    Raises `UserError` at once, with the data set's name and the way to get it, where it is neither
    reachable nor in the cache.
    """
    with _offline_if_unreachable():
        from datasets import load_dataset
        from datasets.exceptions import DatasetNotFoundError, DatasetsError

        try:
            named = (where.config,) if isinstance(where.config, str) else where.config
            tables = [
                load_dataset(where.path, config or None, revision=where.revision, split=where.split)
                for config in named
            ]
        except (OSError, ValueError, DatasetNotFoundError, DatasetsError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(_how_to_get(task, split, where, reason)) from None
    return (
        # a data set without ids of its own has its rows' numbers
        Line(number, {"id": str(number), **dict(row)}, sample=str(row)[:100])
        for number, row in enumerate(_in_turn(tables), start=1)
    )


def _in_turn(tables: Sequence[Iterable[Any]]) -> Iterator[Any]:
    """A row of each table in turn."""
    return (row for rows in zip_longest(*tables) for row in rows if row is not None)


def stream(path: str, config: str, revision: str, split: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a corpus on the hub, one by one, without keeping it all.

    Raises `UserError` at once where it is neither reachable nor in the cache.
    """
    with _offline_if_unreachable():
        from datasets import load_dataset
        from datasets.exceptions import DatasetNotFoundError, DatasetsError

        try:
            table = load_dataset(
                path, config or None, revision=revision or None, split=split, streaming=True
            )
        except (OSError, ValueError, DatasetNotFoundError, DatasetsError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"hub:{path}: not reachable and not in the cache ({reason}). Fetch it on a machine "
                "with a network and give its files as data.corpus.path."
            ) from None
    yield from table


def _how_to_get(task: Task, split: str, where: Address, reason: str) -> str:
    name = where.config if isinstance(where.config, str) else where.config[0]
    config = f'"{name}", ' if name else ""
    return (
        f"{where}: not reachable and not in the cache ({reason}). On a machine with a network run\n"
        f'  python -c \'from datasets import load_dataset; load_dataset("{where.path}", {config}'
        f'revision="{where.revision}")\'\n'
        f"and copy its cache here (HF_HOME), or give the official files as a folder: "
        f"{task.folder}/{task.names[split][0][0]}."
    )


@contextmanager
def _offline_if_unreachable() -> Iterator[None]:
    """Turns the hub's client to its cache for one call where there is no network.

    Left to itself it would try five times, which takes 23 seconds.
    """
    import datasets.config
    import huggingface_hub.constants as constants

    if constants.HF_HUB_OFFLINE or _reachable(constants.ENDPOINT):
        yield
        return
    before = datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = False, before


def _reachable(endpoint: str) -> bool:
    """Whether the hub's host takes a connection; a proxy is trusted to know."""
    url = urllib.parse.urlsplit(endpoint)
    if urllib.request.getproxies().get(url.scheme) or os.environ.get("ALL_PROXY"):
        return True
    try:
        port = url.port or (80 if url.scheme == "http" else 443)
        socket.create_connection((url.hostname or "", port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
