"""`python -m harness export`: a store's pretraining as a folder for others."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from glm.data import tokenizer as tokens
from glm.models.transformer import Shape, build
from glm.objectives.asked import Asked
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.training import opening
from harness.__main__ import main
from harness.steps.predictions import LAST, SELECT
from tasks.checksums import FORMAT, checksums

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


def put(
    store: Path,
    name: str,
    pretrained: str = "glm-large-1",
    kind: str = "finetune",
    asked: dict[str, Any] | None = None,
    **score: Any,
) -> None:
    """Put a finished score of 0.625 into the store, and the step whose answers it is of."""
    answers, leakage = store / kind / name, score.pop("leakage", None)
    about = {
        answers: ({"pretrain": f"pretrain/{pretrained}"}, {"style": "cloze", **(asked or {})}),
        store / "score" / name: (
            {"predictions": f"{kind}/{name}"} | ({"leakage": leakage} if leakage else {}),
            score,
        ),
    }
    for folder, (inputs, spec) in about.items():
        folder.mkdir(parents=True)
        (folder / "inputs.json").write_text(json.dumps(inputs))
        own = {"kind": folder.parent.name, "digest": name[-1], "spec": spec}
        (folder / "spec.json").write_text(json.dumps(own))
    folder = store / "score" / name
    metric = {"value": 0.625, "n": 8, "signature": "acc|version:1"}
    metrics = {"acc": metric, "f1": {**metric, "value": None}}
    made = {"task": "rte", "split": "dev", "metrics": metrics}
    (folder / "scores.json").write_text(json.dumps(made))
    noted = {"format": FORMAT, "files": checksums(folder)}
    (folder / "checksums.json").write_text(json.dumps(noted))


def results(folder: Path) -> list[EvalResult]:
    """What the card in a folder has in `model-index`."""
    data = ModelCard.load(folder / "README.md").data
    assert isinstance(data, ModelCardData)
    return data.eval_results or []


def exported(store: Path, out: Path) -> list[EvalResult]:
    """The same of the first model."""
    assert main(["export", "glm-large", str(out), "--store", str(store)]) == 0
    return results(out)


def test_a_model_card_has_the_scores_that_rest_on_the_model_in_the_hubs_form(store, tmp_path):
    put(store, "a-1", asked={"seed": 3}, part="report")
    put(store, "b-2", "gpt-large-2", "zeroshot")
    (found,) = exported(store, tmp_path / "glm")
    assert (found.metric_type, found.metric_value, found.dataset_split) == ("acc", 0.625, "dev")
    assert found.task_type == "text-classification"
    assert found.dataset_config == "after finetuning, style cloze, the half to report on, seed 3"
    assert found.metric_name == "acc after finetuning, 8 examples"
    card = ModelCard.load(tmp_path / "glm/README.md")
    assert "model-index:\n- name: glm-large-1\n" in str(card)
    assert "The 1 results above" in card.text


def test_a_model_card_leaves_out_what_does_not_report_on_the_model(store, tmp_path):
    put(store, "reported-1")
    put(store, "blind-2", asked={"blind": True})
    put(store, "last-3", predictions=LAST)
    put(store, "chosen-on-4", predictions=SELECT)
    put(store, "half-5", part="select")
    put(store, "clean-6", leakage="leakage/rte-1")
    (found,) = exported(store, tmp_path / "glm")
    assert found.metric_args == {"score": "reported-1"}


def test_no_two_results_of_a_model_card_look_like_one(store, tmp_path):
    put(store, "a-1", asked={"seed": 0, "lr": 1e-5, "epochs": 4})
    put(store, "b-2", asked={"seed": 0, "lr": 2e-5, "epochs": 4}, options={"level": "high"})
    put(store, "c-3", asked={"seed": 1, "lr": 1e-5, "epochs": 4}, part="report")
    put(store, "d-4", kind="zeroshot", asked={"seed": 0})
    found = exported(store, tmp_path / "glm")
    assert {each.dataset_config for each in found} == {
        "after finetuning, style cloze, seed 0, lr 1e-05",
        "after finetuning, style cloze, level high, seed 0, lr 2e-05",
        "after finetuning, style cloze, the half to report on, seed 1, lr 1e-05",
        "zero-shot, style cloze, seed 0",
    }
    assert len({each.unique_identifier for each in found}) == 4


def test_what_cannot_go_out_is_said(store, tmp_path, capsys):
    assert main(["export", "bert", str(tmp_path / "out"), "--store", str(store)]) == 2
    said = capsys.readouterr().err
    assert "no finished model is called 'bert': pretrain/glm-large-1, pretrain/gpt-large-2" in said
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    options = ["export", "gpt-large", str(tmp_path / "full"), "--store", str(store)]
    assert main(options) == 2 and "is there already" in capsys.readouterr().err
    for out, said in (("file", "is there already"), ("file/below", "Not a directory")):
        options = ["export", "gpt-large", str(tmp_path / "full" / out), "--store", str(store)]
        assert main(options) == 2 and said in capsys.readouterr().err


def test_a_folder_is_found_from_inside_the_store(store, tmp_path, monkeypatch):
    put(store, "a-1")
    monkeypatch.chdir(store / "pretrain")
    assert main(["export", "glm-large-1", str(tmp_path / "out")]) == 0
    assert results(tmp_path / "out")


@pytest.mark.parametrize("name", ["glm-large", "gpt-large"])
def test_weights_have_the_mode_that_umask_gives(store, tmp_path, name):
    before = os.umask(0o027)
    try:
        assert main(["export", name, str(tmp_path / "out"), "--store", str(store)]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "out/model.safetensors").stat().st_mode & 0o777 == 0o640


def test_where_lm_eval_is_not_installed_one_sentence_says_how_to_get_it():
    program = "import runpy, sys; sys.modules['lm_eval'] = None; " + (
        "runpy.run_module('harness.lm_eval', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "pip install 'lm-eval>=0.4.13'" in done.stderr
