"""From a grid to steps and cells: every row times every column, under every pair of seeds.

A cell names the steps that make its number; six tables share a step because they share its digest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import product
from typing import Any

from ablations.recipes import Finetuning
from ablations.scale import Scale, finetuning
from ablations.systems import VARIANTS, Variant
from ablations.tables import TABLES, Column, Row, Table
from harness.errors import UserError
from harness.grid.conditions import conditions
from harness.grid.controls import OTHER_SEEDS, Floor, controlled, halved, reference
from harness.grid.models import Models
from harness.grid.overrides import asked, changed, points, scaled, split_overrides
from harness.steps.finetune import ASKED, Finetune, ZeroShot
from harness.steps.ngram import ORDERS, Ngram
from harness.steps.score import Score
from harness.steps.step import Step, slug
from tasks import TASKS
from tasks.spec import How, Task, measures, signature

STYLES = {"superglue": "cloze", "language": "lm"}


@dataclass(frozen=True)
class Trial:
    """One way to fill a cell: the settings that a sweep varies, and the steps that measure it."""

    settings: Mapping[str, Any]
    predictions: Step
    score: Step
    selection: Step | None = None  # the score that a choice between trials reads


@dataclass(frozen=True)
class Cell:
    """One number of one table under one pair of seeds."""

    table: str
    row: str
    column: str
    pretrain_seed: int
    finetune_seed: int
    pretrain: Step
    trials: tuple[Trial, ...]
    conditions: str = ""  # what its number was measured under, for its signature
    floors: tuple[Floor, ...] = ()  # that need runs of their own


@dataclass(frozen=True)
class Expansion:
    """A grid unfolded. `steps` holds every step by digest, inputs first."""

    tables: tuple[Table, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def steps(self) -> dict[str, Step]:
        from harness.steps.step import ordered

        wanted = {}
        for cell in self.cells:
            for trial in cell.trials:
                for step in filter(None, (trial.score, trial.selection)):
                    wanted[step.digest] = step
        for cell in self.cells:  # no number waits for its floors
            for floor in cell.floors:
                wanted |= {step.digest: step for step in floor.scores}
        return ordered(wanted)


def expand(grid: Any) -> Expansion:
    """Unfold a checked grid. Raises UserError for what only the unfolding can find."""
    build = Cells(Models(grid, scaled(grid)))
    named = (t if isinstance(t, Table) else TABLES[t] for t in grid.resolved_tables())
    tables = tuple(controlled(table, grid.controls) for table in named)
    cells = tuple(
        build.cell(table, row, column, *seeds)
        for table in tables
        for row in table.rows
        if row.variant
        for column in table.columns
        for seeds in build.seeds(row, column)
    )
    return Expansion(tables, cells)


@dataclass(frozen=True)
class Cells:
    """Makes the cells of a grid over its models."""

    models: Models
    made: dict[tuple[str, ...], tuple[Floor, ...]] = field(default_factory=dict)

    @property
    def grid(self) -> Any:
        """The grid itself."""
        return self.models.grid

    @property
    def scale(self) -> Scale:
        """The grid's scale."""
        return self.models.scale

    def seeds(self, row: Row, column: Column) -> Iterator[tuple[int, int]]:
        """Pairs of seeds; what is not finetuned has one finetuning seed only."""
        pretrain, finetune = self.grid.seeds.pretrain, self.grid.seeds.finetune
        if row.control == "aa":
            pretrain, finetune = ([seed + OTHER_SEEDS for seed in s] for s in (pretrain, finetune))
        if TASKS[column.task].group == "language":
            finetune = finetune[:1]
        return product(pretrain, finetune)

    def cell(
        self, table: Table, row: Row, column: Column, pretrain_seed: int, finetune_seed: int
    ) -> Cell:
        """The steps of one cell: one trial, or one for each point of a sweep."""
        variant, changes, tuning = split_overrides(row, VARIANTS[str(row.variant)])
        pretrained = self.models.pretrain(variant, changes, pretrain_seed)
        if row.control == "planted":
            changes = {**changes, **halved(pretrained.spec.optimisation)}
            pretrained = self.models.pretrain(variant, changes, pretrain_seed)
        task = TASKS[column.task]
        arguments = (table, row, column, variant, pretrained, task)
        if task.group == "language":
            trials = (self._zero_shot(*arguments),)
        else:
            trials = tuple(
                self._finetune(*arguments, {**tuning, **point}, finetune_seed)
                for point in points(self.grid.sweep)
            )
        under = conditions(self.grid, self.scale, trials[0].score, pretrained, changes)
        seeds = (pretrain_seed, finetune_seed)
        floors = self.floors(table, column, trials[0])
        return Cell(table.id, row.id, column.id, *seeds, pretrained, trials, under, floors)

    def floors(self, table: Table, column: Column, trial: Trial) -> tuple[Floor, ...]:
        """The floors that need runs, of the cells of a column that are asked like `trial`."""
        task, answered = TASKS[column.task], trial.predictions
        if answered.kind == "zeroshot":
            inputs = {"dataset": answered.inputs["dataset"]}
            inputs |= {
                name: step
                for name, step in answered.inputs["pretrain"].inputs.items()
                if name in ("tokens", "tokenizer")
            }
            key = (table.id, column.id, *(step.digest for step in inputs.values()))
            if key not in self.made:
                self.made[key] = self._ngrams(column, answered, inputs)
            return self.made[key]
        if "blind" not in self.grid.controls or task.withhold is None:
            return ()
        if (table.id, column.id) not in self.made:
            self.made[table.id, column.id] = self._blind(table, column)
        return self.made[table.id, column.id]

    def _ngrams(
        self, column: Column, answered: Step, inputs: Mapping[str, Step]
    ) -> tuple[Floor, ...]:
        """N-gram models of the text that a model was pretrained on, asked the same questions."""
        if "tokens" not in inputs:
            return ()  # pretrained elsewhere
        asked, task = answered.spec, TASKS[column.task]
        spec = Ngram(task.name, asked.split, options=asked.options)
        made = Step("ngram", task.name, spec, inputs)
        counted = self.models.once(("ngram", made.digest), lambda: made)
        how = How("lm", False, 0, spec.mode, options=spec.options)
        measured = (task, column, how, spec.split, counted, inputs["dataset"])
        return tuple(Floor(n, (self._score(*measured, f"{n}.parquet"),)) for n in ORDERS)

    def _blind(self, table: Table, column: Column) -> tuple[Floor, ...]:
        """The reference row, blind."""
        row = reference(table)
        if row is None:
            return ()
        variant, changes, tuning = split_overrides(row, VARIANTS[str(row.variant)])
        # One pretraining is enough: what it has learnt is not what a blind model lives on.
        pretrained = self.models.pretrain(variant, changes, self.grid.seeds.pretrain[0])
        arguments = (table, row, column, variant, pretrained, TASKS[column.task])
        settings = {**tuning, **points(self.grid.sweep)[0]}
        trials = [
            self._finetune(*arguments, settings, seed, blind=True)
            for seed in self.grid.seeds.finetune
        ]
        return (Floor("blind", tuple(trial.score for trial in trials)),)

    def _finetune(
        self,
        table: Table,
        row: Row,
        column: Column,
        variant: Variant,
        pretrained: Step,
        task: Task,
        changes: Mapping[str, Any],
        seed: int,
        blind: bool = False,
    ) -> Trial:
        style = row.style or STYLES.get(task.group, task.styles[0])
        mode, pattern, options, changes = asked(row, column, task, style, changes)
        settings = finetuning(task.name, self.scale, self.grid.recipe)
        settings = changed(settings, dict(self.grid.finetune) | dict(changes), "finetune")
        choice = len(points(self.grid.sweep)) > 1
        select_on = "dev" if choice and table.split != "dev" else ""
        body = pretrained.spec
        spec = Finetune(
            task=task.name,
            style=style,
            objective=body.objective,
            split=table.split,
            select_on=select_on,
            pattern=pattern,
            mode=mode,
            options=options,
            precision=self.models.precision,
            blind=blind,
            seed=seed,
            rows=self.scale.rows or 10_000,
            size=(body.layers, body.hidden, body.vocabulary),
            **{f.name: getattr(settings, f.name) for f in fields(Finetuning)},
        )
        splits = tuple(filter(None, ("train", table.split, select_on)))
        dataset = self.models.sources.dataset(task, splits)
        inputs = {
            "pretrain": pretrained,
            "tokenizer": pretrained.inputs["tokenizer"],
            "dataset": dataset,
        }
        words = (task.name, mode, *map(str, options.values()), "blind" if blind else "")
        about = "-".join(filter(None, words))
        name = slug(f"{variant.name}-{about}-{style}-s{body.seed}.{seed}")
        made = Step("finetune", name, spec, inputs)
        predicted = self.models.once(("finetune", made.digest), lambda: made)
        how = How(ASKED.get(style, style), False, pattern, mode, options=options)
        measured = (task, column, how)
        if not choice:
            score = self._score(*measured, table.split, predicted, dataset)
            return Trial(changes, predicted, score, score)
        if select_on:
            score = self._score(*measured, table.split, predicted, dataset)
            file = "predictions.select.parquet"
            selection = self._score(*measured, select_on, predicted, dataset, file)
            return Trial(changes, predicted, score, selection)
        # What is reported is never what was selected on: each has its half of the split.
        score = self._score(*measured, table.split, predicted, dataset, part="report")
        selection = self._score(*measured, table.split, predicted, dataset, part="select")
        return Trial(changes, predicted, score, selection)

    def _zero_shot(
        self,
        table: Table,
        row: Row,
        column: Column,
        variant: Variant,
        pretrained: Step,
        task: Task,
    ) -> Trial:
        mode, _, options, _ = asked(row, column, task, "lm", {})
        spec = ZeroShot(
            task=task.name,
            objective=pretrained.spec.objective,
            split=table.split,
            mode=mode,
            options=options,
            window=self.scale.window,
            stride=self.scale.window // 2,
        )
        dataset = self.models.sources.dataset(task, (table.split,), variant)
        inputs = {
            "pretrain": pretrained,
            "tokenizer": pretrained.inputs["tokenizer"],
            "dataset": dataset,
        }
        name = slug(f"{variant.name}-{task.name}-{mode}-s{pretrained.spec.seed}")
        made = Step("zeroshot", name, spec, inputs)
        predicted = self.models.once(("zeroshot", made.digest), lambda: made)
        how = How("lm", False, 0, mode, options=options)
        return Trial({}, predicted, self._score(task, column, how, table.split, predicted, dataset))

    def _score(
        self,
        task: Task,
        column: Column,
        how: How,
        split: str,
        predicted: Step,
        dataset: Step,
        file: str = "predictions.parquet",
        part: str = "",
    ) -> Step:
        known = measures(task)
        for name in column.metrics:
            if name not in known:
                raise UserError(f"{task.name} has no metric {name!r}, only {', '.join(known)}")
        spec = Score(
            task=task.name,
            split=split,
            metrics=column.metrics,
            signatures=tuple(signature(task, how, known[name]) for name in column.metrics),
            predictions=file,
            part=part,
            style=how.style,
            pattern=how.pattern,
            mode=how.mode,
            options=how.options,
        )
        inputs = {"predictions": predicted, "dataset": dataset}
        made = Step("score", predicted.name, spec, inputs)
        return self.models.once(("score", made.digest), lambda: made)
