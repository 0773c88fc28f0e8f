"""Cloze by continuation: a decoder goes on with each candidate, and then with the rest of the text.

    source      ann lee met bob .
    candidates  ann lee flew home    | bob flew home
    scored      ann lee flew home    | bob flew home

A decoder has no blanks. What stands before the blank is given; a candidate scores the sum (or mean)
of the log-probabilities of its own tokens and of what follows the blank: how likely the text is
from the blank on, as evaluations of decoders have it (Brown et al., 2020). A question that is to be
generated is scored by the candidate alone. All candidates of a question begin alike, which the
backbone reads once where it can.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import Terms, candidate_scores, choose, question_loss
from glm.adaptation.encoding import Source, candidates, pieces, source
from glm.adaptation.items import Item, read_each
from glm.data.sequences import sequence
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from glm.objectives.layout import Layout
from tasks.spec import Answer, Cloze, Question

UNMARKED = Layout("causal", blanks="left out")


@dataclass(frozen=True)
class ContinuationStyle:
    """Candidates as continuations; see the module."""

    layout: Layout = UNMARKED

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """A cloze question needs no parameters of its own."""
        return None

    def encode(
        self, questions: Iterable[Cloze], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """Items with a sequence of at most `max_length` positions per candidate."""
        questions = list(questions)
        texts = pieces((q.text for q in questions), tokenizer)
        choices = candidates(questions, tokenizer)
        items = []
        for question, text, chosen in zip(questions, texts, choices, strict=True):
            room = max_length - max(len(c) for c in chosen) - 1
            given = source(text, tokenizer.special, room, question.id, layout=self.layout)
            items.append(self._item(question, given, chosen, tokenizer.special))
        return items

    def _item(
        self, question: Cloze, given: Source, chosen: list[list[int]], special: Special
    ) -> Item:
        at = given.blanks[0]
        # Something has to come before the first token that is predicted.
        before = list(given.tokens[:at]) or [special.cls]
        after = [] if question.loss == "generate" else list(given.tokens[at:])
        single = question.verbalizer and not after and all(len(c) == 1 for c in chosen)
        rows, terms, read = [], [], 0
        for k, candidate in enumerate([[]] if single else chosen):
            wanted = [*candidate, *after]
            tokens = [*before, *wanted[:-1]]
            first = len(before) - 1
            reads = range(first, first + max(1, len(wanted)))
            rows.append(_row(tokens, reads))
            terms += [(read + j, token, k) for j, token in enumerate(wanted)]
            read += len(reads)
        if single:
            terms = [(0, candidate[0], k) for k, candidate in enumerate(chosen)]
        read_K, target_K, candidate_K = np.array(terms, np.int64).reshape(-1, 3).T
        plan = Terms(read_K, target_K, candidate_K, len(chosen), single)
        return Item(question, tuple(rows), cut=given.cut, plan=plan)

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Mean over items of what their question's `loss` asks for, in nats."""
        scores_NC, _ = candidate_scores(model, items, tokenizer.special)
        return question_loss(scores_NC, items)

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """Scores of all candidates; `values["exact"]` as in `glm.adaptation.cloze`."""

        def reduce(group: Sequence[Item]) -> list[Answer]:
            scores_NC, exact_NC = candidate_scores(model, group, tokenizer.special)
            return [
                choose(item.question, s[: item.plan.candidates], e[: item.plan.candidates])
                for item, s, e in zip(group, scores_NC.tolist(), exact_NC.tolist())
            ]

        return read_each(model, items, batch_positions, reduce)


def _row(tokens: list[int], reads: range):
    zeros, ones = [0] * len(tokens), [1] * len(tokens)
    return sequence(tokens, range(len(tokens)), zeros, ones, reads)
