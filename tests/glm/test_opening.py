"""A checkpoint from anywhere opens as a model with its tokenizer and its layout; GPT-2 goes out."""

import json
from dataclasses import replace

import pytest
import torch

from glm.adaptation.cloze import ClozeStyle
from glm.data import tokenizer as tokens
from glm.data.sequences import sequence
from glm.data.special import with_sentinels
from glm.models import gpt2
from glm.models.importers import export_hf
from glm.models.transformer import Shape, Transformer, build
from glm.objectives.asked import Asked
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.training import checkpoints, opening
from tasks.errors import UserError
from tasks.spec import Blank, Cloze, Part
from tests.glm.foreign import released

TEXT = "the cat sat on the mat and the dog ran far away from the cat"
LETTERS = "abcdefghijklmnopqrstuvwxyz,?!."
QUESTION = Cloze("1", (Part("the cat sat on the"), Blank(), Part(".")), ("mat", "dog"))
PLAIN = Shape(1, 32, 2, positions=32, dropout=0.0, attention_dropout=0.0)


@pytest.fixture(scope="module")
def tokenizer() -> tokens.Tokenizer:
    return tokens.train_wordpiece([TEXT] * 4 + [LETTERS, " ".join(LETTERS)], 120)


def read_alike(one, model: Transformer, tokenizer: tokens.Tokenizer) -> bool:
    ids = [tokenizer.special.cls, *tokenizer.encode(TEXT)]
    row = sequence(ids, range(len(ids)), [0] * len(ids), [1] * len(ids), range(len(ids)))
    with torch.inference_mode():
        return torch.equal(one.read([row], 0), model.read([row], 0))


def test_a_model_of_ours_comes_back_with_its_sentinels_and_its_layout(tmp_path, tokenizer):
    objective = BlankInfilling(sentinels="masks")
    special = with_sentinels(tokenizer.special, 32)
    model = build(replace(PLAIN, vocabulary=special.padded), 0).eval()
    opening.write(tmp_path, model, tokenizer, Asked(objective.layout, 32))
    found = opening.opened(tmp_path)
    assert found.layout == objective.layout and found.tokenizer.special == special
    assert read_alike(found.model, model, tokenizer)


def test_a_stores_pretraining_opens_with_the_tokenizer_that_it_was_given(tmp_path, tokenizer):
    model = build(replace(PLAIN, vocabulary=tokenizer.special.padded), 0).eval()
    tokenizer.save(tmp_path / "tokenizer/train-1")
    folder = tmp_path / "pretrain/gpt-1"
    opening.write(folder, model, tokenizer, Asked(Causal().layout))
    for name in ("tokenizer.json", "special.json"):
        (folder / name).unlink()
    with pytest.raises(UserError, match=r"neither a tokenizer here nor inputs\.json"):
        opening.opened(folder)
    (folder / "inputs.json").write_text(json.dumps({"tokenizer": "tokenizer/train-1"}))
    found = opening.opened(folder)
    assert found.layout.kind == "causal" and found.tokenizer.digest == tokenizer.digest


def test_the_released_glm_is_asked_as_ours_is_in_both_its_forms(tmp_path, tokenizer):
    model = released(tmp_path / "run", tokenizer)
    export_hf(model, tmp_path / "converted")
    (tmp_path / "converted/vocab.txt").write_text((tmp_path / "run/vocab.txt").read_text())
    for form in ("run", "converted"):
        found = opening.opened(tmp_path / form)
        assert found.layout.kind == "blank" and found.tokenizer.special.gmask is not None
        style = ClozeStyle(found.layout)
        items = style.encode([QUESTION], found.tokenizer, 60)
        [one] = style.answer(found.model, None, items, found.tokenizer)
        [other] = style.answer(model, None, items, found.tokenizer)
        assert one.scores == other.scores


def test_a_vocabulary_that_does_not_fit_the_released_weights_is_refused(tmp_path, tokenizer):
    released(tmp_path, tokenizer)
    words = "\n".join(f"word{i}" for i in range(200))
    special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    (tmp_path / "vocab.txt").write_text(special + words)
    with pytest.raises(UserError, match="do not fit its 128 rows"):
        opening.opened(tmp_path)


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
def test_a_causal_model_goes_out_as_gpt2_with_equal_logits(tmp_path, tokenizer, activation):
    import transformers

    shape = replace(PLAIN, layers=2, heads=4, vocabulary=tokenizer.special.padded, positions=48)
    shape = replace(shape, inner=False, activation=activation)
    model = build(shape, 1).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn(parameter.shape))  # biases and norms as well
    gpt2.write(tmp_path, model, tokenizer)
    network = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    fast = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(network, transformers.GPT2LMHeadModel)
    ids = fast(TEXT).input_ids
    assert ids == [tokenizer.special.cls, *tokenizer.encode(TEXT)]
    row = sequence(ids, range(len(ids)), [0] * len(ids), [1] * len(ids), range(len(ids)))
    with torch.inference_mode():
        ours = model.logits(model.read([row], 0))
        theirs = network(torch.tensor([ids])).logits[0]
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    again = opening.opened(tmp_path)  # and comes in again as a decoder
    with torch.inference_mode():
        assert torch.allclose(again.model.logits(again.model.read([row], 0)), theirs, atol=1e-4)


def test_two_tables_of_positions_are_no_gpt2(tmp_path, tokenizer):
    model = build(Shape(1, 32, 2, tokenizer.special.padded, 32), 0)
    with pytest.raises(ValueError, match="GPT-2 has one table of positions"):
        gpt2.write(tmp_path, model, tokenizer)


def test_a_folder_without_a_known_form_is_named(tmp_path):
    with pytest.raises(UserError, match="no checkpoint here"):
        opening.opened(tmp_path)
    checkpoints.save(tmp_path, build(Shape(1, 32, 2, 128, 32), 0))
    (tmp_path / "asked.json").write_text("{}")
    with pytest.raises(
        UserError, match=r"asked\.json: cannot be read as what says how a model is asked"
    ):
        opening.opened(tmp_path)
