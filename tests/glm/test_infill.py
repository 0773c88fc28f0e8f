"""Text infilling: blanks drawn afresh, whole targets, all blanks of a document in one pass."""

import numpy as np
import pytest
import torch

from glm.adaptation.infilling import Document, InfillStyle
from glm.adaptation.masked_infilling import BertInfillStyle
from glm.models.transformer import Shape, build
from glm.objectives.layout import PREFIX
from tasks.errors import UserError
from tasks.spec import Blank, Generate, Part
from tests.glm.golden import read as golden
from tests.glm.numbers import BERT, TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)


def question(words, hidden, id="1") -> Generate:
    """A document of numbers with the given spans of words hidden."""
    text, template, targets, last = [], [], [], 0
    for start, stop in [*hidden, (len(words), len(words))]:
        if start > last:
            text.append(Part(" ".join(map(str, words[last:start])), cut="end"))
            template.append(text[-1].text)
        if stop > start:
            text.append(Blank())
            template.append("{}")
            targets.append(" ".join(map(str, words[start:stop])))
        last = stop
    whole = " ".join(map(str, words))
    return Generate(id, tuple(text), tuple(targets), (whole,), " ".join(template))


def test_a_row_is_the_original_s_with_ends_and_whole_targets():
    """Golden 13. The original has no [CLS] and no end token here, and cuts the last target."""
    item = golden("13_seq2seq_and_infilling_items")["cases"]["blank_train"]["items"][1]
    words = [4067, 2017, 2200, 2172, 2005, 2115, 6998, 1012, 1045, 2079, 1050, 1005, 1056, 2113,
             2054, 2000, 2079, 2085]  # fmt: skip
    hidden = [(2, 3), (9, 10), (14, 15), (16, 17)]
    [made] = InfillStyle().encode([question(words, hidden)], number_tokenizer(BERT), 512)
    row, split = made.sequences[0], item["attention_mask"]
    a = [t for t in item["text"][:split] if t]
    assert row.tokens_L.tolist() == [101, *a, 0, *item["text"][split:], 2079]
    assert row.position_L[len(a) + 2 :].tolist() == [
        p + 1 for p in [*item["position_id"][0][split:], item["position_id"][0][-1]]
    ]
    assert row.inner_L[len(a) + 2 :].tolist() == [*item["position_id"][1][split:], 2]
    assert row.target_R.tolist() == [*item["target"][split:], BERT.end]


def test_blanks_are_drawn_afresh_as_many_words_and_neighbours_share_one():
    document = Document(tuple((n,) for n in range(5, 25)), ((0, 2), (7, 9), (12, 15)))
    seen = set()
    for seed in range(20):
        drawn = document.redrawn(np.random.default_rng(seed))
        assert drawn == document.redrawn(np.random.default_rng(seed))
        assert sum(stop - start for start, stop in drawn.hidden) == 7
        edges = [edge for span in drawn.hidden for edge in span]
        assert edges == sorted(set(edges))
        seen.add(drawn.hidden)
    assert len(seen) > 15


def learned(style, net, items, steps, rng=None):
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        style.loss(net, None, items, TOKENIZER, rng).backward()
        optimiser.step()


def model(inner=True):
    return build(Shape(2, 64, 4, 64, 40, inner, dropout=0.0, attention_dropout=0.0), 0)


QUESTIONS = [
    question([11, 12, 13, 14, 15, 16], [(1, 3), (4, 5)], "a"),
    question([21, 22, 23, 24], [(0, 1)], "b"),
    question([31, 32, 33, 34, 35, 36, 37], [(1, 2), (3, 4), (6, 7)], "c"),
]


@pytest.mark.parametrize("kind", ["glm", "prefix", "bert"])
def test_every_blank_of_a_document_is_filled(kind):
    style = {"glm": InfillStyle(), "prefix": InfillStyle(PREFIX), "bert": BertInfillStyle()}[kind]
    net = model(kind == "glm")
    items = style.encode(QUESTIONS, TOKENIZER, 40)
    learned(style, net, items, 60)
    answers = style.answer(net, None, items, TOKENIZER)
    assert [a.text for a in answers] == [q.references[0] for q in QUESTIONS]
    assert answers == style.answer(net, None, items, TOKENIZER, batch_positions=1) or kind != "bert"


def test_redrawn_blanks_teach_any_blank():
    style, net = InfillStyle(label_smoothing=0.0), model()
    learned(style, net, style.encode(QUESTIONS[:1], TOKENIZER, 40), 300, np.random.default_rng(0))
    other = question([11, 12, 13, 14, 15, 16], [(0, 1), (3, 5)])
    [answer] = style.answer(net, None, style.encode([other], TOKENIZER, 40), TOKENIZER)
    assert answer.text == other.references[0]


@pytest.mark.parametrize("style", [InfillStyle(), BertInfillStyle()])
def test_a_long_document_loses_its_end_but_no_part_of_a_target(style):
    words = list(range(10, 40))
    [item] = style.encode([question(words, [(2, 12), (20, 22)])], TOKENIZER, 20)
    assert item.cut > 0
    targets = [t for t in item.sequences[0].target_R.tolist() if t != TINY.end]
    assert targets == words[2:12]
    [answer] = style.answer(model(), None, [item], TOKENIZER)
    assert answer.text is not None


def test_unlabelled_documents_are_filled_by_glm_and_refused_by_a_masked_model():
    asked = Generate("9", QUESTIONS[0].text, template=QUESTIONS[0].template)
    style = InfillStyle()
    [answer] = style.answer(model(), None, style.encode([asked], TOKENIZER, 40), TOKENIZER)
    assert answer.text is not None and answer.text.split()[0] == "11"
    with pytest.raises(UserError, match="question 9 has no targets"):
        BertInfillStyle().encode([asked], TOKENIZER, 40)
