"""What is wrong with a grid beside its keys and types: names, values, and pairs that cannot be.

Everything is blamed at its place and nothing ends the check, so that one report says it all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from ablations.recipes import Finetuning, Pretraining
from ablations.scale import SCALES, Scale
from ablations.settings import Setting, settings
from ablations.systems import Variant
from ablations.tables import Column, Row, Table
from glm.adaptation.requirements import Requirement, fitting
from harness.code.catalogue import Catalogue
from harness.grid.overrides import ASKING, Overrides, asked, overrides, style_of
from harness.grid.positions import Document, Key
from harness.grid.schema import Grid, InlineColumn, InlineRow, InlineTable, TablePart
from harness.grid.tables import unfolded
from harness.steps import KINDS
from harness.steps.step import NAME
from tasks.errors import nearest
from tasks.shots import MOST
from tasks.spec import Task

MOST_CELLS = 100_000
PLAIN = "use letters, digits, ._-"
OF_VARIANT = {
    name: each
    for name, each in settings(Variant).items()
    if name not in ("name", "label", "objective", "checkpoint")
}
OF_SCALE = {name: each for name, each in settings(Scale).items() if name not in ("name", "says")}


@dataclass(frozen=True)
class Written:
    """A user's own table as far as it could be read: rows and columns by their place."""

    table: InlineTable
    rows: Mapping[int, InlineRow]
    columns: Mapping[int, InlineColumn]


