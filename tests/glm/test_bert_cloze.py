"""Cloze scoring with a masked language model: one mask per token, most confident first."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.adaptation.masked_cloze import BertClozeStyle
from glm.data.sequences import lay, sequence
from glm.models.transformer import Shape, build, tensors
from tests.glm.numbers import TINY, number_tokenizer
from tests.glm.test_cloze import questions

TOKENIZER = number_tokenizer(TINY)
STYLE = BertClozeStyle()


def model(seed=0):
    shape = Shape(2, 32, 4, 64, positions=64, inner=False, dropout=0.0, attention_dropout=0.0)
    return build(shape, seed)


@torch.no_grad()
def filled_one_by_one(model, question, at_once=False):
    """PET's score of each candidate, written out for one row at a time."""
    scores = []
    for candidate in question.candidates:
        c = TOKENIZER.encode(candidate)
        a = [TINY.cls, *TOKENIZER.encode(question.text[0].text)]
        blank = len(a)
        a += [TINY.mask] * len(c) + [*TOKENIZER.encode(question.text[2].text), TINY.eos]
        left, total = dict(enumerate(c)), 0.0
        while left:
            zeros = [0] * len(a)
            hidden = model(tensors(lay([sequence(a, range(len(a)), zeros, zeros)], 0)))[0]
            log = model.logits(hidden).log_softmax(-1)
            sure = {j: log[blank + j, token].item() for j, token in left.items()}
            if at_once:
                total = sum(sure.values())
                break
            best = max(sure, key=lambda j: sure[j])
            total += sure[best]
            a[blank + best] = left.pop(best)
        scores.append(total)
    return scores


def test_scores_equal_filling_one_row_at_a_time():
    net = model()
    asked = questions(6)
    answers = STYLE.answer(net, None, STYLE.encode(asked, TOKENIZER, 64), TOKENIZER)
    for question, answer in zip(asked, answers):
        expected = filled_one_by_one(net, question)
        assert answer.scores == pytest.approx(expected, abs=1e-5)
        assert answer.choice == int(np.argmax(expected))


def test_training_adds_the_tokens_at_once():
    net = model()
    [question] = questions(1, seed=4)
    scores = torch.tensor(filled_one_by_one(net, question, at_once=True))
    expected = scores.logsumexp(0) - scores[question.gold[0]]
    items = STYLE.encode([question], TOKENIZER, 64)
    assert STYLE.loss(net, None, items, TOKENIZER).item() == pytest.approx(
        expected.item(), abs=1e-5
    )


def test_a_verbalizer_reads_its_logits_at_the_mask():
    net = model()
    asked = questions(5, verbalizer=True)
    items = STYLE.encode(asked, TOKENIZER, 64)
    assert all(len(item.sequences) == 1 for item in items)
    answers = STYLE.answer(net, None, items, TOKENIZER)
    for question, answer in zip(asked, answers):
        log = torch.tensor(filled_one_by_one(net, question)).log_softmax(0)
        assert torch.tensor(answer.scores).log_softmax(0).tolist() == pytest.approx(
            log.tolist(), abs=1e-5
        )


def test_answers_keep_their_order_whatever_the_batch():
    net = model()
    asked = [*questions(5), *questions(3, verbalizer=True)]
    asked = [replace(q, id=str(n)) for n, q in enumerate(asked)]
    items = STYLE.encode(asked, TOKENIZER, 64)
    alone = STYLE.answer(net, None, items, TOKENIZER, batch_positions=1)
    together = STYLE.answer(net, None, items, TOKENIZER)
    assert [a.id for a in together] == [q.id for q in asked]
    for a, b in zip(alone, together):
        assert a.scores == pytest.approx(b.scores, abs=1e-5)


def test_training_raises_the_right_candidate():
    net = model()
    asked = questions(6, seed=2)
    items = STYLE.encode(asked, TOKENIZER, 64)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        STYLE.loss(net, None, items, TOKENIZER).backward()
        optimiser.step()
    answers = STYLE.answer(net, None, items, TOKENIZER)
    assert [a.choice for a in answers] == [q.gold[0] for q in asked]
