"""A plan is quick, imports nothing heavy, and says what is shared and what is finished first."""

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from harness.plan import plan as plans
from harness.plan import text as planned
from harness.plan.estimate import Cost
from harness.plan.why import why
from harness.run.driver import drive
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store
from tests.harness.steps_for_tests import Add, Count


@dataclass(frozen=True)
class Trial:
    score: Step
    selection: Step | None = None


@dataclass(frozen=True)
class Cell:
    table: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Expansion:
    cells: tuple[Cell, ...]

    @cached_property
    def steps(self) -> dict[str, Step]:
        scores = [trial.score for cell in self.cells for trial in cell.trials]
        return ordered({score.digest: score for score in scores})


def grid(cells: int) -> Expansion:
    """Ten long steps shared by all the cells, in two tables of which the first is smaller."""
    long = [Step("count", f"long-{i}", Count(steps=1000, seed=i)) for i in range(10)]
    scores = [
        Step("add", f"score-{i}", Add(i), {"long": long[i * 10 // cells]}) for i in range(cells)
    ]
    return Expansion(
        tuple(
            Cell("small" if i < cells // 5 else "large", (Trial(score),))
            for i, score in enumerate(scores)
        )
    )


def test_a_plan_counts_states_and_sharing_and_names_the_first_table(tmp_path: Path):
    store, expansion = Store(tmp_path).open(), grid(100)
    steps = expansion.steps
    first = next(iter(steps))
    store.begin(store.order(steps[first]))
    plan = plans.make(expansion, store, Machine(cpus=2))
    by_digest = {line.step.digest: line for line in plan.lines}
    assert by_digest[first].cells == 10 and by_digest[first].state == "partial"
    assert plan.cells == plan.results == 100 and len(plan.lines) == 110
    shown = planned.show(plan, store)
    assert "100 cells from 100 distinct results" in shown
    assert "110 steps: 0 done, 1 partial, 109 to run" in shown
    assert shown.index("small: 20 cells") < shown.index("large: 80 cells") and "(first)" in shown


def test_a_plan_begins_with_its_sums_and_folds_its_steps_unless_each_is_asked_for(tmp_path: Path):
    store, expansion = Store(tmp_path).open(), grid(100)
    store.begin(store.order(next(iter(expansion.steps.values()))))
    plan = plans.make(expansion, store, Machine(cpus=2))
    folded = planned.show(plan, store, said=["what else is to be said"])
    assert folded.startswith("100 cells from 100 distinct results; 110 steps:")
    sums, said, steps = folded.split("\n\n")
    assert said == "what else is to be said"
    kinds = [line.split()[:5] for line in steps.splitlines()[1:]]
    assert kinds == [["count", "10", "-", "1", "9"], ["add", "100", "-", "-", "100"]]
    every = planned.show(plan, store, every=True)
    assert every.startswith(sums) and len(every.splitlines()) > 110
    assert all(digest[:8] in every for digest in expansion.steps)


def test_a_trial_spelled_twice_is_planned_once(tmp_path: Path):
    scores = [Step("add", "a", Add(1e-5)), Step("add", "b", Add(0.00001))]
    expansion = Expansion(tuple(Cell("t", (Trial(score),)) for score in scores))
    plan = plans.make(expansion, Store(tmp_path), Machine())
    assert (plan.cells, plan.results, len(plan.lines)) == (2, 1, 1)
    assert "2 cells from 1 distinct results" in planned.show(plan, Store(tmp_path))


def test_a_thousand_cells_are_planned_in_a_moment(tmp_path: Path):
    began = time.process_time()
    store = Store(tmp_path)
    planned.show(plans.make(grid(1000), store, Machine()), store)
    assert time.process_time() - began < 1.0


def cost(step: Step) -> Cost:
    """An estimate in proportion to what a count counts."""
    return Cost(flops=1e6 * step.spec_of(Count).steps)


def test_times_come_from_what_steps_of_the_kind_took(tmp_path: Path):
    store = Store(tmp_path).open()
    done = Step("count", "done", Count(steps=10, pause=0.01))
    drive({done.digest: done}, store, Machine(executor="inline"), quiet=True)
    more = Step("count", "more", Count(steps=100, pause=0.01))
    cells = tuple(Cell("t", (Trial(step),)) for step in (done, more))
    lines = plans.make(Expansion(cells), store, Machine(), cost).lines
    assert lines[0].state == "done" and 0.9 < lines[1].seconds < 60


def test_no_worker_waits_for_an_input_while_another_step_is_ready(tmp_path: Path):
    # Two chains of two equal steps on two workers: twice a step's time, not three times.
    first = [Step("count", f"first-{i}", Count(seed=i)) for i in range(2)]
    then = [Step("count", f"then-{i}", Count(seed=i + 2), {"a": first[i]}) for i in range(2)]
    cells = tuple(Cell(f"t{i}", (Trial(step),)) for i, step in enumerate(then))
    plan = plans.make(Expansion(cells), Store(tmp_path), Machine(workers=2))
    each = plan.lines[0].seconds
    assert [until for _, until in plan.tables.values()] == pytest.approx([2 * each, 2 * each])


def test_a_finished_step_costs_nothing_though_its_input_is_gone(tmp_path: Path):
    store = Store(tmp_path).open()
    first = Step("count", "first", Count(steps=1, pause=0.0))
    last = Step("add", "last", Add(1), {"first": first})
    drive({last.digest: last}, store, Machine(executor="inline"), quiet=True)
    shutil.rmtree(store.path(first))
    plan = plans.make(Expansion((Cell("t", (Trial(last),)),)), store, Machine(workers=1))
    assert [line.state for line in plan.lines] == ["to run", "done"]
    assert plan.tables["t"] == (1, 0.0)


def test_why_names_the_field_that_a_step_differs_in(tmp_path: Path):
    store = Store(tmp_path).open()
    before = Step("add", "sum", Add(1), {"c": Step("count", "c", Count(steps=2, pause=0))})
    drive({before.digest: before}, store, Machine(executor="inline"), quiet=True)
    assert why(before, store) == ["add sum: done, would not run again"]
    after = Step("add", "sum", Add(1), {"c": Step("count", "c", Count(steps=3, pause=0))})
    said = why(after, store)
    assert "  another c:" in said and any("steps: 2 there, 3 now" in line for line in said)


HEAVY = "torch ray transformers datasets"


@pytest.mark.parametrize(
    "module",
    [
        "harness.run.command",
        "harness.__main__",
        "harness.grid.load",
        "harness.plan.plan",
        "harness.run.driver",
    ],
)
def test_nothing_heavy_is_imported_to_plan_or_to_help(module: str):
    code = (
        f"import sys, {module}\n"
        "from harness.code.catalogue import Catalogue\n"
        "Catalogue().tasks, Catalogue().requirements\n"
        f"print([name for name in {HEAVY.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
