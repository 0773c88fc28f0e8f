"""The names a grid may use (tables, variants, tasks, scales, ...) and the check that it does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any

from tasks.errors import nearest

MOST_CELLS = 100_000


@dataclass(frozen=True)
class Names:
    """What exists. Tests bring their own; a run takes what is installed."""

    tables: Mapping[str, tuple[int, int]]  # id -> rows that run, columns
    variants: Iterable[str]
    tasks: Mapping[str, tuple[str, ...]]  # name -> metrics
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scales: Iterable[str] = ("micro", "small", "base", "paper")
    scale_fields: Iterable[str] = ()
    recipes: Iterable[str] = ("paper", "reference")
    settings: Iterable[str] = ()  # of a finetuning
    styles: Iterable[str] = ()
    kinds: Iterable[str] = ()  # of steps

    @staticmethod
    def installed() -> "Names":
        """The names of `ablations` and `tasks`, without torch."""
        from ablations.recipes import RECIPES, Finetuning
        from ablations.scale import SCALES, Scale
        from ablations.systems import VARIANTS
        from ablations.tables import TABLES
        from harness.steps import KINDS
        from tasks import GROUPS, TASKS
        from tasks.spec import measures

        rows = {name: sum(bool(row.variant) for row in t.rows) for name, t in TABLES.items()}
        styles = {style for task in TASKS.values() for style in task.styles}
        styles |= {row.style for table in TABLES.values() for row in table.rows if row.style}
        return Names(
            tables={name: (rows[name], len(table.columns)) for name, table in TABLES.items()},
            variants=VARIANTS,
            tasks={name: tuple(measures(task)) for name, task in TASKS.items()},
            groups={name: tuple(group) for name, group in GROUPS.items()},
            scales=SCALES,
            scale_fields=[each.name for each in fields(Scale)],
            recipes=RECIPES,
            settings=[each.name for each in fields(Finetuning)],
            styles=styles,
            kinds=KINDS,
        )


def check(grid: Any, document: Any, names: Names) -> None:
    """Blame every name that does not exist, and a grid that is too large to be meant."""

    def known(what: str, name: str, among: Iterable[str], *path: Any, key: bool = False) -> None:
        if name not in among:
            document.blame(path, f"unknown {what} `{name}`{nearest(name, among)}", key=key)

    from harness.steps.step import NAME

    if not NAME.fullmatch(grid.name) or ".." in grid.name:
        document.blame(("name",), f"`{grid.name}` cannot name a folder: use letters, digits, ._-")
    known("scale", grid.scale, names.scales, "scale")
    known("recipe", grid.recipe, names.recipes, "recipe")
    for name in grid.overrides:
        known("number of a scale", name, names.scale_fields, "overrides", name, key=True)
    for name in grid.finetune:
        known("finetuning setting", name, names.settings, "finetune", name, key=True)
    for name in grid.sweep.parameters if grid.sweep else ():
        known("setting", name, names.settings, "sweep", "parameters", name, key=True)
    for name in (*grid.machine.gpus, *grid.machine.time_limit):
        where = "gpus" if name in grid.machine.gpus else "time_limit"
        known("kind of step", name, names.kinds, "machine", where, name, key=True)
    for name, count in grid.machine.gpus.items():
        if count > 1 and (name != "pretrain" or count != int(count)):
            said = "only pretraining runs on several, a whole number of them"
            document.blame(("machine", "gpus", name), f"`{count:g}` GPUs for one {name}: {said}")
    for name in grid.data.files:
        known("task", name, names.tasks, "data", "files", name, key=True)
    if grid.data.kind == "folder" and not grid.data.root:
        document.blame(("data",), "a folder source needs `root`: the folder's path")
    if grid.data.revision and grid.data.kind != "hub":
        document.blame(("data", "revision"), "`revision` is for kind: hub")
    ids: set[str] = set()
    for i, table in enumerate(grid.tables):
        if table is None:  # it could not be read, and that has been said
            continue
        name = table if isinstance(table, str) else table.id
        if name in ids:
            document.blame(("tables", i), f"table `{name}` is there twice")
        ids.add(name)
        if isinstance(table, str):
            known("table", table, names.tables, "tables", i)
        else:
            _check_table(table, known, document, names, ("tables", i))
    _check_size(grid, document, names)


def _check_table(table: Any, known: Any, document: Any, names: Names, path: tuple) -> None:
    from harness.steps.step import NAME

    if not NAME.fullmatch(table.id) or ".." in table.id:
        document.blame((*path, "id"), f"`{table.id}` cannot name a file: use letters, digits, ._-")
    for i, row in enumerate(table.rows):
        known("variant", row.variant, names.variants, *path, "rows", i, "variant")
        if row.style and names.styles:
            known("style", row.style, names.styles, *path, "rows", i, "style")
    for i, column in enumerate(table.columns):
        where = (*path, "columns", i, "task")
        if column.task in names.groups:
            if column.metrics:
                document.blame(where, "a group's tasks have their own metrics: leave them out")
            continue
        known("task", column.task, [*names.tasks, *names.groups], *where)
        for metric in column.metrics if column.task in names.tasks else ():
            known(f"metric of {column.task}", metric, names.tasks[column.task], *path, "columns", i)
    rows = [row.id or row.label or row.variant for row in table.rows]
    for i, name in enumerate(rows):
        if rows.index(name) != i:
            document.blame((*path, "rows", i), f"row `{name}` is there twice: give it an `id`")


def _check_size(grid: Any, document: Any, names: Names) -> None:
    """Count the cells before any is made: a slip of the pen must not fill the memory."""
    seeds = len(grid.seeds.pretrain) * len(grid.seeds.finetune)
    sweep = prod(len(values) for values in grid.sweep.parameters.values()) if grid.sweep else 1
    cells = 0
    for table in filter(None, grid.tables):
        if isinstance(table, str):
            rows, columns = names.tables.get(table, (0, 0))
        else:
            rows = len(table.rows)
            columns = sum(len(names.groups.get(c.task, (1,))) for c in table.columns)
        cells += rows * columns
    if cells * seeds * sweep > MOST_CELLS:
        document.blame(
            ("seeds",) if seeds > sweep else ("sweep",),
            f"{cells:,} cells x {seeds:,} seeds x {sweep:,} points of the sweep are "
            f"{cells * seeds * sweep:,} trials: at most {MOST_CELLS:,} are run as one grid",
        )


def written_out(table: Any) -> Any:
    """A user's own table as an `ablations` table: groups unfolded, labels and metrics filled in."""
    from ablations.systems import VARIANTS
    from ablations.tables import TABLES, Column, Row, Table
    from tasks import GROUPS, TASKS

    printed = {c.task: c for t in reversed(list(TABLES.values())) for c in t.columns}
    columns = []
    for each in table.columns:
        for name in GROUPS.get(each.task, (each.task,)):
            task, known = TASKS[name], printed.get(name)
            metrics = tuple(each.metrics) or (known.metrics if known else ())
            metrics = metrics or tuple(metric.name for metric in task.metrics)
            label = each.label or f"{task.title} {'/'.join(metrics)}"
            options = each.options or (known.options if known and not each.id else {})
            columns.append(Column(each.id or name, label, name, metrics, dict(options)))
    rows = [
        Row(
            id=row.id or row.label or row.variant,
            label=row.label or ", ".join(filter(None, (VARIANTS[row.variant].label, row.style))),
            variant=row.variant,
            style=row.style,
            set=dict(row.set),
            paper=row.paper,
            group=row.group,
        )
        for row in table.rows
    ]
    return Table(
        table.id,
        table.title or table.id,
        tuple(rows),
        tuple(columns),
        table.split,
        table.average,
        table.reference,
    )
