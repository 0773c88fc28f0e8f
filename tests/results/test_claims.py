"""A claim gets a verdict that the numbers earn, after the family's correction, or a reason."""

import math
from typing import Any

import pytest

from results import checklist, claims, ledger, scores, tables
from results.paper import Claim
from tests.present import present
from tests.results.world import SUPERGLUE, World, cell, column, row, superglue, table

PPL: dict[str, Any] = {"unit": "ppl", "higher": False, "floor": 400.0}


def built(world):
    return tables.build(world.write(), "g")


def two(world, column_id, over, under, metric="acc", **more):
    """Two rows of one column, each with a value for every pretraining seed (None: it failed)."""
    rows = [row("over", "Over", paper="over"), row("under", "Under", paper="under")]
    world.tables.append(table("mine", rows, [column(column_id, (metric,))]))
    for name, values in (("over", over), ("under", under)):
        for seed, value in enumerate(values):
            here = cell("mine", name, column_id, seed, None)
            if value is None:
                world.lost(here, "failed", "out of memory")
            else:
                world.put(here, **{"floor": 0.2, metric: value} | more)


def claim(*columns, id="k", over="over", under="under", of="mine", **more):
    return Claim(id, of, over, under, columns, "Over beats Under", "confirmed", (), **more)


def verdict(tmp_path, over, under, column_id="copa", metric="acc", family=1, **more):
    world = World(tmp_path)
    two(world, column_id, over, under, metric, **more)
    asked = [claim(f"{column_id}.{metric}")]
    others = [claim("copa.acc", id=f"x{i}", over="over", under=f"z{i}") for i in range(family - 1)]
    return claims.check(built(world), asked + others)[0]


HIGH, LOW = [0.70, 0.71, 0.72, 0.705], [0.50, 0.52, 0.51, 0.50]


def test_a_claim_is_supported_where_the_difference_is_in_its_favour(tmp_path):
    found = verdict(tmp_path, HIGH, LOW)
    assert found.verdict == "supported"
    assert present(found.difference).mean == pytest.approx(20.125)
    assert found.p_holm == present(found.p) < 0.001


def test_a_claim_is_reversed_where_it_is_against_it(tmp_path):
    assert verdict(tmp_path, LOW, HIGH).verdict == "reversed"


def test_a_claim_is_inconclusive_where_the_interval_holds_zero_and_says_what_would_be_seen(
    tmp_path,
):
    found = verdict(tmp_path, [0.5, 0.6, 0.55], [0.6, 0.5, 0.5])
    assert found.verdict == "inconclusive"
    difference = present(found.difference)
    assert present(difference.low) < 0 < present(difference.high)
    assert present(difference.detectable) > present(difference.high) - difference.mean


def test_a_claim_is_equivalent_where_the_difference_lies_within_the_margin(tmp_path):
    same = [0.700, 0.701, 0.699, 0.7002]
    assert verdict(tmp_path, same, same[::-1]).verdict == "equivalent"
    wide = [0.70, 0.74, 0.66, 0.70]
    assert verdict(tmp_path / "wide", wide, wide[::-1]).verdict == "inconclusive"


def test_perplexities_are_compared_by_their_logarithm(tmp_path):
    over, under = [10.0, 10.1, 9.9], [20.0, 20.2, 19.8]
    found = verdict(tmp_path, over, under, "heldout", "ppl", **PPL)
    assert found.verdict == "supported"
    assert present(found.difference).mean == pytest.approx(math.log(2))
    assert checklist.difference(found.difference, "ppl").startswith("+100")


def test_two_percent_of_a_perplexity_is_the_margin(tmp_path):
    near, other = [10.0, 10.01, 9.99, 10.0], [10.0, 10.02, 10.0, 9.99]
    assert verdict(tmp_path, near, other, "heldout", "ppl", **PPL).verdict == "equivalent"


def test_a_claim_on_perplexity_is_not_averaged_with_bits_per_byte(tmp_path):
    with pytest.raises(ValueError, match=r"name one metric, as in heldout\.ppl"):
        world = World(tmp_path)
        two(world, "heldout", [10.0, 11.0], [20.0, 21.0], "ppl", **PPL)
        claims.check(built(world), [claim("heldout")])


