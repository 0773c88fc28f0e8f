"""A checkpoint from elsewhere as a row of a table, beside rows that are pretrained here."""

import json
from pathlib import Path

import pytest
import safetensors.numpy
import yaml

from ablations.tables import TABLE_1
from glm.data import tokenizer as tokens
from glm.models.shape import Shape
from glm.models.transformer import build
from glm.objectives.asked import Asked
from glm.objectives.blank_infilling import BlankInfilling
from glm.training import opening
from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.plan.estimate import cost
from harness.run.command import main
from harness.run.working import Working
from harness.steps.checkpoint import referred
from harness.steps.finetune import Finetune, ZeroShot
from harness.steps.step import Machine
from tasks.microworld.write import Sizes, write
from tests.glm import foreign
from tests.present import present

PUBLIC = Path(__file__).resolve().parents[2] / "ablations/paper/checkpoints.yaml"

GRID = """
name: rows
scale: micro
tables:
  - id: mine
    split: {split}
    rows: [{rows}]
    columns: [{columns}]
data: {{limit: {{train: 8, dev: 6, test: 6}}, documents: 60}}
seeds: {{pretrain: [0, 1], finetune: [0, 1]}}
{more}
"""


def grid(folder: Path, rows: str, columns: str, split: str = "dev", more: str = "") -> Path:
    path = folder / "rows.yaml"
    path.write_text(GRID.format(rows=rows, columns=columns, split=split, more=more))
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder, a decoder and two encoder-decoders."""
    folder = tmp_path_factory.mktemp("models")
    for family in (foreign.ENCODERS[0], foreign.DECODERS[0], *foreign.PAIRS):
        foreign.write(family, folder / family.name)
    return folder


def test_rows_of_every_kind_are_finetuned_and_scored_as_their_kind_is_asked(models, tmp_path):
    names = ("bert", "gpt2", "t5", "bart")
    rows = ", ".join(f"{{checkpoint: {models / name}}}" for name in names)
    # The tiny models have room for 64 tokens.
    more = "finetune: {max_length: 48, epochs: 1}"
    path = grid(tmp_path, rows, "rte", more=more)
    expansion = expand(grids.load(path))
    styles = {s.name.split("-rte")[0]: s.spec_of(Finetune).style for s in expansion.steps.values()
              if s.kind == "finetune"}  # fmt: skip
    assert list(styles.values()) == ["bert-cloze", "continuation", "cloze", "cloze"]
    assert len(expansion.cells) == 4 * 2  # one model, two seeds of finetuning
    store = tmp_path / "store"
    assert main([str(path), "--store", str(store), "--executor", "inline", "--quiet"]) == 0
    scores = [json.loads(file.read_text()) for file in store.glob("score/*/scores.json")]
    assert len(scores) == 8
    assert all(0 <= each["metrics"]["acc"]["value"] <= 100 for each in scores)


def test_a_plan_counts_the_finetunings_of_a_checkpoint_by_its_parameters(models, tmp_path):
    path = grid(tmp_path, f"{{checkpoint: {models / 'bert'}}}", "rte")
    steps = expand(grids.load(path)).steps.values()
    (finetuned, _) = [step for step in steps if step.kind == "finetune"]
    weights = safetensors.numpy.load_file(models / "bert" / "model.safetensors")
    spec = finetuned.spec_of(Finetune)
    each = cost(finetuned).flops / spec.epochs / 8  # rows
    length = spec.max_length / 2 + spec.target_length
    assert each == pytest.approx(6 * sum(table.size for table in weights.values()) * length)


def test_what_a_checkpoint_cannot_be_asked_is_refused_when_the_grid_is_read(models, tmp_path):
    encoder = f"{{checkpoint: {models / 'bert'}}}"
    with pytest.raises(UserError, match="masked tokens or pseudo-likelihood or vector"):
        grids.load(grid(tmp_path, encoder, "squad_qg"))
    changed = f"{{checkpoint: {models / 'bert'}, set: {{pretrain.lr: 0.1, objective.kind: body}}}}"
    with pytest.raises(UserError, match="a checkpoint is as it is") as found:
        grids.load(grid(tmp_path, changed, "rte"))
    assert str(found.value).count("a checkpoint is as it is") == 2
    both = f"{{checkpoint: {models / 'bert'}, variant: glm-large}}"
    with pytest.raises(UserError, match="a `variant` or a `checkpoint`, not both"):
        grids.load(grid(tmp_path, both, "rte"))
    with pytest.raises(UserError, match=r"rows\.yaml:7:\d+: .*no checkpoint here: neither config"):
        grids.load(grid(tmp_path, f"{{checkpoint: {tmp_path}}}", "rte"))


def test_every_checkpoint_of_table_1_that_is_not_there_is_said_with_how_to_get_it(monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(UserError) as found:
        grids.load(PUBLIC)
    said = str(found.value)
    for name in ("google-bert/bert-large-uncased", "google-t5/t5-large", "facebook/bart-large"):
        assert f"Get it with `hf download {name}`" in said
    assert said.count("blocklm-") >= 6 and said.count("github.com/THUDM/GLM") >= 6
    assert "12 errors" in said


def test_table_1_of_public_checkpoints_stands_beside_the_papers_numbers(models, tmp_path):
    write(tmp_path, seed=0, documents=20, sizes=Sizes().scaled(0.02))
    tokenizer = tokens.train_wordpiece([" ".join(foreign.WORDS)] * 4, 110)
    foreign.released(tmp_path / "released", tokenizer)
    options = ["data.kind=folder", f"data.root={tmp_path}"]
    rows = yaml.safe_load(PUBLIC.read_text())["tables"][0]["rows"]
    for n, row in enumerate(rows):
        tiny = {"T5": "t5", "BA": "bart", "GL": "", "BE": "bert", "Ro": "bert"}[row["id"][:2]]
        place = models / tiny if tiny else tmp_path / "released"
        options.append(f"tables.0.rows.{n}.checkpoint={place}")
    found = grids.load(PUBLIC, options)
    (table,) = found.resolved_tables
    printed = {row.id: row for row in TABLE_1.rows}
    assert all(row.paper == row.id and row.group == printed[row.id].group for row in table.rows)
    assert [c.id for c in table.columns] == [c.id for c in TABLE_1.columns]
    styles = {cell.row: cell.trials[0].predictions.spec.style for cell in expand(found).cells}
    assert styles["GLM_Large"] == "cloze" and styles["BERT_Base"] == "classifier"


def test_a_checkpoints_digest_is_its_content_wherever_it_lies(models, tmp_path):
    def digest(place: Path) -> str:
        loaded = grids.load(grid(tmp_path, f"{{checkpoint: {place}}}", "rte"))
        return next(s for s in expand(loaded).steps.values() if s.kind == "checkpoint").digest

    moved = tmp_path / "elsewhere" / "bert"
    foreign.write(foreign.ENCODERS[0], moved)
    assert digest(moved) == digest(models / "bert")
    foreign.write(foreign.ENCODERS[0], moved, seed=1)
    assert digest(moved) != digest(models / "bert")


def test_weights_that_change_under_a_store_are_noticed(tmp_path):
    place = foreign.write(foreign.ENCODERS[0], tmp_path / "bert")
    made = tmp_path / "made"
    made.mkdir()
    found = expand(grids.load(grid(tmp_path, f"{{checkpoint: {place}}}", "rte"))).steps
    step = next(step for step in found.values() if step.kind == "checkpoint")
    step.spec.run(Working(made, {}, Machine(), step.how, 1, tmp_path / "stop"))
    assert present(referred(made))["path"] == str(place)
    foreign.write(foreign.ENCODERS[0], place, seed=1)
    with pytest.raises(UserError, match="has changed since it was first read"):
        referred(made)


def test_texts_are_scored_without_training_by_each_kinds_own_likelihood(models, tmp_path):
    rows = ", ".join(f"{{checkpoint: {models / name}}}" for name in ("bert", "gpt2", "t5"))
    path = grid(tmp_path, rows, "{task: lambada, options: {mode: unidirectional}}", "test")
    steps = expand(grids.load(path)).steps.values()
    asked = [step.spec_of(ZeroShot).style for step in steps if step.kind == "zeroshot"]
    assert asked == ["pseudo-lm", "lm", "lm"]
    assert not [step for step in steps if step.kind in ("pretrain", "tokenizer", "ngram")]


def test_the_released_glm_and_ones_own_models_are_rows_too(tmp_path):
    tokenizer = tokens.train_wordpiece([" ".join(foreign.WORDS)] * 4, 110)
    foreign.released(tmp_path / "released", tokenizer)
    model = build(Shape(1, 32, 2, tokenizer.special.padded, 64), 0)
    opening.write(tmp_path / "own", model, tokenizer, Asked(BlankInfilling().layout))
    rows = f"{{checkpoint: {tmp_path / 'released'}, label: GLM released}}, {{checkpoint: own}}"
    path = grid(tmp_path, rows, "cb", more="finetune: {max_length: 48, epochs: 1}")
    store = tmp_path / "store"
    assert main([str(path), "--store", str(store), "--executor", "inline", "--quiet"]) == 0
    specs = [json.loads(file.read_text()) for file in store.glob("finetune/*/spec.json")]
    assert {each["spec"]["style"] for each in specs} == {"cloze"}
    assert len(list(store.glob("score/*/scores.json"))) == 4
