"""One dial for size: `micro | small | base | paper`, a pure function of a variant.

A scale multiplies depth, width and heads by one factor each, so the ratios between variants stay
(410M is 1.25 times as deep as Large, 515M also 1.125 times as wide), and fixes everything else that
must fit the machine: lengths, batch, steps, learning rates, epochs and how much data is read.
`paper` changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from ablations.recipes import RECIPES, Finetuning, Pretraining
from ablations.systems import Variant
from glm.models.flops import parameter_count

VOCABULARIES = {"bert": 30_592, "roberta": 50_304}  # rows of the padded tables (golden figures)


@dataclass(frozen=True)
class Scale:
    """Everything that size decides. `None` means: as the recipe says."""

    name: str
    depth: Fraction
    width: Fraction
    heads: Fraction
    length: int | None = None  # raw tokens of a pretraining sequence
    batch: int | None = None
    steps: int | None = None  # of the reference objective; `match` sets the others'
    lr: float | None = None
    warmup: float = 0.05
    dropout: float | None = None
    activation: str | None = None
    positions: int = 512  # rows of the position tables less one
    vocabulary: int | None = None  # of a vocabulary trained on the corpus
    precision: str = "bf16"
    documents: int = 50_000  # of the built-in world's corpus
    world: float = 1.0  # size of the built-in world's task files, as a factor
    epochs: Fraction = Fraction(1)
    finetune_lr: float | None = None
    finetune_batch: int | None = None
    finetune_length: int | None = None
    target_length: int | None = None
    rows: int | None = None  # training rows read per task
    eval_rows: int | None = None
    window: int = 512  # of held-out perplexity


SCALES: Mapping[str, Scale] = {
    # A laptop's minutes: every cell of every table on two cores in less than eight minutes.
    "micro": Scale(
        "micro",
        depth=Fraction(1, 6),
        width=Fraction(1, 16),
        heads=Fraction(1, 8),
        length=96,
        batch=16,
        steps=240,
        lr=2e-3,
        dropout=0.0,
        activation="gelu",
        positions=192,
        vocabulary=2048,
        precision="fp32",
        documents=3000,
        world=0.2,
        epochs=Fraction(1, 5),
        finetune_lr=1e-3,
        finetune_batch=16,
        finetune_length=160,
        target_length=32,
        rows=320,
        eval_rows=160,
        window=96,
    ),
    # A laptop's hour: where differences between objectives start to show.
    "small": Scale(
        "small",
        depth=Fraction(1, 6),
        width=Fraction(1, 8),
        heads=Fraction(1, 8),
        length=128,
        batch=16,
        steps=700,
        lr=1e-3,
        dropout=0.0,
        activation="gelu",
        positions=256,
        vocabulary=2048,
        precision="bf16",
        documents=20_000,
        world=1.0,
        epochs=Fraction(1, 10),
        finetune_lr=5e-4,
        finetune_batch=16,
        finetune_length=224,
        target_length=48,
        rows=384,
        eval_rows=200,
        window=128,
    ),
    # One GPU's evening: half the width and a third of the depth, about half a billion tokens.
    "base": Scale(
        "base",
        depth=Fraction(1, 3),
        width=Fraction(1, 2),
        heads=Fraction(1, 2),
        batch=256,
        steps=4000,
        lr=6e-4,
        epochs=Fraction(1, 2),
        finetune_lr=5e-5,
    ),
    "paper": Scale("paper", Fraction(1), Fraction(1), Fraction(1)),
}


def _round(value: Fraction) -> int:
    return max(1, int(value + Fraction(1, 2)))


@dataclass(frozen=True)
class Architecture:
    """A variant's body at a scale; the vocabulary's rows are the tokenizer's."""

    layers: int
    hidden: int
    heads: int
    positions: int
    inner: bool
    activation: str
    dropout: float
    attention_dropout: float

    def parameters(self, vocabulary: int) -> int:
        """Parameters with a table of `vocabulary` rows."""
        return parameter_count(self.layers, self.hidden, vocabulary, self.positions, self.inner)


def pretraining(variant: Variant, scale: Scale, recipe: str) -> Pretraining:
    """The variant's recipe at a scale: reduced scales share one budget for all recipes."""
    settings = RECIPES[recipe].pretraining[variant.recipe]
    changes: dict[str, object] = {}
    if scale.steps is not None:
        warmup = max(1, round(scale.steps * scale.warmup))
        changes |= {"steps": scale.steps, "warmup_steps": warmup, "decay_steps": scale.steps}
    names = {"lr": scale.lr, "batch": scale.batch, "length": scale.length}
    changes |= {name: value for name, value in names.items() if value is not None}
    if scale.dropout is not None:
        changes |= {"dropout": scale.dropout, "attention_dropout": scale.dropout}
    return replace(settings, **changes)  # type: ignore[arg-type]


def architecture(variant: Variant, scale: Scale, recipe: str) -> Architecture:
    """The variant's body at a scale; `paper` gives the paper's parameter counts."""
    settings = pretraining(variant, scale, recipe)
    return Architecture(
        layers=_round(variant.layers * scale.depth),
        hidden=_round(variant.hidden * scale.width),
        heads=_round(variant.heads * scale.heads),
        positions=scale.positions,
        inner=variant.inner,
        activation=scale.activation or variant.activation,
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
    )


def finetuning(task: str, scale: Scale, recipe: str) -> Finetuning:
    """A task's finetuning settings at a scale."""
    settings = RECIPES[recipe].finetuning[task]
    changes: dict[str, object] = {"epochs": _round(settings.epochs * scale.epochs)}
    if scale.dropout is not None:
        changes["dropout"] = scale.dropout
    if scale.finetune_lr is not None:
        changes["lr"] = scale.finetune_lr
    if scale.finetune_batch is not None:
        changes["batch"] = scale.finetune_batch
    if scale.finetune_length is not None:
        changes["max_length"] = min(settings.max_length, scale.finetune_length)
    if scale.target_length is not None and settings.target_length:
        longest = min(settings.target_length, scale.target_length)
        decoding = settings.decoding
        changes["target_length"] = longest
        changes["decoding"] = replace(
            decoding,
            max_length=min(decoding.max_length, longest),
            min_length=min(decoding.min_length, longest // 4),
        )
    return replace(settings, **changes)  # type: ignore[arg-type]