def test_mixed_units_are_refused(tmp_path):
    world = World(tmp_path)
    rows = [row("over", paper="over"), row("under", paper="under")]
    world.tables.append(table("mine", rows, [column("a"), column("b")]))
    for name in ("over", "under"):
        for p in range(3):
            world.put(cell("mine", name, "a", p), floor=0.1, acc=0.5 + p / 100)
            world.put(cell("mine", name, "b", p), unit="ppl", higher=False, floor=90.0, acc=9 + p)
    with pytest.raises(ValueError, match="mixes units: fraction, ppl"):
        claims.check(built(world), [claim("a.acc", "b.acc")])


@pytest.mark.parametrize(("over", "under"), [([0.9], [0.5]), ([0.9, 0.91], [0.5]), ([0.9], LOW)])
def test_fewer_than_two_pretrainings_of_a_side_decide_nothing(tmp_path, over, under):
    found = verdict(tmp_path, over, under)
    assert found.verdict == "inconclusive"
    assert "two pretrainings of each side are needed" in found.reason
    assert found.p is None and present(found.difference).low is None


def test_many_finetunings_of_one_pretraining_decide_nothing_either(tmp_path):
    world = World(tmp_path)
    two(world, "copa", [], [])
    for name, value in (("over", 0.9), ("under", 0.5)):
        for f in range(5):
            world.put(cell("mine", name, "copa", 1, f), floor=0.1, acc=value + f / 1000)
    (found,) = claims.check(built(world), [claim("copa.acc")])
    assert (found.verdict, found.p) == ("inconclusive", None)


def test_a_failed_pretraining_does_not_turn_finetunings_into_seeds(tmp_path):
    found = verdict(tmp_path, [0.9, None, None], [0.5, 0.51, 0.52])
    assert (found.verdict, found.lost) == ("inconclusive", (2, 0))


def test_seeds_that_are_all_alike_say_nothing_of_another(tmp_path):
    found = verdict(tmp_path, [0.7, 0.7, 0.7], [0.5, 0.5, 0.5])
    assert found.verdict == "inconclusive"
    assert found.reason == "the seeds do not differ, so they say nothing of another one"


# ---- gates


def test_two_systems_at_the_floor_are_not_testable_however_they_differ(tmp_path):
    found = verdict(tmp_path, HIGH, LOW, floor=0.75)
    assert found.verdict == "not testable"
    assert "the best constant answer gives 75.0" in found.reason
    assert found.difference is None


def test_systems_that_give_one_answer_nearly_always_are_not_testable(tmp_path):
    found = verdict(tmp_path, HIGH, LOW, answer=0.95)
    assert found.verdict == "not testable"
    assert "both give one answer nearly always" in found.reason


def test_a_column_without_a_floor_is_not_testable(tmp_path):
    found = verdict(tmp_path, HIGH, LOW, floor=None)
    assert found.reason == "no floor was computed to compare them with"


def average(tmp_path, testable):
    world = World(tmp_path)
    rows = [row("over", paper="over"), row("under", paper="under")]
    world.tables.append(table("mine", rows, superglue(), average=True))
    for name, level in (("over", 0.75), ("under", 0.65)):
        for p in range(4):
            for task, metrics in SUPERGLUE.items():
                value = level + (p - 1.5) / 100
                value = value if task in testable else 1.2 - value
                floor = 0.4 if task in testable else 0.9
                values: dict[str, Any] = dict.fromkeys(metrics, value)
                world.put(cell("mine", name, task, p), floor=floor, **values)
    return claims.check(built(world), [claim("avg")])[0]


def test_an_averages_verdict_comes_from_its_testable_columns(tmp_path):
    found = average(tmp_path, {"copa", "rte", "cb"})
    assert found.columns == ("copa", "rte", "cb")
    assert found.verdict == "supported"
    assert present(found.difference).mean == pytest.approx(10)
    assert "over the 3 of 8 columns that are testable" in found.reason


def test_an_average_without_a_testable_column_has_no_verdict(tmp_path):
    assert average(tmp_path, set()).verdict == "not testable"


# ---- the family


def test_a_system_that_was_not_run_is_not_comparable_and_no_part_of_the_family(tmp_path):
    world = World(tmp_path)
    two(world, "copa", HIGH, LOW)
    asked = [claim("copa.acc"), claim("copa.acc", id="gone", under="T5_Large")]
    found = claims.check(built(world), asked)
    assert (found[1].verdict, found[1].reason) == ("not comparable", "T5_Large was not run here")
    assert [v.tested for v in found] == [True, False]


