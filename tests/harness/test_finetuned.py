"""Finetuned models that a grid keeps, and what `harness export` makes of them."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from glm.training import checkpoints, opening
from harness.__main__ import main as harness
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.run.command import main
from tests.glm import foreign

GRID = """
name: kept
tables:
  - id: mine
    rows:
      - {{checkpoint: {bert}, style: classifier}}
      - {{checkpoint: {roberta}, style: classifier}}
      - {{checkpoint: {gpt2}}}
    columns: [far]
tasks:
  far:
    kind: classification
    fields: [who, where]
    template: '{{who}} flew {{where}} ?{{blank}}'
    label: label
    labels: [0, 1]
    verbalizer: ['no', 'yes']
data: {{root: ., files: {{far: {{train: train.jsonl, dev: dev.jsonl}}}}}}
finetune: {{max_length: 40, epochs: 2, batch: 4}}
{more}
"""
FAMILIES = ("bert", "roberta", "gpt2")
ROWS = [(who, where) for who in ("ann", "lee", "bob") for where in ("home", "far away")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, rows and a grid that was run with and without its weights."""
    folder = tmp_path_factory.mktemp("kept")
    for family in (*foreign.ENCODERS[:2], foreign.DECODERS[0]):
        foreign.write(family, folder / family.name)
    lines = [
        json.dumps({"who": who, "where": where, "label": int(where == "home")})
        for who, where in ROWS
    ]
    for split in ("train", "dev"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    for name, more in (("plain", ""), ("kept", "keep_weights: true")):
        path = folder / f"{name}.yaml"
        made = {family: folder / family for family in FAMILIES}
        path.write_text(GRID.format(**made, more=more))
    run = [str(folder / "kept.yaml"), "--store", str(folder / "store")]
    assert main([*run, "--executor", "inline", "--quiet"]) == 0
    return folder


def step(store: Path, family: str) -> str:
    (found,) = (store / "finetuned").glob(f"{family}-*")
    return f"finetuned/{found.name}"


def scores(store: Path, family: str) -> list[list[float]]:
    (file,) = (store / "finetune").glob(f"{family}-*/predictions.parquet")
    return [list(each) for each in pd.read_parquet(file)["scores"]]


def test_what_is_kept_changes_no_digest_of_a_score(folder: Path):
    plain, kept = (expand(grids.load(folder / f"{name}.yaml")) for name in ("plain", "kept"))
    assert set(plain.steps) < set(kept.steps)
    added = [kept.steps[digest] for digest in set(kept.steps) - set(plain.steps)]
    assert [each.kind for each in added] == ["finetuned"] * 3
    assert [c.trials[0].score.digest for c in plain.cells] == [
        c.trials[0].score.digest for c in kept.cells
    ]
    asked = [grids.load(folder / f"{name}.yaml").asked for name in ("plain", "kept")]
    assert asked[0] == asked[1]


def test_a_finished_finetuning_that_kept_nothing_is_made_again_to_the_same_bits(folder, tmp_path):
    for name in ("plain", "kept"):
        run = [str(folder / f"{name}.yaml"), "--store", str(tmp_path / "store")]
        assert main([*run, "--executor", "inline", "--quiet"]) == 0
    for family in FAMILIES:
        again, first = (
            store / step(store, family) / "weights/model.safetensors"
            for store in (tmp_path / "store", folder / "store")
        )
        assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize(("family", "kind"), [("bert", "Bert"), ("roberta", "Roberta")])
def test_a_finetuned_encoder_goes_out_as_the_librarys_classifier(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], family: str, kind: str
):
    import transformers

    store, out = folder / "store", tmp_path / "out"
    assert harness(["export", step(store, family), str(out), "--store", str(store)]) == 0
    assert f"a {kind}ForSequenceClassification, for transformers" in capsys.readouterr().out
    model = transformers.AutoModelForSequenceClassification.from_pretrained(out).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    assert model.config.id2label == {0: "0", 1: "1"}
    for (who, where), expected in zip(ROWS, scores(store, family), strict=True):
        with torch.inference_mode():  # the first field is one side, the second the other
            sides = tokenizer(
                who, where, return_tensors="pt", return_token_type_ids=family == "bert"
            )
            found = model(**sides).logits[0]
        assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_finetuned_decoder_goes_out_as_what_it_was(folder, tmp_path, capsys):
    import transformers

    store, out = folder / "store", tmp_path / "out"
    assert harness(["export", step(store, "gpt2"), str(out), "--store", str(store)]) == 0
    assert "a GPT2LMHeadModel, for transformers" in capsys.readouterr().out
    model = transformers.AutoModelForCausalLM.from_pretrained(out).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    for (who, where), expected in zip(ROWS, scores(store, "gpt2"), strict=True):
        given = tokenizer(f"{who} flew {where} ?", return_tensors="pt")
        last = [tokenizer(" no")["input_ids"], tokenizer(" yes")["input_ids"]]
        found = []
        for word in last:
            ids = torch.cat([given["input_ids"], torch.tensor([word])], 1)
            with torch.inference_mode():
                logs = model(ids).logits[0].log_softmax(-1)
            first = len(given["input_ids"][0]) - 1
            found.append(sum(float(logs[first + j, token]) for j, token in enumerate(word)))
        assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-4)


def test_a_head_without_an_equal_goes_beside_its_body(folder, tmp_path, capsys):
    """A classifier that looks at marked words has more inputs than the library's."""
    from safetensors.torch import load_file

    from glm.adaptation.classifier import Head

    source = folder / "store" / step(folder / "store", "bert")
    kept = tmp_path / "store/finetuned/marked-1"
    kept.mkdir(parents=True)
    inputs = json.loads((source / "inputs.json").read_text())
    absolute = {name: str(folder / "store" / path) for name, path in inputs.items()}
    (kept / "inputs.json").write_text(json.dumps(absolute))
    head = Head(32, 2, 0.0, words=2)
    checkpoints.save(kept / "weights", opening.opened(folder / "bert").model, head=head)
    out = tmp_path / "out"
    assert harness(["export", "marked", str(out), "--store", str(tmp_path / "store")]) == 0
    assert "its classifier has no equal there and is head.safetensors" in capsys.readouterr().out
    tensors = load_file(out / "head.safetensors")
    assert torch.equal(tensors["out.weight"], head.out.weight)
    assert opening.opened(out).layout.serves == opening.opened(folder / "bert").layout.serves
