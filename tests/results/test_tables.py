"""Tables show what was computed, how often, and why the rest is missing."""

import json
import math
from typing import Any

import pytest

from results import render, statistics, tables, view, wording
from results.cells import Entry, Summary
from tests.present import present
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
    found = present(entry(built(world), "glm", "copa").summary)
    assert (found.n, found.mean, found.over) == (2, pytest.approx(75), "pretraining seeds")
    assert found.sd == pytest.approx(14.142, abs=1e-3)


def test_one_pretrainings_spread_is_over_its_finetuning_seeds_and_is_no_interval(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for f, value in ((1, 0.6), (2, 0.7), (3, 0.8)):
        world.put(cell("mine", "glm", "copa", 1, f), acc=value)
    found = entry(built(world), "glm", "copa")
    assert (present(found.summary).n, found.done, found.wanted) == (1, 3, 3)
    assert (present(found.summary).over, present(found.summary).sd) == (
        "finetuning seeds",
        pytest.approx(10),
    )
    assert present(found.summary).low is None


def test_one_seed_gives_a_mean_and_no_interval(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    world.put(cell("mine", "glm", "copa"), acc=0.6)
    found = present(entry(built(world), "glm", "copa").summary)
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
        values: dict[str, Any] = dict.fromkeys(SUPERGLUE[task], value)
        world.put(cell("table1", id, task, pretrain), **values)


def test_the_average_is_over_eight_tasks_a_two_metric_task_counting_once(world):
    world.tables.append(table("table1", [row("glm")], superglue(), average=True))
    full_row(world, "glm", set(SUPERGLUE) - {"cb"}, value=0.5)
    world.put(cell("table1", "glm", "cb"), f1=0.9, acc=0.7)
    assert present(entry(built(world), "glm", "avg").summary).mean == pytest.approx(
        (7 * 50 + 80) / 8
    )


def test_there_is_no_average_over_a_missing_task(world):
    world.tables.append(table("table1", [row("glm")], superglue(), average=True))
    full_row(world, "glm", set(SUPERGLUE) - {"boolq"})
    world.lost(cell("table1", "glm", "boolq"), "failed", "disk full")
    found = entry(built(world), "glm", "avg")
    assert found.summary is None
    assert found.reason == "no average without boolq"


def test_the_average_of_a_part_of_the_columns_says_so_and_has_no_number_of_the_papers(world):
    columns = [c for c in superglue() if c["id"] != "record"]
    rows = [row("glm", paper="GLM_Large")]
    world.tables.append(table("table1", rows, columns, average=True))
    full_row(world, "glm", set(SUPERGLUE) - {"record"}, value=0.5)
    found = built(world)
    average = entry(found, "glm", "avg")
    assert present(average.summary).mean == pytest.approx(50) and average.paper is None
    assert found.columns[-1].label == "Avg of these (the paper's: of 8)"
    assert present(entry(found, "glm", "copa").paper).value is not None


def test_a_seed_that_lacks_a_task_does_not_enter_the_average(world):
    world.tables.append(table("table1", [row("glm")], superglue(), average=True))
    full_row(world, "glm", SUPERGLUE, 1, 0.4)
    full_row(world, "glm", set(SUPERGLUE) - {"cb"}, 2, 0.6)
    world.lost(cell("table1", "glm", "cb", 2), "failed", "x")
    found = entry(built(world), "glm", "avg")
    assert (found.done, found.wanted, present(found.summary).mean) == (1, 2, pytest.approx(40))


def test_a_users_own_table_averages_its_own_columns(world):
    world.tables.append(table("mine", [row("glm")], [column("copa"), column("rte")], average=True))
    world.put(cell("mine", "glm", "copa"), acc=0.4)
    world.put(cell("mine", "glm", "rte"), acc=0.6)
    assert present(entry(built(world), "glm", "avg").summary).mean == pytest.approx(50)


def test_a_row_that_is_not_run_stays_with_the_papers_number_and_the_reason(world):
    world.tables.append(table("table1", [row("t5", paper="T5_Large", variant=None)], superglue()))
    world.not_run.append({"table": "table1", "row": "t5", "reason": "checkpoint from elsewhere"})
    found = built(world)
    assert found.lines[0].kind == "not run"
    assert found.lines[0].group == "Not run here"
    assert entry(found, "t5", "copa").reason == "not run: checkpoint from elsewhere"
    assert present(entry(found, "t5", "cb", 1).paper).shown == "98.2"


def test_how_a_system_that_was_run_differs_from_the_papers_is_said_once_below_the_table(world):
    rows = [row(id, id.upper(), differs="smaller") for id in ("t5-base", "t5-large", "bart")]
    world.tables.append(table("mine", [*rows, row("glm", differs="")], [column("copa")]))
    world.put(cell("mine", "t5-base", "copa"), acc=0.4)
    world.put(cell("mine", "t5-large", "copa"), acc=0.5)
    world.put(cell("mine", "glm", "copa"), acc=0.6)
    world.not_run.append({"table": "mine", "row": "bart", "reason": "no time"})
    assert [note for note in built(world).notes if "smaller" in note] == [
        "T5-BASE, T5-LARGE: smaller."
    ]


def test_rows_and_columns_keep_the_manifests_order(world):
    rows = [row("b"), row("a"), row("c")]
    world.tables.append(table("table1", rows, superglue(), average=True))
    found = built(world)
    assert [line.id for line in found.lines] == ["b", "a", "c"]
    assert [c.id for c in found.columns] == [*SUPERGLUE, "avg"]


def test_an_interval_speaks_of_such_texts_and_beside_it_of_this_test_set(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for p, value in enumerate((0.60, 0.61, 0.62)):
        world.put(cell("mine", "glm", "copa", p), acc=value)
    found = present(entry(built(world), "glm", "copa").summary)
    assert found.estimand == "such texts"
    low, high = present(found.fixed)
    assert present(found.low) < low < found.mean < high < present(found.high)


def test_without_statistics_an_interval_speaks_of_this_test_set_only(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for p, value in enumerate((0.60, 0.61, 0.62)):
        world.put(cell("mine", "glm", "copa", p), items=False, acc=value)
    found = present(entry(built(world), "glm", "copa").summary)
    assert (found.estimand, found.fixed) == ("this test set", (found.low, found.high))


@pytest.mark.parametrize("values", [(0.97, 0.99, 1.0), (0.0, 0.01, 0.03)])
def test_a_proportions_interval_stays_within_0_and_100(world, values):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for p, value in enumerate(values):
        world.put(cell("mine", "glm", "copa", p), acc=value)
    found = present(entry(built(world), "glm", "copa").summary)
    assert 0 <= present(found.low) < found.mean < present(found.high) <= 100


def test_a_perplexitys_interval_stays_above_zero(world):
    world.tables.append(table("mine", [row("glm")], [column("heldout", ("ppl",))]))
    for p, value in enumerate((2.0, 200.0, 20.0)):
        world.put(cell("mine", "glm", "heldout", p), unit="ppl", higher=False, ppl=value)
    found = present(entry(built(world), "glm", "heldout", 0).summary)
    assert found.mean == pytest.approx(20)
    assert 0 < present(found.low) < present(found.high)


def test_seeds_that_collapsed_have_no_interval_and_are_called_alike(world):
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    for p in range(3):
        world.put(cell("mine", "glm", "copa", p), acc=0.48)
    found = present(entry(built(world), "glm", "copa").summary)
    assert (found.low, found.alike) == (None, True)
    assert wording.ours(entry(built(world), "glm", "copa")) == "48.0 (all seeds alike)"


def test_digits_follow_the_interval():
    wide = Summary(3, 56.7, 12.0, -31.9, 145.9)
    assert wording.ours(Entry("acc", {(1, 1): 56.7}, summary=wide)) == "57 [-32, 146]"
    narrow = Summary(3, 56.7123, 0.01, 56.70, 56.7246)
    assert wording.ours(Entry("acc", {(1, 1): 56.7}, summary=narrow)).startswith("56.712 [56.700")


def test_the_highest_floor_is_a_row(world):
    world.tables.append(table("mine", [row("glm")], [column("copa"), column("rte")], average=True))
    world.put(cell("mine", "glm", "copa"), floor=0.55, acc=0.6)
    world.put(cell("mine", "glm", "rte"), floor=0.53, acc=0.6)
    last = built(world).lines[-1]
    assert last.kind == "floor"
    assert present(last.cells["avg"][0].summary).mean == pytest.approx(54)


def test_a_floor_that_a_task_lacks_is_absent_and_so_is_its_average(world):
    world.tables.append(table("mine", [row("glm")], [column("copa"), column("rte")], average=True))
    world.put(cell("mine", "glm", "copa"), floor=0.55, acc=0.6)
    world.put(cell("mine", "glm", "rte"), acc=0.6)
    last = built(world).lines[-1]
    assert last.cells["rte"][0].summary is None
    assert last.cells["avg"][0].summary is None


def compared(world, ours, theirs, unit="fraction", higher=True, floor=0.1, **more):
    rows = [row("ref", paper="GLM_Large"), row("other")]
    world.tables.append(table("table1", rows, [column("copa")]))
    more |= {"unit": unit, "higher": higher, "floor": floor}
    for p, (a, b) in enumerate(zip(ours, theirs)):
        world.put(cell("table1", "ref", "copa", p), acc=b, **more)
        world.put(cell("table1", "other", "copa", p), acc=a, **more)
    return entry(built(world), "other", "copa")


def test_a_difference_is_marked_where_the_pooled_error_leaves_no_doubt(world):
    found = compared(world, [0.50, 0.51, 0.52, 0.51], [0.44, 0.45, 0.46, 0.45])
    assert found.marked
    assert found.better
    assert present(found.versus).mean == pytest.approx(6)


def test_a_difference_that_may_be_zero_is_not_marked_and_says_what_would_be_seen(world):
    found = compared(world, [0.5, 0.7, 0.6], [0.6, 0.5, 0.7])
    assert not found.marked
    versus = present(found.versus)
    assert present(versus.detectable) > abs(versus.mean)


def test_a_lower_perplexity_is_better(world):
    found = compared(world, [10, 11, 12.1], [40, 41, 42], unit="ppl", higher=False, floor=99)
    assert found.marked
    assert found.better


def test_one_seed_marks_nothing(world):
    assert not compared(world, [0.9], [0.1]).marked


def test_a_difference_between_systems_at_the_floor_is_shaded_with_the_reason(world):
    found = compared(world, [0.50, 0.51, 0.52, 0.51], [0.44, 0.45, 0.46, 0.45], floor=0.6)
    assert not found.marked
    assert "the best constant answer gives 60.0" in found.untestable
    (table,) = tables.build(world.root, "g")
    grey = next(td for td in view.html(table).split("<td ") if 'class="not-testable"' in td)
    assert 'title="neither stands above' in grey
    assert "not testable [a]" in grey
    for text in (render.markdown(table), render.latex(table), render.terminal(table)):
        assert "[a] not testable against ref: neither stands above" in " ".join(text.split())


def test_a_systems_own_outputs_mixed_up_are_its_own_floor(world):
    world.tables.append(table("table1", [row("ref"), row("other")], [column("xsum", ("rg1",))]))
    for p in range(4):
        for name, level, mixed in (("ref", 0.30, 0.29), ("other", 0.2, 0.1)):
            here = cell("table1", name, "xsum", p)
            world.put(here, floor=0.1, rg1=level + p / 1000)
            path = world.root / here["score"] / "scores.json"
            read = json.loads(path.read_text())
            read["floors"]["rg1"]["shuffled"] = mixed
            path.write_text(json.dumps(read))
    found = entry(built(world), "other", "xsum")
    assert found.untestable == ""  # 20 stands above its own 10, whatever the reference's 29
    assert found.floors == {"constant": 10.0, "shuffled": 10.0}


def test_many_rows_share_one_pooled_error(world):
    rows = [row("ref", paper="GLM_Large"), *(row(f"r{i}") for i in range(8))]
    world.tables.append(table("table1", rows, [column("copa")]))
    for name in ("ref", *(f"r{i}" for i in range(8))):
        for p, shift in enumerate((0.0, 0.01, 0.02)):
            level = 0.56 if name == "r0" else 0.5
            world.put(cell("table1", name, "copa", p), floor=0.1, acc=level + shift)
    found = entry(built(world), "r0", "copa")
    error = present(present(found.versus).error)
    assert error.seeds_freedom == 18
    assert error.seeds == pytest.approx(2 / 3)
    known = statistics.dunnett(6 / math.sqrt(2 / 3), 18, (math.sqrt(0.5),) * 8)
    assert found.p == pytest.approx(known)


def test_rows_that_collapsed_do_not_make_the_pooled_error_small(world):
    rows = [row("ref", paper="GLM_Large"), row("other"), *(row(f"flat{i}") for i in range(6))]
    world.tables.append(table("table1", rows, [column("copa")]))
    for p, shift in enumerate((0.0, 0.02, 0.04)):
        world.put(cell("table1", "ref", "copa", p), floor=0.1, acc=0.5 + shift)
        world.put(cell("table1", "other", "copa", p), floor=0.1, acc=0.55 + shift)
        for i in range(6):
            world.put(cell("table1", f"flat{i}", "copa", p), floor=0.1, acc=0.48)
    error = present(present(entry(built(world), "other", "copa").versus).error)
    assert error.seeds == pytest.approx(
        2 * 4 / 3
    )  # two points between one pretraining and the next
    assert error.seeds_freedom == 4


def test_the_correction_over_columns_takes_back_what_one_of_many_only_seems_to_show(world):
    columns = [column(f"c{i}") for i in range(12)]
    world.tables.append(table("table1", [row("ref", paper="GLM_Large"), row("r")], columns))
    for p in range(3):
        for i in range(12):
            shift = 0.05 if i == 0 else 0.0
            jitter = (0.0, 0.012, -0.012)[p]
            world.put(cell("table1", "ref", f"c{i}", p), floor=0.1, acc=0.5 + jitter)
            world.put(cell("table1", "r", f"c{i}", p), floor=0.1, acc=0.5 + shift - jitter)
    found = entry(built(world), "r", "c0")
    assert present(found.p) < 0.05
    assert not found.marked


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
    assert (present(found.summary).mean, found.wanted) == (60.0, 1)


def test_scores_measured_in_two_ways_are_called_out(world):
    world.tables.append(table("mine", [row("a"), row("b")], [column("copa")]))
    world.put(cell("mine", "a", "copa"), signature="acc|v:1", acc=0.6)
    world.put(cell("mine", "b", "copa"), signature="acc|v:2", acc=0.6)
    assert built(world).notes == ("copa: not all rows were measured in one way: v:1 or v:2",)


def test_a_planted_row_is_measured_otherwise_on_purpose(world):
    rows = [row("a"), row("a_planted", control="planted")]
    world.tables = [table("table1", rows, [column("copa")])]
    world.put(cell("table1", "a", "copa", conditions="scale:micro"), acc=0.5)
    half = cell("table1", "a_planted", "copa", conditions="scale:micro|pretrain:steps=1")
    world.put(half, acc=0.5)
    assert not any("not all rows" in note for note in built(world).notes)


def test_what_a_system_cannot_be_asked_is_said_where_its_number_would_stand(world):
    bert = row("bert") | {"unasked": {"xsum": "cannot be asked: it writes nothing"}}
    columns = [column("copa"), column("xsum", ["rg1"])]
    world.tables.append(table("mine", [row("glm"), bert], columns))
    for name in ("glm", "bert"):
        world.put(cell("mine", name, "copa"), acc=0.5)
    found = built(world)
    assert entry(found, "bert", "xsum").reason == "cannot be asked: it writes nothing"
    assert entry(found, "glm", "xsum").reason == "no cell of this grid"
    assert present(entry(found, "bert", "copa").summary).mean == pytest.approx(50)
