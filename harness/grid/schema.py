"""What a `grid.yaml` may say: every key with its type and its meaning; names are checked elsewhere.

No key is required here: what is left out is blamed by the check, together with all the rest.
"""

import copy
import dataclasses
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
)

from ablations.recipes import Recipe
from ablations.tables import Table
from glm.objectives.amounts import Unit
from harness.code.catalogue import Catalogue
from harness.grid.positions import Document, dumped
from harness.steps.identity import canonical

MOST_SEEDS = 10_000


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _seeds(value: object) -> object:
    """A list as it is; a number n as the seeds 0..n-1."""
    if type(value) is int:
        if not 0 < value <= MOST_SEEDS:
            raise ValueError(f"a number of seeds is between 1 and {MOST_SEEDS:,}")
        return list(range(value))
    return value


def _different(value: list[int]) -> list[int]:
    """Seeds of which none is there twice: it would be one run that counts as two."""
    twice = [seed for seed, count in Counter(value).items() if count > 1]
    if twice:
        raise ValueError(f"seed {twice[0]} is there twice")
    return value


def _seconds(value: object) -> object:
    """A number of seconds, or text with a unit: 90s, 30m, 2h, 1d."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([0-9.]+)\s*([smhd])\s*", value)
        if not found:
            raise ValueError("a time is a number of seconds, or like 90s, 30m, 2h, 1d")
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    return value


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]],
    BeforeValidator(_seeds),
    Field(min_length=1),
    AfterValidator(_different),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_SEEDS},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "uniqueItems": True},
            ]
        }
    ),
]
Paths = Annotated[
    list[str],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0),
    WithJsonSchema({"type": ["number", "string"]}),
]


class CorpusData(_Model):
    """Documents to pretrain on: files below the root, or a hub data set."""

    path: Paths = Field(
        [], description="files below data.root, one or a list; a folder is all .txt files in it"
    )
    hub: str = Field("", description="a hub data set instead: NAME or NAME:CONFIG")
    revision: str | None = Field(None, description="the hub data set's commit")
    split: str = Field("train", description="the hub data set's split")
    format: Literal["text", "jsonl", "parquet", "auto"] = Field(
        "auto", description="of the files; auto goes by the name, other names than known are text"
    )
    documents: Literal["line", "paragraph", "file"] = Field(
        "line",
        description="what a document of a text file is: a line unless said otherwise, what stands "
        "between empty lines, or the whole file",
    )
    field: str = Field("text", description="the field or column that holds a document")
    limit: int = Field(0, ge=0, description="documents read; 0 is all")


class VocabularyData(_Model):
    """Which vocabulary: trained on the corpus, or a published one."""

    kind: Literal["", "train", "bert", "roberta", "gpt2"] = Field(
        "", description="trained on the corpus or a published one; empty: as the scale says"
    )
    size: int | None = Field(None, ge=64, le=65_536, description="words of a trained one")
    path: str = Field("", description="the published files, or their folder, below data.root")
    hub: str = Field("", description="a hub model that has the published files")


class Data(_Model):
    """Where text comes from."""

    kind: Literal["microworld", "folder", "hub"] = Field(
        "microworld", description="the built-in world, a folder of files, or the hub"
    )
    root: str = Field(
        "", description="the folder of files; relative to the grid's file, or with --set to here"
    )
    corpus: CorpusData | None = Field(None, description="documents to pretrain on")
    larger_corpus: CorpusData | None = Field(
        None, description="documents for the systems with RoBERTa's recipe"
    )
    vocabulary: VocabularyData = Field(
        default_factory=lambda: VocabularyData.model_validate({}), description="which vocabulary"
    )
    files: dict[str, dict[str, str]] = Field(
        {}, description="task -> split -> file below the root; FILE#0:1500 is its first rows"
    )
    revision: str | None = Field(None, description="of the tasks on the hub, for all of them")
    seed: int = Field(0, ge=0, description="of the built-in world")
    documents: int | None = Field(None, ge=1, description="of the built-in world's corpus")
    on_bad_row: Literal["stop", "skip"] = Field(
        "stop", description="a bad row ends the step, or is left out and counted"
    )
    limit: dict[Literal["train", "dev", "test"], Annotated[int, Field(ge=1)]] = Field(
        {}, description="rows read of a split, for every task"
    )


class SeedPairs(_Model):
    """Seeds of pretraining and of finetuning; every pair is run. A number n means 0..n-1."""

    pretrain: Seeds = Field([0], description="seeds of pretraining, or how many")
    finetune: Seeds = Field([0], description="seeds of finetuning, or how many")


class Sweep(_Model):
    """Finetuning settings to vary, and how a cell's value is chosen among them."""

    parameters: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        {}, description="setting -> its values; every combination is tried"
    )
    select: Literal["fixed", "best_dev", "median"] = Field(
        "best_dev", description="which fills the cell: the first, the best or the median on dev"
    )