def test_a_system_that_is_not_the_papers_gets_no_verdict(tmp_path):
    world = World(tmp_path)
    two(world, "copa", HIGH, LOW)
    (found,) = claims.check(built(world), [claim("copa.acc", differs="ours is told the lengths")])
    assert (found.verdict, found.reason) == ("not comparable", "ours is told the lengths")


def test_what_is_found_alone_may_not_outlive_the_correction_for_many(tmp_path):
    world = World(tmp_path)
    rows = [row(name, paper=name) for name in ("over", *(f"u{i}" for i in range(9)))]
    world.tables.append(table("mine", rows, [column("copa")]))
    for p, shift in enumerate((0.0, 0.01, 0.02, 0.03)):
        world.put(cell("mine", "over", "copa", p), floor=0.2, acc=0.63 + shift)
        for i in range(9):
            value = 0.6 + shift if i == 0 else 0.6 + (shift, -shift)[p % 2] + (i + 12) / 500
            world.put(cell("mine", f"u{i}", "copa", p), floor=0.2, acc=value)
    family = [claim("copa.acc", id=f"k{i}", under=f"u{i}") for i in range(9)]
    (alone,) = claims.check(built(world), family[:1])
    found = claims.check(tables.build(world.root, "g"), family)
    assert alone.verdict == "supported"
    assert found[0].verdict == "inconclusive"
    assert found[0].p_holm == pytest.approx(9 * present(alone.p))
    assert "but not after Holm's correction over 9" in found[0].reason


def test_claims_that_turn_out_not_testable_stay_in_the_count(tmp_path):
    world = World(tmp_path)
    rows = [row(name, paper=name) for name in ("over", "under", "low1", "low2")]
    world.tables.append(table("mine", rows, [column("copa"), column("rte")]))
    for p in range(3):
        for name, level in (("over", 0.7), ("under", 0.6), ("low1", 0.5), ("low2", 0.5)):
            world.put(cell("mine", name, "copa", p), floor=0.2, acc=level + p / 50)
            world.put(cell("mine", name, "rte", p), floor=0.9, acc=level + p / 50)
    family = [claim("copa.acc"), claim("rte.acc", id="shut", over="low1", under="low2")]
    found = claims.check(built(world), family)
    assert found[1].verdict == "not testable"
    assert found[0].p_holm == pytest.approx(min(1.0, 2 * present(found[0].p)))


def test_a_pair_that_two_tables_repeat_is_tested_once(tmp_path):
    world = World(tmp_path)
    two(world, "copa", HIGH, LOW)
    again = [row("over", paper="over", variant="over"), row("under", paper="under")]
    world.tables.append(table("again", again, [column("copa")]))
    world.cells += [{**one, "table": "again"} for one in world.cells]
    found = claims.check(built(world), [claim("copa.acc"), claim("copa.acc", id="k2", of="again")])
    assert [v.repeats for v in found] == ["", "k"]
    assert [v.verdict for v in found] == ["supported", "supported"]
    assert claims.counts(found)["supported"] == 1
    assert found[0].p_holm == found[0].p


def test_a_number_that_is_missing_leaves_a_claim_untested_with_the_reason(tmp_path):
    world = World(tmp_path)
    two(world, "copa", [None, None], LOW)
    (found,) = claims.check(built(world), [claim("copa.acc")])
    assert found.verdict == "not testable"
    assert "Over lacks a number: out of memory" in found.reason


# ---- lost runs and budgets


def test_lost_runs_are_counted_and_the_worst_case_stands_beside_the_verdict(tmp_path):
    found = verdict(tmp_path, [*HIGH, None], LOW)
    assert found.lost == (1, 0)
    assert found.verdict == "supported"
    # Of the side that leads the lost run counts as the floor: 20 instead of about 71.
    assert present(found.worst).mean == pytest.approx((70 + 71 + 72 + 70.5 + 20) / 5 - 50.75)
    assert "1 and 0 runs without a number: at worst +10.0" in checklist.why(found)


def spent(tmp_path, targets):
    world = World(tmp_path)
    two(world, "copa", HIGH, LOW)
    for name, count in targets.items():
        for p in range(4):
            world.pretrained(f"pretrain/{name}-{p}", targets=count)
    runs = ledger.pretrainings(scores.manifest(world.write(), "g"))
    return claims.check(built(world), [claim("copa.acc")], runs, "positions")[0].budget


