"""One dial for size: `micro | small | base | paper`, a pure function of a variant.

A scale multiplies depth, width and heads by one factor each, so the ratios between variants stay
(410M is 1.25 times as deep as Large, 515M also 1.125 times as wide), and fixes everything else that
must fit the machine: lengths, batch, steps, learning rates, epochs and how much data is read. The
deviation of the initial weights follows the width. `paper` changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from ablations.recipes import Finetuning, Pretraining, Recipe
from ablations.settings import Activation, Count, Factor, Length, Portion, Rate, Size
from ablations.systems import Variant
from glm.models.shape import Shape, following_width

Precision = Literal["fp32", "bf16"]
Words = Annotated[int, Ge(64), Le(65_536)]
Window = Annotated[int, Ge(4), Le(10**6)]
World = Annotated[float, Gt(0), Le(100)]


@dataclass(frozen=True)
class Scale:
    """Everything that size decides. `None` means: as the recipe says."""

    name: str
    says: str  # in a line
    depth: Annotated[Factor, "layers, as a factor of the paper's"]
    width: Annotated[Factor, "hidden units, as a factor of the paper's"]
    heads: Annotated[Factor, "attention heads, as a factor of the paper's"]
    length: Annotated[Length | None, "raw tokens of a pretraining sequence"] = None
    batch: Annotated[Count | None, "pretraining sequences per optimizer step"] = None
    steps: Annotated[Count | None, "GLM's pretraining steps; `match` sets the others'"] = None
    lr: Annotated[Rate | None, "peak learning rate of pretraining"] = None
    warmup: Annotated[Portion, "share of the pretraining steps that is warm-up"] = 0.05
    dropout: Annotated[Portion | None, "dropout, attention's included"] = None
    activation: Annotated[Activation | None, "the exact GELU or the original's tanh form"] = None
    positions: Annotated[Length, "longest sequence of a pretrained model"] = 512
    vocabulary: Annotated[Words | None, "words of a vocabulary trained on the corpus"] = None
    precision: Annotated[Precision, "of matrix products, in training and evaluation"] = "bf16"
    documents: Annotated[Count, "of the built-in world's corpus"] = 50_000
    world: Annotated[World, "size of the built-in world's task files, as a factor"] = 1.0
    epochs: Annotated[Factor, "finetuning epochs, as a factor of the recipe's"] = Fraction(1)
    finetune_lr: Annotated[Rate | None, "peak learning rate of finetuning"] = None
    finetune_batch: Annotated[Count | None, "finetuning questions per optimizer step"] = None
    finetune_length: Annotated[Size | None, "positions of a finetuning source at most"] = None
    target_length: Annotated[Size | None, "tokens of a written answer at most"] = None
    rows: Annotated[Count | None, "training rows read of each task"] = None
    eval_rows: Annotated[Count | None, "dev and test rows read of each task"] = None
    window: Annotated[Window, "tokens of a window of held-out perplexity"] = 512


SCALES: Mapping[str, Scale] = {
    "micro": Scale(
        "micro",
        "a laptop's minutes: every cell of every table on two cores in less than eight minutes",
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
    "small": Scale(
        "small",
        "a laptop's hour: where differences between objectives start to show",
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
    "base": Scale(
        "base",
        "one GPU's evening: half the width, a third of the depth, about half a billion tokens",
        depth=Fraction(1, 3),
        width=Fraction(1, 2),
        heads=Fraction(1, 2),
        batch=256,
        steps=4000,
        lr=6e-4,
        epochs=Fraction(1, 2),
        finetune_lr=5e-5,
    ),
    "paper": Scale("paper", "the paper's sizes", Fraction(1), Fraction(1), Fraction(1)),
}


def _round(value: Fraction) -> int:
    return max(1, int(value + Fraction(1, 2)))


def pretraining(variant: Variant, scale: Scale, recipe: Recipe) -> Pretraining:
    """The variant's recipe at a scale: reduced scales share one budget for all recipes."""
    settings = recipe.pretraining[variant.recipe]
    changes: dict[str, object] = {}
    if scale.steps is not None:
        warmup = max(1, round(scale.steps * scale.warmup))
        changes |= {"steps": scale.steps, "warmup_steps": warmup, "decay_steps": scale.steps}
    names = {"lr": scale.lr, "batch": scale.batch, "length": scale.length}
    changes |= {name: value for name, value in names.items() if value is not None}
    if scale.dropout is not None:
        changes |= {"dropout": scale.dropout, "attention_dropout": scale.dropout}
    return replace(settings, **changes)  # type: ignore[arg-type]


def architecture(variant: Variant, scale: Scale, recipe: Recipe) -> Shape:
    """The variant's shape at a scale, but for the vocabulary's rows, which are the tokenizer's.

    Raises `ValueError` for what cannot be one.
    """
    settings = pretraining(variant, scale, recipe)
    if variant.decoder and not variant.objective.amounts(settings.length).parts:
        raise ValueError("a decoder, and its objective does not say what it writes")
    return Shape(
        layers=_round(variant.layers * scale.depth),
        hidden=_round(variant.hidden * scale.width),
        heads=_round(variant.heads * scale.heads),
        positions=scale.positions,
        inner=variant.inner,
        activation=scale.activation or variant.activation,
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
        deviation=following_width(1 / float(scale.width)),
        decoder=_round(variant.decoder * scale.depth) if variant.decoder else 0,
    )


def finetuning(task: str, scale: Scale, recipe: Recipe, *, writes: bool = False) -> Finetuning:
    """A task's finetuning settings at a scale; `writes` where its answers are written out."""
    settings = recipe.of(task, writes=writes)
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
