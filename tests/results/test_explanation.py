"""`explain` leads from a number back to its runs, files, settings and cost."""

import json

import pytest

from results.report import explain
from tasks.errors import UserError
from tests.results.world import World, cell, column, full, row, table


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    world = full(tmp_path_factory.mktemp("store"))
    for seed in (1, 2):
        spec = {"kind": "pretrain", "fields": {"seed": seed, "objective": {"shuffle": True}}}
        world.file(f"pretrain/glm-large-{seed}/spec.json", json.dumps(spec))
    return world.write()


def test_it_gives_the_value_of_every_seed_and_its_files(store):
    text = explain(store, "full", "table1", "glm-large", "cb")
    assert text.startswith("Table 1 · GLM-Large objective, 0.34M · CB\n")
    assert text.count("pretraining seed ") == 6
    assert f"score {store}/score/table1-glm-large-cb-3-2" in text
    assert "signature: f1|v:1" in text


def test_settings_are_given_once_and_then_where_they_differ(store):
    text = explain(store, "full", "table1", "glm-large", "cb")
    assert text.count("fields.objective.shuffle: true") == 1
    assert "fields.seed: 1" in text
    assert "fields.seed: 2" in text


def test_it_says_what_the_pretraining_cost(store):
    text = explain(store, "full", "table1", "glm-large", "cb")
    assert "positions 250,000" in text
    assert "device-seconds 12.5 on cpu" in text


def test_it_says_what_the_paper_prints_and_how_that_is_known(store):
    assert "the paper: 96.1 (confirmed; S1: " in explain(store, "full", "table1", "GLM-Large", "cb")
    text = explain(store, "full", "table3", "GLM_Large", "Gigaword")
    assert "recalled: ≈19.7ʳ (recalled; R: memory)" in text


def test_a_lost_run_says_why(store):
    text = explain(store, "full", "table1", "unilm-large", "copa")
    assert "4/6 runs (2 diverged@40)" in text
    assert text.count("blocked: pretrain/unilm-large-2 diverged@40: loss is NaN") == 2


def test_a_row_that_was_not_run_is_explained_too(store):
    text = explain(store, "full", "table1", "T5-Large", "avg")
    assert "why: not run: checkpoint from elsewhere" in text


@pytest.mark.parametrize(
    ("table", "row", "column", "message"),
    [
        ("table9", "glm-large", "cb", "no table `table9`; did you mean `table"),
        ("table1", "glm-lage", "cb", "no row `glm-lage`; did you mean `glm-large`"),
        ("table1", "glm-large", "bolq", "no column `bolq`; did you mean `boolq`"),
    ],
)
def test_an_unknown_name_is_a_users_error_with_the_nearest_one(store, table, row, column, message):
    with pytest.raises(UserError) as error:
        explain(store, "full", table, row, column)
    assert str(error.value).startswith(message)
    assert "There are: " in str(error.value)


def test_it_gives_both_intervals_the_floors_and_what_would_have_been_seen(tmp_path):
    world = World(tmp_path)
    rows = [row("ref", paper="GLM_Large"), row("other")]
    world.tables.append(table("table1", rows, [column("copa")]))
    for p in range(3):
        world.put(cell("table1", "ref", "copa", p), floor=0.55, acc=0.80 + p / 100)
        world.put(cell("table1", "other", "copa", p), floor=0.55, acc=0.58 + p / 100)
    text = explain(world.write(), "g", "table1", "other", "copa")
    assert "95% interval for such texts: [" in text
    assert "95% interval for this test set: [56.5, 61.5]" in text
    assert "floors: the best constant answer 55.0" in text
    assert "against ref: -22.0 [-24.3, -19.7] for such texts, detectable 3.1" in text


def test_systems_at_the_floor_are_told_to_be_not_testable(tmp_path):
    world = World(tmp_path)
    rows = [row("ref", paper="GLM_Large"), row("other")]
    world.tables.append(table("table1", rows, [column("copa")]))
    for p in range(3):
        world.put(cell("table1", "ref", "copa", p), floor=0.6, acc=0.50 + p / 100)
        world.put(cell("table1", "other", "copa", p), floor=0.6, acc=0.48 + p / 100)
    text = explain(world.write(), "g", "table1", "other", "copa")
    assert "not testable against ref: neither stands above the floor" in text


def test_one_pretraining_has_an_interval_over_examples_only(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("table1", [row("a")], [column("copa")]))
    world.put(cell("table1", "a", "copa"), acc=0.6)
    text = explain(world.write(), "g", "table1", "a", "copa")
    assert "95% interval over examples, not over seeds: [53.9, 65.8]" in text
    assert "±" not in text


def test_it_says_what_choosing_among_trials_brought(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a")], [column("copa")]))
    chosen = {"rule": "best", "value": 0.62, "trials": [{}, {}, {}], "unselected": {"value": 0.6}}
    world.put(cell("mine", "a", "copa", selected=chosen), acc=0.62)
    text = explain(world.write(), "g", "mine", "a", "copa")
    assert "choosing +2.0 over the first of 3 trials" in text


def test_control_characters_from_files_do_not_reach_the_terminal(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a", "x\x1b[31m")], [column("copa")]))
    world.lost(cell("mine", "a", "copa"), "failed", "bad\x1b]0;title\x07")
    assert "\x1b" not in explain(world.write(), "g", "mine", "a", "copa")
