"""Cloze finetuning of a masked language model, as PET does it (Schick and Schütze, 2020).

    candidate "ann lee"   [CLS] ann lee met bob . [MASK] [MASK] flew home [EOS]
    candidate "bob"       [CLS] ann lee met bob . [MASK] flew home [EOS]

A candidate of n tokens is scored with n masks in place of the blank; candidates of one length
share a sequence. Training adds the log-probabilities of all n tokens at once. Evaluation fills the
masks one by one, the candidate's most confident token first, and adds the log-probability that
each had when it was filled. There is no end token: its length is given away by the masks, which
is the weakness that the paper's Table 6 (row 3) shows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import Terms, candidate_scores, choose, question_loss, score
from glm.adaptation.encoding import candidates, pieces, source
from glm.adaptation.items import Item, read_all, read_each
from glm.data.sequences import Sequence as Row
from glm.data.sequences import sequence
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from tasks.spec import Answer, Cloze, Question


@dataclass(frozen=True, eq=False)
class _Filling:
    """A candidate on its way: tokens still to be filled, as (place in the row, token)."""

    row: Row
    left: tuple[tuple[int, int], ...]
    total: float = 0.0
    exact: bool = True


@dataclass(frozen=True)
class BertClozeStyle:
    """Masks instead of a left-to-right half; see the module."""

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """A cloze question needs no parameters of its own."""
        return None

    def encode(
        self, questions: Iterable[Cloze], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """Items with one sequence of at most `max_length` positions per length of candidate."""
        questions = list(questions)
        texts = pieces((q.text for q in questions), tokenizer)
        choices = candidates(questions, tokenizer)
        items = []
        for question, text, chosen in zip(questions, texts, choices, strict=True):
            lengths = sorted({len(c) for c in chosen})
            rows, first, cut = [], {}, 0
            for n in lengths:
                given = source(text, tokenizer.special, max_length, question.id, masks=n)
                places = range(given.blanks[0], given.blanks[0] + n)
                first[n] = sum(len(row.read_R) for row in rows)
                zeros = [0] * len(given.tokens)
                rows.append(sequence(given.tokens, range(len(zeros)), zeros, zeros, places))
                cut = max(cut, given.cut)
            terms = [
                (first[len(c)] + j, token, k)
                for k, c in enumerate(chosen)
                for j, token in enumerate(c)
            ]
            read_K, target_K, candidate_K = np.array(terms, np.int64).reshape(-1, 3).T
            single = question.verbalizer and lengths == [1]
            plan = Terms(read_K, target_K, candidate_K, len(chosen), single)
            items.append(Item(question, tuple(rows), cut=cut, plan=plan))
        return items

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Mean over items of what their question's `loss` asks for, all masks at once, in nats."""
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
        """Scores of all candidates, masks filled most confident first.

        `values["exact"]` of a question to be generated: each token was the likeliest one of all
        when it was filled.
        """
        special = tokenizer.special
        one = [max(len(s.read_R) for s in item.sequences) == 1 for item in items]
        values: list[Answer | None] = [None] * len(items)
        single = [i for i, alone in enumerate(one) if alone]

        def at_once(group: Sequence[Item]) -> list[Answer]:
            scores_NC, exact_NC = candidate_scores(model, group, special)
            rows = zip(group, scores_NC.tolist(), exact_NC.tolist(), strict=True)
            return [
                choose(i.question, s[: i.plan.candidates], e[: i.plan.candidates])
                for i, s, e in rows
            ]

        found = read_each(model, [items[i] for i in single], batch_positions, at_once)
        for i, answer in zip(single, found, strict=True):
            values[i] = answer
        several = [i for i, alone in enumerate(one) if not alone]
        fillings = [_begin(items[i]) for i in several]
        flat = [f for group in fillings for f in group]
        ends = iter(_fill(model, flat, special, batch_positions))
        for i, group in zip(several, fillings, strict=True):
            done = [next(ends) for _ in group]
            mean = items[i].question.reduce == "mean"
            lengths = np.bincount(items[i].plan.candidate_K, minlength=len(done))
            scores = [f.total / max(n, 1) if mean else f.total for f, n in zip(done, lengths)]
            values[i] = choose(items[i].question, scores, [f.exact for f in done])
        return [answer for answer in values if answer is not None]


def _begin(item: Item) -> list[_Filling]:
    """Every candidate of an item with all of its tokens to be filled."""
    starts = np.cumsum([0] + [len(row.read_R) for row in item.sequences])
    fillings = []
    for k in range(item.plan.candidates):
        mine = item.plan.candidate_K == k
        reads, targets = item.plan.read_K[mine], item.plan.target_K[mine]
        at = int(np.searchsorted(starts, reads[0], side="right")) - 1
        row = item.sequences[at]
        places = row.read_R[reads - starts[at]]
        fillings.append(_Filling(row, tuple(zip(places.tolist(), targets.tolist()))))
    return fillings


def _fill(model, fillings: list[_Filling], special, batch_positions: int) -> list[_Filling]:
    """Fill one mask of every unfinished candidate per round, until none is left."""
    fillings = list(fillings)
    while open_ones := [i for i, f in enumerate(fillings) if f.left]:
        # Candidates that still look alike (all of one length in the first round) are read once.
        keys = [
            (fillings[i].row.tokens_L.tobytes(), id(fillings[i].row.position_L)) for i in open_ones
        ]
        groups: dict[tuple, list[int]] = {}
        for i, key in zip(open_ones, keys, strict=True):
            groups.setdefault(key, []).append(i)
        items = [
            Item(None, (_reading(fillings[members[0]]),), plan=[fillings[i] for i in members])
            for members in groups.values()
        ]

        def one_round(group: Sequence[Item]) -> list[list[_Filling]]:
            return _advance(model, group, special)

        advanced = read_each(model, items, batch_positions, one_round)
        for members, new in zip(groups.values(), advanced, strict=True):
            for i, filling in zip(members, new, strict=True):
                fillings[i] = filling
    return fillings


def _reading(filling: _Filling) -> Row:
    """The row, read at the masks that are left."""
    places = np.array([place for place, _ in filling.left], np.int64)
    return replace(filling.row, read_R=places, target_R=np.full(len(places), -1))


def _advance(model, group: Sequence[Item], special) -> list[list[_Filling]]:
    """Each filling of each item with its most confident token filled in."""
    hidden_RH = read_all(model, group, special.pad)
    base, read, target = 0, [], []
    for item in group:
        for filling in item.plan:
            read += range(base, base + len(filling.left))
            target += [token for _, token in filling.left]
        base += len(item.sequences[0].read_R)
    plain = np.zeros(len(read), bool)
    scored = score(model, hidden_RH, np.array(read), np.array(target), plain, special.size)
    logs, likeliest = (iter(x.tolist()) for x in scored)
    return [[_filled(filling, logs, likeliest) for filling in item.plan] for item in group]


def _filled(filling: _Filling, logs, likeliest) -> _Filling:
    scores = [(next(logs), next(likeliest)) for _ in filling.left]
    best = max(range(len(scores)), key=lambda j: (scores[j][0], -j))
    place, token = filling.left[best]
    tokens_L = filling.row.tokens_L.copy()
    tokens_L[place] = token
    return _Filling(
        replace(filling.row, tokens_L=tokens_L),
        filling.left[:best] + filling.left[best + 1 :],
        filling.total + scores[best][0],
        filling.exact and scores[best][1],
    )
