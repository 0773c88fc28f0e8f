"""Sequence-to-sequence finetuning and infilling: the original's rows without attended padding."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.adaptation.seq2seq import Seq2SeqStyle, _redrawn
from glm.models.transformer import Shape, build
from glm.objectives.layout import CAUSAL, PREFIX, Layout
from tasks.spec import Blank, Generate, Part
from tests.glm.golden import read as golden
from tests.glm.numbers import BERT, TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)
LAYOUTS = {"glm": Layout(), "prefix": PREFIX, "causal": CAUSAL, "flat": Layout(inner=False)}


def numbers(ids) -> str:
    return " ".join(map(str, ids))


def without_padding(item: dict) -> tuple[list[int], list[int], list[int], list[list[int]]]:
    """A golden row as (Part A, Part B, its targets, its positions): padding left out."""
    split = item["attention_mask"]
    a = item["text"][:split]
    while a[-1] == 0:
        a.pop()
    length = sum(item["loss_mask"])
    part = slice(split, split + length)
    positions = [row[part] for row in item["position_id"]]
    return a, item["text"][part], item["target"][part], positions


@pytest.mark.parametrize(
    "case, question, target",
    [
        ("gigaword_train", "front", 10),
        ("gigaword_train_truncated", "front", 4),
        ("squad_generation_train", "middle", 10),
    ],
)
def test_rows_are_those_of_the_original_without_its_padding(case, question, target):
    """Golden 13. Its Part A ends without an end token: padding, the same id, follows at once and
    is seen; here one end token is all there is of it."""
    for item in golden("13_seq2seq_and_infilling_items")["cases"][case]["items"]:
        a, b, goal, positions = without_padding(item)
        blank = a.index(103)
        before, after = a[1:blank], a[blank + 1 :]
        text = (Part(numbers(before)), Blank(), Part(numbers(after), cut="end"))
        wanted = numbers(t for t in goal if t != BERT.end)
        if case.endswith("truncated") and BERT.end not in goal:
            wanted += " 999 999"
        style = Seq2SeqStyle(target=target)
        [made] = style.encode([Generate("1", text, (wanted,))], number_tokenizer(BERT), 512)
        row = made.sequences[0]
        split = len(a) + 1
        assert row.tokens_L.tolist() == [*a, BERT.eos, *b]
        assert row.position_L.tolist() == [*range(split), *positions[0]]
        assert row.inner_L.tolist() == [*[0] * split, *positions[1]]
        assert row.target_R.tolist() == goal
        assert row.read_R.tolist() == list(range(split, split + len(b)))
        assert made.weight == len(goal)


def copying(count=4, length=4):
    """Write the source's second and third token."""
    rng = np.random.default_rng(0)
    made = []
    for n in range(count):
        words = rng.integers(10, 50, size=length).tolist()
        target = numbers(words[1:3])
        text = (Part(numbers(words), cut="end"), Blank())
        made.append(Generate(str(n), text, (target,), (target,)))
    return made


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_learns_to_write_its_targets(name):
    layout = LAYOUTS[name]
    shape = Shape(2, 64, 4, 64, 40, layout.kind == "blank", dropout=0.0, attention_dropout=0.0)
    net = build(shape, 0)
    style = Seq2SeqStyle(layout, target=6, beams=3)
    asked = copying()
    items = style.encode(asked, TOKENIZER, 40)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(80):
        optimiser.zero_grad()
        style.loss(net, None, items, TOKENIZER).backward()
        optimiser.step()
    answers = style.answer(net, None, items, TOKENIZER)
    assert [a.text for a in answers] == [q.targets[0] for q in asked]
    assert [a.references for a in answers] == [q.references for q in asked]
    unlabelled = [replace(q, targets=()) for q in asked]
    again = style.answer(net, None, style.encode(unlabelled, TOKENIZER, 40), TOKENIZER, 1)
    assert [a.text for a in again] == [a.text for a in answers]