def test_a_verdict_says_whether_it_holds_by_a_second_unit_of_budget(tmp_path):
    assert spent(tmp_path / "a", {"over": 3000, "under": 1000}) == (
        "holds by positions, not by targets: the better side had 3 times as many"
    )
    assert spent(tmp_path / "b", {"over": 1000, "under": 3000}) == (
        "holds by positions and by targets: the better side had no more of them"
    )


def test_without_ledgers_nothing_is_said_of_a_second_unit(tmp_path):
    assert spent(tmp_path, {"over": 3000}) == ""


# ---- the paper's own claims


def test_one_model_asked_in_two_ways_is_paired_by_its_pretraining(tmp_path):
    world = World(tmp_path)
    rows = [row("bi", paper="GLM_Doc_bi"), row("uni", paper="GLM_Doc_uni")]
    world.tables.append(table("figure4", rows, [column("heldout", ("ppl",))]))
    for p, level in enumerate((10.0, 14.0, 12.0, 17.0)):
        for name, factor in (("bi", 0.9), ("uni", 1.0 + p / 500)):
            here = cell("figure4", name, "heldout", p, None) | {"pretrain": f"pretrain/doc-{p}"}
            world.put(here, ppl=level * factor, **PPL)
    found = next(v for v in claims.check(built(world)) if v.claim.id == "f4-bi-ppl")
    assert found.verdict == "supported"  # the models differ far more than the two ways
    difference = present(found.difference)
    assert present(difference.high) - present(difference.low) < 0.02


def test_the_papers_own_difference_carries_the_weaker_status(tmp_path):
    world = World(tmp_path)
    rows = [row("bi", paper="GLM_Doc_bi"), row("uni", paper="GLM_Doc_uni")]
    world.tables.append(table("figure4", rows, [column("heldout", ("ppl",))]))
    found = next(v for v in claims.check(built(world)) if v.claim.id == "f4-bi-ppl")
    assert (round(present(found.printed), 1), found.printed_status) == (0.2, "recalled")


def test_table_1s_claims_are_backed_by_confirmed_numbers(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("table1", [row("glm", paper="GLM_Large")], superglue()))
    found = claims.check(built(world))
    first = next(v for v in found if v.claim.id == "t1-bert-large")
    assert (round(present(first.printed), 1), first.printed_status) == (5.0, "confirmed")
    assert claims.counts(found)["not comparable"] == len(found)


def test_a_claim_about_the_average_is_asked_of_a_part_of_its_columns_and_says_so(tmp_path):
    world = World(tmp_path)
    rows = [row("glm", paper="GLM_Large"), row("doc", paper="GLM_Doc")]
    world.tables.append(table("table1", rows, [column("copa"), column("rte")], average=True))
    for name, level in (("glm", 0.8), ("doc", 0.7)):
        for p in range(4):
            for task in ("copa", "rte"):
                world.put(cell("table1", name, task, p), floor=0.5, acc=level + p / 100)
    found = next(v for v in claims.check(built(world)) if v.claim.id == "t1-doc")
    assert found.verdict == "supported" and found.printed is None
    assert present(found.difference).mean == pytest.approx(10)
    assert found.reason.endswith("an average of copa, rte, the paper's is of 8")


def test_only_claims_about_the_grids_tables_are_asked(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("glm")], [column("copa")]))
    assert claims.check(built(world)) == []


def test_the_checklist_tells_the_family_and_marks_what_is_recalled(tmp_path):
    world = World(tmp_path)
    rows = [row("bi", paper="GLM_Doc_bi"), row("uni", paper="GLM_Doc_uni")]
    world.tables.append(table("figure4", rows, [column("heldout", ("ppl",))]))
    for p in range(3):
        for name, level in (("bi", 50.0), ("uni", 60.0)):
            world.put(cell("figure4", name, "heldout", p, None), ppl=level + p, **PPL)
    text = checklist.markdown(claims.check(built(world)))
    assert "1 supported" in text
    assert "| supported | " in text
    assert "recalled ≈" in text
    assert "paper +" not in text
    assert "One family of 2 claims, 1 of them tested" in text  # LAMBADA has no column here


def test_a_floor_in_bits_is_told_with_the_digits_that_it_needs(tmp_path):
    bits = {"unit": "bits", "higher": False, "floor": 0.742}
    found = verdict(tmp_path, [0.80, 0.81, 0.79], [0.9, 0.91, 0.92], "heldout", "bpb", **bits)
    assert "gives 0.742" in found.reason
