"""A question as a model's input, and how a backbone reads many of them.

Shape suffixes: R positions read, M targets, H hidden size, V vocabulary.
"""

import math
from collections.abc import Callable
from collections.abc import Sequence as List
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glm.data.sequences import Sequence, groups
from glm.data.special import Special
from glm.models.backbone import Backbone


@dataclass(frozen=True, eq=False)
class Item:
    """A question as a model's input: what a batch of finetuning is made of.

    `weight` is the item's share of a batch's loss; `cut` how many tokens of its text had no room;
    `plan` belongs to the style that made the item.
    """

    question: Any  # a tasks.spec.Question of the kind that the style takes
    sequences: tuple[Sequence, ...]
    weight: float = 1.0
    cut: int = 0
    plan: Any = None

    @property
    def length(self) -> int:
        """Positions that the model will process for this item."""
        return sum(len(s) for s in self.sequences)


def target_loss(
    model: Backbone, sequences: List[Sequence], special: Special, label_smoothing: float
) -> torch.Tensor:
    """Mean over all targets of all sequences of the smoothed cross-entropy in nats: a scalar."""
    hidden_MH = model.read(sequences, special.pad)
    target_M = torch.as_tensor(np.concatenate([s.target_R for s in sequences]))
    target_M = target_M.to(hidden_MH.device)
    weight_M = (target_M >= 0).float()
    total = model.cross_entropy(
        hidden_MH,
        target_M.clamp(min=0),
        weight_M,
        vocabulary=special.size,
        label_smoothing=label_smoothing,
    )
    return total / weight_M.sum().clamp(min=torch.finfo(torch.float32).tiny)


def read_all(model: Backbone, items: List[Item], pad: int) -> torch.Tensor:
    """hidden_RH at the reads of all sequences of all items, in their order."""
    return model.read([s for item in items for s in item.sequences], pad)


@torch.inference_mode()
def read_each(
    model: Backbone,
    items: List[Item],
    batch_positions: int,
    reduce: Callable[[List[Item]], List[Any]],
) -> list[Any]:
    """`reduce(group)` gives one value per item of a group; returns all values, in input order.

    Runs in evaluation mode, without gradients, in groups of about `batch_positions` positions, and
    leaves the model's mode as it was.
    """
    training = model.training
    model.eval()
    values: list[Any] = [None] * len(items)
    for group in groups([item.length for item in items], batch_positions):
        for i, value in zip(group, reduce([items[i] for i in group]), strict=True):
            values[i] = value
    model.train(training)
    return values


def require_finite(name: str, scores: List[float]) -> None:
    """Raises `FloatingPointError` where a score is no number: no answer follows from it."""
    for score in scores:
        if not math.isfinite(score):
            raise FloatingPointError(
                f"the model has diverged: a score of question {name} is {score}"
            )


def logits(model: Backbone, hidden_RH: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """logits_RV, fp32 at least, over the real vocabulary: the table's padding rows are no words."""
    logits_RV = model.logits(hidden_RH)[:, :vocabulary]
    return logits_RV if logits_RV.dtype == torch.float64 else logits_RV.float()
