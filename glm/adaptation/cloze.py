"""Cloze finetuning: which candidate fills the blank? (GLM, section 2.4)

    Part A   [CLS] ann lee met bob . [MASK] flew home [EOS]
    Part B   [START] ann lee | [START] bob        branches 1 and 2
    wanted   ann lee [END]   | bob [END]

A candidate scores the sum (or mean) of the log-probabilities of its tokens and of the end token.
All candidates are branches of one row, so the passage is read once, in training and evaluation;
each branch sees Part A and itself, which makes the score that of a row of its own. All branches
begin alike, so the first start token is read for all of them. A verbalizer's candidates are single
tokens, read from one logit each at the start token.

A causal model cannot share its source this way (the source would see ahead), so there every
candidate is a sequence of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from glm.adaptation.encoding import Source, candidates, pieces, source
from glm.adaptation.items import Item, logits, read_all, read_each, require_finite
from glm.data.sequences import sequence
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from glm.objectives.layout import BLANK, Layout
from tasks.errors import UserError
from tasks.spec import Answer, Cloze, Question

ROWS = 1024  # logits are made for so many positions at a time, to bound their memory


@dataclass(frozen=True, eq=False)
class Terms:
    """A score as a sum of terms: read number `read_K` predicts `target_K` for `candidate_K`."""

    read_K: np.ndarray
    target_K: np.ndarray
    candidate_K: np.ndarray
    candidates: int
    verbalizer: bool


@dataclass(frozen=True)
class ClozeStyle:
    """Candidates scored by a left-to-right half; see the module."""

    layout: Layout = BLANK

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """A cloze question needs no parameters of its own."""
        return None

    def encode(
        self, questions: Iterable[Cloze], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """Items of at most `max_length` positions per candidate, the source included."""
        questions = list(questions)
        texts = pieces((q.text for q in questions), tokenizer)
        choices = candidates(questions, tokenizer)
        special = tokenizer.special
        items = []
        for question, text, chosen in zip(questions, texts, choices, strict=True):
            single = question.verbalizer and all(len(c) == 1 for c in chosen)
            longest = 1 if single else 1 + max(len(c) for c in chosen)
            apart = self.layout.kind == "pair" and self.layout.blanks != "rewritten"
            room = max_length - (0 if apart else longest)
            given = source(text, special, room, question.id, layout=self.layout)
            items.append(self._item(question, given, chosen, single, special))
        return items

    def _item(self, question, given: Source, chosen, single: bool, special: Special) -> Item:
        before = list(self.layout.before(given, special))
        first = len(before) - 1  # where an answer's first token is predicted
        if single:
            rows, reads = [before], [[first]]
            terms = [(0, c[0], k) for k, c in enumerate(chosen)]
        else:
            end = self.layout.after(given, special)
            rows = [[*before, *c] for c in chosen]
            # All branches begin alike: the first one's start token is read for all of them.
            reads = [list(range(first + bool(k), len(row))) for k, row in enumerate(rows)]
            after = np.cumsum([1] + [len(c) for c in chosen])
            terms = [
                (after[k] + j - 1 if j else 0, token, k)
                for k, c in enumerate(chosen)
                for j, token in enumerate([*c, end])
            ]
        if self.layout.kind == "causal":
            pairs = zip(rows, reads, strict=True)
            sequences = tuple(branches(given, [b], [r], self.layout) for b, r in pairs)
        else:
            sequences = (branches(given, rows, reads, self.layout),)
        read_K, target_K, candidate_K = np.array(terms, np.int64).T
        plan = Terms(read_K, target_K, candidate_K, len(chosen), single)
        return Item(question, sequences, cut=given.cut, plan=plan)

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
        """Scores of all candidates. `values["exact"]` of a question to be generated is 1 where the
        model, by teacher forcing, would write a candidate token by token."""

        def reduce(group: Sequence[Item]) -> list[Answer]:
            scores_NC, exact_NC = candidate_scores(model, group, tokenizer.special)
            return [
                choose(item.question, s[: item.plan.candidates], e[: item.plan.candidates])
                for item, s, e in zip(group, scores_NC.tolist(), exact_NC.tolist())
            ]

        return read_each(model, items, batch_positions, reduce)


def candidate_scores(model: Backbone, items: Sequence[Item], special: Special):
    """scores_NC, padded with -inf, and whether each candidate is the model's own writing (looked
    at only where a question is to be generated).

    The items' plans are `Terms`; the style decides what was read.
    """
    hidden_RH = read_all(model, items, special.pad)
    plans: list[Terms] = [item.plan for item in items]
    reads = np.cumsum([0] + [sum(len(s.read_R) for s in item.sequences) for item in items])
    read_K = np.concatenate([p.read_K + reads[i] for i, p in enumerate(plans)])
    target_K = np.concatenate([p.target_K for p in plans])
    raw_K = np.concatenate([np.full(len(p.read_K), p.verbalizer) for p in plans])
    exact = any(item.question.loss == "generate" for item in items)
    score_K, best_K = score(model, hidden_RH, read_K, target_K, raw_K, special.size, exact)
    where_NCL = torch.as_tensor(table(plans), device=score_K.device)
    inside_NCL, safe_NCL = where_NCL >= 0, where_NCL.clamp(min=0)
    sums_NC = score_K[safe_NCL].masked_fill(~inside_NCL, 0.0).sum(-1)
    mean = torch.tensor([i.question.reduce == "mean" for i in items], device=score_K.device)
    scores_NC = torch.where(mean[:, None], sums_NC / inside_NCL.sum(-1).clamp(min=1), sums_NC)
    exists_NC = inside_NCL.any(-1)
    exact_NC = (best_K[safe_NCL] | ~inside_NCL).all(-1) & exists_NC
    return scores_NC.masked_fill(~exists_NC, -torch.inf), exact_NC


def question_loss(scores_NC: torch.Tensor, items: Sequence[Item]) -> torch.Tensor:
    """The mean over items of what their question's `loss` asks for, in nats."""
    device = scores_NC.device
    gold_N = torch.tensor([gold(item.question) for item in items], device=device)
    kinds = [item.question.loss for item in items]
    choice_N = torch.tensor([kind != "generate" for kind in kinds], device=device)
    nll_N = torch.tensor([kind != "choice" for kind in kinds], device=device)
    right_N = scores_NC.gather(1, gold_N[:, None])[:, 0]
    return (choice_N * (scores_NC.logsumexp(1) - right_N) - nll_N * right_N).mean()


