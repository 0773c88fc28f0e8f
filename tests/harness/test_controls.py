"""Control rows and blind floors: which runs they add, and that they change no other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.grid import load as grids
from harness.grid.expansion import Cell, Expansion, expand
from harness.steps.checkpoint import Checkpoint
from harness.steps.finetune import Finetune
from harness.steps.pretrain import Pretrain
from harness.steps.step import Step
from harness.store import manifest
from harness.store.store import Store
from tasks.atomic import read_json, write_json

Made = Callable[..., Expansion]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A table of two rows with some controls, unfolded."""

    def unfold(
        controls: str = "",
        columns: str = "[rte, record]",
        more: str = "",
        first: str = "bert-large",
    ) -> Expansion:
        path = tmp_path / "grid.yaml"
        rows = f"[{first}, {{variant: glm-large, set: {{epochs: 3}}}}]"
        table = f"{{id: mine, rows: {rows}, columns: {columns}, reference: glm-large, {more}}}"
        path.write_text(
            f"tables: [{table}]\nseeds: {{pretrain: 2, finetune: 2}}\ncontrols: [{controls}]\n"
        )
        return expand(grids.load(path))

    return unfold


def of(expansion: Expansion, row: str, column: str = "rte") -> list[Cell]:
    return [cell for cell in expansion.cells if (cell.row, cell.column) == (row, column)]


def pretrainings(cells: list[Cell]) -> list[Step[Pretrain | Checkpoint]]:
    return list({cell.pretrain.digest: cell.pretrain for cell in cells}.values())


def test_controls_only_add_steps(made: Made):
    plain = made()
    for controls in ("aa", "planted", "blind", "aa, planted, blind"):
        assert plain.steps.keys() < made(controls).steps.keys()


def test_an_aa_row_is_the_reference_row_under_seeds_of_its_own(made: Made):
    expansion = made("aa")
    row = next(row for row in expansion.tables[0].rows if row.control == "aa")
    assert row.id == "glm-large_aa" and row.group == "Controls" and not row.paper
    first, again = (pretrainings(of(expansion, name)) for name in ("glm-large", row.id))
    assert not {step.digest for step in first} & {step.digest for step in again}
    for a, b in zip(first, again, strict=True):
        one, other = a.spec_of(Pretrain), b.spec_of(Pretrain)
        assert one.seed != other.seed
        assert one.objective == other.objective and one.optimisation == other.optimisation
    answered = [cell.trials[0].predictions for cell in of(expansion, row.id)]
    tuned = {step.spec_of(Finetune).epochs for step in answered}
    assert tuned == {3}  # with all that the reference row overrides


def test_an_aa_row_keeps_its_seeds_when_the_grid_gains_some(made: Made, tmp_path: Path):
    few = made("aa").steps.keys()
    path = tmp_path / "grid.yaml"
    path.write_text(path.read_text().replace("pretrain: 2", "pretrain: 4"))
    assert few < expand(grids.load(path)).steps.keys()


def test_a_planted_row_has_half_the_pretraining_and_says_so(made: Made):
    expansion = made("planted")
    whole = of(expansion, "glm-large")[0].pretrain.spec_of(Pretrain)
    cell = of(expansion, "glm-large_planted")[0]
    half = cell.pretrain.spec_of(Pretrain)
    assert half.seed == whole.seed
    ours, theirs = half.optimisation, whole.optimisation
    assert ours.steps == theirs.steps // 2 and ours.lr == theirs.lr
    assert ours.warmup_steps == theirs.warmup_steps // 2
    assert f"pretrain:decay_steps={ours.decay_steps},steps={ours.steps}" in cell.conditions


def test_a_blind_floor_is_the_reference_row_on_other_passages(made: Made):
    expansion = made("blind")
    (floor,) = of(expansion, "bert-large")[0].floors
    assert floor.name == "blind" and len(floor.scores) == 2  # finetunings of one pretraining
    for score, seeing in zip(floor.scores, of(expansion, "glm-large")):
        blind, sighted = score.inputs["predictions"], seeing.trials[0].predictions
        one, other = blind.spec_of(Finetune), sighted.spec_of(Finetune)
        assert one.blind and not other.blind
        assert blind.inputs["pretrain"] is sighted.inputs["pretrain"]
        assert one.epochs == 3 and one.seed == other.seed
    assert of(expansion, "glm-large")[0].floors[0] is floor
    assert not made().cells[0].floors


def test_a_reference_row_that_is_not_finetuned_gives_no_blind_floor(made: Made, tmp_path: Path):
    made("blind", columns="[rte]")
    path = tmp_path / "grid.yaml"
    untrained = "{variant: glm-large, id: glm-large, style: untrained-cloze}"
    path.write_text(path.read_text().replace("{variant: glm-large, set: {epochs: 3}}", untrained))
    assert all(not cell.floors for cell in expand(grids.load(path)).cells)


def test_what_has_no_passage_has_no_blind_floor(made: Made):
    expansion = made("blind", columns="[gigaword]", more="split: test", first="unilm-large")
    assert all(not cell.floors for cell in expansion.cells)


def test_a_floor_reaches_the_cells_of_its_column_when_its_runs_are_done(made: Made, tmp_path: Path):
    expansion, store = made("blind"), Store(tmp_path / "store").open()
    grid = grids.load(tmp_path / "grid.yaml")

    def written() -> dict:
        manifest.write(grid, expansion, store, *manifest.known(store, expansion.steps))
        return read_json(store.root / "grids" / "grid" / "cells.json") or {}

    (floor,) = of(expansion, "bert-large")[0].floors
    for step, value in zip(floor.scores, (0.5, 0.6)):
        assert all(cell["floors"] == {} for cell in written()["cells"])
        folder = store.path(step)
        folder.mkdir(parents=True)
        write_json(folder / "scores.json", {"metrics": {"acc": {"value": value}}})
    found = {cell["column"]: cell["floors"] for cell in written()["cells"]}
    assert found == {"rte": {"acc": {"blind": pytest.approx(0.55)}}, "record": {}}
    states = {(run["task"], run["state"]) for run in written()["floors"]}
    assert states == {("rte", "done"), ("record", "absent")}
