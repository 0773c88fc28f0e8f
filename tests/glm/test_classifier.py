"""Classifier finetuning: the original's head on any backbone, whatever the batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.adaptation.classifier import ClassifierStyle, Head
from glm.adaptation.items import read_all
from glm.models.transformer import Shape, build
from glm.objectives.layout import CAUSAL
from tasks.errors import UserError
from tasks.spec import Classify, Part
from tests.glm.golden import read as golden
from tests.glm.golden import tiny_batch, tiny_model
from tests.glm.numbers import BERT, TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)
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
    [item] = ClassifierStyle().encode([Classify("1", (text,), 2)], number_tokenizer(BERT), 64)
    wanted = [101, 2173, 1024, 2079, 2017, 102, 1037, 2576, 0]
    assert item.sequences[0].tokens_L.tolist() == wanted
    assert item.sequences[0].position_L.tolist() == list(range(9))
    assert not item.sequences[0].branch_L.any()
    [short] = ClassifierStyle().encode([Classify("1", (text,), 2)], number_tokenizer(BERT), 7)
    assert short.sequences[0].tokens_L.tolist() == [101, 2173, 1024, 102, 1037, 2576, 0]


@pytest.mark.parametrize("inputs, classes", [(1, 3), (2, 1), (4, 1)])
def test_answers_keep_their_order_whatever_the_batch(inputs, classes):
    asked = questions(9, inputs, classes)
    style, net = ClassifierStyle(), build(SHAPE, 0)
    head = style.head(SHAPE.hidden, asked, seed=1)
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
    net, head = build(shape, 0), style.head(shape.hidden, asked)
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
    asked = questions(3, inputs=2, classes=1)
    style, net = ClassifierStyle(dropout=0.5), build(SHAPE, 0)
    head, same, other = (style.head(SHAPE.hidden, asked, seed=s) for s in (1, 1, 2))
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
        style.head(SHAPE.hidden, [*questions(1), *questions(1, classes=2)])


# ---- marked words


def about_words(count: int) -> list[Classify]:
    """Sentences of noise with two marked words, alike or not: what [CLS] alone says of them is
    little in an untrained model."""
    rng = np.random.default_rng(3)
    made = []
    for n in range(count):
        first = rng.integers(10, 20)
        second = first if n % 2 else (first - 10 + rng.integers(1, 10)) % 10 + 10
        noise = [" ".join(map(str, rng.integers(20, 50, size=3))) for _ in range(3)]
        parts = (Part(noise[0], "start"), Part(f" {first}", mark=1), Part(f" {noise[1]}", "end"))
        parts += (Part(str(second), side="b", mark=2), Part(f" {noise[2]}", "end", "b"))
        made.append(Classify(str(n), (parts,), 2, ("no", "yes"), (n % 2,)))
    return made


def test_the_head_sees_the_marked_words_beside_the_pooled_vector():
    style, net, asked = ClassifierStyle(), build(SHAPE, 0), about_words(4)
    head = style.head(SHAPE.hidden, asked)
    assert head.out.in_features == 3 * SHAPE.hidden
    items = style.encode(asked, TOKENIZER, 64)
    for item, question in zip(items, asked):
        row = item.sequences[0]
        words = [int(p.text) for p in question.inputs[0] if isinstance(p, Part) and p.mark]
        assert row.tokens_L[row.read_R].tolist() == [TINY.cls, *words]
    with torch.no_grad():
        head.out.weight[0, SHAPE.hidden :] = 1.0
    states = read_all(net.eval(), items, TINY.pad).view(4, 3, -1)
    wanted = states[:, 1:].sum((1, 2))
    found = style.answer(net, head, items, TOKENIZER)
    assert [answer.scores[0] for answer in found] == pytest.approx(wanted.tolist(), abs=1e-4)


def test_a_word_of_several_tokens_is_their_mean():
    text = (Part("10 11 12", mark=1), Part(" 13", "end"))
    asked = [Classify("1", (text,), 2, ("no", "yes"), (0,))]
    style, net = ClassifierStyle(), build(SHAPE, 0).eval()
    items = style.encode(asked, TOKENIZER, 64)
    head = style.head(SHAPE.hidden, asked)
    with torch.no_grad():
        head.out.weight[1, SHAPE.hidden :] = 1.0
    states_RH = read_all(net, items, TINY.pad).detach()
    [found] = style.answer(net, head, items, TOKENIZER)
    assert found.scores[1] == pytest.approx(float(states_RH[1:].mean(0).sum()), abs=1e-4)


def test_inputs_with_and_without_a_marked_word_are_refused():
    plain, word = (Part("10"),), (Part("11", mark=1),)
    mixed = [Classify("1", (plain, word), 1, ("a", "b"), (0,))]
    with pytest.raises(UserError, match="question 1 has a marked word in some inputs only"):
        ClassifierStyle().encode(mixed, TOKENIZER, 64)
    with pytest.raises(UserError, match=r"\[0, 1\] marked words"):
        ClassifierStyle().head(SHAPE.hidden, [Classify("1", (plain,), 1), *mixed])


# ---- what the names of the classes must not decide


def test_swapping_the_names_of_the_classes_swaps_the_scores_and_nothing_else():
    asked = questions(10, classes=2)
    swapped = [replace(q, labels=q.labels[::-1], gold=(1 - q.gold[0],)) for q in asked]
    both = []
    for each in (asked, swapped):
        style, net = ClassifierStyle(dropout=0.0), build(SHAPE, 0)
        head = style.head(SHAPE.hidden, each, seed=1)
        trained = torch.nn.ModuleList([net, head])
        optimiser = torch.optim.Adam(trained.parameters(), lr=1e-3)
        items = style.encode(each, TOKENIZER, 64)
        for _ in range(5):
            optimiser.zero_grad()
            style.loss(net, head, items, TOKENIZER).backward()
            optimiser.step()
        both.append(style.answer(net, head, items, TOKENIZER))
    for one, other in zip(*both, strict=True):
        assert one.scores == pytest.approx(other.scores[::-1], abs=1e-5)
        assert len(set(one.scores)) == 2


def test_a_score_that_is_no_number_is_no_choice():
    asked, style, net = questions(3), ClassifierStyle(), build(SHAPE, 0)
    head = style.head(SHAPE.hidden, asked)
    items = style.encode(asked, TOKENIZER, 64)
    with torch.no_grad():
        head.out.bias[1] = torch.nan
    with pytest.raises(FloatingPointError, match="diverged: a score of question"):
        style.answer(net, head, items, TOKENIZER)