class Limits(_Model):
    """Above these a grid is refused as a slip of the pen; raise them if it is meant."""

    memory_gb: float | None = Field(
        None,
        gt=0,
        description="of one training's weights, gradients and averages; "
        "by default this machine's memory, or 80 for each of machine.gpus",
    )
    days: float = Field(100.0, gt=0, description="that one step takes at most, as estimated")
    documents: int = Field(10_000_000, ge=1, description="of the built-in world's corpus")


class MachineSettings(_Model):
    """How steps are run. Changes no number and no digest."""

    executor: Literal["auto", "ray", "inline"] = Field(
        "auto", description="in this process, on Ray, or Ray where it is installed"
    )
    address: str = Field("", description="a Ray cluster: auto, or host:port")
    gpus: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="kind of step -> GPUs; 0.5 shares one"
    )
    cpus: int | None = Field(None, ge=1, description="CPUs to be used; by default all")
    threads: int | None = Field(None, ge=1, description="CPU threads of a step")
    workers: int | None = Field(None, ge=1, description="steps that run at once")
    micro_batch: int | None = Field(None, ge=1, description="rows of one forward pass")
    store: str = Field(
        "store", description="where results are kept; relative to the grid's file if given there"
    )
    time_limit: dict[str, Seconds] = Field({}, description="kind of step -> 90s, 30m, 2h, 1d")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="what steps compute on")
    retries: int = Field(3, ge=0, description="times that a step goes on after a lost worker")
    checkpoint_seconds: Annotated[float, BeforeValidator(_seconds), Field(ge=0)] = Field(
        60.0, description="between two checkpoints of a training"
    )
    track: Literal["", "tensorboard", "trackio", "wandb"] = Field(
        "", description="a tracker that is told of losses and scores while the grid is run"
    )


class InlineRow(_Model):
    """One system of the user's own table."""

    variant: str = Field("", description="the system's name; `harness list systems`")
    checkpoint: str = Field(
        "", description="instead of a variant: a folder, or a model's name on the hub"
    )
    revision: str = Field("", description="the checkpoint's commit, tag or branch on the hub")
    get: str = Field(
        "", description="how to get the checkpoint where it is not there, for who reads the error"
    )
    id: str = Field("", description="the row's id; by default what sets it apart")
    label: str = Field("", description="what the table prints; by default made of what is set")
    style: str = Field("", description="how tasks are asked; by default what suits the system")
    set: dict[str, Any] = Field(
        {}, description="what is changed: objective.X, variant.X, pretrain.X, lr, epochs, ..."
    )
    paper: str = Field("", description="the row's id in the file of the paper's numbers")
    group: str = Field("", description="a heading above the row")


class InlineColumn(_Model):
    """One task of the user's own table, or a group of tasks."""

    task: str = Field("", description="a task or a group; `harness list tasks`")
    id: str = Field("", description="the column's id; by default the task's name")
    label: str = Field("", description="what the table prints")
    metrics: list[str] = Field([], description="in the order printed; by default all")
    options: dict[str, Any] = Field({}, description="how the task is asked: mode, pattern, ratio")


class InlineTable(_Model):
    """The user's own table: rows are systems, columns are tasks or groups of tasks."""

    id: str = Field("", description="the table's id and its files' name")
    title: str = Field("", description="what is printed above it")
    rows: list[Any] = Field([], description="systems: names, or mappings")
    columns: list[Any] = Field([], description="tasks: names, or mappings")
    split: Literal["dev", "test"] = Field("dev", description="the split that is scored")
    average: bool = Field(False, description="add the mean over the columns")
    reference: str = Field("", description="the row that differences are taken against")


