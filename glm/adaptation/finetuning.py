"""A pretrained model as a style asks it: what it is trained on, and what it answers.

What an item draws depends on the seed and its place in the training only, so that a training that
was interrupted needs no state but its step.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glm.adaptation.items import Item
from glm.adaptation.styles import Style
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone, together
from glm.training.learner import Learner
from glm.training.opening import Opened
from glm.training.pieces import Piece
from tasks.spec import Answer

AT_ONCE = 8192  # positions of one forward pass in training, unless a micro-batch is set


@dataclass(frozen=True)
class Adapted:
    """A model, the style in which it is asked, and how many tokens a question may have."""

    learner: Learner
    style: Style
    tokenizer: Tokenizer
    longest: int

    def encode(self, questions: Sequence[Any]) -> list[Item]:
        """The questions as the model's inputs, in order."""
        return self.style.encode(questions, self.tokenizer, self.longest)

    def loss(self, items: Sequence[Item], rng: np.random.Generator) -> Tensor:
        """The mean loss of items, by their weights: a scalar."""
        learner = self.learner
        return self.style.loss(learner.model, learner.head, items, self.tokenizer, rng)

    def answers(self, items: Sequence[Item]) -> list[Answer]:
        """The model's answers. Raises `FloatingPointError` where a score is no number."""
        learner = self.learner
        with learner.autocast():
            return self.style.answer(learner.model, learner.head, items, self.tokenizer)


def as_it_is(given: Opened, style: Style, device: torch.device, precision: str) -> Adapted:
    """A pretrained model to be asked without any training."""
    learner = Learner(together(given.model, None), given.model, None, device, precision)
    return Adapted(learner, style, given.tokenizer, given.model.positions)


def to_train(
    given: Opened,
    style: Style,
    questions: Sequence[Any],
    *,
    longest: int,
    dropout: float,
    seed: int,
    device: torch.device,
    precision: str,
) -> Adapted:
    """A pretrained model with a head for `questions` where the style has one, ready to be trained.

    A model with a table of positions gets more of them where `longest` asks for it.
    """
    head = style.head(given.model.hidden, questions, seed)
    model: Backbone = given.model
    if longest > model.positions:
        model = model.lengthened(longest, seed)
    model.set_dropout(dropout)
    head = head.to(device) if head is not None else None
    learner = Learner(together(model, head), model, head, device, precision)
    return Adapted(learner, style, given.tokenizer, longest)


@dataclass(frozen=True)
class Batches:
    """How items are put into batches of `size`, and these into forward passes of `rows` items.

    Without `rows`, a pass has as many items as have `AT_ONCE` positions together.
    """

    size: int
    rows: int | None
    seed: int

    def per_epoch(self, items: Sequence[Item]) -> int:
        """Optimizer steps in which every item is seen once."""
        return math.ceil(len(items) / self.size)

    def pieces(self, adapted: Adapted, items: Sequence[Item]) -> Callable[[int], list[Piece]]:
        """The losses of a training's steps. Every epoch is a permutation of its own."""
        per_epoch = self.per_epoch(items)

        @lru_cache(maxsize=1)
        def order(epoch: int) -> np.ndarray:
            return self._rng(2**63 + epoch).permutation(len(items))

        def piece(group: Sequence[Item], share: float, drawn: int) -> Piece:
            rng = self._rng(drawn)
            return Piece(
                lambda: adapted.loss(group, rng),
                share,
                {"positions": float(sum(item.length for item in group))},
                [item.question.id for item in group],
            )

        def pieces(step: int) -> list[Piece]:
            epoch, within = divmod(step, per_epoch)
            chosen = order(epoch)[within * self.size : (within + 1) * self.size]
            batch = [items[i] for i in chosen]
            return [
                piece(group, share, step * self.size + at)
                for at, group, share in passes(batch, self.rows)
            ]

        return pieces

    def held_back(self, adapted: Adapted, items: Sequence[Item]) -> Callable[[], float]:
        """The mean loss of held-back items, without dropout; it draws the same every time."""
        learner = adapted.learner

        def mean() -> float:
            learner.network.eval()
            value = 0.0
            with torch.no_grad(), learner.autocast():
                for at, group, share in passes(items, self.rows):
                    value += share * float(adapted.loss(group, self._rng(2**62 + at)))
            learner.network.train()
            return value

        return mean

    def _rng(self, drawn: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[self.seed, drawn]))


def passes(batch: Sequence[Item], rows: int | None) -> Iterator[tuple[int, Sequence[Item], float]]:
    """(index of the first item, items, their share of the loss) of each forward pass, in order.

    `rows` items at a time, or else as many as have `AT_ONCE` positions together: a question with
    thirty candidates of two hundred tokens fills a pass of its own.
    """
    total = sum(item.weight for item in batch)
    cuts = [0]
    positions = 0
    for at, item in enumerate(batch):
        full = at - cuts[-1] >= rows if rows else positions + item.length > AT_ONCE
        if at > cuts[-1] and full:
            cuts.append(at)
            positions = 0
        positions += item.length
    for first, last in zip(cuts, [*cuts[1:], len(batch)]):
        group = batch[first:last]
        yield first, group, sum(item.weight for item in group) / total