def test_the_loss_is_a_mean_over_tokens_that_batches_compose():
    shape = Shape(1, 32, 4, 64, 40, dropout=0.0, attention_dropout=0.0)
    net = build(shape, 0)
    style = Seq2SeqStyle(target=6)
    asked = [replace(q, targets=(" ".join(["7"] * (n + 1)),)) for n, q in enumerate(copying(5))]
    items = style.encode(asked, TOKENIZER, 40)
    with torch.no_grad():
        whole = style.loss(net, None, items, TOKENIZER).item()
        each = [style.loss(net, None, [item], TOKENIZER).item() for item in items]
    weights = [item.weight for item in items]
    assert whole == pytest.approx(np.average(each, weights=weights), abs=1e-5)


def test_label_smoothing_leaves_padding_rows_of_the_vocabulary_alone():
    net = build(Shape(1, 32, 4, 128, 40, dropout=0.0, attention_dropout=0.0), 0)
    style = Seq2SeqStyle(target=6, label_smoothing=0.3)
    items = style.encode(copying(2), TOKENIZER, 40)
    with torch.no_grad():
        before = style.loss(net, None, items, TOKENIZER).item()
        net.word.weight[64:] += 5.0
        assert style.loss(net, None, items, TOKENIZER).item() == pytest.approx(before, abs=1e-6)


def test_long_sources_are_cut_and_short_models_leave_room_for_the_answer():
    text = (Part("9 " * 100, cut="end"), Blank())
    question = Generate("1", text, ("7 7 7",))
    [blank] = Seq2SeqStyle(target=8).encode([question], TOKENIZER, 20)
    assert int(blank.sequences[0].position_L.max()) == 19
    [prefix] = Seq2SeqStyle(PREFIX, target=8).encode([question], TOKENIZER, 20)
    assert len(prefix.plan.tokens) == 12 and TINY.mask in prefix.plan.tokens
    [given] = Seq2SeqStyle(source=10, target=8).encode([question], TOKENIZER, 20)
    assert len(given.plan.tokens) == 10 and given.cut == 93


def test_a_model_that_predicts_in_place_learns_to_write_its_targets():
    shape = Shape(2, 64, 4, 64, 40, inner=False, dropout=0.0, attention_dropout=0.0)
    net = build(shape, 0)
    style = Seq2SeqStyle(PREFIX, target=6, beams=3, masked=0.7)
    asked = copying()
    items = style.encode(asked, TOKENIZER, 40)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    for _ in range(120):
        optimiser.zero_grad()
        style.loss(net, None, items, TOKENIZER, rng).backward()
        optimiser.step()
    answers = style.answer(net, None, items, TOKENIZER)
    assert [a.text for a in answers] == [q.targets[0] for q in asked]


def test_hidden_target_tokens_are_drawn_afresh_and_as_many_as_an_item_weighs():
    style = Seq2SeqStyle(PREFIX, target=6, masked=0.7)
    asked = replace(copying(1)[0], targets=("7 8 9 10",))
    [item] = style.encode([asked], TOKENIZER, 40)
    start, whole, seen = len(item.plan.tokens), [7, 8, 9, 10, 61], set()
    for seed in range(30):
        row = _redrawn(item.sequences[0], item.plan, 3, np.random.default_rng(seed))
        hidden = row.read_R - start
        assert len(hidden) == item.weight == 4
        shown = [3 if j in hidden else word for j, word in enumerate(whole)]
        assert row.tokens_L[start:].tolist() == shown
        assert row.target_R.tolist() == [whole[j] for j in hidden]
        assert row.position_L.tolist() == list(range(len(row)))
        seen.add(tuple(hidden.tolist()))
    assert len(seen) == 5
    [unanswered] = style.encode([replace(asked, targets=())], TOKENIZER, 40)
    assert len(unanswered.sequences[0].read_R) == 0
