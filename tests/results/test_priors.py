"""Priors come from finished grids' own tables, and say from where."""

import json
import math

import numpy as np
import pytest
import yaml

from results import priors, report
from results.priors import Prior
from tests.present import present
from tests.results.world import World, about, cell, column, row, table

OLD = Prior("fraction", 50.0, 1.5, 18, "an earlier grid")


def measured(root, pretrain=3, finetune=2, draw=lambda p, f: 0.01 * p + 0.004 * f, rows="ab"):
    """The tables of a grid whose accuracies are `draw` of the two seeds above a level."""
    world = World(root)
    columns = [column("rte"), column("heldout", ("ppl",))]
    for id in ("one", "two"):
        world.tables.append(table(id, [row(name) for name in rows], columns))
    for at, name in enumerate(rows):
        for p in range(pretrain):
            for f in range(finetune):
                for id in ("one", "two"):
                    here = cell(id, name, "rte", p, f)
                    world.put(here, acc=0.5 + 0.1 * at + draw(p, f), floor=0.5)
            held = cell("one", name, "heldout", p, None)
            world.put(held, unit="ppl", higher=False, ppl=30.0 * math.exp(0.02 * p))
    world.about = about(world)
    report.write(world.write(), "g")
    return root / "grids/g/tables"


def test_components_are_the_mean_squares_of_the_seeds(tmp_path):
    found = priors.measured([measured(tmp_path)])
    rte, held = found["rte", "acc"], found["heldout", "ppl"]
    assert rte.finetuning == pytest.approx(100 * np.std([0, 0.004], ddof=1))
    over_pretrainings = 100 * np.std([0, 0.01, 0.02], ddof=1)
    assert rte.seeds(2) == pytest.approx(over_pretrainings)
    assert rte.pretraining == pytest.approx(
        math.sqrt(over_pretrainings**2 - present(rte.finetuning) ** 2 / 2)
    )
    assert rte.seeds(1) > rte.seeds(2) > rte.seeds(100) > rte.pretraining
    # Of a perplexity they are percent.
    assert held.pretraining == pytest.approx(2.0) and held.finetuning is None
    assert held.mean == pytest.approx(30 * np.mean(np.exp([0, 0.02, 0.04])), rel=1e-2)


def test_what_drawing_has_put_in_comes_out(tmp_path):
    rng = np.random.default_rng(0)
    seeds = {p: 0.03 * rng.normal() for p in range(30)}
    folder = measured(tmp_path, 30, 4, lambda p, f: seeds[p] + 0.01 * rng.normal(), "a")
    found = priors.measured([folder])["rte", "acc"]
    assert found.finetuning == pytest.approx(1.0, rel=0.2)
    assert found.pretraining == pytest.approx(100 * np.std(list(seeds.values()), ddof=1), rel=0.1)


def test_a_system_that_two_tables_share_counts_once_and_says_where_it_is_from(tmp_path):
    rte = priors.measured([measured(tmp_path)])["rte", "acc"]
    assert (rte.rows, rte.n, rte.scale) == (2, 100, "micro, with eval_rows=100")
    assert "built-in world, generator 2, seed 0" in rte.source and "0123456789ab" in rte.source


def test_systems_at_the_floor_count_only_where_others_are_too_few(tmp_path):
    few = priors.measured([measured(tmp_path / "few")])["rte", "acc"]
    many = priors.measured([measured(tmp_path / "many", rows="abcd")])["rte", "acc"]
    assert not few.above and few.rows == 2
    assert many.above and many.rows == 3  # all but a, which lies at it


def test_one_pretraining_gives_no_prior(tmp_path):
    assert priors.measured([measured(tmp_path, pretrain=1)]) == {}


def test_what_a_grid_lacks_keeps_its_line_marked_as_earlier(tmp_path):
    out = tmp_path / "priors.yaml"
    before = {("rte", "acc"): OLD, ("copa", "acc"): OLD, ("rte", "f1"): OLD}
    out.write_text(priors.text(before))
    assert priors.read(out) == before
    assert priors.main([str(measured(tmp_path)), "--out", str(out)]) == 0
    after = priors.read(out)
    assert after["copa", "acc"] == after["rte", "f1"]
    assert (after["copa", "acc"].earlier, after["copa", "acc"].source) == (True, "an earlier grid")
    assert not after["rte", "acc"].earlier and after["rte", "acc"].pretraining != 1.5
    assert set(yaml.safe_load(out.read_text())) == {"rte", "heldout", "copa"}


def test_a_folder_without_tables_is_a_users_error(tmp_path, capsys):
    out = tmp_path / "priors.yaml"
    assert priors.main([str(tmp_path), "--out", str(out)]) == 2
    assert "tables.json" in capsys.readouterr().err
    assert not out.exists()


def test_tables_that_are_a_list_are_a_users_error(tmp_path, capsys):
    (tmp_path / "tables.json").write_text("[]")
    assert priors.main([str(tmp_path), "--out", str(tmp_path / "priors.yaml")]) == 2
    assert "cannot be read as a grid's tables" in capsys.readouterr().err


def test_numbers_that_are_not_finite_give_no_prior_and_leave_the_others(tmp_path):
    folder = measured(tmp_path, rows="abc")
    read = json.loads((folder / "tables.json").read_text())
    for shown in read["tables"]:
        first, second, *_ = shown["rows"]
        first["cells"]["rte"][0]["mean"] = None
        second["cells"]["rte"][0]["interval"] = [1.0, None]
        for each in (entry for line in shown["rows"] for entry in line["cells"].get("heldout", ())):
            for run in each["runs"]:
                run["value"] = None
    (folder / "tables.json").write_text(json.dumps(read))
    found = priors.measured([folder])
    assert found["rte", "acc"].rows == 2 and ("heldout", "ppl") not in found


def test_tables_that_do_not_name_their_tasks_are_to_be_written_anew(tmp_path, capsys):
    folder = measured(tmp_path)
    read = json.loads((folder / "tables.json").read_text())
    for shown in read["tables"]:
        for each in shown["columns"]:
            del each["task"]
    (folder / "tables.json").write_text(json.dumps(read))
    assert priors.main([str(folder), "--out", str(tmp_path / "priors.yaml")]) == 2
    assert "python -m harness table" in capsys.readouterr().err
