"""What a step is expected to take, from its spec and its inputs' specs.

Estimates come from outside of the specs, so that none can reach a digest. A kind of step without an
estimate takes nothing that is worth counting.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ablations.budget import spent
from glm.data.extent import Extent
from glm.data.special import table_rows
from glm.models.shape import Shape
from glm.objectives.amounts import Unit
from harness.steps.checkpoint import parameters
from harness.steps.dataset import Dataset
from harness.steps.finetune import Finetune
from harness.steps.pretrain import Pretrain
from harness.steps.step import Step
from harness.steps.vocabulary import Vocabulary
from harness.steps.world import World

ROWS = 10_000  # training rows of a task whose data set is read whole, until it has been read
ANSWER = 8  # targets of a finetuning question


@dataclass(frozen=True)
class Cost:
    """What a step is expected to take: for plans and estimates, never for decisions."""

    flops: float = 0.0
    disk_bytes: float = 0.0


def shape(step: Step) -> Shape:
    """A pretraining's model, its token table's padded rows included."""
    spec = step.spec_of(Pretrain)
    ids = step.inputs["tokenizer"].spec_of(Vocabulary).ids
    sentinels = spec.objective.extra_tokens(spec.shape.positions).sentinels
    return replace(spec.shape, vocabulary=table_rows(ids, sentinels))


def planned(step: Step) -> Mapping[Unit, float]:
    """What a pretraining will have spent at its end, in every unit of a budget."""
    spec = step.spec_of(Pretrain)
    ids = step.inputs["tokenizer"].spec_of(Vocabulary).ids
    size = (spec.batch, spec.length, spec.optimisation.steps)
    return spent(spec.objective, spec.shape, ids, *size)


def _world(step: Step) -> Cost:
    """About 700 bytes a document, and as much again for the tasks."""
    spec = step.spec_of(World)
    return Cost(0.0, spec.documents * 700 + 2e7 * spec.scale)


def _tokenizer(step: Step) -> Cost:
    """Some 40 bytes an id."""
    return Cost(0.0, step.spec_of(Vocabulary).ids * 40)


def _pretrain(step: Step) -> Cost:
    """FLOPs from the objective's average amounts, and the bytes of the weights, the snapshots'
    too: what a step of kind `snapshot` has are links to them."""
    models = 1 + len(step.how.get("snapshots", ()))
    return Cost(planned(step)["flops"], 4.0 * shape(step).parameters() * models)


def _finetune(step: Step) -> Cost:
    """FLOPs of training on inputs of half the longest length."""
    spec = step.spec_of(Finetune)
    rows = step.inputs["dataset"].spec_of(Dataset).limits.get("train", ROWS)
    length = spec.max_length / 2 + spec.target_length
    model = step.inputs["pretrain"]
    if model.kind == "checkpoint":
        flops = 6.0 * _parameters(model) * length  # forward and backward (Kaplan et al., 2020)
    else:
        both = (length, length**2)
        extent = Extent(*both, *both, ANSWER, ANSWER**2, length * ANSWER)
        flops = shape(model).training_flops(extent, ANSWER)
    return Cost(flops * rows * spec.epochs, 2e5)


def _parameters(checkpoint: Step) -> int:
    """A checkpoint's, as far as its files are at hand and say so; else none are counted."""
    return parameters(Path(checkpoint.how["path"])) or 0


def _zeroshot(step: Step) -> Cost:
    """Forward passes only: little beside any training."""
    return Cost(0.0, 1e5)


def _ngram(step: Step) -> Cost:
    """A sort of the tokens for each order: seconds for a million."""
    return Cost(0.0, 2e5)


def _score(step: Step) -> Cost:
    """Seconds at most."""
    return Cost(0.0, 4e3)


ESTIMATES: Mapping[str, Callable[[Step], Cost]] = {
    "world": _world,
    "tokenizer": _tokenizer,
    "pretrain": _pretrain,
    "finetune": _finetune,
    "zeroshot": _zeroshot,
    "ngram": _ngram,
    "score": _score,
}


def cost(step: Step) -> Cost:
    """The estimate for a step of any kind."""
    return ESTIMATES[step.kind](step) if step.kind in ESTIMATES else Cost()
