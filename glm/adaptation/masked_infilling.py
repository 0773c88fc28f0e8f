"""Text infilling with a masked language model that is told the lengths (Shen et al., 2020).

    [CLS] what is [MASK] [MASK] way to learn [MASK] ? [EOS]

Every hidden token has a mask. Training predicts all of them at once, blanks drawn afresh whenever
an item is used. Evaluation fills one mask per pass and document, the most confident one first, and
reads the document again. The lengths are the reference's: an advantage over models that find out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import ROWS
from glm.adaptation.infilling import Document, document
from glm.adaptation.items import Item, logits, read_all, read_each, target_loss
from glm.adaptation.seq2seq import unwritten, written
from glm.data.sequences import Sequence as Row
from glm.data.sequences import sequence
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.generation.beam import Found
from glm.models.backbone import Backbone
from tasks.errors import UserError
from tasks.spec import Answer, Generate, Question


@dataclass(frozen=True)
class BertInfillStyle:
    """Masks of known number; `label_smoothing` as in the other infilling style."""

    label_smoothing: float = 0.1

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """Nothing is added to the model."""
        return None

    def encode(
        self, questions: Iterable[Generate], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """Items with the masked document as one sequence. Raises `UserError` for a question
        without targets: this style needs their lengths."""
        items = []
        for question in questions:
            known, cut = document(question, tokenizer, max_length)
            if known is None:
                raise UserError(
                    f"question {question.id} has no targets, and a masked language model needs "
                    f"their lengths: take a split with answers"
                )
            row = _row(known, tokenizer.special)
            items.append(Item(question, (row,), max(1, len(row.read_R)), cut, known))
        return items

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Mean over hidden tokens of the smoothed cross-entropy in nats."""
        special = tokenizer.special
        known = [item.plan if rng is None else item.plan.redrawn(rng) for item in items]
        return target_loss(model, [_row(k, special) for k in known], special, self.label_smoothing)

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """The completed documents. Blanks beyond a document's cut stay empty."""
        special = tokenizer.special
        never = list({*unwritten(special), special.end})
        rows = [item.sequences[0] for item in items]
        masked = [row.read_R for row in rows]
        while open_ones := [i for i, row in enumerate(rows) if len(row.read_R)]:
            group = [Item(None, (rows[i],)) for i in open_ones]

            def one_round(group: Sequence[Item]) -> list[Row]:
                return _surest(model, group, special, never)

            advanced = read_each(model, group, batch_positions, one_round)
            for i, row in zip(open_ones, advanced, strict=True):
                rows[i] = row
        answers = []
        for item, row, places in zip(items, rows, masked, strict=True):
            ids = iter(row.tokens_L[places].tolist())
            filled = [Found(tuple(next(ids) for _ in t), 0.0) for t in item.plan.targets()]
            filled += [Found((), 0.0)] * (len(item.question.targets) - len(filled))
            answers.append(replace(written(item, filled, tokenizer), scores=()))
        return answers


def _row(known: Document, special: Special) -> Row:
    """The document with a mask for every hidden token, read at the masks."""
    shown, targets = known.shown(special, lengths=True), known.targets()
    places = [at + j for at, t in zip(shown.blanks, targets, strict=True) for j in range(len(t))]
    zeros = [0] * len(shown.tokens)
    wanted = [token for t in targets for token in t]
    return sequence(shown.tokens, range(len(zeros)), zeros, zeros, places, wanted)


def _surest(model, group: Sequence[Item], special: Special, never: list[int]) -> list[Row]:
    """Each row with its surest mask filled by the likeliest token."""
    hidden_RH = read_all(model, group, special.pad)
    best, token = [], []
    for part_RH in hidden_RH.split(ROWS):  # all logits at once would fill the memory
        logits_RV = logits(model, part_RH, special.size)
        logits_RV[:, never] = -torch.inf
        top_R, token_R = logits_RV.max(-1)
        sure_R = top_R - logits_RV.logsumexp(-1)
        if not sure_R.isfinite().all():
            raise FloatingPointError("the model has diverged: a token's probability is no number")
        best.append(sure_R)
        token.append(token_R)
    best_R, token_R = torch.cat(best), torch.cat(token)
    counts = [len(item.sequences[0].read_R) for item in group]
    rows = []
    for item, sure_R, ids_R in zip(group, best_R.split(counts), token_R.split(counts), strict=True):
        row, j = item.sequences[0], int(sure_R.argmax())
        tokens_L = row.tokens_L.copy()
        tokens_L[row.read_R[j]] = int(ids_R[j])
        left = np.arange(len(row.read_R)) != j
        rows.append(
            replace(row, tokens_L=tokens_L, read_R=row.read_R[left], target_R=row.target_R[left])
        )
    return rows
