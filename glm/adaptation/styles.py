"""Finetuning styles: how a task's questions become a model's inputs, losses and answers.

A style is a frozen dataclass with four methods. The training loop knows no more than this:

    head(hidden, questions, seed) -> nn.Module | None
        parameters of the style's own, next to the model's
    encode(questions, tokenizer, max_length) -> list[Item]
        one item per question, in order; `item.length` counts the positions the model will
        process, `item.weight` is the item's share of a batch's loss, `item.cut` the tokens for
        which there was no room
    loss(model, head, items, tokenizer, rng) -> scalar tensor
        the mean over items, weighted by `item.weight`: micro-batches of a batch are combined with
        the sums of their weights. `rng` is for styles that draw (infilling); others ignore it
    answer(model, head, items, tokenizer, batch_positions) -> list[Answer]
        in the order of the items, in evaluation mode and without gradients; the same for every
        batch size, up to rounding. Raises `FloatingPointError` where a score is no number

Precision is the caller's: hold one autocast context over a whole training or evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from glm.adaptation.classifier import ClassifierStyle
from glm.adaptation.cloze import ClozeStyle
from glm.adaptation.comparison import ComparisonStyle
from glm.adaptation.continuation import ContinuationStyle
from glm.adaptation.infilling import InfillStyle
from glm.adaptation.items import Item
from glm.adaptation.likelihood import LanguageStyle
from glm.adaptation.masked_cloze import BertClozeStyle
from glm.adaptation.masked_infilling import BertInfillStyle
from glm.adaptation.pseudo_likelihood import PseudoStyle
from glm.adaptation.seq2seq import Seq2SeqStyle
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from tasks.spec import Answer


class Style(Protocol):
    """What the module's docstring says, for type checkers."""

    def head(self, hidden: int, questions: Sequence[Any], seed: int = 0) -> nn.Module | None: ...

    def encode(
        self, questions: Sequence[Any], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]: ...

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor: ...

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]: ...


def styled(style: Any, **settings: Any) -> Style:
    """The style with those of `settings` that it knows."""
    known = {each.name for each in fields(style)}
    return replace(style, **{name: value for name, value in settings.items() if name in known})


STYLES: Mapping[str, Style] = {
    "cloze": ClozeStyle(),
    "classifier": ClassifierStyle(),
    "bert-cloze": BertClozeStyle(),
    "continuation": ContinuationStyle(),
    "masked-seq2seq": Seq2SeqStyle(masked=0.7),
    "seq2seq": Seq2SeqStyle(),
    "infill": InfillStyle(),
    "bert-infill": BertInfillStyle(),
    "lm": LanguageStyle(),
    "untrained-cloze": ClozeStyle(),
    "untrained-continuation": ContinuationStyle(),
    "untrained-bert-cloze": BertClozeStyle(),
    "likelihood": ComparisonStyle(),
    "likelihood-bound": ComparisonStyle(masked=True, shares=16),
    "pseudo-likelihood": ComparisonStyle(masked=True),
    "pseudo-lm": PseudoStyle(),
}
