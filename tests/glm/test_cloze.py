"""Cloze finetuning: assembly as in the original, packed scores as one by one, losses that learn."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.adaptation.cloze import ClozeStyle, branches, score
from glm.adaptation.encoding import pieces, source
from glm.data.sequences import lay, sequence
from glm.models.transformer import Shape, build, tensors
from glm.objectives.layout import Layout
from tasks.errors import UserError
from tasks.spec import Blank, Cloze, Part
from tests.glm.golden import read as golden
from tests.glm.golden import tiny_batch, tiny_model
from tests.glm.numbers import BERT, TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)
STYLE = ClozeStyle()


def model(seed=0, **fields):
    shape = Shape(2, 32, 4, 64, positions=64, dropout=0.0, attention_dropout=0.0)
    return build(replace(shape, **fields), seed)


def questions(count=7, seed=0, verbalizer=False):
    """Questions of many lengths, with one to nine candidates of one to four tokens."""
    rng = np.random.default_rng(seed)
    made = []
    for n in range(count):
        text = [" ".join(map(str, rng.integers(10, 50, size=rng.integers(1, 20)))) for _ in "ab"]
        widths = np.ones(3, int) if verbalizer else rng.integers(1, 5, size=rng.integers(1, 10))
        candidates = tuple(" ".join(map(str, rng.integers(10, 50, size=w))) for w in widths)
        made.append(
            Cloze(
                id=str(n),
                text=(Part(text[0], cut="end"), Blank(), Part(text[1], side="b")),
                candidates=candidates,
                gold=(n % len(candidates),),
                verbalizer=verbalizer,
            )
        )
    return made


@torch.no_grad()
def one_by_one(model, question, reduce="sum"):
    """Every candidate as a row of its own, in fp64, with log-softmax over every position."""
    scores = []
    for candidate in question.candidates:
        a = [TINY.cls, *TOKENIZER.encode(question.text[0].text)]
        blank = len(a)
        a += [TINY.mask, *TOKENIZER.encode(question.text[2].text), TINY.eos]
        c = TOKENIZER.encode(candidate)
        row = sequence(
            [*a, TINY.start, *c],
            [*range(len(a)), *[blank] * (len(c) + 1)],
            [*[0] * len(a), *range(1, len(c) + 2)],
            [*[0] * len(a), *[1] * (len(c) + 1)],
        )
        hidden = model.double()(tensors(lay([row], 0)))[0]
        log = model.logits(hidden).log_softmax(-1)
        terms = [log[len(a) + j, t] for j, t in enumerate([*c, TINY.end])]
        total = sum(terms)
        scores.append(float(total / len(terms) if reduce == "mean" else total))
    model.float()
    return scores


def cells(case):
    """A golden row without its padding, as lists."""
    expected = case["expected"]
    return expected["ids"], expected["position_ids"], expected["sep"]


@pytest.mark.parametrize("name", ["single-token cloze", "two parts", "no eos (LM)"])
def test_a_row_is_assembled_as_in_the_original(name):
    case = next(c for c in golden("07_build_input")["cases"] if c["name"] == name)
    given = case["kwargs"]
    sides = [(given["text_a_ids"], "a"), (given["text_b_ids"] or [], "b")]
    text = []
    for ids, side in sides:
        for token in ids:
            text.append(Blank(side) if token == 103 else Part(f" {token}", side=side))
    [parts] = pieces([tuple(text)], number_tokenizer(BERT))
    ends = given.get("add_eos", True)
    made = source(parts, BERT, 100, "x")
    if not ends:
        made = replace(made, tokens=made.tokens[:-1])
    answer = given["answer_ids"] or []
    written = [BERT.start, *[t for t in answer if t != BERT.end]]
    written = written[: max(len(answer), 1)] if ends else written
    row = branches(made, [written], [[]], Layout())
    ids, position_ids, sep = cells(case)
    length = min(len(row), given["max_seq_length"])
    if not ends:
        length -= 1  # the original drops the answer's last token: nothing is predicted from it
    assert row.tokens_L[:length].tolist() == ids[:length]
    assert not any(ids[length:])
    assert row.position_L[:length].tolist() == position_ids[0][:length]
    assert row.inner_L[:length].tolist() == position_ids[1][:length]
    assert np.count_nonzero(row.branch_L == 0) == sep


def test_truncation_shortens_what_may_be_cut_and_keeps_the_blank():
    hypothesis = " 4255 1997 3742 6215 2179 1999 5712"
    premise = " 2053 4255 1997 3742 6215 2179 1999 5712 2664 1012"
    text = (
        Part("1000"), Part(hypothesis, cut="end"), Part(" 1000"), Part(" 1029"), Blank(),
        Part("1010", side="b"), Part(" 1000", side="b"), Part(premise, cut="end", side="b"),
        Part(" 1000", side="b"),
    )  # fmt: skip
    question = Cloze("rte", text, ("2748", "2053"), (1,), verbalizer=True)
    [item] = STYLE.encode([question], number_tokenizer(BERT), 24)
    # golden 11, RTE at length 24, from the BERT vocabulary
    assert item.sequences[0].tokens_L.tolist() == [
        101, 1000, 4255, 1997, 3742, 6215, 2179, 1999, 5712, 1000, 1029, 103, 1010, 1000, 2053,
        4255, 1997, 3742, 6215, 2179, 1999, 1000, 0, 30522,
    ]  # fmt: skip
    assert item.sequences[0].position_L[-1] == 11
    assert item.cut == 3
    assert item.plan.target_K.tolist() == [2748, 2053]


def test_a_text_without_cuttable_parts_is_shortened_rather_than_its_blank_lost():
    question = Cloze("long", (Part("9 " * 50), Blank(), Part("8 8")), ("7",), (0,))
    [item] = STYLE.encode([question], TOKENIZER, 16)
    assert item.length == 16
    assert TINY.mask in item.sequences[0].tokens_L
    with pytest.raises(UserError, match="question long does not fit"):
        STYLE.encode([question], TOKENIZER, 4)


def test_packed_scores_equal_scores_one_by_one():
    net = model()
    asked = questions() + [replace(q, reduce="mean") for q in questions(4, seed=5)]
    answers = STYLE.answer(net, None, STYLE.encode(asked, TOKENIZER, 64), TOKENIZER)
    for question, answer in zip(asked, answers):
        expected = one_by_one(net, question, question.reduce)
        assert answer.scores == pytest.approx(expected, abs=1e-5)
        assert answer.choice == int(np.argmax(expected))


def test_multi_token_scores_equal_the_original():
    """Golden 06: sums over several spans of golden 05; here each span as a question of its own
    would see less, so the terms of the whole row are scored."""
    net, batch = tiny_model(), tiny_batch()
    hidden = net(batch).flatten(0, 1)[batch.index_M]
    terms = np.arange(12)
    found, _ = score(net, hidden, terms, batch.target_M.numpy(), np.zeros(12, bool), 64)
    sums = found.view(2, 6).sum(1).tolist()
    expected = golden("06_scoring_heads")["multi_token_scores"]
    assert sums == pytest.approx(expected["length_penalty_0"][0], abs=1e-9)
    assert [s / 6 for s in sums] == pytest.approx(expected["length_penalty_1"][0], abs=1e-9)


def test_verbalizer_logits_equal_the_original():
    net, batch = tiny_model(), tiny_batch()
    case = golden("06_scoring_heads")["single_token"]
    hidden = net(batch)[:, 9]
    read, target = np.repeat([0, 1], 3), np.array(case["candidate_ids"]).ravel()
    found, _ = score(net, hidden, read, target, np.ones(6, bool), 64)
    expected = np.array(case["raw_logits_at_index_sep"]).ravel()
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("verbalizer", [False, True])
def test_answers_keep_their_order_whatever_the_batch(verbalizer):
    net = model()
    items = STYLE.encode(questions(9, verbalizer=verbalizer), TOKENIZER, 64)
    alone = STYLE.answer(net, None, items, TOKENIZER, batch_positions=1)
    together = STYLE.answer(net, None, items, TOKENIZER, batch_positions=10_000)
    assert [a.id for a in together] == [str(n) for n in range(9)]
    for a, b in zip(alone, together):
        assert a.scores == pytest.approx(b.scores, abs=1e-5)


def test_a_verbalizer_that_is_not_one_token_is_scored_as_a_candidate():
    question = Cloze("1", (Part("9 9"), Blank()), ("7", "8 8"), (0,), verbalizer=True)
    plain = replace(question, verbalizer=False)
    items = STYLE.encode([question, plain], TOKENIZER, 64)
    scores = [a.scores for a in STYLE.answer(model(), None, items, TOKENIZER)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


@pytest.mark.parametrize("kind", ["prefix", "causal"])
def test_other_layouts_score_each_candidate_as_if_alone(kind):
    net = model(inner=False)
    style = ClozeStyle(Layout(kind))
    asked = questions(5)
    whole = style.answer(net, None, style.encode(asked, TOKENIZER, 64), TOKENIZER)
    for question, answer in zip(asked, whole):
        alone = [replace(question, candidates=(c,), gold=(0,)) for c in question.candidates]
        single = style.answer(net, None, style.encode(alone, TOKENIZER, 64), TOKENIZER)
        assert answer.scores == pytest.approx([a.scores[0] for a in single], abs=1e-5)


def test_the_losses_are_what_they_say():
    net = model().eval()
    [question] = questions(1, seed=3)
    [item] = STYLE.encode([question], TOKENIZER, 64)
    [answer] = STYLE.answer(net, None, [item], TOKENIZER)
    right = answer.scores[question.gold[0]]
    choice = math.log(sum(math.exp(s) for s in answer.scores)) - right
    wanted = {"choice": choice, "generate": -right, "mix": choice - right}
    for kind, value in wanted.items():
        [again] = STYLE.encode([replace(question, loss=kind)], TOKENIZER, 64)
        assert STYLE.loss(net, None, [again], TOKENIZER).item() == pytest.approx(value, abs=1e-4)


def test_generation_is_exact_only_where_the_model_would_write_the_answer():
    net = model()
    text = (Part("9 9 9"), Blank())
    asked = [Cloze("1", text, (str(t),), (0,), loss="generate") for t in range(5, 60)]
    answers = STYLE.answer(net, None, STYLE.encode(asked, TOKENIZER, 64), TOKENIZER)
    assert all(a.values["exact"] == 0.0 for a in answers)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(30):
        optimiser.zero_grad()
        STYLE.loss(net, None, STYLE.encode(asked[:1], TOKENIZER, 64), TOKENIZER).backward()
        optimiser.step()
    answers = STYLE.answer(net, None, STYLE.encode(asked, TOKENIZER, 64), TOKENIZER)
    assert [a.values["exact"] for a in answers] == [1.0] + [0.0] * 54


def test_training_raises_the_right_candidate():
    net = model()
    asked = questions(8, seed=2)
    items = STYLE.encode(asked, TOKENIZER, 64)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        STYLE.loss(net, None, items, TOKENIZER).backward()
        optimiser.step()
    answers = STYLE.answer(net, None, items, TOKENIZER)
    assert [a.choice for a in answers] == [q.gold[0] for q in asked]


def test_training_refuses_a_question_without_one_right_candidate():
    items = STYLE.encode([replace(questions(1)[0], gold=())], TOKENIZER, 64)
    with pytest.raises(UserError, match="0 right candidates"):
        STYLE.loss(model(), None, items, TOKENIZER)


def test_packing_wastes_little_and_nobody_sees_a_neighbour():
    items = STYLE.encode(questions(200), TOKENIZER, 64)
    batch = lay([s for i in items for s in i.sequences], pad=0)
    assert batch.positions / batch.tokens_BT.size > 0.9
    visible = batch.visible()
    same = batch.document_BT[:, :, None] == batch.document_BT[:, None, :]
    assert not (visible & ~same).any()
    prefix = np.cumprod((batch.branch_BT == 0) & (batch.document_BT >= 0), axis=1)
    contexts = ((batch.branch_BT == 0) & (batch.document_BT >= 0)).sum(1)
    assert (prefix.sum(1) == contexts).all()
