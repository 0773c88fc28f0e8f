"""Intervals cover and verdicts err as often as they say: simulated runs through the real code.

Every bound allows for the simulation's own error, two and a half binomial deviations. The longer
form, with the table that `docs/statistics.md` shows, is `bench/calibration.py`.
"""

import math

import numpy as np
import pytest

from results import claims, items
from results.cells import summary
from results.samples import Sample
from tasks.sums import COMBINATIONS
from tests.present import present
from tests.results import simulation
from tests.results.simulation import SCENARIOS, World, coverage, drawn, false_verdicts

DRAWS = 400


def slack(share: float, count: int) -> float:
    """What simulating `count` times may be off by."""
    return 2.5 * math.sqrt(share * (1 - share) / count)


@pytest.fixture(scope="module")
def simulated():
    """Every scenario, drawn: two systems of equal accuracy in each of many columns."""
    return {
        name: drawn(world, (70, 70), DRAWS, np.random.default_rng(seed))
        for seed, (name, world) in enumerate(SCENARIOS.items())
    }


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("estimand", ["such texts", "this test set"])
def test_intervals_cover_93_to_97_percent(simulated, name, estimand):
    inside = coverage(simulated[name], estimand)
    assert len(inside) >= 1.9 * DRAWS
    allowed = slack(0.95, len(inside))
    assert 0.93 - allowed < np.mean(inside) < 0.97 + allowed


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_claim_that_is_not_true_gets_a_verdict_in_at_most_6_percent(simulated, name):
    table = simulated[name].table
    wrong = [v for one in simulation.claims(DRAWS) for v in false_verdicts(table, [one])]
    assert np.mean(wrong) <= 0.06 + slack(0.06, DRAWS)


def test_a_family_of_nine_has_a_false_verdict_in_at_most_6_percent(simulated):
    asked = simulation.claims(DRAWS)
    wrong = [
        any(false_verdicts(found.table, asked[first : first + 9]))
        for found in simulated.values()
        for first in range(0, DRAWS - 8, 9)
    ]
    assert np.mean(wrong) <= 0.06 + slack(0.06, len(wrong))


def test_one_pretraining_decides_nothing_whatever_its_finetunings_say():
    world = World(pretrain=1, finetune=3, seed=0.3)
    found = drawn(world, (70, 70), 40, np.random.default_rng(0))
    assert coverage(found, "such texts") == []
    verdicts = claims.check([found.table], simulation.claims(40))
    assert {v.verdict for v in verdicts} == {"inconclusive"}


def test_two_points_apart_is_called_equivalent_in_at_most_6_percent():
    world = World(pretrain=5, finetune=2, n=2000, seed=0.02, tuning=0.02, own=0.1)
    apart = drawn(world, (71, 69), DRAWS, np.random.default_rng(1))
    alike = drawn(world, (70, 70), 60, np.random.default_rng(2))
    asked = simulation.claims(DRAWS)
    checked = [claims.check([apart.table], [one])[0] for one in asked]
    wrong = [present(verdict.equivalence_p) <= 0.05 for verdict in checked]
    right = [claims.check([alike.table], [one])[0].verdict == "equivalent" for one in asked[:60]]
    assert np.mean(wrong) <= 0.06 + slack(0.06, DRAWS)
    assert np.mean(right) > 0.5  # and it is found where it is so


def test_systems_at_the_floor_get_no_verdict_from_an_average():
    wrong = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = drawn(World(n=100), (50, 50), 8, rng, floor=50.0)
        average = simulation.Claim(
            "avg", simulation.TABLE, "r0", "r1", tuple(f"c{i}.acc" for i in range(8)), "", "", ()
        )
        wrong += false_verdicts(found.table, [average])
    assert np.mean(wrong) <= 0.06


def test_a_second_copy_of_the_reference_is_marked_in_at_most_5_of_100_grids():
    marked = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found = drawn(World(n=150, finetune=1), (70, 70, 76, 64), 4, rng)
        copy = next(line for line in found.table.lines if line.id == "r1")
        marked.append(any(entry.marked for entries in copy.cells.values() for entry in entries))
    assert np.mean(marked) <= 0.05


CORPUS = {
    "f1": (simulation.f1_sums, "f1", "fraction"),
    "perplexity": (simulation.perplexity_sums, "perplexity", "ppl"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_the_jackknife_covers_a_metric_of_the_whole_corpus(name):
    draw, combine, unit = CORPUS[name]
    rng = np.random.default_rng(7)
    to, back = items.scale(unit).to, items.scale(unit).back
    many = [draw(rng, 20_000, 0.15 * rng.normal()).sum(0) for _ in range(150)]
    truth = back(float(np.mean([to(COMBINATIONS[combine](sums)) for sums in many])))

    inside = []
    labels = tuple(map(str, range(60)))
    for _ in range(DRAWS):
        # The runs of one draw read the same documents: only their seeds differ.
        state = rng.integers(2**32)
        runs = [draw(np.random.default_rng(state), 60, 0.15 * rng.normal()) for _ in range(4)]
        sample = Sample(
            {(p, 0): float(to(COMBINATIONS[combine](sums.sum(0)))) for p, sums in enumerate(runs)},
            {(p, 0): items.effects(sums, labels, combine, unit) for p, sums in enumerate(runs)},
        )
        said = present(summary(sample, unit))
        inside.append(present(said.low) <= truth <= present(said.high))
    allowed = slack(0.95, DRAWS)
    assert 0.93 - allowed < np.mean(inside) < 0.97 + allowed