def branches(given: Source, rows, reads, layout: Layout, first: int = 1):
    """A sequence: the source, then each of `rows` as a branch of its own, all in blank 0."""
    tokens = list(given.tokens)
    position, inner = list(range(len(tokens))), [0] * len(tokens)
    branch = [layout.source_branch] * len(tokens)
    read: list[int] = []
    for k, (row, wanted) in enumerate(zip(rows, reads, strict=True)):
        read += [len(tokens) + j for j in wanted]
        outer, second = layout.answer(given, 0, len(row))
        tokens += row
        position += outer
        inner += second
        branch += [first + k] * len(row)
    return sequence(tokens, position, inner, branch, read)


def score(model, hidden_RH, read_K, target_K, raw_K, vocabulary: int, exact: bool = True):
    """(log-probability or, where `raw_K`, logit of the target; whether it is the likeliest), per
    term: read number `read_K` predicts `target_K`. Without `exact` the latter is False throughout.
    """
    scores, best, order = [], [], []
    for start in range(0, len(hidden_RH), ROWS):
        inside = np.flatnonzero((read_K >= start) & (read_K < start + ROWS))
        logits_RV = logits(model, hidden_RH[start : start + ROWS], vocabulary)
        device = logits_RV.device
        row = torch.as_tensor(read_K[inside] - start, device=device)
        target = torch.as_tensor(target_K[inside], device=device)
        raw = torch.as_tensor(raw_K[inside], device=device)
        # Ten times faster on a CPU than logsumexp.
        log_RV = logits_RV.log_softmax(-1)
        scores.append(torch.where(raw, logits_RV[row, target], log_RV[row, target]))
        likeliest = logits_RV.detach().argmax(-1)[row] == target if exact else raw & ~raw
        best.append(likeliest)
        order.append(inside)
    back = torch.as_tensor(np.argsort(np.concatenate(order)), device=hidden_RH.device)
    return torch.cat(scores)[back], torch.cat(best)[back]


def table(plans: Sequence[Terms]) -> np.ndarray:
    """where_NCL: the number of the l-th term of candidate c of item n; -1 where there is none."""
    counts = [np.bincount(p.candidate_K, minlength=p.candidates) for p in plans]
    width = max(len(c) for c in counts)
    where_NCL = np.full((len(plans), width, max(c.max() for c in counts)), -1, np.int64)
    base = 0
    for n, (plan, count) in enumerate(zip(plans, counts)):
        starts = np.cumsum(count) - count
        slot_K = np.arange(len(plan.candidate_K)) - starts[plan.candidate_K]
        where_NCL[n, plan.candidate_K, slot_K] = base + np.arange(len(plan.candidate_K))
        base += len(plan.candidate_K)
    return where_NCL


def gold(question: Cloze) -> int:
    """The index of the right candidate of a training question."""
    if len(question.gold) != 1:
        raise UserError(
            f"question {question.id} has {len(question.gold)} right candidates; training needs one"
        )
    return question.gold[0]


def best(question: Question, scores: Sequence[float]) -> int:
    """The index of the best score, the first of equals; raises as `require_finite` does."""
    require_finite(question.id, scores)
    return max(range(len(scores)), key=lambda c: (scores[c], -c))


def choose(question: Cloze, scores: Sequence[float], exact: Sequence[bool]) -> Answer:
    """The answer with the best score; the first of equals.

    A question to be generated is answered by the candidate that the model would write, and by none
    (one past the last) where it would write something else.
    """
    generated = question.loss == "generate"
    choice = best(question, scores)
    if generated:
        choice = list(exact).index(True) if any(exact) else len(scores)
    return Answer(
        id=question.id,
        group=question.group,
        candidates=question.candidates,
        scores=tuple(scores),
        choice=choice,
        gold=question.gold,
        references=question.references,
        values={"exact": float(any(exact))} if generated else {},
    )
