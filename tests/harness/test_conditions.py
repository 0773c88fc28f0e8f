"""Two equal signatures mean comparable numbers: what reaches a cell's conditions, and what not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.grid import load as grids
from harness.grid.expansion import Cell, expand
from tasks.microworld.write import Sizes, write

Made = Callable[..., Cell]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The grid of one row and column, with something more, unfolded."""

    def unfold(more: str = "", *, row: str = "{variant: glm-large}", column: str = "rte") -> Cell:
        path = tmp_path / "grid.yaml"
        path.write_text(f"tables: [{{id: mine, rows: [{row}], columns: [{column}]}}]\n{more}")
        (cell, *_) = expand(grids.load(path)).cells
        return cell

    return unfold


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("scale: small", "|scale:small|"),
        ("overrides: {steps: 7, rows: 9}", "|overrides:rows=9,steps=7|"),
        ("recipe: reference", "|recipe:reference|"),
        ("match: targets", "|match:targets|"),
        ("precision: bf16", "|precision:bf16|"),
        ("finetune: {lr: 0.5}", "|finetune:lr=0.5|"),
        ("data: {seed: 3}", "|data:microworld-v"),
        ("data: {documents: 99}", "|corpus:world#"),
        ("data: {vocabulary: {size: 999}}", "|vocabulary:train#"),
        ("data: {limit: {dev: 5}}", "|data:microworld-v"),
        (
            "sweep: {parameters: {lr: [0.001, 0.002]}, select: median}",
            "|select:median of lr=0.001/0.002",
        ),
    ],
)
def test_what_changes_a_number_changes_its_conditions(made: Made, more: str, said: str):
    assert made(more).conditions != made().conditions
    assert said in made(more).conditions


@pytest.mark.parametrize(
    "row",
    [
        "{variant: glm-large, set: {epochs: 3}}",
        "{variant: glm-large, set: {finetune.batch: 3}}",
        "{variant: glm-large, set: {pretrain.lr: 0.5}}",
    ],
)
def test_a_rows_own_settings_are_among_its_conditions(made: Made, row: str):
    assert made(row=row).conditions != made().conditions


@pytest.mark.parametrize(
    "more",
    [
        "seeds: {pretrain: 3, finetune: 2}",
        "machine: {workers: 1, micro_batch: 2}",
        "name: another",
        "overrides: {}",
        "recipe: paper",
        "finetune: {weight_decay: 0.1}",
        "sweep: {parameters: {lr: [0.001]}}",
    ],
)
def test_seeds_machines_and_spelled_out_defaults_are_no_conditions(made: Made, more: str):
    assert made(more).conditions == made().conditions


def test_equal_rates_are_equal_however_they_are_written(made: Made):
    rates = ("0.00001", "1e-5", "1.0e-05")
    assert len({made(f"finetune: {{lr: {rate}}}").conditions for rate in rates}) == 1


def test_the_system_and_its_seed_are_no_conditions(made: Made):
    other = made("seeds: {pretrain: [5], finetune: [7]}", row="{variant: glm-large/no-shuffle}")
    assert other.conditions == made().conditions


def test_other_conditions_are_the_same_computation_where_nothing_else_changes(made: Made):
    # The reference variant's steps are the same under every `match`; its numbers compare otherwise.
    a, b = made("match: positions"), made("match: targets")
    assert a.trials[0].score.digest == b.trials[0].score.digest
    assert a.conditions != b.conditions


def test_real_files_never_sign_like_the_built_in_world(made: Made, tmp_path: Path):
    root = tmp_path / "data"
    write(root, seed=0, documents=20, sizes=Sizes().scaled(0.02))
    data = f"data: {{kind: folder, root: {root}, corpus: {{path: corpus/train.jsonl}}}}"
    before = made(data).conditions
    assert "|data:folder#" in before and before != made().conditions
    dev = root / "superglue/RTE/val.jsonl"
    dev.write_text("\n".join(dev.read_text().split("\n")[:-2]) + "\n")
    assert made(data).conditions != before


def test_a_row_that_reads_another_corpus_says_so(made: Made, tmp_path: Path):
    root = tmp_path / "data"
    write(root, seed=0, documents=20, sizes=Sizes().scaled(0.02))
    corpora = "corpus: {path: corpus/train.jsonl}, larger_corpus: {path: corpus/heldout.jsonl}"
    data = f"data: {{kind: folder, root: {root}, {corpora}}}"
    large, roberta = (
        dict(part.split(":", 1) for part in made(data, row=row).conditions.split("|"))
        for row in ("{variant: glm-large}", "{variant: glm-roberta}")
    )
    assert large["corpus"] != roberta["corpus"]
    assert {k: v for k, v in large.items() if k not in ("corpus", "vocabulary")} == {
        k: v for k, v in roberta.items() if k not in ("corpus", "vocabulary")
    }
