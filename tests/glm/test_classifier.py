"""Classifier finetuning: the original's head on any backbone, whatever the batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.adaptation.classifier import ClassifierStyle, Head
from glm.adaptation.encoding import CAUSAL
from glm.models.transformer import Shape, build
from tasks.errors import UserError
from tasks.spec import Classify, Part
from tests.glm.golden import read as golden
from tests.glm.golden import tiny_batch, tiny_model
from tests.glm.numbers import BERT, TINY, Numbers

TOKENIZER = Numbers(TINY)
SHAPE = Shape(2, 32, 4, 64, positions=64, dropout=0.0, attention_dropout=0.0)


def questions(count: int, inputs: int = 1, classes: int = 3) -> list[Classify]:
    rng = np.random.default_rng(7)
    made = []
    for n in range(count):
        gold = n % (classes if inputs == 1 else inputs)
        texts = []
        for i in range(inputs):
            mark = 50 + gold if inputs == 1 else 50 + (i == gold)
            noise = rng.integers(10, 50, size=rng.integers(1, 12))
            texts.append((Part(" ".join(map(str, noise)), "end"), Part(str(mark), side="b")))
        labels = tuple("abcdef"[: max(inputs, classes)])
        one = Classify(str(n), tuple(texts), classes, labels, (gold,))
        made.append(one)
    return made


@pytest.mark.parametrize("pool, name", [(0, "cls"), (8, "pad")])
def test_the_head_equals_the_original(pool, name):
    case = golden("06_scoring_heads")["classifier"]
    head = Head(16, 3, dropout=0.0).double()
    with torch.no_grad():
        for i, parameter in enumerate(head.parameters()):
            a = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_((0.3 * torch.sin(0.7 * a + 100 + i)).reshape(parameter.shape))
        logits = head(tiny_model()(tiny_batch())[:, pool])
    expected = torch.tensor(case["logits"][name], dtype=torch.float64)
    assert torch.allclose(logits, expected, atol=1e-9, rtol=0)


def test_sides_are_joined_by_a_separator_as_in_the_original():
    text = (Part("2173 1024 2079 2017", "end"), Part("1037 2576", "end", "b"))
    [item] = ClassifierStyle().encode([Classify("1", (text,), 2)], Numbers(BERT), 64)
    wanted = [101, 2173, 1024, 2079, 2017, 102, 1037, 2576, 0]
    assert item.sequences[0].tokens_L.tolist() == wanted
    assert item.sequences[0].position_L.tolist() == list(range(9))
    assert not item.sequences[0].branch_L.any()
    [short] = ClassifierStyle().encode([Classify("1", (text,), 2)], Numbers(BERT), 7)
    assert short.sequences[0].tokens_L.tolist() == [101, 2173, 1024, 102, 1037, 2576, 0]


@pytest.mark.parametrize("inputs, classes", [(1, 3), (2, 1), (4, 1)])
def test_answers_keep_their_order_whatever_the_batch(inputs, classes):
    asked = questions(9, inputs, classes)
    style, net = ClassifierStyle(), build(SHAPE, 0)
    head = style.head(SHAPE, asked, seed=1)
    items = style.encode(asked, TOKENIZER, 64)
    alone = style.answer(net, head, items, TOKENIZER, batch_positions=1)
    together = style.answer(net, head, items, TOKENIZER)
    assert [a.id for a in together] == [q.id for q in asked]
    for a, b in zip(alone, together):
        assert len(a.scores) == max(inputs, classes)
        assert a.scores == pytest.approx(b.scores, abs=1e-5)


@pytest.mark.parametrize("inputs, classes", [(1, 3), (3, 1)])
@pytest.mark.parametrize("causal", [False, True])
def test_a_classifier_learns_on_every_backbone(inputs, classes, causal):
    asked = questions(12, inputs, classes)
    style = ClassifierStyle(CAUSAL, pool="last") if causal else ClassifierStyle()
    shape = replace(SHAPE, inner=not causal)
    net, head = build(shape, 0), style.head(shape, asked)
    items = style.encode(asked, TOKENIZER, 64)
    trained = torch.nn.ModuleList([net, head])
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-3)
    torch.manual_seed(0)  # of the head's dropout
    for _ in range(200):
        optimiser.zero_grad()
        style.loss(net, head, items, TOKENIZER).backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimiser.step()
    answers = style.answer(net, head, items, TOKENIZER)
    assert [a.choice for a in answers] == [q.gold[0] for q in asked]
    assert net.training and head.training


def test_a_causal_backbone_reads_its_whole_input_at_the_last_token():
    style = ClassifierStyle(CAUSAL, pool="last")
    [item] = style.encode(questions(1), TOKENIZER, 64)
    sequence = item.sequences[0]
    assert sequence.read_R.tolist() == [len(sequence) - 1]
    assert (sequence.branch_L == 1).all()


def test_dropout_leaves_evaluation_alone_and_seeds_decide_the_head():
    asked = questions(3)
    style, net = ClassifierStyle(dropout=0.5), build(SHAPE, 0)
    head, same, other = (style.head(SHAPE, asked, seed=s) for s in (1, 1, 2))
    items = style.encode(asked, TOKENIZER, 64)
    first = style.answer(net, head, items, TOKENIZER)
    assert first == style.answer(net, same, items, TOKENIZER)
    assert first != style.answer(net, other, items, TOKENIZER)


def test_a_missing_head_and_mixed_classes_are_refused():
    style = ClassifierStyle()
    with pytest.raises(UserError, match="needs its head"):
        items = style.encode(questions(1), TOKENIZER, 64)
        style.loss(build(SHAPE, 0), None, items, TOKENIZER)
    with pytest.raises(UserError, match=r"\[2, 3\] classes"):
        style.head(SHAPE, [*questions(1), *questions(1, classes=2)])
