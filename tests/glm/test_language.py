"""Perplexity windows and last words, as in the original where it is right."""

import numpy as np
import pytest
import torch

from glm.adaptation.likelihood import LanguageStyle
from glm.data.sequences import lay, sequence
from glm.models.transformer import Shape, build, tensors
from glm.objectives.layout import CAUSAL, PREFIX
from tasks.errors import UserError
from tasks.spec import Continue
from tests.glm.golden import read as golden
from tests.glm.numbers import BERT, TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)


def numbers(ids) -> str:
    return " ".join(map(str, ids))


def equal(row, item) -> None:
    """A row and a golden item agree wherever the item is no padding."""
    length = len(row)
    assert row.tokens_L.tolist() == item["text"][:length]
    assert [row.position_L.tolist(), row.inner_L.tolist()] == [
        p[:length] for p in item["position_id"]
    ]
    assert np.count_nonzero(row.branch_L == 0) == item["attention_mask"]
    wanted = np.flatnonzero(item["loss_mask"])
    assert row.read_R.tolist() == wanted.tolist()
    assert row.target_R.tolist() == [item["target"][i] for i in wanted]


@pytest.mark.parametrize("case", golden("08_language_model_items")["lm"]["cases"])
def test_windows_are_those_of_the_original(case):
    mode = "unidirectional" if case["unidirectional"] else "bidirectional"
    documents = golden("08_language_model_items")["lm"]["documents"]
    style = LanguageStyle(window=case["seq_length"] - 1, stride=case["overlapping_eval"])
    questions = [Continue(str(n), numbers(d), mode=mode) for n, d in enumerate(documents)]
    made = style.encode(questions, number_tokenizer(BERT), 512)
    assert [len(item.sequences) for item in made] == case["num_sequences"]
    rows = [row for item in made for row in item.sequences]
    assert sum(len(row.read_R) for row in rows) == case["predicted_tokens"]
    for row, item in zip(rows, case["items"], strict=True):
        equal(row, item)


@pytest.mark.parametrize("case", golden("08_language_model_items")["lambada"]["cases"])
def test_last_words_are_asked_as_in_the_original(case):
    """Contexts are read off the golden rows; a long one is cut at its start there as here."""
    both = not case["unidirectional"]
    for item, label in zip(case["items"], case["labels"], strict=True):
        text, split = item["text"], item["attention_mask"]
        length = int(np.flatnonzero(item["loss_mask"])[-1]) + 1
        rest = text[split + 1 : length - len(label) + 1]
        context = [*text[1 : split - 2], *rest] if not both else text[1 : split - 2]
        longer = length == case["seq_length"]
        given = [999] * 3 + context if longer else context
        question = Continue(
            "1", numbers(label), numbers(given), "bidirectional" if both else "unidirectional"
        )
        [made] = LanguageStyle().encode([question], number_tokenizer(BERT), case["seq_length"])
        equal(made.sequences[0], item)
        assert made.cut == 3 * longer


def model(inner=True):
    shape = Shape(2, 32, 4, 64, positions=40, inner=inner, dropout=0.0, attention_dropout=0.0)
    return build(shape, 0)


DOCUMENTS = [list(range(5, 55)), [7, 8, 9], [9], list(range(20, 50))]


@pytest.mark.parametrize("layout", [None, PREFIX, CAUSAL])
@pytest.mark.parametrize("mode", ["unidirectional", "bidirectional"])
def test_every_token_but_the_first_is_scored_once(layout, mode):
    style = LanguageStyle(window=12, stride=5)
    style = style if layout is None else LanguageStyle(layout, 12, 5)
    questions = [Continue(str(n), numbers(d), mode=mode) for n, d in enumerate(DOCUMENTS)]
    items = style.encode(questions, TOKENIZER, 40)
    for item, document in zip(items, DOCUMENTS):
        scored = [t for row in item.sequences for t in row.target_R.tolist()]
        assert scored == document[1:]
    net = model(inner=layout is None)
    answers = style.answer(net, None, items, TOKENIZER)
    assert [a.values["tokens"] for a in answers] == [49, 2, 0, 29]
    assert answers[1].values["bytes"] == len("7 8 9")
    alone = style.answer(net, None, items, TOKENIZER, batch_positions=1)
    for a, b in zip(answers, alone):
        assert a.values["nll"] == pytest.approx(b.values["nll"], abs=1e-4)


@torch.no_grad()
def test_a_causal_model_is_scored_as_one_text():
    net, document = model(inner=False), DOCUMENTS[3]
    style = LanguageStyle(CAUSAL)
    [item] = style.encode([Continue("1", numbers(document))], TOKENIZER, 40)
    [answer] = style.answer(net, None, [item], TOKENIZER)
    tokens = [TINY.cls, *document]
    row = sequence(tokens, range(len(tokens)), [0] * len(tokens), [1] * len(tokens))
    log = net.logits(net(tensors(lay([row], 0)))[0]).log_softmax(-1)
    expected = -sum(log[j + 1, t].item() for j, t in enumerate(document[1:]))
    assert answer.values["nll"] == pytest.approx(expected, abs=1e-4)


def test_micro_models_take_the_window_that_fits():
    document = list(range(5, 60)) * 3
    [item] = LanguageStyle().encode([Continue("1", numbers(document))], TOKENIZER, 40)
    assert max(int(row.inner_L.max()) for row in item.sequences) < 40
    assert sum(len(row.read_R) for row in item.sequences) == len(document) - 1


@pytest.mark.parametrize("layout", [None, PREFIX, CAUSAL])
def test_a_last_word_is_right_only_token_by_token(layout):
    style = LanguageStyle() if layout is None else LanguageStyle(layout)
    net = model(inner=layout is None)
    context = numbers([11, 12, 13, 14])
    modes = ("unidirectional", "bidirectional")
    questions = [Continue(m, numbers([t, 30]), context, m) for m in modes for t in range(5, 55)]
    answers = style.answer(net, None, style.encode(questions, TOKENIZER, 40), TOKENIZER)
    assert all(a.values["tokens"] == 2 for a in answers)
    with torch.no_grad():
        net.word.weight.zero_()
        net.word.weight[30] += net.norm(torch.ones(32) + torch.arange(32))
        net.norm.weight.zero_()
        net.norm.bias.copy_(net.word.weight[30])
    right = [Continue("1", numbers([30, 30]), context), Continue("2", numbers([30, 31]), context)]
    answers = style.answer(net, None, style.encode(right, TOKENIZER, 40), TOKENIZER)
    assert [a.values["exact"] for a in answers] == [1.0, 0.0]


def test_language_modelling_neither_finetunes_nor_guesses_modes():
    style = LanguageStyle()
    with pytest.raises(UserError, match="does not finetune"):
        style.loss(model(), None, [], TOKENIZER)
    with pytest.raises(UserError, match="unknown mode 'both'"):
        style.encode([Continue("1", "7 8", mode="both")], TOKENIZER, 40)
    with pytest.raises(UserError, match="no room"):
        style.encode([Continue("1", "7 " * 40, "8 8")], TOKENIZER, 40)
