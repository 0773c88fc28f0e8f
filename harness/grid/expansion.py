"""From a grid to steps and cells: every row times every column, under every pair of seeds.

A cell names the steps that make its number; six tables share a step because they share its digest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import product
from typing import Any

from ablations.recipes import Finetuning
from ablations.scale import Scale
from ablations.settings import changed
from ablations.systems import Variant
from ablations.tables import Column, Row, Table
from glm.adaptation.requirements import Requirement
from harness.code.catalogue import decided
from harness.grid.check import unaskable
from harness.grid.conditions import conditions
from harness.grid.controls import OTHER_SEEDS, Floor, controlled, halved, reference
from harness.grid.models import Models
from harness.grid.overrides import Asked, asked, overrides, points, scaled, style_of, tuned
from harness.grid.schema import Grid
from harness.steps.checkpoint import Checkpoint
from harness.steps.dataset import Dataset
from harness.steps.finetune import Finetune, ZeroShot
from harness.steps.finetuned import Finetuned
from harness.steps.leakage import Leakage
from harness.steps.ngram import LIKELIHOODS, ORDERS, Ngram
from harness.steps.predictions import CHOSEN, LAST, SELECT
from harness.steps.pretrain import Pretrain
from harness.steps.score import Score
from harness.steps.snapshot import Snapshot
from harness.steps.step import Step, ordered, slug
from tasks.spec import How, Task, signature


@dataclass(frozen=True)
class Trial:
    """One way to fill a cell: the settings that a sweep varies, and the steps that measure it."""

    settings: Mapping[str, Any]
    predictions: Step[Finetune | ZeroShot]
    score: Step[Score]
    selection: Step[Score] | None = None  # the score that a choice between trials reads
    clean: Step[Score] | None = None  # the score without leaked rows, where the grid asks for it
    last: Step[Score] | None = None  # of the last epoch's weights, where patience chose others
    kept: Step[Finetuned] | None = None  # the finetuned model itself, where the grid asks for it


@dataclass(frozen=True)
class Point:
    """What a cell's number was on the way of its pretraining."""

    snapshot: Step[Snapshot]
    score: Step[Score]


@dataclass(frozen=True)
class Cell:
    """One number of one table under one pair of seeds."""

    table: str
    row: str
    column: str
    pretrain_seed: int
    finetune_seed: int
    pretrain: Step[Pretrain | Checkpoint]
    trials: tuple[Trial, ...]
    conditions: str = ""  # what its number was measured under, for its signature
    floors: tuple[Floor, ...] = ()  # that need runs of their own
    leakage: Step[Leakage] | None = None  # looks for its examples in what its model has read
    curve: tuple[Point, ...] = ()  # before the end, where the grid asks for curves


