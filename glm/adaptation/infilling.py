"""Text infilling: all blanks of a document, written left to right in one pass (GLM, section 3.4).

    Part A   [CLS] what is [MASK] way to learn [MASK] ? [EOS]
    Part B   [START] the best | [START] quickly         one branch: a blank sees those before it
    wanted   the best [END]   | quickly [END]

In training the blanks are drawn afresh whenever an item is used, as many words as the question
hides; neighbours share a blank. A document that is too long loses words at its end, never part of
a target. The original counts targets against a budget and silently cuts them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from glm.adaptation.encoding import Source, answers, pieces, source
from glm.adaptation.items import Item, read_each, target_loss
from glm.adaptation.seq2seq import prompt, training_row, unwritten, written
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.generation.beam import Search, fill
from glm.models.backbone import Backbone
from glm.objectives.layout import BLANK, Layout
from tasks.errors import UserError
from tasks.spec import Answer, Generate, Part, Question


@dataclass(frozen=True)
class Document:
    """A document's words as ids, and which of them are hidden, as spans of words."""

    words: tuple[tuple[int, ...], ...]
    hidden: tuple[tuple[int, int], ...]

    def redrawn(self, rng: np.random.Generator) -> "Document":
        """The same document with as many other words hidden."""
        count = sum(stop - start for start, stop in self.hidden)
        chosen = np.sort(rng.permutation(len(self.words))[:count])
        breaks = np.flatnonzero(np.diff(chosen) > 1) + 1
        runs = [run for run in np.split(chosen, breaks) if len(run)]
        return Document(self.words, tuple((int(r[0]), int(r[-1]) + 1) for r in runs))

    def targets(self) -> list[list[int]]:
        """The ids behind each blank."""
        return [[t for word in self.words[start:stop] for t in word] for start, stop in self.hidden]

    def shown(self, special: Special, layout: Layout = BLANK, lengths: bool = False) -> Source:
        """[CLS] the words with blanks [EOS]; with `lengths` a blank has a mask for each id."""
        tokens, blanks, at = [*special.opens], [], 0
        for blank, ((start, stop), target) in enumerate(zip(self.hidden, self.targets())):
            tokens += [t for word in self.words[at:start] for t in word]
            blanks.append(len(tokens))
            tokens += [layout.mask(special, blank)] * (len(target) if lengths else 1)
            at = stop
        tokens += [t for word in self.words[at:] for t in word]
        return Source((*tokens, *special.closes), tuple(blanks))


def document(question: Generate, tokenizer: Tokenizer, room: int) -> tuple[Document | None, int]:
    """The words of a question whose targets are known (else None), at most `room` ids with [CLS]
    and end token, and how many ids were cut off at its end."""
    if not question.targets:
        return None, 0
    words: list[str] = []
    hidden, targets = [], iter(question.targets)
    for part in question.text:
        start = len(words)
        words += (part.text if isinstance(part, Part) else next(targets)).split()
        if not isinstance(part, Part):
            hidden.append((start, len(words)))
    ids = [tuple(word) for word in answers(words, tokenizer)]
    ends = len(tokenizer.special.opens) + len(tokenizer.special.closes)
    used = np.cumsum([ends] + [len(word) for word in ids])
    count = int(np.searchsorted(used, room, side="right")) - 1
    inside = tuple((a, min(b, count)) for a, b in hidden if a < count)
    if not inside and hidden:
        raise UserError(
            f"question {question.id}: no blank lies in the {room} positions that the model has"
        )
    return Document(tuple(ids[:count]), inside), int(used[-1] - used[max(count, 0)])


@dataclass(frozen=True)
class InfillStyle:
    """`target` is the most tokens that are written into a document, start tokens included."""

    layout: Layout = BLANK
    target: int = 256
    label_smoothing: float = 0.1
    ngram: int = 3

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """Nothing is added to the model."""
        return None

    def encode(
        self, questions: Iterable[Generate], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """Items with the source as one sequence; `weight` counts the targets of the question's
        own blanks, which redrawn ones resemble."""
        questions = list(questions)
        special = tokenizer.special
        texts = pieces((q.text for q in questions), tokenizer)
        # In the other layouts the positions go on after the source.
        room = max_length - max_length // 3 if self.layout.goes_on else max_length
        items = []
        for question, text in zip(questions, texts, strict=True):
            given = source(text, special, room, question.id, layout=self.layout)
            known, cut = document(question, tokenizer, room)
            wanted = [] if known is None else self._wanted(known, special)
            shown = given if known is None else known.shown(special, self.layout)
            row = training_row(shown, wanted, self.layout, special)
            weight = max(1, len(row.read_R))
            items.append(Item(question, (row,), weight, max(cut, given.cut), (given, known)))
        return items

    def _wanted(self, known: Document, special: Special) -> list[list[int]]:
        """What is to be written: each blank's ids and its end."""
        targets = enumerate(known.targets())
        return [[*target, self.layout.end(special, blank)] for blank, target in targets]

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Mean over target tokens of the smoothed cross-entropy in nats; blanks are drawn from
        `rng`, and are the questions' own without it."""
        special = tokenizer.special
        rows = []
        for item in items:
            known: Document | None = item.plan[1]
            if known is None or rng is None:
                rows += item.sequences
                continue
            known = known.redrawn(rng)
            wanted = self._wanted(known, special)
            shown = known.shown(special, self.layout)
            rows.append(training_row(shown, wanted, self.layout, special))
        return target_loss(model, rows, special, self.label_smoothing)

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """The completed documents, filled greedily without repeating n-grams."""
        special = tokenizer.special
        never = unwritten(special)
        if self.layout.blanks == "spans":  # a blank ends with the next one's sentinel
            never = (*never, special.end)
        search = Search(
            special.end, special.size, self.target, ngram=self.ngram, banned=never, pad=special.pad
        )

        def reduce(group: Sequence[Item]) -> list[Answer]:
            prompts = [prompt(item.plan[0], self.layout, special) for item in group]
            filled = fill(model, prompts, search)
            return [written(item, f, tokenizer) for item, f in zip(group, filled, strict=True)]

        return read_each(model, items, batch_positions, reduce)
