"""Patience: a training ends when a held-back loss has not been better, with its best weights."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from glm.data.stream import batch_at
from glm.models.transformer import build, loss, tensors
from glm.objectives.blank_infilling import BlankInfilling
from glm.training import loop
from glm.training.optimisation import Optimisation
from glm.training.patience import Patience
from glm.training.pieces import Piece
from harness.errors import Diverged, Interrupted
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.run import command
from harness.steps.finetune import Finetune
from harness.steps.halves import half
from results.explanation import explain
from tests.harness.test_loop import SHAPE, SPECIAL, Bench, bits, corpus, on_cpu

WILD = Optimisation(steps=40, lr=0.3, warmup_steps=2, decay_steps=40)  # soon gets worse
GRID = """\
scale: micro
overrides: {steps: 4, rows: 24, eval_rows: 24, world: 0.05, documents: 150}
finetune: {patience: 1, epochs: 8}
tables: [{id: mine, split: SPLIT, rows: [glm-large], columns: [cb]}]
"""


def trained(work: Bench, looks: int = 2) -> tuple[dict[str, float], Any, Patience]:
    """Trained with a look every four steps at other rows' loss."""
    torch.set_num_threads(1)
    model, data = build(SHAPE, seed=1), corpus()

    def batch(seed, step):
        how = {"seed": seed, "step": step, "rows": 4, "length": 32}
        return tensors(batch_at(data, BlankInfilling(), SPECIAL, **how))

    def held_back():
        model.eval()
        with torch.no_grad():
            value = float(loss(model, batch(99, 0), vocabulary=SPECIAL.size))
        model.train()
        return value

    def pieces(step):
        made = batch(0, step)
        return [Piece(lambda: loss(model, made, vocabulary=SPECIAL.size), 1.0)]

    patience = Patience(work.folder / "best", 4, looks, held_back)
    how = {"checkpoint_seconds": 1e9, "patience": patience}
    ledger = loop.train(on_cpu(model), pieces, WILD, work, seed=0, **how)
    assert patience.loss() == patience.losses[-1]  # it ends with the last weights
    patience.restore(model, None)
    return ledger, model, patience


def test_a_training_ends_two_looks_after_the_best_and_has_the_best_looks_weights(tmp_path):
    ledger, _, patience = trained(Bench(tmp_path))
    losses = patience.losses
    assert len(losses) == patience.best + 2 and min(losses) == losses[patience.best - 1]
    assert ledger["steps"] == 4 * len(losses) < WILD.steps
    assert patience.loss() == losses[patience.best - 1]


@pytest.mark.parametrize("stop_after", [3, 4, 9])
def test_an_interrupted_one_ends_in_the_same_bits(tmp_path, stop_after):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    _, whole, said = trained(Bench(tmp_path / "whole"))
    with pytest.raises(Interrupted):
        trained(Bench(tmp_path / "parts", stop_after))
    _, parts, again = trained(Bench(tmp_path / "parts"))
    assert said.losses == again.losses
    after = bits(parts)
    assert all(torch.equal(tensor, after[name]) for name, tensor in bits(whole).items())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=12), st.integers(1, 4))
def test_it_is_enough_when_so_many_looks_in_a_row_were_no_better(losses, looks):
    model = build(SHAPE, seed=1)
    with TemporaryDirectory() as folder:
        patience = Patience(Path(folder), 1, looks, iter(losses).__next__)
        answers = [patience.enough(step, model, None) for step in range(1, len(losses) + 1)]
    for n, answer in enumerate(answers, 1):
        best = min(range(n), key=lambda i: (losses[i], i))
        assert answer == (n - 1 - best >= looks)


def test_a_held_back_loss_that_is_no_number_is_divergence(tmp_path):
    patience = Patience(tmp_path, 2, 3, lambda: float("nan"))
    model = build(SHAPE, seed=1)
    assert not patience.enough(1, model, None)
    with pytest.raises(Diverged, match="diverged@2"):
        patience.enough(2, model, None)


@pytest.mark.parametrize("split, part", [("dev", "report"), ("test", "")])
def test_what_is_reported_is_not_what_says_when_to_stop(tmp_path, split, part):
    path = tmp_path / "grid.yaml"
    text = GRID.replace("SPLIT", split)
    path.write_text(text if split == "dev" else text.replace("[cb]", "[gigaword]"))
    (cell,) = expand(grids.load(path)).cells
    assert cell.trials[0].predictions.spec_of(Finetune).patience == 1
    assert cell.trials[0].score.spec.part == part
    told = "half of dev" if part else "dev"
    assert f"select:epoch by loss on {told}" in cell.conditions


def test_a_grid_with_patience_reports_the_other_half_of_dev(tmp_path):
    path, store = tmp_path / "grid.yaml", tmp_path / "store"
    path.write_text(GRID.replace("SPLIT", "dev"))
    assert command.main([str(path), "--store", str(store), "--executor", "inline"]) == 0
    (folder,) = store.glob("finetune/*")
    ledger = json.loads((folder / "ledger.json").read_text())
    looked, every = ledger["patience"], -(-ledger["questions"] // 16)
    assert ledger["steps"] == every * len(looked["losses"])
    assert len(looked["losses"]) in (looked["best"] + 1, 8)
    assert not (folder / "best").exists()
    scored = sorted(store.glob("score/*/items.parquet"))
    assert len(scored) == 2  # what was chosen, and what the last epoch would have given
    clusters = set(parquet.read_table(scored[0])["cluster"].to_pylist())
    assert clusters and {half(cluster) for cluster in clusters} == {"report"}


def test_what_the_last_epoch_gives_is_scored_beside_what_was_chosen(tmp_path):
    path, store = tmp_path / "grid.yaml", tmp_path / "store"
    path.write_text(GRID.replace("SPLIT", "dev").replace("epochs: 8", "epochs: 8, lr: 0.01"))
    assert command.main([str(path), "--store", str(store), "--executor", "inline"]) == 0
    (folder,) = store.glob("finetune/*")
    (cell,) = json.loads((store / "grids/grid/cells.json").read_text())["cells"]
    looked = json.loads((folder / "ledger.json").read_text())["patience"]
    assert (cell["last"]["epoch"], cell["last"]["epochs"]) == (
        looked["best"],
        len(looked["losses"]),
    )
    assert looked["best"] < len(looked["losses"])
    files = [folder / name for name in ("predictions.parquet", "predictions.last.parquet")]
    chosen, last = (parquet.read_table(file).column("scores").to_pylist() for file in files)
    assert chosen != last
    score = json.loads((store / cell["last"]["score"] / "scores.json").read_text())
    assert cell["last"]["metrics"]["acc"]["value"] == score["metrics"]["acc"]["value"]
    assert cell["last"]["score"] != cell["score"]
    text = explain(store, "grid", "mine", "glm-large", "cb")
    assert f"epoch {looked['best']} of {len(looked['losses'])}" in text


def test_a_training_that_ends_at_its_best_gives_the_same_answers_twice(tmp_path):
    path, store = tmp_path / "grid.yaml", tmp_path / "store"
    path.write_text(GRID.replace("SPLIT", "dev").replace("epochs: 8", "epochs: 1"))
    assert command.main([str(path), "--store", str(store), "--executor", "inline"]) == 0
    (folder,) = store.glob("finetune/*")
    files = [folder / name for name in ("predictions.parquet", "predictions.last.parquet")]
    assert files[0].read_bytes() == files[1].read_bytes()
