"""Where the eight tasks' rows are on the hub, and how they become the official ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks.source.faults import identity, shape
from tasks.spec import OnHub, Row

PATH = "aps/super_glue"
REVISION = "3de24cf8022e94f4ee4b9d55a6f539891524d646"  # the parquet files of the main branch


def on_hub(config: str, rows: Callable[[Mapping[str, Any]], list[Row]]) -> OnHub:
    """A configuration of SuperGLUE on the hub."""
    return OnHub(PATH, config, REVISION, rows)


def hub_rows(labels: Sequence[Any], *names: str) -> Callable[[Mapping[str, Any]], list[Row]]:
    """The hub's rows as the official ones: same fields, the label's number back to its value."""

    def rows(record: Mapping[str, Any]) -> list[Row]:
        row = {"id": identity(record)} | {name: record[name] for name in names if name in record}
        return [row | hub_label(record, labels)]

    return rows


def hub_label(record: Mapping[str, Any], labels: Sequence[Any]) -> dict[str, Any]:
    """The hub numbers its classes and writes -1 where the official file has no label."""
    if shape(record, label=int) or record["label"] == -1:
        return {}
    number = record["label"]
    return {"label": labels[number] if 0 <= number < len(labels) else number}
