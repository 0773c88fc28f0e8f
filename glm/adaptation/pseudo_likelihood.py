"""A masked language model's own score of a text: every token predicted from all of the others.

    text      the cat sat
    read      [CLS] [MASK] cat sat [SEP]      log p(the | . cat sat)
              [CLS] the [MASK] sat [SEP]      log p(cat | the . sat)
              [CLS] the cat [MASK] [SEP]      log p(sat | the cat .)

The sum is the pseudo-log-likelihood (Salazar et al., 2020): no distribution over texts, so that it
must not stand beside a perplexity. Of a last word only its own tokens are scored, those after the
scored one masked too, so that a word's beginning is not predicted from its end (Kauf and Ivanova,
2023). Long texts are scored in windows, each token in the one window that is its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import score
from glm.adaptation.items import Item, read_all, read_each, require_finite
from glm.data.sequences import Sequence as Row
from glm.data.sequences import sequence
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from tasks.errors import UserError
from tasks.spec import Answer, Continue, Question

WINDOW = 128  # tokens that are seen with a scored one, special ones not counted


@dataclass(frozen=True)
class PseudoStyle:
    """`window` 0 is 128 tokens, or what the positions allow."""

    window: int = 0

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """Nothing is added to the model."""
        return None

    def encode(
        self, questions: Iterable[Continue], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """An item per question, with one sequence per scored token."""
        questions, special = list(questions), tokenizer.special
        room = max_length - len(special.opens) - len(special.closes)
        targets = tokenizer.encode_batch([q.target for q in questions])
        contexts = tokenizer.encode_batch([q.context for q in questions])
        items = []
        for question, target, context in zip(questions, targets, contexts, strict=True):
            if len(target) > room and question.context:
                raise UserError(f"question {question.id}: its last word has no room")
            kept = context[max(0, len(context) + len(target) - room) :]
            if question.context:
                rows = [
                    _masked([*kept, *target], len(kept) + j, len(kept) + len(target), special)
                    for j in range(len(target))
                ]
            else:
                rows = self._windows(target, room, special)
            items.append(Item(question, tuple(rows), cut=len(context) - len(kept)))
        return items

    def _windows(self, ids: Sequence[int], room: int, special: Special) -> list[Row]:
        """A row per token of a text, in windows next to each other."""
        size = min(self.window or WINDOW, room)
        starts = range(0, len(ids), size)
        return [
            _masked(ids[start : start + size], j, j + 1, special)
            for start in starts
            for j in range(len(ids[start : start + size]))
        ]

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """A text is scored by a pretrained model as it is."""
        raise UserError("the pseudo-lm style does not finetune: pretrain the model on the text")

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """`values` hold "pseudo_nll" (nats), "tokens", "bytes" (UTF-8, of the target) and "exact"
        (1.0 if every scored token was the likeliest)."""
        special = tokenizer.special

        def reduce(group: Sequence[Item]) -> list[tuple[float, bool]]:
            hidden_RH = read_all(model, group, special.pad)
            target = np.concatenate([item.sequences[0].target_R for item in group])
            plain = np.zeros(len(target), bool)
            terms = np.arange(len(target))
            logs, best = score(model, hidden_RH, terms, target, plain, special.size)
            return list(zip(logs.double().tolist(), best.tolist(), strict=True))

        rows = [Item(item.question, (row,)) for item in items for row in item.sequences]
        results = iter(read_each(model, rows, batch_positions, reduce))
        found = []
        for item in items:
            question: Continue = item.question
            parts = [next(results) for _ in item.sequences]
            values = {
                "pseudo_nll": -sum(log for log, _ in parts),
                "tokens": float(len(parts)),
                "bytes": float(len(question.target.encode())),
                "exact": float(all(right for _, right in parts)),
            }
            require_finite(question.id, [values["pseudo_nll"]])
            found.append(Answer(id=question.id, values=values))
        return found


def _masked(ids: Sequence[int], at: int, stop: int, special: Special) -> Row:
    """The text with masks at `at` .. `stop` - 1, read at the first of them."""
    first = len(special.opens)
    tokens = [*special.opens, *ids, *special.closes]
    tokens[first + at : first + stop] = [special.mask] * (stop - at)
    zeros = [0] * len(tokens)
    return sequence(tokens, range(len(tokens)), zeros, zeros, [first + at], [ids[at]])
