"""Language modelling without finetuning: perplexity in overlapping windows, and last words.

A document is scored in windows of at most `window` tokens that advance by `stride`; every token
but the document's first is scored exactly once, by every model.

    unidirectional   Part A  [CLS] t0 [MASK]                Part B  [START] t1 t2 ...
                     later windows alike, from their own first token; only new tokens count
    bidirectional    later windows show Part A what is scored already: [CLS] t8 .. t15 [MASK]

A last word is right when each of its tokens is the likeliest one, by teacher forcing.

    unidirectional   Part A  [CLS] c0 [MASK] [EOS]          Part B  [START] c1 c2 ... word
    bidirectional    Part A  [CLS] context [MASK] [EOS]     Part B  [START] word

A long context is cut at its start, the special tokens never (the original loses its mask). Models
without blanks read [CLS] and the text; a prefix LM sees what Part A would show from both sides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import branches, score
from glm.adaptation.encoding import Source
from glm.adaptation.items import Item, read_all, read_each, require_finite
from glm.data.sequences import Sequence as Row
from glm.data.sequences import sequence
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from glm.objectives.layout import BLANK, Layout
from tasks.errors import UserError
from tasks.spec import Answer, Continue, Question

WINDOW = 511  # the original's 512 less one


@dataclass(frozen=True)
class LanguageStyle:
    """`window` 0 is as much as the model's positions allow, at most 511; `stride` 0 is half a
    window, rounded up (256 of 511). `task_mask` asks with [gMASK], for models that know it."""

    layout: Layout = BLANK
    window: int = 0
    stride: int = 0
    task_mask: bool = False

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """Nothing is added to the model."""
        return None

    def encode(
        self, questions: Iterable[Continue], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """An item per question: the windows of a document, or one row for a last word."""
        questions = list(questions)
        targets = tokenizer.encode_batch([q.target for q in questions])
        contexts = tokenizer.encode_batch([q.context for q in questions])
        special = tokenizer.special
        items = []
        for question, target, context in zip(questions, targets, contexts, strict=True):
            if question.mode not in ("unidirectional", "bidirectional"):
                raise UserError(f"question {question.id} has the unknown mode {question.mode!r}")
            both = question.mode == "bidirectional"
            if not question.context:
                rows = self.windows(target, both, special, max_length)
                items.append(Item(question, tuple(rows)))
                continue
            room = max_length - 3 - len(target)
            if room < 1 or not target:
                raise UserError(
                    f"question {question.id}: its last word has {len(target)} tokens, for which "
                    f"{max_length} positions have no room"
                )
            kept = context[-room:]
            shown = len(kept) if both else min(1, len(kept))
            rest = [*kept[shown:], *target]
            row = self.row(kept[:shown], rest, len(rest) - len(target), special, end=True)
            items.append(Item(question, (row,), cut=len(context) - len(kept)))
        return items

    def windows(self, ids: Sequence[int], both: bool, special: Special, longest: int) -> list[Row]:
        """The windows of a document; `longest` is how many positions the model has."""
        window = min(self.window or WINDOW, longest - 1)
        stride = min(self.stride or (window + 1) // 2, window - 1)
        rows, done = [], min(1, len(ids))
        while done < len(ids):
            begin = 0 if done == 1 else done - (window - stride)
            stop = min(len(ids), begin + window)
            shown = done - begin if both else 1
            rest = ids[begin + shown : stop]
            rows.append(self.row(ids[begin : begin + shown], rest, done - begin - shown, special))
            done = stop
        return rows

    def row(
        self, shown: Sequence[int], rest: Sequence[int], skip: int, special: Special, end=False
    ) -> Row:
        """`shown` is given, `rest` is predicted; all of it but the first `skip` is wanted."""
        wanted = np.array(rest[skip:], np.int64)
        if not self.layout.goes_on:
            mask = special.gmask if self.task_mask and special.gmask is not None else None
            mask = self.layout.mask(special, 0) if mask is None else mask
            ends = special.closes if end else ()
            shown = (*special.opens, *shown)
            given = Source((*shown, mask, *ends), (len(shown),))
            before = self.layout.before(given, special)
            first = len(before) - 1
            reads = range(first + skip, first + len(rest))
            row = branches(given, [[*before, *rest[:-1]]], [reads], self.layout)
            return replace(row, target_R=wanted)
        tokens = [*special.opens, *shown, *rest[:-1]]
        context = len(shown) + len(special.opens)
        branch = [self.layout.source_branch] * context + [1] * (len(tokens) - context)
        read = range(context - 1 + skip, len(tokens))
        return sequence(tokens, range(len(tokens)), [0] * len(tokens), branch, read, wanted)

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Language modelling is asked of a pretrained model as it is."""
        raise UserError("the lm style does not finetune: pretrain the model on the text instead")

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """`values` hold "nll" (nats), "tokens" (scored ones), "bytes" (UTF-8, of the target) and
        "exact" (1.0 if every scored token was the likeliest)."""
        windows = [row for item in items for row in item.sequences]
        results = iter(likelihoods(model, windows, tokenizer.special, batch_positions))
        answers = []
        for item in items:
            question: Continue = item.question
            parts = [next(results) for _ in item.sequences]
            values = {
                "nll": -sum(log for log, _ in parts),
                "tokens": float(sum(len(row.target_R) for row in item.sequences)),
                "bytes": float(len(question.target.encode())),
                "exact": float(all(right for _, right in parts)),
            }
            require_finite(question.id, [values["nll"]])
            answers.append(Answer(id=question.id, values=values))
        return answers


def likelihoods(
    model: Backbone, rows: Sequence[Row], special: Special, batch_positions: int = 8192
) -> list[tuple[float, bool]]:
    """Of each row the log-likelihood of its targets in nats, and whether each was the likeliest."""

    def reduce(group: Sequence[Item]) -> list[tuple[float, bool]]:
        hidden_RH = read_all(model, group, special.pad)
        target = np.concatenate([item.sequences[0].target_R for item in group])
        plain = np.zeros(len(target), bool)
        logs, best = score(model, hidden_RH, np.arange(len(target)), target, plain, special.size)
        counts = [len(item.sequences[0].target_R) for item in group]
        pairs = zip(logs.double().split(counts), best.split(counts), strict=True)
        return [(float(log.sum()), bool(right.all())) for log, right in pairs]

    return read_each(model, [Item(None, (row,)) for row in rows], batch_positions, reduce)
