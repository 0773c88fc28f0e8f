"""`explain` leads from a number back to its runs, files, settings and cost."""

import json

import pytest

from results import report, statistics, tables
from results.report import explain
from tasks.errors import UserError
from tests.present import present
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
    chosen = {"rule": "best", "settings": {"lr": 0.01}, "trials": [{}, {}, {}], "optimism": 0.013}
    chosen["unselected"] = {"score": "score/first"}
    world.put(cell("other", "a", "copa", score="score/first"), acc=0.6)
    world.cells.clear()
    world.put(cell("mine", "a", "copa", selected=chosen), acc=0.62)
    lines = explain(world.write(), "g", "mine", "a", "copa").splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("Selection, Acc.:"))
    heads, run, mean = (line.strip().split(" | ") for line in lines[at + 1 : at + 4])
    assert heads == ["seeds", "reported", "chosen", "first setting", "gain", "optimism"]
    assert run == ["1, 1", "62.00", "lr=0.01 of 3", "60.00", "+2.0", "+1.3"]
    assert mean == ["mean", "–", "–", "–", "+2.0", "+1.3"]


def selecting(root):
    """A table of two seeds, each of which took an epoch before the last."""
    world = World(root)
    world.tables.append(table("mine", [row("a"), row("b")], [column("copa")]))
    for seed, last in ((1, 0.58), (2, 0.61)):
        metrics = {"acc": {"value": last, "n": 100}}
        ended = {"score": "score/last", "metrics": metrics, "epoch": seed + 1, "epochs": 5}
        world.put(cell("mine", "a", "copa", seed, last=ended), acc=0.6)
    return world.write()


def test_the_best_epoch_stands_beside_the_last_one(tmp_path):
    lines = explain(selecting(tmp_path), "g", "mine", "a", "copa").splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("Selection, Acc.:"))
    heads, *runs, mean = (line.strip().split(" | ") for line in lines[at + 1 : at + 5])
    assert heads == ["seeds", "reported", "chosen", "last epoch", "gain"]
    assert runs[0] == ["1, 1", "60.00", "epoch 2 of 5", "58.00", "+2.0"]
    assert runs[1] == ["2, 1", "60.00", "epoch 3 of 5", "61.00", "-1.0"]
    assert mean == ["mean", "–", "–", "–", "+0.5"]


def test_what_choosing_brought_stands_below_the_table_and_in_its_data(tmp_path):
    report.write(selecting(tmp_path), "g")
    folder = tmp_path / "grids/g/tables"
    said = "over the last epoch (better where positive): COPA Acc. +0.5 (2 runs)."
    for name in ("mine.md", "mine.tex", "index.html"):
        assert said in (folder / name).read_text().replace("\\(", "(").replace("\\)", ")")
    (shown,) = json.loads((folder / "tables.json").read_text())["tables"]
    (entry,) = shown["rows"][0]["cells"]["copa"]
    assert entry["selection"]["over_last_epoch"] == pytest.approx(0.5)
    ended = [run["last_epoch"] for run in entry["selection"]["runs"]]
    assert ended == pytest.approx([58.0, 61.0])
    assert shown["rows"][1]["cells"]["copa"][0]["selection"] is None


def test_a_number_without_found_rows_stands_below_the_table_and_is_explained(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a"), row("b")], [column("copa")]))
    for seed in (1, 2):
        for name, level in (("a", 0.6), ("b", 0.5)):
            other = cell("mine", name, "copa", seed, score=f"score/clean-{name}-{seed}")
            world.put(other, n=96, acc=level - 0.02)
            world.cells.pop()
            found = {"value": level - 0.02, "n": 96 if name == "a" else 100}
            clean = {"score": other["score"], "metrics": {"acc": found}}
            world.put(cell("mine", name, "copa", seed, clean=clean), acc=level + seed / 100)
    text = explain(world.write(), "g", "mine", "a", "copa")
    assert "without 4 found rows: 58.0 (all seeds alike), with them 61.5 [" in text
    assert "found rows" not in explain(tmp_path, "g", "mine", "b", "copa")
    report.write(tmp_path, "g")
    folder = tmp_path / "grids/g/tables"
    for name in ("mine.md", "mine.tex", "index.html"):
        assert "COPA Acc.: a without 4 found rows: 58.0" in (folder / name).read_text()
    (shown,) = json.loads((folder / "tables.json").read_text())["tables"]
    without = [r["cells"]["copa"][0]["without_found_rows"] for r in shown["rows"]]
    known = {"found": 4, "examples": 96, "mean": pytest.approx(58), "interval": None, "runs": 2}
    assert without == [known, None]


def test_what_is_known_of_all_examples_is_not_said_of_the_clean_ones(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a"), row("b")], [column("copa")]))
    for seed in (1, 2):
        for name in ("a", "b"):
            other = cell("mine", name, "copa", seed, score=f"score/clean-{name}-{seed}")
            world.put(other, n=90, items=name == "a", acc=0.5 + seed / 100)
            world.cells.pop()
            found = {"value": 0.5 + seed / 100, "n": 90}
            clean = {"score": other["score"], "metrics": {"acc": found}}
            world.put(cell("mine", name, "copa", seed, clean=clean), acc=0.6 + seed / 100)
    (built,) = tables.build(world.write(), "g")
    with_items, without = (present(line.cells["copa"][0].clean) for line in built.lines[:2])
    assert with_items.summary.estimand == statistics.TEXTS
    assert without.summary.estimand == statistics.TEST_SET


def test_control_characters_from_files_do_not_reach_the_terminal(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a", "x\x1b[31m")], [column("copa")]))
    world.lost(cell("mine", "a", "copa"), "failed", "bad\x1b]0;title\x07")
    assert "\x1b" not in explain(world.write(), "g", "mine", "a", "copa")
