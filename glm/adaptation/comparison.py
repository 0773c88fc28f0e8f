"""Which of several texts is likelier, by the model's own likelihood of each, without finetuning.

    left to right   the sum of log p(token | all before it), the first token's included
                    GLM     Part A  [CLS] [MASK]        Part B  [START] t0 t1 ...  -> t0 t1 t2 ...
                    others  [CLS] t0 t1 ...                                        -> t0 t1 t2 ...
    masked          the sum of log p(token | all others), each token masked in turn (Salazar et al.,
                    2020, equation 1): a text of n tokens is read n times
                    [CLS] [MASK] t1 t2 [EOS] | [CLS] t0 [MASK] t2 [EOS] | ...

    bound           the mean of n / k times the sum of log p(masked token | all that are seen) over
                    k = 1 .. n and all sets of k masked tokens: at most the log-likelihood of a text
                    whose length is known (masked diffusion's evidence bound); estimated with
                    `shares` values of k spread evenly over 1 .. n and one set for each
                    [CLS] [MASK] t1 t2 [EOS] | [CLS] t0 [MASK] [MASK] [EOS] | ...

A pseudo-likelihood is no probability: its sums are compared with one another and with nothing else.
Which tokens a bound masks depends on the length and the seed alone, so that texts of one length are
compared under the same masks.

Texts are read in batches of like lengths; logits exist at the targets only.
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
from tasks.spec import Answer, Compare, Question


@dataclass(frozen=True)
class ComparisonStyle:
    """`masked` masks each token in turn instead of reading from left to right, or with `shares`
    many at once, for the bound; see the module."""

    layout: Layout = BLANK
    masked: bool = False
    shares: int = 0
    seed: int = 0

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """Nothing is added to the model."""
        return None

    def encode(
        self, questions: Iterable[Compare], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """An item per question, with a sequence per text. Raises `UserError` for a text that is
        empty or does not fit: a likelihood of part of it would say nothing."""
        questions = list(questions)
        encoded = iter(tokenizer.encode_batch([t for q in questions for t in q.texts]))
        items = []
        for question in questions:
            rows = []
            for _ in question.texts:
                ids = list(next(encoded))
                if not 0 < len(ids) <= max_length - 2:
                    raise UserError(
                        f"question {question.id}: a text of {len(ids)} tokens cannot be compared "
                        f"whole; {max_length - 2} fit"
                    )
                make = self._whole if self.masked else self.written
                rows.append(make(ids, tokenizer.special))
            items.append(Item(question, tuple(rows)))
        return items

    def written(self, ids: list[int], special: Special) -> Row:
        """A text to be predicted from left to right."""
        wanted = np.array(ids, np.int64)
        if not self.layout.goes_on:
            mask, ends = self.layout.mask(special, 0), special.closes
            ends = ends if self.layout.kind == "pair" else ()
            given = Source((*special.opens, mask, *ends), (len(special.opens),))
            before = self.layout.before(given, special)
            reads = range(len(before) - 1, len(before) + len(ids) - 1)
            row = branches(given, [[*before, *ids[:-1]]], [reads], self.layout)
            return replace(row, target_R=wanted)
        tokens = [special.cls, *ids[:-1]]
        branch = [self.layout.source_branch] + [1] * (len(ids) - 1)
        return sequence(tokens, range(len(ids)), [0] * len(ids), branch, range(len(ids)), wanted)

    def _whole(self, ids: list[int], special: Special) -> Row:
        """A text to be masked: as it stands, read where its tokens are."""
        tokens, wanted = [*special.opens, *ids, *special.closes], np.array(ids, np.int64)
        zeros, first = [0] * len(tokens), len(special.opens)
        reads = range(first, first + len(ids))
        return sequence(tokens, range(len(tokens)), zeros, zeros, reads, wanted)

    def _read(self, row: Row, mask: int) -> Item:
        """All that is read of a text, and (as the plan) what each predicted token counts."""
        if self.shares:
            rows, weights = _partly_masked(row, mask, self.shares, self.seed)
            return Item(None, rows, plan=weights)
        return Item(
            None, _masked(row, mask) if self.masked else (row,), plan=np.ones(len(row.read_R))
        )

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Likelihoods are asked of a pretrained model as it is."""
        raise UserError("likelihoods are not finetuned: pretrain the model on the text instead")

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """Scores are log-likelihoods in nats; the first of equals is chosen."""
        special = tokenizer.special

        def totals(group: Sequence[Item]) -> list[float]:
            hidden_RH = read_all(model, group, special.pad)
            target = np.concatenate([s.target_R for item in group for s in item.sequences])
            plain, every = np.zeros(len(target), bool), np.arange(len(target))
            logs, _ = score(model, hidden_RH, every, target, plain, special.size, exact=False)
            weights = np.concatenate([item.plan for item in group])
            logs = logs.double() * torch.as_tensor(weights, device=logs.device)
            counts = [len(item.plan) for item in group]
            return [float(part.sum()) for part in logs.split(counts)]

        rows = [row for item in items for row in item.sequences]
        alone = [self._read(row, special.mask) for row in rows]
        scores = iter(read_each(model, alone, batch_positions, totals))
        answers = []
        for item in items:
            question: Compare = item.question
            found = tuple(next(scores) for _ in item.sequences)
            require_finite(question.id, found)
            answers.append(
                Answer(
                    id=question.id,
                    group=question.group,
                    candidates=question.texts,
                    scores=found,
                    choice=max(range(len(found)), key=lambda k: (found[k], -k)),
                    gold=question.gold,
                )
            )
        return answers


def _partly_masked(
    row: Row, mask: int, shares: int, seed: int
) -> tuple[tuple[Row, ...], np.ndarray]:
    """The row under `shares` sets of masks, and the weight of every token that one of them hides.

    The sizes are a systematic sample of 1 .. n: each is as likely, and they lie evenly.
    """
    n = len(row.read_R)
    rng = np.random.Generator(np.random.Philox(key=[seed, n]))
    sizes = 1 + (n * (np.arange(shares) + rng.random()) / shares).astype(np.int64)
    rows, weights = [], []
    for size in sizes.tolist():
        hidden = np.sort(rng.permutation(n)[:size])
        tokens_L = row.tokens_L.copy()
        tokens_L[row.read_R[hidden]] = mask
        seen = replace(row, tokens_L=tokens_L, read_R=row.read_R[hidden])
        rows.append(replace(seen, target_R=row.target_R[hidden]))
        weights += [n / size / shares] * size
    return tuple(rows), np.array(weights)


def _masked(row: Row, mask: int) -> tuple[Row, ...]:
    """The row once for each of its targets, with that token masked."""
    tokens_RL = np.repeat(row.tokens_L[None], len(row.read_R), axis=0)
    tokens_RL[np.arange(len(row.read_R)), row.read_R] = mask
    places, targets = row.read_R[:, None], row.target_R[:, None]
    return tuple(
        Row(tokens_L, row.position_L, row.inner_L, row.branch_L, place, target)
        for tokens_L, place, target in zip(tokens_RL, places, targets)
    )
