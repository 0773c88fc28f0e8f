"""Tables show what was computed, how often, and why the rest is missing."""

import pytest

from results import tables
from tests.results.world import SUPERGLUE, World, cell, column, row, superglue, table


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def built(world, index=0):
    return tables.build(world.write(), "g")[index]


def entry(table, row, column, index=0):
    return next(line for line in table.lines if line.id == row).cells[column][index]


def test_the_spread_is_over_pretraining_seeds_each_averaged_over_its_finetuning_seeds(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for p, f, value in ((1, 1, 0.6), (1, 2, 0.7), (2, 1, 0.8), (2, 2, 0.9)):
        world.put(cell("mine", "glm", "copa", p, f), acc=value)
    found = entry(built(world), "glm", "copa").summary
    assert (found.n, found.mean, found.sd) == (
        2,
        pytest.approx(75),
        pytest.approx(14.142, abs=1e-3),
    )


def test_with_one_pretraining_the_spread_is_over_its_finetuning_seeds(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for f, value in ((1, 0.6), (2, 0.7), (3, 0.8)):
        world.put(cell("mine", "glm", "copa", 1, f), acc=value)
    found = entry(built(world), "glm", "copa")
    assert (found.summary.n, found.done, found.wanted) == (3, 3, 3)


def test_one_seed_gives_a_mean_and_no_interval(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    world.put(cell("mine", "glm", "copa"), acc=0.6)
    found = entry(built(world), "glm", "copa").summary
    assert (found.mean, found.sd, found.low) == (60.0, None, None)


def test_runs_without_a_number_are_counted_by_what_became_of_them(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for p in (1, 2, 3):
        world.put(cell("mine", "glm", "copa", p), acc=0.5 + p / 100)
    world.lost(cell("mine", "glm", "copa", 4), "blocked", "pretrain diverged@7")
    world.lost(cell("mine", "glm", "copa", 5), "failed", "out of memory")
    found = entry(built(world), "glm", "copa")
    assert (found.done, found.wanted) == (3, 5)
    assert found.states == {"diverged@7": 1, "failed": 1}
    assert found.reason == "pretrain diverged@7; out of memory"


def full_row(world, id, tasks, pretrain=1, value=0.5):
    for task in tasks:
        values = dict.fromkeys(SUPERGLUE[task], value)
        world.put(cell("table1", id, task, pretrain), **values)


def test_the_average_is_over_eight_tasks_a_two_metric_task_counting_once(world):
    world.tables.append(table("table1", [row("glm")], superglue(), average=True))
    full_row(world, "glm", set(SUPERGLUE) - {"cb"}, value=0.5)
    world.put(cell("table1", "glm", "cb"), f1=0.9, acc=0.7)
    assert entry(built(world), "glm", "avg").summary.mean == pytest.approx((7 * 50 + 80) / 8)


def test_there_is_no_average_over_a_missing_task(world):
    world.tables.append(table("table1", [row("glm")], superglue(), average=True))
    full_row(world, "glm", set(SUPERGLUE) - {"boolq"})
    world.lost(cell("table1", "glm", "boolq"), "failed", "disk full")
    found = entry(built(world), "glm", "avg")
    assert found.summary is None
    assert found.reason == "no average without boolq"


def test_there_is_no_superglue_average_in_a_table_that_lacks_one_of_its_columns(world):
    columns = [c for c in superglue() if c["id"] != "record"]
    world.tables.append(table("table1", [row("glm")], columns, average=True))
    full_row(world, "glm", set(SUPERGLUE) - {"record"})
    assert entry(built(world), "glm", "avg").reason == "no average without record"


def test_a_seed_that_lacks_a_task_does_not_enter_the_average(world):
    world.tables.append(table("table1", [row("glm")], superglue(), average=True))
    full_row(world, "glm", SUPERGLUE, 1, 0.4)
    full_row(world, "glm", set(SUPERGLUE) - {"cb"}, 2, 0.6)
    world.lost(cell("table1", "glm", "cb", 2), "failed", "x")
    found = entry(built(world), "glm", "avg")
    assert (found.done, found.wanted, found.summary.mean) == (1, 2, pytest.approx(40))


def test_a_users_own_table_averages_its_own_columns(world):
    world.tables.append(table("mine", [row("glm")], [column("copa"), column("rte")], average=True))
    world.put(cell("mine", "glm", "copa"), acc=0.4)
    world.put(cell("mine", "glm", "rte"), acc=0.6)
    assert entry(built(world), "glm", "avg").summary.mean == pytest.approx(50)


def test_a_row_that_is_not_run_stays_with_the_papers_number_and_the_reason(world):
    world.tables.append(table("table1", [row("t5", paper="T5_Large", variant=None)], superglue()))
    world.not_run.append({"table": "table1", "row": "t5", "reason": "checkpoint from elsewhere"})
    found = built(world)
    assert found.lines[0].kind == "not run"
    assert found.lines[0].group == "Pretrained on larger corpora"
    assert entry(found, "t5", "copa").reason == "not run: checkpoint from elsewhere"
    assert entry(found, "t5", "cb", 1).paper.shown == "98.2"


def test_rows_and_columns_keep_the_manifests_order(world):
    rows = [row("b"), row("a"), row("c")]
    world.tables.append(table("table1", rows, superglue(), average=True))
    found = built(world)
    assert [line.id for line in found.lines] == ["b", "a", "c"]
    assert [c.id for c in found.columns] == [*SUPERGLUE, "avg"]


def test_the_majority_class_is_a_row(world):
    world.tables.append(table("mine", [row("glm")], [column("copa"), column("rte")], average=True))
    world.put(cell("mine", "glm", "copa"), floor=0.55, acc=0.6)
    world.put(cell("mine", "glm", "rte"), floor=0.53, acc=0.6)
    last = built(world).lines[-1]
    assert last.kind == "floor"
    assert last.cells["avg"][0].summary.mean == pytest.approx(54)


def test_a_floor_that_a_task_lacks_is_absent_and_so_is_its_average(world):
    world.tables.append(table("mine", [row("glm")], [column("copa"), column("rte")], average=True))
    world.put(cell("mine", "glm", "copa"), floor=0.55, acc=0.6)
    world.put(cell("mine", "glm", "rte"), acc=0.6)
    last = built(world).lines[-1]
    assert last.cells["rte"][0].summary is None
    assert last.cells["avg"][0].summary is None


def compared(world, ours, theirs, unit="fraction", higher=True):
    rows = [row("ref", paper="GLM_Large"), row("other")]
    world.tables.append(table("table1", rows, [column("copa")]))
    for p, (a, b) in enumerate(zip(ours, theirs)):
        world.put(cell("table1", "ref", "copa", p), unit=unit, higher=higher, acc=b)
        world.put(cell("table1", "other", "copa", p), unit=unit, higher=higher, acc=a)
    return entry(built(world), "other", "copa")


def test_a_difference_is_marked_where_its_paired_interval_excludes_zero(world):
    # The seeds spread far more than the systems differ: only pairing sees it.
    found = compared(world, [0.50, 0.60, 0.70, 0.80], [0.45, 0.551, 0.652, 0.75])
    assert found.stars
    assert found.better
    assert found.versus.mean == pytest.approx(4.925)


def test_a_difference_that_may_be_zero_is_not_marked(world):
    assert compared(world, [0.5, 0.7, 0.6], [0.6, 0.5, 0.7]).stars == 0


def test_a_lower_perplexity_is_better(world):
    found = compared(world, [10, 11, 12.1], [20, 21, 22], unit="ppl", higher=False)
    assert found.stars
    assert found.better


def test_one_seed_marks_nothing(world):
    assert compared(world, [0.9], [0.1]).stars == 0


def test_holms_correction_takes_back_what_one_of_many_differences_only_seems_to_show(world):
    rows = [row("ref", paper="GLM_Large"), *(row(f"r{i}") for i in range(20))]
    world.tables.append(table("table1", rows, [column("copa")]))
    for p in range(3):
        world.put(cell("table1", "ref", "copa", p), acc=0.5)
        for i in range(20):
            shift = (0.02, 0.03, 0.04)[p] if i == 0 else (0.01, -0.02, 0.012)[p] * (1 + i / 50)
            world.put(cell("table1", f"r{i}", "copa", p), acc=0.5 + shift)
    assert entry(built(world), "r0", "copa").stars == 1


def test_the_reference_is_the_papers_or_else_the_first_row_that_ran(world):
    rows = [row("x"), row("glm", paper="GLM_Large")]
    world.tables += [table("table1", rows, [column("copa")]), table("mine", rows, [column("copa")])]
    assert built(world, 0).reference == "glm"
    assert built(world, 1).reference == "x"


def test_a_sweeps_unselected_runs_stay_out_of_the_mean(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    world.put(cell("mine", "glm", "copa", 1, selected=True), acc=0.6)
    world.put(cell("mine", "glm", "copa", 2, selected=False), acc=0.1)
    found = entry(built(world), "glm", "copa")
    assert (found.summary.mean, found.wanted) == (60.0, 1)


def test_scores_measured_in_two_ways_are_called_out(world):
    world.tables.append(table("mine", [row("a"), row("b")], [column("copa")]))
    world.put(cell("mine", "a", "copa"), signature="acc|v:1", acc=0.6)
    world.put(cell("mine", "b", "copa"), signature="acc|v:2", acc=0.6)
    assert built(world).notes == ("copa: not all rows were measured in one way: v:1 or v:2",)
