"""Every cell of the manifest comes back, with a number or with the reason why there is none."""

import shutil

import pytest

import results
from results import scores
from tasks.errors import UserError
from tests.results.world import World, cell, column, row, table


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    columns = [column("cb", ("f1", "acc")), column("heldout", ("ppl",))]
    world.tables.append(table("table1", [row("glm"), row("bert")], columns))
    return world


def one(world, **where):
    frame = results.load(world.write(), "g")
    for key, value in where.items():
        frame = frame.loc[frame[key] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_a_fraction_is_shown_in_percent_and_a_perplexity_as_it_is(world):
    world.put(cell("table1", "glm", "cb"), n=56, floor=0.5, f1=0.714, acc=0.75)
    world.put(cell("table1", "glm", "heldout"), unit="ppl", higher=False, ppl=31.5)
    f1, ppl = one(world, metric="f1"), one(world, metric="ppl")
    assert (f1["value"], f1["n"], f1["floors"], f1["signature"]) == (
        pytest.approx(71.4),
        56,
        {"constant": 50.0},
        "f1|v:1",
    )
    assert ppl["value"] == 31.5
    assert not ppl["higher_is_better"]


def test_one_row_per_cell_metric_and_seed_pair(world):
    for p in (1, 2):
        for f in (1, 2, 3):
            world.put(cell("table1", "glm", "cb", p, f), f1=0.5, acc=0.5)
    frame = results.load(world.write(), "g")
    assert len(frame) == 12
    assert list(frame.columns) == scores.FIELDS


def test_a_diverged_pretraining_names_its_step_even_in_the_cells_that_it_blocks(world):
    world.lost(cell("table1", "glm", "heldout"), "blocked", "pretrain/glm diverged@120: NaN")
    found = one(world, column="heldout")
    assert (found["status"], found["step"]) == ("diverged@120", 120)


@pytest.mark.parametrize("state", ["failed", "blocked", "absent"])
def test_a_cell_without_a_number_keeps_its_state_and_reason(world, state):
    world.lost(cell("table1", "glm", "heldout"), state, "out of memory")
    found = one(world)
    assert (found["status"], found["reason"]) == (state, "out of memory")
    assert found["value"] is None or found["value"] != found["value"]


def test_a_metric_that_cannot_be_computed_is_undefined_with_its_reason(world):
    world.put(cell("table1", "glm", "cb"), f1=None, acc=0.5)
    found = one(world, metric="f1")
    assert (found["status"], found["reason"]) == ("undefined", "no positive example")


def test_a_metric_that_is_not_in_the_scores_is_undefined_not_zero(world):
    world.put(cell("table1", "glm", "cb"), acc=0.5)
    assert "there: acc" in one(world, metric="f1")["reason"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metrics": 3}', "\x00"])
def test_a_broken_score_file_fails_its_cell_only(world, text):
    broken = cell("table1", "glm", "heldout")
    world.put(broken, unit="ppl", ppl=3.0)
    world.put(cell("table1", "bert", "heldout"), unit="ppl", ppl=3.0)
    world.file(f"{broken['score']}/scores.json", text)
    assert one(world, row="glm")["status"] == "failed"
    assert one(world, row="bert")["status"] == "done"


def test_numbers_that_were_changed_or_are_anothers_are_not_shown(world):
    mine = cell("table1", "glm", "heldout", score="score/glm-aa")
    other = cell("table1", "bert", "heldout", score="score/bert-bb")
    world.put(mine, unit="ppl", ppl=3.0)
    world.put(other, unit="ppl", ppl=9.0)
    assert one(world, row="glm")["value"] == 3.0
    scores_of = [world.root / each["score"] for each in (mine, other)]
    text = (scores_of[0] / "scores.json").read_text()
    (scores_of[0] / "scores.json").write_text(text.replace("3.0", "2.0"))
    found = results.load(world.root, "g").iloc[0]
    assert found.status == "failed" and "does not match its checksum" in found.reason
    shutil.rmtree(scores_of[0])
    shutil.copytree(scores_of[1], scores_of[0])
    found = results.load(world.root, "g").iloc[0]
    assert found.status == "failed" and "not what its name says" in found.reason


@pytest.mark.parametrize("path", ["../secret", "/etc", "score/../../x", "", None])
def test_a_path_that_leads_out_of_the_store_is_not_followed(world, path):
    assert scores.inside(world.root, path) is None
    world.cells.append(cell("table1", "glm", "heldout", score=path))
    assert one(world)["status"] == "failed"


def test_a_grid_that_is_not_there_is_a_users_error_that_names_those_that_are(world):
    world.write()
    with pytest.raises(UserError, match="there: g; run the grid first"):
        results.load(world.root, "quick")


@pytest.mark.parametrize("name", ["../g", "a/b", "", ".."])
def test_a_grids_name_is_not_a_path(world, name):
    with pytest.raises(UserError, match="not the name of a grid"):
        results.load(world.write(), name)


def test_an_unreadable_or_newer_manifest_is_a_users_error(world):
    world.file("grids/g/cells.json", "{")
    with pytest.raises(UserError, match="cannot be read"):
        results.load(world.root, "g")
    world.file("grids/g/cells.json", '{"version": 2}')
    with pytest.raises(UserError, match="version 2"):
        results.load(world.root, "g")


@pytest.mark.parametrize("damage", ["[" * 100_000, "[1]", '{"version": 1}', "cut", "flipped"])
def test_a_manifest_that_is_not_as_it_was_written_is_a_users_error(world, damage):
    world.put(cell("table1", "glm", "cb"), f1=0.5, acc=0.5)
    path = world.write() / "grids" / "g" / "cells.json"
    whole = path.read_text()
    changed = {"cut": whole[:-20], "flipped": whole.replace("table1", "table2", 1)}
    path.write_text(changed.get(damage, damage))
    with pytest.raises(UserError, match="cannot be read, or was changed since; run the grid again"):
        results.load(world.root, "g")


def test_a_signature_goes_on_with_the_conditions_of_its_cell(world):
    world.put(cell("table1", "glm", "cb", conditions="split:dev|scale:micro"), f1=0.5, acc=0.5)
    assert one(world, metric="acc")["signature"] == "acc|v:1|split:dev|scale:micro"
