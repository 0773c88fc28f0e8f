"""The grids that gather evidence: budgets, sizes and levels are what their rows say."""

import json
import lzma
import shutil
from pathlib import Path

import pytest

from bench import minilm_peer
from harness.grid import load as grids
from harness.grid.expansion import Expansion, expand
from harness.plan import estimate
from harness.steps.finetune import Finetune
from harness.steps.pretrain import Pretrain
from harness.steps.step import Step
from tasks.microworld.write import Sizes, write
from tests.glm import foreign

ABLATIONS = Path(__file__).resolve().parents[2] / "ablations"


def unfolded(name: str, *options: str) -> Expansion:
    return expand(grids.load(ABLATIONS / f"{name}.yaml", options))


def by_kind(found: Expansion, kind: str) -> list[Step]:
    return [step for step in found.steps.values() if step.kind == kind]


def test_the_ladder_has_three_budgets_and_one_finetuning_for_all_levels_of_a_task():
    found = unfolded("ladder")
    plans = {step.spec_of(Pretrain).optimisation for step in by_kind(found, "pretrain")}
    assert {plan.steps for plan in plans} == {700, 2100, 6300}
    assert all(plan.decay_steps == plan.steps == 20 * plan.warmup_steps for plan in plans)
    assert len(by_kind(found, "pretrain")) == 3 * 2
    leveled = [f"{task}@{n}" for task in ("copa", "rte", "cb", "wsc") for n in range(1, 5)]
    assert {cell.column for cell in found.cells} == {"wic@1", *leveled}
    assert len(by_kind(found, "finetune")) == 3 * 2 * 5


def test_the_ladders_untrained_cells_have_a_curve_and_its_finetuned_ones_have_none():
    for cell in unfolded("ladder").cells:
        assert len(cell.curve) == (7 if cell.table == "untrained" else 0)


def test_scaling_gives_four_objectives_three_sizes_and_two_budgets_of_equal_positions():
    found = unfolded("scaling")
    rows: dict[tuple[str, str], dict[str, Step]] = {}
    for cell in found.cells:
        system, size, budget = cell.row.split("+")
        rows.setdefault((size, budget), {})[system] = cell.pretrain
    assert len(rows) == 3 * 2 and all(len(systems) == 4 for systems in rows.values())
    spent = {}
    for (size, budget), systems in rows.items():
        amounts = [estimate.planned(step)["positions"] for step in systems.values()]
        assert max(amounts) == pytest.approx(min(amounts), rel=1e-3)
        assert {step.spec_of(Pretrain).shape.hidden for step in systems.values()} == {int(size)}
        spent.setdefault(budget, []).extend(amounts)
    assert max(spent["1"]) == pytest.approx(min(spent["1"]), rel=1e-3)
    assert min(spent["4"]) == pytest.approx(4 * min(spent["1"]), rel=1e-3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in world's files under the names of real ones."""
    root = tmp_path_factory.mktemp("data")
    write(root, seed=0, documents=20, sizes=Sizes().scaled(0.02))
    (root / "corpus").mkdir(exist_ok=True)
    with lzma.open(root / "corpus/wiki_docs.jsonl.xz", "wt") as corpus:
        corpus.write(json.dumps({"id": "0", "title": "Tea", "text": "Tea is a drink."}) + "\n")
    boolq = root / "superglue/BoolQ"
    shutil.copy(boolq / "train.jsonl", boolq / "train_1000_noofficialidx.jsonl")
    return root


def test_the_grid_for_real_text_reads_nothing_of_the_built_in_world(files: Path):
    found = unfolded("babylm", f"data.root={files}")
    assert not by_kind(found, "world")
    objectives = {
        type(step.spec_of(Pretrain).objective).__name__ for step in by_kind(found, "pretrain")
    }
    assert len(objectives) >= 6
    curved = {cell.column for cell in found.cells if cell.curve}
    assert curved == {"blimp", "heldout", "lambada"}


def test_the_grid_for_a_checkpoint_wants_its_files_and_no_corpus(files: Path, tmp_path: Path):
    place = foreign.write(foreign.ENCODERS[0], tmp_path / "tiny")
    rows = [f"tables.{table}.rows.0.checkpoint={place}" for table in range(3)]
    found = unfolded("minilm", f"data.root={files}", *rows)
    assert {step.kind for step in found.steps.values()} == {
        "checkpoint", "dataset", "finetune", "score", "leakage"
    }  # fmt: skip
    specs = [step.spec_of(Finetune) for step in by_kind(found, "finetune")]
    finetuned = {spec.task: spec for spec in specs}
    assert set(finetuned) == {"copa", "wsc", "rte", "wic", "boolq", "cb"}
    peer = {name: (task.epochs, task.batch) for name, task in minilm_peer.TASKS.items()}
    assert {name: (spec.epochs, spec.batch) for name, spec in finetuned.items()} == peer
    spec = finetuned["rte"]
    assert (spec.lr, spec.warmup, spec.weight_decay, spec.dropout, spec.max_length) == (
        minilm_peer.LR,
        minilm_peer.WARMUP,
        minilm_peer.WEIGHT_DECAY,
        minilm_peer.DROPOUT,
        minilm_peer.LENGTH,
    )


def test_the_full_grid_has_every_table_with_controls_curves_and_clean_scores():
    found = unfolded("full")
    assert [table.id for table in found.tables] == [*(f"table{n}" for n in range(1, 7)), "figure4"]
    assert {row.control for table in found.tables for row in table.rows} >= {"aa", "planted"}
    assert all(trial.clean for cell in found.cells for trial in cell.trials)
    assert any(cell.curve for cell in found.cells if cell.table == "figure4")
