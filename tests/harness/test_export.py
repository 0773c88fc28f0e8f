"""`python -m harness export`: a store's pretraining as a folder for others."""

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData

from glm.data import tokenizer as tokens
from glm.models.transformer import Shape, build
from glm.objectives.asked import Asked
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.training import opening
from harness.__main__ import main
from tasks.checksums import FORMAT, checksums
from tests.present import present

TEXT = "the cat sat on the mat and the dog ran far away from the cat"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two finished pretrainings, as far as what is read of them goes."""
    tokenizer = tokens.train_wordpiece([TEXT] * 4, 100)
    root = tmp_path / "store"
    tokenizer.save(root / "tokenizer/train-1")
    for name, objective in (("glm-large-1", BlankInfilling()), ("gpt-large-2", Causal())):
        inner = name.startswith("glm")
        shape = Shape(1, 32, 2, tokenizer.special.padded, 32, inner)
        folder = root / "pretrain" / name
        opening.write(folder, build(shape, 0), tokenizer, Asked(objective.layout))
        (folder / "inputs.json").write_text(json.dumps({"tokenizer": "tokenizer/train-1"}))
        (folder / "tokenizer.json").unlink()
    return root


def test_each_goes_out_in_the_form_that_others_can_read(store, tmp_path, capsys):
    import transformers

    out = tmp_path / "gpt"
    assert main(["export", "gpt-large", str(out), "--store", str(store)]) == 0
    assert "a GPT-2 of" in capsys.readouterr().out
    assert transformers.AutoModelForCausalLM.from_pretrained(out).config.model_type == "gpt2"
    out = tmp_path / "glm"
    assert main(["export", str(store / "pretrain/glm-large-1"), str(out)]) == 0
    assert f"{{checkpoint: {out}}}" in capsys.readouterr().out
    assert opening.opened(out).layout == BlankInfilling().layout
    assert not (out / "config.json").exists()  # the library's own `glm` is another model


def test_a_model_card_has_the_scores_that_rest_on_the_model_in_the_hubs_form(store, tmp_path):
    for name, pretrained, kind in (("a-1", "glm-large-1", "finetune"), ("b-2", "gpt-large-2", "")):
        answers = f"{kind or 'zeroshot'}/{name}"
        for folder, inputs in (
            (store / answers, {"pretrain": f"pretrain/{pretrained}"}),
            (store / "score" / name, {"predictions": answers}),
        ):
            folder.mkdir(parents=True)
            (folder / "inputs.json").write_text(json.dumps(inputs))
        score = store / "score" / name
        metric = {"value": 0.625, "n": 8, "signature": "acc|version:1"}
        metrics = {"acc": metric, "f1": {**metric, "value": None}}
        made = {"task": "rte", "split": "dev", "metrics": metrics}
        (score / "scores.json").write_text(json.dumps(made))
        own = {"kind": "score", "digest": name[-1], "spec": {"part": "report"}}
        (score / "spec.json").write_text(json.dumps(own))
        noted = {"format": FORMAT, "files": checksums(score)}
        (score / "checksums.json").write_text(json.dumps(noted))
    out = tmp_path / "glm"
    assert main(["export", "glm-large", str(out), "--store", str(store)]) == 0
    card = ModelCard.load(out / "README.md")
    data = card.data
    assert isinstance(data, ModelCardData) and data.model_name == "glm-large-1"
    (found,) = present(data.eval_results)
    assert (found.metric_type, found.metric_value, found.dataset_split) == ("acc", 0.625, "dev")
    assert (
        found.task_type == "text-classification" and "the half to report on" in found.dataset_name
    )
    assert found.metric_name == "acc after finetuning, 8 examples"
    assert "The 1 results above" in card.text


def test_what_cannot_go_out_is_said(store, tmp_path, capsys):
    assert main(["export", "bert", str(tmp_path / "out"), "--store", str(store)]) == 2
    said = capsys.readouterr().err
    assert "no finished model is called 'bert': pretrain/glm-large-1, pretrain/gpt-large-2" in said
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    options = ["export", "gpt-large", str(tmp_path / "full"), "--store", str(store)]
    assert main(options) == 2 and "is there already" in capsys.readouterr().err
