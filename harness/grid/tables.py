"""A user's own table as an `ablations` table: groups unfolded, and ids, labels and metrics made.

Rows of one system, and columns of one task, are told apart by what differs between them:
`glm-large` and `glm-large+classifier+lr=1e-4`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.tables import Column, Row, Table
from harness.code.catalogue import Catalogue
from harness.grid.schema import InlineColumn, InlineRow, InlineTable


def written_out(
    table: InlineTable,
    rows: Sequence[InlineRow],
    columns: Sequence[InlineColumn],
    known: Catalogue,
) -> Table:
    """The table with its rows and unfolded columns; every name in them is known."""
    return Table(
        table.id,
        table.title or table.id,
        _rows(rows, known),
        _columns([(each, name) for each in columns for name in unfolded(each, known)], known),
        table.split,
        table.average,
        table.reference,
    )


def unfolded(column: InlineColumn, known: Catalogue) -> tuple[str, ...]:
    """The tasks that a column stands for: one, or those of a group."""
    return known.groups.get(column.task, (column.task,))


def _rows(rows: Sequence[InlineRow], known: Catalogue) -> tuple[Row, ...]:
    told = [{"style": row.style, **row.set} if row.style else dict(row.set) for row in rows]
    ids = _ids([row.id or row.label for row in rows], [row.variant for row in rows], told)
    return tuple(
        Row(
            id=id,
            label=row.label or ", ".join([known.systems[row.variant].label, *_words(what)]),
            variant=row.variant,
            style=row.style,
            set=dict(row.set),
            paper=row.paper,
            group=row.group,
        )
        for row, id, what in zip(rows, ids, told)
    )


def _columns(columns: Sequence[tuple[InlineColumn, str]], known: Catalogue) -> tuple[Column, ...]:
    printed = {c.task: c for t in reversed(list(known.tables.values())) for c in t.columns}
    ids = _ids(
        [each.id for each, _ in columns],
        [name for _, name in columns],
        [dict(each.options) for each, _ in columns],
    )
    made = []
    for (each, name), id in zip(columns, ids):
        task, shown = known.tasks[name], printed.get(name)
        metrics = tuple(each.metrics) or (shown.metrics if shown else ())
        metrics = metrics or tuple(metric.name for metric in task.metrics)
        label = ", ".join([f"{task.title} {'/'.join(metrics)}", *_words(each.options)])
        options = each.options or (shown.options if shown and not each.id else {})
        made.append(Column(id, each.label or label, name, metrics, dict(options)))
    return tuple(made)


def _ids(given: Sequence[str], of: Sequence[str], told: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids given, or what something is of with all in which it differs from others of it."""
    ids = []
    for id, name, what in zip(given, of, told):
        alike = [other for kept, key, other in zip(given, of, told) if key == name and not kept]
        differs = [k for k in what if any(other.get(k) != what[k] for other in alike)]
        parts = [shown(what[k]) if k == "style" else f"{k}={shown(what[k])}" for k in differs]
        ids.append(id or "+".join([name, *parts]))
    return ids


def _words(told: Mapping[str, Any]) -> list[str]:
    """What is set, for a label: "classifier", "lr 1e-4", "shuffle false"."""
    return [
        shown(value)
        if name in ("style", "mode")
        else f"{name.removeprefix('objective.').removeprefix('finetune.')} {shown(value)}"
        for name, value in told.items()
    ]


def shown(value: object) -> str:
    """A value as a grid would write it, shortly: 1e-4, false, [0.9, 0.99]."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        digits = f"{value:.6g}" if 1e-3 <= abs(value) < 1e6 or not value else f"{value:.5e}"
        mantissa, e, power = digits.partition("e")
        if not e:
            return digits
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return str(value)
