"""What a `grid.yaml` may say: every key with its type; names are checked elsewhere."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

MOST_SEEDS = 10_000


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _seeds(value: Any) -> Any:
    """A list as it is; a number n as the seeds 0..n-1."""
    if type(value) is int:
        if not 0 < value <= MOST_SEEDS:
            raise ValueError(f"a number of seeds is between 1 and {MOST_SEEDS:,}")
        return list(range(value))
    return value


def _seconds(value: Any) -> Any:
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
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer"}},
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


def _scalar(value: Any) -> Any:
    if type(value) in (bool, int, float, str):
        return value
    raise ValueError("it should be a number, text, true or false")


def _scalars(value: Any) -> Any:
    return [_scalar(each) for each in value] if isinstance(value, list) else _scalar(value)


_SCALAR = {"type": ["boolean", "number", "string"]}
Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema(_SCALAR)]
Scalars = Annotated[
    Any,
    AfterValidator(_scalars),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}),
]


class CorpusData(_Model):
    """Documents to pretrain on: files below the root, or a hub data set."""

    path: Paths = []
    hub: str = ""
    revision: str | None = None
    split: str = "train"
    format: Literal["text", "jsonl", "parquet", "auto"] = "auto"
    field: str = "text"
    limit: int = Field(0, ge=0)


class VocabularyData(_Model):
    """Which vocabulary: trained on the corpus, or a published one. "": what the scale says."""

    kind: Literal["", "train", "bert", "roberta", "gpt2"] = ""
    size: int | None = Field(None, ge=64, le=65_536)
    path: str = ""
    hub: str = ""


class Data(_Model):
    """Where text comes from."""

    kind: Literal["microworld", "folder", "hub"] = "microworld"
    root: str = ""
    corpus: CorpusData | None = None
    larger_corpus: CorpusData | None = None  # for the variants with RoBERTa's recipe
    vocabulary: VocabularyData = Field(default_factory=lambda: VocabularyData.model_validate({}))
    files: dict[str, dict[str, str]] = {}  # task -> split -> path below the root
    revision: str | None = None  # of the tasks on the hub, instead of the commits pinned here
    seed: int = Field(0, ge=0)
    documents: int | None = Field(None, ge=1)  # of the built-in world
    on_bad_row: Literal["stop", "skip"] = "stop"
    limit: dict[Literal["train", "dev", "test"], int] = {}  # rows of a split


class SeedPairs(_Model):
    """Seeds of pretraining and of finetuning; every pair is run. A number n means 0..n-1."""

    pretrain: Seeds = [0]
    finetune: Seeds = [0]


class Sweep(_Model):
    """Finetuning parameters to vary, and how a cell's value is chosen among them."""

    parameters: dict[str, Annotated[list[Scalar], Field(min_length=1)]] = {}
    select: Literal["fixed", "best_dev", "median"] = "best_dev"


class MachineSettings(_Model):
    """How steps are run. Changes no number and no digest."""

    executor: Literal["auto", "ray", "inline"] = "auto"
    address: str = ""
    gpus: dict[str, Annotated[float, Field(ge=0)]] = {}
    cpus: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    workers: int | None = Field(None, ge=1)
    micro_batch: int | None = Field(None, ge=1)
    store: str = "store"
    time_limit: dict[str, Seconds] = {}
    device: Literal["auto", "cpu", "cuda"] = "auto"
    retries: int = Field(3, ge=0)
    checkpoint_seconds: Annotated[float, BeforeValidator(_seconds), Field(ge=0)] = 60.0


class InlineRow(_Model):
    """One system of the user's own table."""

    variant: str
    id: str = ""
    label: str = ""
    style: str = ""
    set: dict[str, Scalars] = {}
    paper: str = ""
    group: str = ""


class InlineColumn(_Model):
    """One task of the user's own table; `metrics` and `options` as the task has them by default."""

    task: str
    id: str = ""
    label: str = ""
    metrics: list[str] = []
    options: dict[str, Scalar] = {}


def _row(value: Any) -> Any:
    return {"variant": value} if isinstance(value, str) else value


def _column(value: Any) -> Any:
    return {"task": value} if isinstance(value, str) else value


class InlineTable(_Model):
    """The user's own table: rows are variants, columns are tasks or groups of tasks."""

    id: str
    title: str = ""
    rows: list[Annotated[InlineRow, BeforeValidator(_row)]] = Field(min_length=1)
    columns: list[Annotated[InlineColumn, BeforeValidator(_column)]] = Field(min_length=1)
    split: Literal["dev", "test"] = "dev"
    average: bool = False
    reference: str = ""


class Grid(_Model):
    """Everything that a `grid.yaml` may say."""

    name: str = ""
    scale: str = "micro"
    overrides: dict[str, Scalar] = {}  # single numbers of the scale
    tables: Annotated[list[Any], Field(min_length=1)]  # ids of the paper's, and InlineTables
    data: Data = Field(default_factory=lambda: Data.model_validate({}))
    seeds: SeedPairs = SeedPairs()
    sweep: Sweep | None = None
    controls: list[Literal["aa", "planted", "blind"]] = []
    match: Literal["positions", "targets", "flops", "corpus_tokens"] = "positions"
    recipe: str = "paper"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    finetune: dict[str, Scalar | list[Scalar]] = {}  # for every finetuning: epochs, lr, ...
    machine: MachineSettings = Field(default_factory=lambda: MachineSettings.model_validate({}))

    def resolved_tables(self) -> list[Any]:
        """The tables in the grid's order: ids of the paper's, and the user's own as tables."""
        from harness.grid.names import written_out

        return [t if isinstance(t, str) else written_out(t) for t in self.tables]