@dataclass
class Check:
    """The check of one grid. `sound` tables have nothing but known names in them."""

    grid: Grid
    document: Document
    known: Catalogue
    used: set[str] = field(default_factory=set)  # finetuning settings that some cell knows
    untrained: bool = False  # whether some cell asks a pretraining without finetuning

    def name(self, what: str, name: str, among: Iterable[str], *path: str | int, key=False) -> bool:
        """Blame a name that does not exist."""
        if name not in among:
            said = f"unknown {what} `{name}`{nearest(name, among)}"
            self.document.blame(path, said, key=key)
        return name in among

    def value(
        self, what: str, name: str, value: object, known: Mapping[str, Setting], *path: str | int
    ) -> None:
        """Blame a setting that does not exist, or its value."""
        inside = [each for each in known if each.startswith(f"{name}.")]
        if inside:
            said = f"`{name}` is a group of settings: write {' or '.join(inside[:2])}"
            self.document.blame(path, said, key=True)
        elif name not in known:
            hint = nearest(name, known) or "; `harness list settings` has them"
            self.document.blame(path, f"unknown {what} `{name}`{hint}", key=True)
        else:
            fault = known[name].fault(value)
            if fault:
                self.document.blame(path, f"`{path[-1]}` is {_short(value)}: {fault}")

    def know(self, system: Variant) -> None:
        """A checkpoint that a row names is a system of this grid from now on."""
        self.known = self.known.with_system(system)
        self.grid._known = self.known

    # --- the grid's own keys

    def grid_itself(self) -> bool:
        """Names and values outside of tables; whether the scale with its overrides is sound."""
        grid = self.grid
        if not NAME.fullmatch(grid.name) or ".." in grid.name:
            said = f"`{grid.name}` cannot name a folder: {PLAIN}"
            self.document.blame(("name",), said)
        sized = self._sound(self._scale)
        tuned = settings(Finetuning)
        for name, value in grid.finetune.items():
            self.value("finetuning setting", name, value, tuned, "finetune", name)
        for name, values in (grid.sweep.parameters if grid.sweep else {}).items():
            path = ("sweep", "parameters", name)
            if name not in tuned:
                self.value("setting", name, None, tuned, *path)
            for i, value in enumerate(values if name in tuned else ()):
                fault = tuned[name].fault(value)
                if fault:
                    self.document.blame((*path, i), f"`{name}` is {_short(value)}: {fault}")
        self._machine()
        self._data()
        return sized

    def _scale(self) -> None:
        self.name("scale", self.grid.scale, SCALES, "scale")
        self.name("recipe", self.grid.recipe, self.known.recipes, "recipe")
        for name, value in self.grid.overrides.items():
            self.value("number of a scale", name, value, OF_SCALE, "overrides", name)

    def _machine(self) -> None:
        machine = self.grid.machine
        for name in (*machine.gpus, *machine.time_limit):
            where = "gpus" if name in machine.gpus else "time_limit"
            self.name("kind of step", name, KINDS, "machine", where, name, key=True)
        for name, count in machine.gpus.items():
            if count > 1 and (name != "pretrain" or count != int(count)):
                said = "only pretraining runs on several, a whole number of them"
                path = ("machine", "gpus", name)
                self.document.blame(path, f"`{count:g}` GPUs for one {name}: {said}")

    def _data(self) -> None:
        data = self.grid.data
        for name, splits in data.files.items():
            if self.name("task", name, self.known.tasks, "data", "files", name, key=True):
                for split in splits:
                    path = ("data", "files", name, split)
                    self.name("split", split, ("train", "dev", "test"), *path, key=True)
        if data.revision and data.kind != "hub":
            self.document.blame(("data", "revision"), "`revision` is for kind: hub")

    # --- a part of a named table

    def part(self, written: TablePart, path: Key) -> Table | None:
        """The named table with the rows and columns that are asked for, in its own order."""
        if not self.name("table", written.table, self.known.tables, *path, "table"):
            return None
        table = self.known.tables[written.table]
        rows = {row.id: row for row in table.rows}
        columns = {column.id: column for column in table.columns}
        kept_rows = self._chosen(f"row of {table.id}", written.rows, rows, *path, "rows")
        kept_columns = self._chosen(
            f"column of {table.id}", written.columns, columns, *path, "columns"
        )
        reference = written.reference or table.reference
        if written.reference:
            self.name("row", reference, kept_rows, *path, "reference")
        elif reference and reference not in kept_rows:
            said = f"`{reference}` is what differences are taken against: keep it"
            self.document.blame((*path, "rows"), f"{said}, or give a `reference`")
        part = replace(
            table,
            rows=tuple(row for id, row in rows.items() if id in kept_rows),
            columns=tuple(column for id, column in columns.items() if id in kept_columns),
            reference=reference,
        )
        self.pairs(part, [path] * len(part.rows), [path] * len(part.columns), path)
        return part

    def _chosen(
        self, what: str, names: Sequence[str], among: Mapping[str, object], *path: str | int
    ) -> tuple[str, ...]:
        """The names that exist, the others blamed; all that there are where none is named."""
        if not names:
            return tuple(among)
        return tuple(name for i, name in enumerate(names) if self.name(what, name, among, *path, i))

    # --- a user's own table

    def own_table(self, written: Written, *path: str | int) -> Written:
        """Blame names and values in a table; what is left has none that is wrong."""
        table = written.table
        if not table.id:
            self.document.blame(path, "the table's `id` is missing")
        elif not NAME.fullmatch(table.id) or ".." in table.id:
            said = f"`{table.id}` cannot name a file: {PLAIN}"
            self.document.blame((*path, "id"), said)
        for key, there in (("rows", table.rows), ("columns", table.columns)):
            if not there:
                self.document.once((*path, key), f"the table has no {key}: name one at least")
        rows = {i: self._own_row(row, *path, "rows", i) for i, row in written.rows.items()}
        columns = {
            i: self._own_column(each, *path, "columns", i) for i, each in written.columns.items()
        }
        return Written(
            table,
            {i: row for i, row in rows.items() if row is not None},
            {i: column for i, column in columns.items() if column is not None},
        )

    def _sound(self, check: Callable[..., None], *arguments: object) -> bool:
        """Whether a check finds nothing."""
        before = len(self.document.problems)
        check(*arguments)
        return len(self.document.problems) == before

    def _own_row(self, row: InlineRow, *path: str | int) -> InlineRow | None:
        """A row without what is wrong in it; None where its system is not known."""
        style = row.style
        if style and not self.name("style", style, self.known.requirements, *path, "style"):
            style = ""
        if not row.variant:
            if not row.checkpoint:  # else that has been blamed
                self.document.blame(path, "the row's `variant` is missing")
            return None
        if not self.name("variant", row.variant, self.known.systems, *path, "variant"):
            return None
        kept = self._set(row, self.known.systems[row.variant], *path, "set")
        return row.model_copy(update={"style": style, "set": kept})

    def _set(self, row: InlineRow, variant: Variant, *path: str | int) -> dict[str, Any]:
        """Blame the values of a row's `set:`; returns those with which nothing is wrong.

        How tasks are asked depends on the column as well, and is checked with it.
        """
        found, learns = overrides(Row(row.variant, "", row.variant, set=row.set)), {}
        if "objective" in row.set:
            place = (*path, "objective")
            if self.name("objective", found.learns, self.known.objectives, *place):
                learns = {"objective": found.learns}
                variant = replace(variant, objective=self.known.objectives[found.learns])
        scopes = (
            ("objective", found.objective, settings(variant.objective)),
            ("variant", found.variant, OF_VARIANT),
            ("pretrain", found.pretrain, settings(Pretraining)),
            ("finetune", found.finetune, settings(Finetuning)),
        )
        kept = {name: value for name, value in row.set.items() if name in found.asking}
        if variant.checkpoint is not None:
            scopes = tuple((scope, {} if scope != "finetune" else v, k) for scope, v, k in scopes)
            for name in (*found.objective, *found.variant, *found.pretrain):
                written = next(each for each in row.set if each.endswith(f".{name}"))
                said = f"`{written}`: a checkpoint is as it is; only how it is asked can be set"
                self.document.blame((*path, written), said, key=True)
        for scope, values, known in scopes:
            for name, value in values.items():
                written = f"{scope}.{name}" if f"{scope}.{name}" in row.set else name
                what = "setting" if written == name else f"setting of {scope}"
                if self._sound(self.value, what, name, value, known, *path, written):
                    kept[written] = value
        try:
            overrides(Row("", "", row.variant, set=kept)).of(variant, {})
        except ValueError as error:
            self.document.blame(path, f"these do not go together: {error}")
            kept = {name: kept[name] for name in kept if name in found.asking}
        return kept | learns

    def _own_column(self, column: InlineColumn, *path: str | int) -> InlineColumn | None:
        """A column without what is wrong in it; None where its task is not known."""
        known, metrics = self.known, list(column.metrics)
        if not column.task:
            self.document.blame(path, "the column's `task` is missing")
            return None
        if column.task in known.groups:
            if metrics:
                said = "a group's tasks have their own metrics: leave them out"
                self.document.blame((*path, "metrics"), said)
            metrics = []
        elif not self.name("task", column.task, [*known.tasks, *known.groups], *path, "task"):
            return None
        for i, metric in enumerate(column.metrics if metrics else ()):
            there = known.measures(column.task)
            if not self.name(f"metric of {column.task}", metric, there, *path, "metrics", i):
                metrics.remove(metric)
        options = dict(column.options)
        for name in unfolded(column, known):
            for bad in self._options(known.tasks[name], column.options, *path, "options"):
                options.pop(bad, None)
        return column.model_copy(update={"metrics": metrics, "options": options})

    def _options(self, task: Task, options: Mapping[str, Any], *path: str | int) -> list[str]:
        """Blame options that a task does not take, or their values; returns their names."""
        takes = {name: Setting.read(name, type) for name, type in task.options.items()}
        what = f"option of {task.name}"
        return [
            name
            for name, value in options.items()
            if name not in ASKING
            and not self._sound(self.value, what, name, value, takes, *path, name)
        ]

    # --- what goes together

    def ids(self, table: Table, own: Written, unread: Sequence[str], *path: str | int) -> None:
        """Rows and columns that cannot be told apart, and a reference that is not there.

        `unread` names the rows with which something is so wrong that they are not in the table.
        """
        for key, ids, places in (
            ("rows", [row.id for row in table.rows], list(own.rows)),
            (
                "columns",
                [column.id for column in table.columns],
                [i for i, c in own.columns.items() for _ in unfolded(c, self.known)],
            ),
        ):
            for at, id in enumerate(ids):
                if ids.index(id) != at:
                    said = f"`{id}` is there twice: set something else in it, or give it an `id`"
                    self.document.blame((*path, key, places[at]), said)
        among = [*(row.id for row in table.rows), *unread]
        if table.reference:
            self.name("row", table.reference, among, *path, "reference")

    def pairs(self, table: Table, rows: Sequence[Key], columns: Sequence[Key], path: Key) -> None:
        """Every row with every column: blame what cannot be asked, or would have no effect."""
        styles = self.known.requirements
        for row, where in zip(table.rows, rows):
            if not row.variant:
                continue
            found = overrides(row)
            variant = found.of(self.known.systems[row.variant], self.known.objectives)
            refused: dict[str, list[str]] = {}
            idle = set(found.asking) | set(found.finetune)
            for column, place in zip(table.columns, columns):
                task = self.known.tasks[column.task]
                why, remedy = unaskable(row, variant, task, styles)
                if why and not table.partial:
                    refused.setdefault(f"{why}: {remedy}", []).append(task.title)
                if why:
                    continue
                style = style_of(row, column, task, variant, styles)
                if not style:  # nothing can be prompted
                    self._unprompted(row, found, task, where, place)
                    idle.discard("shots")
                    continue
                if variant.checkpoint is None and not styles[style].trained:
                    self.untrained = True
                tunes = (
                    *self.grid.finetune,
                    *(self.grid.sweep.parameters if self.grid.sweep else ()),
                )
                self.used |= {name for name in tunes if styles[style].knows(name)}
                idle -= {name for name in found.finetune if styles[style].knows(name)}
                idle -= self._asking(row, found, column, task, style, where, place)
            for why, titles in refused.items():
                key = "style" if row.style else "variant"
                self.document.blame((*where, key), f"{', '.join(titles)} {why}")
            for name in () if refused else sorted(idle):
                written = name if name in row.set else f"finetune.{name}"
                said = f"`{written}` has no effect on any column of the table as it is asked"
                self.document.blame((*where, "set", written), said, key=True)
        for task in (self.known.tasks[column.task] for column in table.columns):
            if table.split not in _splits(task):
                said = f"{task.title} has no {table.split} split, only {', '.join(_splits(task))}"
                self.document.blame((*path, "split"), said)

    def _asking(
        self,
        row: Row,
        found: Overrides,
        column: Column,
        task: Task,
        style: str,
        where: Key,
        place: Key,
    ) -> set[str]:
        """Blame mode, pattern and options of one cell; returns what of the row's it uses."""
        way = self.known.requirements[style].asks
        how = asked(row, column, task, way)
        used = set()

        def at(name: str) -> Key:
            return (*where, "set", name) if name in found.asking else (*place, "options", name)

        modes = task.modes.get(way, ())
        if how.mode:
            used |= {"mode"} if modes else set()
            if modes and how.mode not in modes:
                self.name(f"mode of {task.name}", str(how.mode), modes, *at("mode"))
            elif not modes and "mode" not in found.asking:
                said = f"{task.name} has no modes when it is asked as {way}"
                self.document.blame(at("mode"), said)
        used |= {"shots"} if how.shots is not None else set()
        if how.shots is not None and not self.known.requirements[style].prompts:
            self._unprompted(row, found, task, where, place)
        elif how.shots is not None and not (type(how.shots) is int and 0 <= how.shots <= MOST):
            said = f"`shots` is {_short(how.shots)}: a whole number from 0 to {MOST}"
            self.document.once(at("shots"), said)
        patterns = task.patterns if way == "cloze" else 1
        if "pattern" in found.asking or "pattern" in column.options:
            used |= {"pattern"} if patterns > 1 else set()
            if type(how.pattern) is not int or not 0 <= how.pattern < max(1, patterns):
                said = f"{task.title} has the patterns 0 to {patterns - 1}"
                said = said if patterns > 1 else f"{task.title} as {way} has pattern 0 only"
                self.document.once(at("pattern"), f"`pattern` is {_short(how.pattern)}: {said}")
        mine = [name.removeprefix("options.") for name in found.asking if name not in ASKING]
        for name in mine:
            if name in task.options:
                used.add(f"options.{name}")
                fault = Setting.read(name, task.options[name]).fault(how.options[name])
                if fault:
                    said = f"`{name}` is {_short(how.options[name])}: {fault}"
                    self.document.once((*where, "set", f"options.{name}"), said)
        return used

    def _unprompted(self, row: Row, found: Overrides, task: Task, where: Key, place: Key) -> None:
        """Blame shots that a row's system or its style cannot be shown."""
        styles = [name for name, needs in self.known.requirements.items() if needs.prompts]
        at = (*where, "set", "shots") if "shots" in found.asking else (*place, "options", "shots")
        how = f"as `{row.style}`" if row.style else f"by `{row.variant}`"
        said = f"{task.title} cannot be asked {how} after `shots`: these are shown to a model that "
        said += f"reads on and is not finetuned ({', '.join(styles)})"
        self.document.once(at, said)

    def _tuned(self) -> dict[str, Key]:
        """The finetuning settings of the whole grid, and where they are."""
        sweep = self.grid.sweep.parameters if self.grid.sweep else {}
        found: dict[str, Key] = {name: ("sweep", "parameters", name) for name in sweep}
        return found | {name: ("finetune", name) for name in self.grid.finetune}

    def idle(self) -> None:
        """Settings of the grid that no cell knows."""
        if self.grid.curve and not self.untrained:
            said = "no table asks anything without finetuning, so nothing is measured on the way: "
            said += "leave `curve` out, or add a column such as heldout or lambada"
            self.document.blame(("curve",), said, key=True)
        for name, path in self._tuned().items():
            if name in settings(Finetuning) and name not in self.used:
                said = f"`{name}` has no effect on any table as it is asked"
                self.document.blame(path, said, key=True)

    def size(self, tables: Sequence[Table]) -> None:
        """Count the cells before any is made: a slip of the pen must not fill the memory."""
        grid = self.grid
        seeds = len(grid.seeds.pretrain) * len(grid.seeds.finetune)
        sweep = prod(len(values) for values in grid.sweep.parameters.values()) if grid.sweep else 1
        cells = sum(sum(bool(r.variant) for r in t.rows) * len(t.columns) for t in tables)
        if cells * seeds * sweep > MOST_CELLS:
            self.document.blame(
                ("seeds",) if seeds > sweep else ("sweep",),
                f"{cells:,} cells x {seeds:,} seeds x {sweep:,} points of the sweep are "
                f"{cells * seeds * sweep:,} trials: at most {MOST_CELLS:,} are run as one grid",
            )


def unaskable(
    row: Row, variant: Variant, task: Task, styles: Mapping[str, Requirement]
) -> tuple[str, str]:
    """Why a task cannot be put to a row's system ("" where it can), and what could be done."""
    layout = variant.objective.layout
    fits = fitting(task.styles, layout, styles)
    use = f"use {' or '.join(fits)}" if fits else "give it another table"
    only = f"`{row.variant}` can only be asked for {' or '.join(layout.serves)}"
    offered = {styles[style].asks for style in task.styles if style in styles}
    if not row.style:
        wanted = sorted({needs.serves for needs in styles.values() if needs.asks in offered})
        asked_for = " or ".join(wanted)
        return ("", "") if fits else (f"cannot be asked: that needs {asked_for}, and {only}", use)
    needed = styles[row.style]
    if needed.asks not in offered:
        return f"cannot be asked as `{row.style}`", use
    if row.style not in fits:
        return f"cannot be asked as `{row.style}`: that needs {needed.serves}, and {only}", use
    return "", ""


def _splits(task: Task) -> tuple[str, ...]:
    """The splits of a task that can be scored; held-out text comes with the corpus, as a test."""
    return ("test",) if task.name == "heldout" else tuple(s for s in task.names if s != "train")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
