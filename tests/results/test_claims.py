"""A claim of the paper's is decided by an interval over our seeds, or not at all."""

import pytest

from results import claims, tables
from tests.results.world import World, cell, column, row, table


def verdict(tmp_path, id, over, under, paper=("GLM_Doc_bi", "GLM_Doc_uni"), col="heldout"):
    world = World(tmp_path)
    metric, lower = ("ppl", True) if col == "heldout" else ("acc", False)
    rows = [row("over", paper=paper[0]), row("under", paper=paper[1])]
    world.tables.append(table("figure4", rows, [column(col, (metric,))]))
    for name, values in (("over", over), ("under", under)):
        for seed, value in enumerate(values):
            unit = "ppl" if lower else "fraction"
            here = cell("figure4", name, col, seed, None)
            world.put(here, unit=unit, higher=not lower, **{metric: value})
    found = claims.check(tables.build(world.write(), "g"))
    return next(v for v in found if v.claim.id == id)


def test_a_claim_is_supported_where_the_interval_lies_on_its_side(tmp_path):
    found = verdict(tmp_path, "f4-bi-ppl", [50, 51, 52.1], [60, 61, 62])
    assert found.verdict == "supported"
    assert found.holm
    assert found.difference.mean == pytest.approx(9.9667, abs=1e-3)


def test_a_claim_is_contradicted_where_it_lies_on_the_other(tmp_path):
    found = verdict(tmp_path, "f4-bi-lambada", [0.1, 0.11, 0.12], [0.2, 0.22, 0.23], col="lambada")
    assert found.verdict == "contradicted"


def test_a_claim_is_undecided_where_it_holds_zero(tmp_path):
    found = verdict(tmp_path, "f4-bi-ppl", [50, 61, 52], [60, 50, 62])
    assert (found.verdict, found.reason) == ("undecided", "the interval includes zero")


def test_one_seed_decides_nothing(tmp_path):
    found = verdict(tmp_path, "f4-bi-ppl", [10], [90])
    assert (found.verdict, found.reason) == ("undecided", "one seed has no interval")


def test_a_system_that_was_not_run_leaves_its_claims_undecided(tmp_path):
    found = verdict(tmp_path, "f4-gpt", [10], [90])
    assert (found.verdict, found.reason) == ("undecided", "GPT_Large_uni was not run here")


def test_the_papers_own_difference_carries_the_weaker_status(tmp_path):
    found = verdict(tmp_path, "f4-bi-ppl", [10], [90])
    assert (round(found.printed, 1), found.printed_status) == (0.2, "recalled")
    assert verdict(tmp_path, "f4-large", [1], [1]).printed is None


def test_table_1s_claims_are_backed_by_confirmed_numbers(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("table1", [row("glm", paper="GLM_Large")], [column("copa")]))
    found = claims.check(tables.build(world.write(), "g"))
    first = next(v for v in found if v.claim.id == "t1-bert-large")
    assert (round(first.printed, 1), first.printed_status) == (5.0, "confirmed")
    assert claims.counts(found) == {"supported": 0, "contradicted": 0, "undecided": len(found)}


def test_only_claims_about_the_grids_tables_are_asked(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    assert claims.check(tables.build(world.write(), "g")) == []


def test_the_checklist_marks_what_is_recalled(tmp_path):
    found = verdict(tmp_path, "f4-bi-ppl", [50, 51, 52.1], [60, 61, 62])
    text = claims.markdown([found])
    assert "1 supported, 0 contradicted, 0 undecided" in text
    assert "| supported | " in text
    assert "recalled ≈" in text
    assert "paper +" not in text