@dataclass(frozen=True)
class Expansion:
    """A grid unfolded. `steps` holds every step by digest, inputs first."""

    tables: tuple[Table, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def steps(self) -> dict[str, Step]:
        wanted = {}
        for cell in self.cells:
            for trial in cell.trials:
                for step in filter(None, (trial.score, trial.selection)):
                    wanted[step.digest] = step
        for cell in self.cells:  # no number waits for its floors, its curve, or what marks it
            beside = [point.score for point in cell.curve]
            beside += [step for floor in cell.floors for step in floor.scores]
            beside += [cell.leakage, *(trial.clean for trial in cell.trials)]
            beside += [trial.last for trial in cell.trials]
            beside += [trial.kept for trial in cell.trials]
            wanted |= {step.digest: step for step in filter(None, beside)}
        return ordered(wanted)


def expand(grid: Grid) -> Expansion:
    """Unfold a checked grid."""
    build = Cells(Models(grid, scaled(grid)))
    tables = tuple(
        controlled(_askable(table, grid) if table.partial else table, grid.controls)
        for table in grid.resolved_tables
    )
    cells = tuple(
        cell
        for table in tables
        for row in table.rows
        if row.variant
        for column in table.columns
        if column.id not in row.unasked
        for cell in build.cells(table, row, column)
    )
    return Expansion(tables, cells)


def _askable(table: Table, grid: Grid) -> Table:
    """The table with what its rows cannot be asked marked so."""
    known = grid.known

    def unasked(row: Row) -> dict[str, str]:
        variant = overrides(row).of(known.systems[str(row.variant)], known.objectives)
        whys = {
            column.id: unaskable(row, variant, known.tasks[column.task], known.requirements)[0]
            for column in table.columns
        }
        return {column: why for column, why in whys.items() if why}

    rows = (replace(row, unasked=unasked(row)) if row.variant else row for row in table.rows)
    return replace(table, rows=tuple(rows))


@dataclass(frozen=True)
class Cells:
    """Makes the cells of a grid over its models."""

    models: Models
    made: dict[tuple[str, ...], tuple[Floor, ...]] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The grid itself."""
        return self.models.grid

    @property
    def scale(self) -> Scale:
        """The grid's scale."""
        return self.models.scale

    def cells(self, table: Table, row: Row, column: Column) -> Iterator[Cell]:
        """A row's cells in a column, one for each pair of seeds."""
        asking = self.asking(row, column)
        for pretrain_seed, finetune_seed in self.seeds(row, asking):
            changes = asking.changes
            pretrained = self.models.pretrain(asking.variant, changes, pretrain_seed)
            if row.control == "planted" and isinstance(pretrained.spec, Pretrain):
                changes = {**changes, **halved(pretrained.spec.optimisation)}
                pretrained = self.models.pretrain(asking.variant, changes, pretrain_seed)
            if asking.needs.trained:
                trials = tuple(
                    self._finetune(table, column, asking, pretrained, point, finetune_seed)
                    for point in points(self.grid.sweep)
                )
            else:
                trials = (self._zero_shot(table, column, asking, pretrained, finetune_seed),)
            under = conditions(self.grid, self.scale, trials[0].score, pretrained, changes)
            seeds = (pretrain_seed, finetune_seed)
            floors = self.floors(table, column, asking, trials[0])
            looking = self._leakage(asking.task, pretrained, trials[0].score.inputs["dataset"])
            if self.grid.keep_weights and asking.needs.trained:
                trials = tuple(self._with_weights(trial) for trial in trials)
            if self.grid.clean:
                trials = tuple(_without(trial, looking) for trial in trials)
            on_the_way = (table, column, asking, pretrained, finetune_seed)
            curve = () if row.control else self._curve(*on_the_way)
            beside = (under, floors, looking, curve)
            yield Cell(table.id, row.id, column.id, *seeds, pretrained, trials, *beside)

    def asking(self, row: Row, column: Column) -> "Asking":
        """What of a row and a column decides every cell of both."""
        known, found = self.grid.known, overrides(row)
        variant = found.of(known.systems[str(row.variant)], known.objectives)
        task = known.tasks[column.task]
        style = style_of(row, column, task, variant, known.requirements)
        needs = known.requirements[style]
        how = asked(row, column, task, needs.asks)
        return Asking(variant, found.pretraining, found.finetune, task, style, needs, how)

    def seeds(self, row: Row, asking: "Asking") -> Iterator[tuple[int, int]]:
        """Pairs of seeds; a finetuning seed also draws shots, and what has neither has one only. A
        checkpoint has one of pretraining."""
        pretrain, finetune = self.grid.seeds.pretrain, self.grid.seeds.finetune
        if asking.variant.checkpoint is not None:
            pretrain = pretrain[:1]
        if row.control == "aa":
            pretrain, finetune = ([seed + OTHER_SEEDS for seed in s] for s in (pretrain, finetune))
        varies = asking.needs.trained or asking.how.shots
        return product(pretrain, finetune if varies else finetune[:1])

    def floors(
        self, table: Table, column: Column, asking: "Asking", trial: Trial
    ) -> tuple[Floor, ...]:
        """The floors that need runs, of the cells of a column that are asked like `trial`."""
        answered = trial.predictions
        if asking.needs.asks in LIKELIHOODS:
            inputs = {"dataset": answered.inputs["dataset"]}
            inputs |= {
                name: step
                for name, step in answered.inputs["pretrain"].inputs.items()
                if name in ("tokens", "tokenizer")
            }
            key = (table.id, column.id, *(step.digest for step in inputs.values()))
            if key not in self.made:
                self.made[key] = self._ngrams(column, asking, answered, inputs)
            return self.made[key]
        if not asking.needs.trained or asking.task.withhold is None:
            return ()
        if "blind" not in self.grid.controls:
            return ()
        if (table.id, column.id) not in self.made:
            self.made[table.id, column.id] = self._blind(table, column)
        return self.made[table.id, column.id]

    def _leakage(self, task: Task, pretrained: Step, dataset: Step) -> Step[Leakage]:
        """The step that looks for a dataset's rows in what a model has read."""
        inputs = {"dataset": dataset}
        if "tokens" in pretrained.inputs:  # else it was pretrained elsewhere
            inputs["corpus"] = pretrained.inputs["tokens"].inputs["corpus"]
        key = ("leakage", *(step.digest for step in inputs.values()))
        spec, carried = decided(Leakage(task.name), self.grid.known)
        return self.models.once(key, lambda: Step("leakage", task.name, spec, inputs, carried))

    def _ngrams(
        self,
        column: Column,
        asking: "Asking",
        answered: Step[Finetune | ZeroShot],
        inputs: Mapping[str, Step],
    ) -> tuple[Floor, ...]:
        """N-gram models of the text that a model was pretrained on, asked the same questions."""
        if "tokens" not in inputs:
            return ()  # pretrained elsewhere
        task = asking.task
        spec = Ngram(task.name, answered.spec.split, options=answered.spec.options)
        spec, carried = decided(spec, self.grid.known)
        made = Step("ngram", task.name, spec, inputs, carried)
        counted = self.models.once(("ngram", made.digest), lambda: made)
        forward = replace(asking, how=Asked(spec.mode, 0, asking.how.options))
        measured = (column, forward, spec.split, counted, inputs["dataset"])
        return tuple(Floor(n, (self._score(*measured, f"{n}.parquet"),)) for n in ORDERS)

    def _blind(self, table: Table, column: Column) -> tuple[Floor, ...]:
        """The reference row, blind."""
        row = reference(table)
        if row is None:
            return ()
        asking = self.asking(row, column)
        if not asking.needs.trained:
            return ()  # nothing is finetuned that could be finetuned blind
        # One pretraining is enough: what it has learnt is not what a blind model lives on.
        first = self.grid.seeds.pretrain[0]
        pretrained = self.models.pretrain(asking.variant, asking.changes, first)
        point = points(self.grid.sweep)[0]
        trials = [
            self._finetune(table, column, asking, pretrained, point, seed, blind=True)
            for seed in self.grid.seeds.finetune
        ]
        return (Floor("blind", tuple(trial.score for trial in trials)),)

    def _finetune(
        self,
        table: Table,
        column: Column,
        asking: "Asking",
        pretrained: Step[Pretrain | Checkpoint],
        point: Mapping[str, Any],
        seed: int,
        blind: bool = False,
    ) -> Trial:
        changes = {**asking.tuning, **point}
        spec = self._finetuning(table, asking, pretrained.spec, changes, seed, blind)
        held_back = (spec.select_on, "dev" if spec.patience else "")
        splits = tuple(dict.fromkeys(filter(None, ("train", spec.split, *held_back))))
        dataset = self.models.sources.dataset(asking.task, splits)
        inputs = _inputs(pretrained, dataset)
        told = map(str, spec.options.values())
        about = "-".join(filter(None, (spec.task, spec.mode, *told, "blind" if blind else "")))
        seeds = f"s{pretrained.spec.seed}.{seed}"
        name = slug(f"{asking.variant.short}-{about}-{spec.style}-{seeds}")
        spec, carried = decided(spec, self.grid.known)
        carried = carried | ({"keep_weights": True} if self.grid.keep_weights else {})
        made = Step("finetune", name, spec, inputs, carried)
        predicted = self.models.once(("finetune", made.digest), lambda: made)
        return self._trial(changes, column, asking, predicted, dataset)

    def _finetuning(
        self,
        table: Table,
        asking: "Asking",
        body: Pretrain | Checkpoint,
        changes: Mapping[str, Any],
        seed: int,
        blind: bool,
    ) -> Finetune:
        """What is trained and asked, on which splits."""
        how, settings = asking.how, self._settings(asking, changes)
        return Finetune(
            task=asking.task.name,
            style=asking.style,
            objective=body.objective,
            split=table.split,
            select_on="dev" if self._chooses and table.split != "dev" else "",
            pattern=how.pattern,
            mode=how.mode,
            # A level says what is measured: one finetuning, on rows of all levels, serves all.
            options=unleveled(how.options),
            precision=self.models.precision,
            blind=blind,
            seed=seed,
            last=settings["patience"] > 0 and not blind,
            **settings,
        )

    @property
    def _chooses(self) -> bool:
        """Whether the grid chooses among settings."""
        return len(points(self.grid.sweep)) > 1

    def _trial(
        self,
        changes: Mapping[str, Any],
        column: Column,
        asking: "Asking",
        predicted: Step[Finetune],
        dataset: Step[Dataset],
    ) -> Trial:
        """What is reported of a finetuning, and what it is selected by."""
        spec = predicted.spec
        # What is reported is never what settings or epochs were chosen on: where both are dev, each
        # has its half.
        part = "report" if (spec.patience or self._chooses) and spec.split == "dev" else ""
        reported = (column, asking, spec.split, predicted, dataset)
        score = self._score(*reported, part=part)
        last = self._score(*reported, LAST, part) if spec.last else None
        selection = score
        if spec.select_on:
            selection = self._score(column, asking, spec.select_on, predicted, dataset, SELECT)
        elif self._chooses:
            selection = self._score(*reported, part="select")
        return Trial(changes, predicted, score, selection, last=last)

    def _with_weights(self, trial: Trial) -> Trial:
        """The trial with the step that keeps its model."""
        made = trial.predictions
        spec, carried = decided(Finetuned(made.spec_of(Finetune)), self.grid.known)
        inputs, how = {"finetune": made, **made.inputs}, carried | {"keep_weights": True}
        kept = Step("finetuned", made.name, spec, inputs, how)
        return replace(trial, kept=self.models.once(("finetuned", kept.digest), lambda: kept))

    def _settings(self, asking: "Asking", changes: Mapping[str, Any]) -> dict[str, Any]:
        """A finetuning's settings: the recipe's at this scale, the grid's, and the changes."""
        usual = tuned(self.grid, self.scale, asking.task.name, asking.needs)
        settings = changed(usual, {**self.grid.finetune, **changes})
        return {each.name: getattr(settings, each.name) for each in fields(Finetuning)}

    def _zero_shot(
        self,
        table: Table,
        column: Column,
        asking: "Asking",
        pretrained: Step[Pretrain | Snapshot | Checkpoint],
        seed: int,
    ) -> Trial:
        task, how = asking.task, asking.how
        shots = how.shots or 0
        spec = ZeroShot(
            task=task.name,
            objective=pretrained.spec.objective,
            split=table.split,
            mode=how.mode,
            options=unleveled(how.options),
            window=self.scale.window,
            stride=self.scale.window // 2,
            style=asking.style,
            pattern=how.pattern,
            precision=self.models.precision,
            shots=shots,
            seed=seed if shots else 0,
        )
        splits = (*(("train",) if shots else ()), table.split)
        dataset = self.models.sources.dataset(task, splits, asking.variant)
        inputs = _inputs(pretrained, dataset)
        style = asking.style if asking.needs.asks == "cloze" else ""
        at = f"at{pretrained.spec.at}" if isinstance(pretrained.spec, Snapshot) else ""
        shown = f"{shots}shot" if shots else ""
        about = "-".join(filter(None, (task.name, how.mode, style, shown, at)))
        seeds = f"{pretrained.spec.seed}.{seed}" if shots else pretrained.spec.seed
        name = slug(f"{asking.variant.short}-{about}-s{seeds}")
        spec, carried = decided(spec, self.grid.known)
        made = Step("zeroshot", name, spec, inputs, carried)
        predicted = self.models.once(("zeroshot", made.digest), lambda: made)
        return Trial({}, predicted, self._score(column, asking, table.split, predicted, dataset))

    def _curve(
        self,
        table: Table,
        column: Column,
        asking: "Asking",
        pretrained: Step[Pretrain | Checkpoint],
        seed: int,
    ) -> tuple[Point, ...]:
        """The scores on the way of a pretraining; of finetuned models there are none."""
        if asking.needs.trained:
            return ()
        return tuple(
            Point(snapshot, self._zero_shot(table, column, asking, snapshot, seed).score)
            for snapshot in self.models.snapshots(pretrained)
        )

    def _score(
        self,
        column: Column,
        asking: "Asking",
        split: str,
        predicted: Step,
        dataset: Step,
        file: str = CHOSEN,
        part: str = "",
    ) -> Step[Score]:
        task, known = asking.task, self.grid.known.measures(asking.task.name)
        wished = asking.how
        how = How(asking.needs.asks, False, wished.pattern, wished.mode, options=wished.options)
        how = replace(how, shots=wished.shots or 0)
        spec = Score(
            task=task.name,
            split=split,
            metrics=column.metrics,
            signatures=tuple(
                signature(task, how, known[name], asking.style) for name in column.metrics
            ),
            predictions=file,
            part=part,
            style=how.style,
            pattern=how.pattern,
            mode=how.mode,
            options=how.options,
        )
        inputs = {"predictions": predicted, "dataset": dataset}
        spec, carried = decided(spec, self.grid.known)
        made = Step("score", predicted.name, spec, inputs, carried)
        return self.models.once(("score", made.digest), lambda: made)


def _without(trial: Trial, leakage: Step[Leakage]) -> Trial:
    """The trial with a score that leaves out what `leakage` finds."""
    score, inputs = trial.score, {**trial.score.inputs, "leakage": leakage}
    return replace(trial, clean=Step("score", score.name, score.spec, inputs, score.how))


def _inputs(pretrained: Step, dataset: Step) -> dict[str, Step]:
    """What a model is asked with; a checkpoint brings its own tokenizer."""
    inputs = {"pretrain": pretrained, "dataset": dataset}
    if "tokenizer" in pretrained.inputs:
        inputs["tokenizer"] = pretrained.inputs["tokenizer"]
    return inputs


@dataclass(frozen=True)
class Asking:
    """What a row and a column decide between them, for every pair of seeds."""

    variant: Variant
    changes: Mapping[str, Any]  # of its pretraining's recipe
    tuning: Mapping[str, Any]  # finetuning settings of the row
    task: Task
    style: str
    needs: Requirement
    how: Asked


def unleveled(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without the level, which chooses among answers and changes none."""
    return {name: value for name, value in options.items() if name != "level"}
