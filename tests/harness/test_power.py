"""What a plan says can be told apart: against noncentral t, and against a store's own spread."""

import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablations import tables as paper
from harness.grid.expansion import Expansion
from harness.plan import power
from harness.plan.power import Column, Spread
from harness.run import command
from harness.store.store import Store
from results import priors
from tasks import TASKS
from tasks.spec import measures
from tests.results.world import World, cell, column, row, table


def made(seeds: float, one: float | None = None, count: int | None = 200) -> Column:
    """A column of these spreads."""
    return Column("finetuned", "rte", "acc", count, Spread(seeds, one, "here"))


@pytest.mark.parametrize("pretrainings", [2, 3, 5, 20])
def test_the_detectable_difference_is_found_four_times_in_five(pretrainings: int):
    found = made(1.5).detectable(pretrainings, texts=False)
    assert found is not None
    freedom = 2 * (pretrainings - 1)
    shift = found / math.sqrt(2 * 1.5**2 / pretrainings)
    critical = stats.t.ppf(0.975, freedom)
    assert stats.nct.sf(critical, freedom, shift) == pytest.approx(0.8, abs=1e-3)


def test_examples_make_a_difference_harder_to_show_and_one_pretraining_shows_none():
    column = made(1.5, power.independent(60.0))
    alone, both = (column.detectable(3, texts=texts) for texts in (False, True))
    assert alone is not None and both is not None and both > alone
    assert column.detectable(1, texts=True) is column.detectable(1, texts=False) is None
    assert made(1.5).detectable(3, texts=True) is None  # nothing is known of single examples


@given(st.floats(0.1, 20), st.floats(0.5, 20))
def test_the_number_of_pretrainings_is_the_smallest_that_shows_it(seeds: float, wanted: float):
    column = made(seeds)
    count = column.pretrainings(wanted, texts=False)
    if count is None:
        assert (column.detectable(power.MOST, texts=False) or 0) > wanted
        return
    assert (column.detectable(count, texts=False) or math.inf) <= wanted
    assert count == 2 or (column.detectable(count - 1, texts=False) or math.inf) > wanted


def test_what_too_few_examples_cannot_show_no_number_of_pretrainings_shows():
    column = made(1.0, power.independent(50.0), 200)
    assert column.pretrainings(2.0, texts=True) is None
    enough = column.examples(2.0)
    assert enough is not None and enough > 200
    spacious = made(1.0, power.independent(50.0), 2 * enough)
    assert spacious.pretrainings(2.0, texts=True) is not None


def test_the_shipped_priors_are_of_tasks_and_metrics_that_are_there():
    found = priors.read()
    assert {task for task, _ in found} <= TASKS.keys() and len(found) > 20
    for (task, metric), prior in found.items():
        assert metric in measures(TASKS[task]) and prior.seeds(1) > 0 and prior.source


def test_a_stores_own_runs_tell_the_spread_without_a_planted_row(tmp_path: Path):
    world = World(tmp_path)
    rows = [row("a"), row("b"), row("c", control="planted")]
    world.tables.append(table("mine", rows, [column("rte")]))
    means = {"a": [0.60, 0.64, 0.62], "b": [0.50, 0.50, 0.56], "c": [0.1, 0.5, 0.9]}
    for name, values in means.items():
        for pretrain, value in enumerate(values):
            for finetune, shift in enumerate((-0.01, 0.01)):
                world.put(cell("mine", name, "rte", pretrain, finetune), acc=value + shift)
    world.write()
    columns = (paper.Column("rte", "RTE", "rte", ("acc",)),)
    grid = Expansion((paper.Table("mine", "Mine", (), columns),), ())
    found = power.measured("g", grid, Store(tmp_path))
    variances = [10_000 * statistics.variance(values) for values in (means["a"], means["b"])]
    assert found["rte", "acc"].seeds == pytest.approx(math.sqrt(statistics.mean(variances)))
    assert power.measured("another", grid, Store(tmp_path)) == {}


GRID = """\
tables: [{id: mine, rows: [glm-large, glm-doc], columns: [rte, lambada], split: test}]
seeds: {pretrain: 3}
"""


def test_a_plan_says_what_its_seeds_can_show_and_what_it_would_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "grid.yaml").write_text(GRID)
    arguments = [str(tmp_path / "grid.yaml"), "--store", str(tmp_path / "store")]
    assert command.main([*arguments, "--plan", "--detect", "2.0"]) == 0
    said = capsys.readouterr().out
    assert "3 pretrainings of each show with 80% power" in said
    (rte,) = (line.split() for line in said.splitlines() if line.startswith("rte "))
    assert rte[:3] == ["rte", "acc", "160"] and "priors" in rte
    spread = power.shipped(priors.read()["rte", "acc"], 1)
    expected = Column("finetuned", "rte", "acc", 160, spread).detectable(3, texts=False)
    assert float(rte[3]) == pytest.approx(expected, abs=0.05)
    assert "pretrainings in about" in said
    assert not (tmp_path / "store").exists()
    assert command.main([*arguments, "--plan", "--set", "seeds.pretrain=1"]) == 0
    assert "one pretraining shows no difference" in capsys.readouterr().out
    assert command.main([*arguments, "--detect", "-1"]) == 2