class TablePart(_Model):
    """Some rows and columns of a table that has a name: its claims are asked of what is left."""

    table: str = Field(description="the table's name; `harness list tables`")
    rows: list[str] = Field([], description="ids of its rows; by default all")
    columns: list[str] = Field([], description="ids of its columns; by default all")
    reference: str = Field("", description="the row that differences and controls are taken of")


class Grid(_Model):
    """Everything that a `grid.yaml` may say."""

    name: str = Field("", description="of the results; by default the file's")
    scale: str = Field("micro", description="how large: `harness list scales`")
    overrides: dict[str, Any] = Field({}, description="single numbers of the scale")
    tables: list[Any] = Field(
        [], description="names of the paper's tables, parts of them, and tables written out"
    )
    data: Data = Field(
        default_factory=lambda: Data.model_validate({}), description="where text comes from"
    )
    seeds: SeedPairs = Field(
        default_factory=lambda: SeedPairs.model_validate({}), description="every pair is run"
    )
    sweep: Sweep | None = Field(None, description="finetuning settings to choose among")
    controls: list[Literal["aa", "planted", "blind"]] = Field(
        [], description="the reference row again: other seeds, half its pretraining, blind"
    )
    clean: bool = Field(
        False, description="score also without evaluation rows that a model has read"
    )
    curve: int = Field(
        0,
        ge=0,
        le=64,
        description="points of a pretraining, log-spaced, at which what needs no finetuning is "
        "measured; the last is its end",
    )
    match: Unit = Field("positions", description="what every pretraining gets as much of as GLM's")
    recipe: str = Field("paper", description="whose hyperparameters: `harness list recipes`")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of matrix products, in training and evaluation; auto: the scale's"
    )
    finetune: dict[str, Any] = Field({}, description="settings of every finetuning")
    keep_weights: bool = Field(
        False, description="keep every finetuned model too, for `harness export`; changes no number"
    )
    plugins: Paths = Field(
        [], description="files (mine.py, tasks.yaml) and modules with names of your own"
    )
    tasks: dict[str, Any] = Field({}, description="tasks of your own, as docs/plugins.md has them")
    limits: Limits = Field(
        default_factory=lambda: Limits.model_validate({}), description="what is refused as too much"
    )
    machine: MachineSettings = Field(
        default_factory=lambda: MachineSettings.model_validate({}), description="how it is run"
    )

    # Not written: where everything was, what names mean, and the tables with every default.
    _document: Document = PrivateAttr()
    _known: Catalogue = PrivateAttr()
    _tables: tuple[Table, ...] = PrivateAttr(default=())

    @property
    def known(self) -> Catalogue:
        """What the grid's names mean."""
        return self._known

    @property
    def hyperparameters(self) -> Recipe:
        """The recipe that the grid names."""
        return self._known.recipes[self.recipe]

    @property
    def resolved_tables(self) -> tuple[Table, ...]:
        """The tables in the grid's order, the user's own written out."""
        return self._tables

    @property
    def folder(self) -> Path:
        """The folder that paths in the grid's file are relative to."""
        return Path(self._document.source).parent.absolute()

    @property
    def asked(self) -> dict[str, Any]:
        """All that the grid asks for, as plain values: its name, how it is run and what is kept
        beside its numbers are no part."""
        asked = self.model_dump(exclude={"name", "tables", "machine", "limits", "keep_weights"})
        place = self._document.values.get(("data", "root"))
        if place is not None and place.line:  # as written: the file may be moved with its data
            asked["data"]["root"] = self._document.value["data"]["root"]
        tables = {table.id: dataclasses.asdict(table) for table in self._tables}
        return canonical({**asked, "tables": tables}, place="grid")

    @property
    def text(self) -> str:
        """The grid as YAML that asks for the same from anywhere, with what `--set` has changed."""
        written = copy.deepcopy(self._document.value)
        for key, of, value in (
            ("root", "data", self.data.root),
            ("store", "machine", self.machine.store),
        ):
            if key in (written.get(of) or {}) and value:
                written[of][key] = value
        if self.plugins:  # files from anywhere; modules are installed
            written["plugins"] = [
                str(self.folder / entry) if (self.folder / entry).is_file() else entry
                for entry in self.plugins
            ]
        return dumped(written)
