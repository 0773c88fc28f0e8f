"""Classifier finetuning: [CLS] -> tanh of a linear layer -> dropout -> linear (BERT; GLM, Table 6).

    [CLS] side a [SEP] side b [EOS]      all in Part A, read at [CLS]

Works on any backbone. A causal model has seen nothing at [CLS], so it pools the last token
(`pool="last"`) and its input is one branch. A question with several inputs (COPA's choices)
has one logit per input and the softmax runs over inputs; otherwise it runs over classes.

Where the task is about marked words, the last layer sees them beside the pooled vector: each word
as the mean of its tokens' hidden states. SuperGLUE's baselines (Wang et al., 2019; jiant) do this
for WiC, with the word's first token; for WSC they pool the words by a learned attention and leave
[CLS] out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import best, branches
from glm.adaptation.encoding import Source, pieces, source
from glm.adaptation.items import Item, read_all, read_each
from glm.data.sequences import Sequence as Row
from glm.data.sequences import sequence
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from glm.models.shape import following_width
from glm.objectives.layout import BLANK, Layout
from tasks.errors import UserError
from tasks.spec import Answer, Classify, Question


class Head(nn.Module):
    """hidden_NH, and words_NWH where words are marked -> logits_NC."""

    def __init__(self, hidden: int, classes: int, dropout: float, words: int = 0):
        super().__init__()
        self.pool = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden * (1 + words), classes)

    def forward(
        self, hidden_NH: torch.Tensor, words_NWH: torch.Tensor | None = None
    ) -> torch.Tensor:
        seen = torch.tanh(self.pool(hidden_NH))
        if words_NWH is not None:
            seen = torch.cat([seen, words_NWH.flatten(1)], -1)
        return self.out(self.dropout(seen))


@dataclass(frozen=True)
class ClassifierStyle:
    """`pool`: "cls" or "last"; `dropout` acts before the last layer (0.1 in the original)."""

    layout: Layout = BLANK
    pool: str = "cls"
    dropout: float = 0.1

    def __post_init__(self):
        if self.pool not in ("cls", "last"):
            raise UserError(f"classifier pool is {self.pool!r}; it must be cls or last")

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> Head:
        """Fresh layers from `seed`, with a deviation that follows the width and biases 0.

        There are as many outputs as classes.

        The outputs of several classes begin at 0: a random row each would favour one name of a
        class over another, so that the order of the labels would move scores.
        """
        classes = {q.classes for q in questions if isinstance(q, Classify)}
        if len(classes) != 1:
            raise UserError(f"one classifier cannot have {sorted(classes)} classes at once")
        words = {q.marks for q in questions if isinstance(q, Classify)}
        if len(words) != 1:
            raise UserError(f"one classifier cannot look at {sorted(words)} marked words at once")
        head = Head(hidden, classes.pop(), self.dropout, words.pop())
        generator = torch.Generator().manual_seed(seed)
        deviation = following_width(1024 / hidden)
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.zero_()
            head.pool.weight.normal_(0.0, deviation, generator=generator)
            if head.out.out_features == 1:  # the classes are inputs, whose texts differ
                head.out.weight.normal_(0.0, deviation, generator=generator)
        return head

    def encode(
        self, questions: Iterable[Classify], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """One sequence of at most `max_length` positions per input."""
        questions = list(questions)
        inputs = (text for q in questions for text in q.inputs)
        texts = iter(pieces(inputs, tokenizer, separator=True))
        items = []
        for question in questions:
            given = [
                source(next(texts), tokenizer.special, max_length, question.id, separator=True)
                for _ in question.inputs
            ]
            sequences = tuple(self._sequence(g, tokenizer.special) for g in given)
            if any(len(g.words) != question.marks for g in given):
                raise UserError(f"question {question.id} has a marked word in some inputs only")
            sizes = tuple((1, *map(len, g.words)) for g in given)
            items.append(Item(question, sequences, cut=sum(g.cut for g in given), plan=sizes))
        return items

    def _sequence(self, given: Source, special: Special) -> Row:
        length = len(given.tokens)
        words = [place for word in given.words for place in word]
        if self.layout.kind == "pair":  # read at the end of what the decoder is given
            written = self.layout.whole(given, special)
            read = [length + len(written) - 1, *words]
            row = branches(given, [[*written]], [[]], self.layout)
            return replace(row, read_R=np.array(read), target_R=np.full(len(read), -1))
        read = 0 if self.pool == "cls" else length - 1
        second = length if given.second is None or not self.layout.sides else given.second
        inner = [0] * second + [1] * (length - second)
        branch = [self.layout.source_branch] * length
        return sequence(given.tokens, range(length), inner, branch, [read, *words])

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Mean cross-entropy of the right class (or input), in nats."""
        logits_NC = self._logits(model, head, items, tokenizer.special.pad)
        gold_N = torch.tensor([_gold(item.question) for item in items], device=logits_NC.device)
        return nn.functional.cross_entropy(logits_NC, gold_N)

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """Logits of all classes (or inputs) and the best one, the first of equals."""
        training = head is not None and head.training
        if head is not None:
            head.eval()

        def reduce(group: Sequence[Item]) -> list[Answer]:
            rows = self._logits(model, head, group, tokenizer.special.pad).tolist()
            return [_answer(item.question, row) for item, row in zip(group, rows)]

        answers = read_each(model, items, batch_positions, reduce)
        if head is not None:
            head.train(training)
        return answers

    def _logits(self, model, head, items: Sequence[Item], pad: int) -> torch.Tensor:
        """logits_NC of each item, -inf where it has fewer inputs than another."""
        if head is None:
            raise UserError("the classifier style needs its head: make one with style.head(...)")
        vectors_IKH = _means(read_all(model, items, pad), [n for i in items for n in i.plan])
        words_IWH = vectors_IKH[:, 1:] if vectors_IKH.shape[1] > 1 else None
        logits_IC = head(vectors_IKH[:, 0], words_IWH)
        logits_IC = logits_IC if logits_IC.dtype == torch.float64 else logits_IC.float()
        counts = [len(item.sequences) for item in items]
        if max(counts) == 1 and logits_IC.shape[1] > 1:
            return logits_IC
        rows = torch.split(logits_IC[:, 0], counts)
        return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=-torch.inf)


def _means(hidden_RH: torch.Tensor, sizes: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """vectors_IKH: the means of an input's consecutive reads, as many at a time as `sizes` says."""
    count_S = torch.tensor([n for size in sizes for n in size], device=hidden_RH.device)
    if len(hidden_RH) == len(count_S):
        means_SH = hidden_RH
    else:
        segment_R = torch.arange(len(count_S), device=count_S.device).repeat_interleave(count_S)
        sums_SH = hidden_RH.new_zeros(len(count_S), hidden_RH.shape[1])
        means_SH = sums_SH.index_add(0, segment_R, hidden_RH) / count_S[:, None]
    return means_SH.view(len(sizes), -1, hidden_RH.shape[1])


def _gold(question: Question) -> int:
    if not isinstance(question, Classify) or len(question.gold) != 1:
        raise UserError(f"question {question.id} needs exactly one right class in training")
    return question.gold[0]


def _answer(question: Classify, row: list[float]) -> Answer:
    scores = row[: max(question.classes, len(question.inputs))]
    return Answer(
        id=question.id,
        group=question.group,
        candidates=question.labels,
        scores=tuple(scores),
        choice=best(question, scores),
        gold=question.gold,
        references=question.references,
    )
