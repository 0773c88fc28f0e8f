"""Our intervals and tests agree with scipy's where it has them, and refuse what cannot be said."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from results import samples, statistics
from results.items import Effects, effects
from results.samples import Sample
from results.statistics import Error
from tests.present import present

A = [71.2, 69.8, 73.5, 70.1, 72.2]
B = [70.0, 69.9, 71.0, 69.2, 70.3]


def sample(values, folder="", examples=None):
    """A sample with one run for each value; `examples` holds each run's values by example."""
    known = {}
    for p, rows in enumerate(examples if examples is not None else ()):
        sums = np.stack([np.asarray(rows, dtype=float), np.ones(len(rows))], axis=1)
        known[p, 0] = effects(sums, tuple(map(str, range(len(rows)))), "ratio", "fraction")
    return Sample(
        {(p, 0): value for p, value in enumerate(values)},
        known,
        {p: f"{folder}{p}" for p in range(len(values)) if folder},
    )


def p_value(test: Any) -> float:
    """Of a test of scipy's, whose types do not know it."""
    return test.pvalue


# ---- seeds


def test_over_seeds_alone_the_interval_is_students():
    found = present(samples.error(sample(A)))
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(A), scipy.stats.sem(A))
    half = found.quantile(0.05) * found.deviation
    assert (np.mean(A) - half, np.mean(A) + half) == pytest.approx((low, high))


def test_two_independent_systems_are_compared_by_welchs_test():
    found = present(samples.difference(sample(A), sample(B)))
    known: Any = scipy.stats.ttest_ind(A, B, equal_var=False)
    assert found.mean / present(found.error).deviation == pytest.approx(known.statistic)
    assert found.estimand == "this test set"
    # By hand: the variances of the means are 0.4666 and 0.0854, with 4 degrees of freedom each.
    freedom = (0.4666 + 0.0854) ** 2 / (0.4666**2 / 6 + 0.0854**2 / 6) - 2
    assert found.p == pytest.approx(
        2 * scipy.stats.t.sf(known.statistic, freedom),
    )


def test_with_many_seeds_it_is_scipys_welch_test():
    rng = np.random.default_rng(0)
    many = [list(rng.normal(70 + shift, 1 + shift, 200)) for shift in (0, 0.3)]
    known = scipy.stats.ttest_ind(*many, equal_var=False)
    found = present(samples.difference(sample(many[0]), sample(many[1])))
    assert found.p == pytest.approx(p_value(known), rel=0.02)


@pytest.mark.parametrize("spreads", [(1, 1), (1, 1.7), (1, 1e-4)])
@pytest.mark.parametrize("seeds", [2, 3])
def test_with_few_seeds_it_finds_what_is_not_there_in_about_one_of_twenty(seeds, spreads):
    rng = np.random.default_rng(seeds)
    runs_NAP = rng.normal(size=(3000, 2, seeds)) * np.array(spreads)[:, None]
    variances_NA = runs_NAP.var(-1, ddof=1) / seeds
    t_N = np.subtract(*runs_NAP.mean(-1).T) / np.sqrt(variances_NA.sum(-1))
    freedoms = [statistics.welch(pair, (seeds - 1,) * 2) for pair in variances_NA]
    wrong = 2 * scipy.stats.t.sf(np.abs(t_N), freedoms) <= 0.05
    assert 0.025 < np.mean(wrong) < 0.06
    plain = variances_NA.sum(-1) ** 2 * (seeds - 1) / (variances_NA**2).sum(-1)
    satterthwaite = 2 * scipy.stats.t.sf(np.abs(t_N), plain) <= 0.05
    assert np.mean(satterthwaite) <= np.mean(wrong)


def test_systems_on_the_same_pretrainings_are_compared_by_the_paired_test():
    found = present(samples.difference(sample(A, "model"), sample(B, "model")))
    known = scipy.stats.ttest_rel(A, B)
    ends = known.confidence_interval(0.95)
    assert found.p == pytest.approx(p_value(known))
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))


def test_equal_seed_numbers_of_models_pretrained_apart_are_no_pairs():
    apart = present(samples.difference(sample(A, "a"), sample(B, "b")))
    alone = present(samples.difference(sample(A), sample(B)))
    paired = present(samples.difference(sample(A, "m"), sample(B, "m")))
    assert apart.p == alone.p != paired.p


def test_a_pretraining_with_fewer_finetunings_weighs_as_much():
    found = samples.means(Sample({(1, 1): 60.0, (1, 2): 70.0, (2, 1): 80.0}))
    assert found.mean == 72.5
    assert found.seeds == pytest.approx(np.var([65, 80], ddof=1) / 2)


def test_one_pretraining_has_no_error_however_many_finetunings():
    assert samples.error(Sample({(1, f): 60.0 + f for f in range(9)})) is None
    found = present(samples.difference(Sample({(1, f): 60.0 + f for f in range(9)}), sample(A)))
    assert (found.error, found.low, found.p, found.detectable) == (None,) * 4


def test_values_without_spread_have_no_interval():
    assert samples.error(sample([50.0, 50.0, 50.0])) is None
    found = present(samples.difference(sample([3.1, 2.1], "m"), sample([2.1, 1.1], "m")))
    assert (found.mean, found.low) == (pytest.approx(1), None)


# ---- examples


def test_over_many_seeds_alike_the_interval_is_that_of_a_mean_over_examples():
    rng = np.random.default_rng(0)
    answers = rng.random((40, 200)) < 0.7
    answers[:] = answers[0]  # every seed answers alike but for a hair
    values = 100 * answers.mean(1) + 1e-6 * rng.normal(size=40)
    found = present(samples.error(sample(values, examples=answers)))
    assert found.deviation == pytest.approx(100 * scipy.stats.sem(answers[0].astype(float)))


def test_the_variance_of_a_mean_is_that_of_the_two_way_layout():
    # Searle: var(mean) = (MS seeds + MS examples - MS interaction) / (seeds x examples).
    rng = np.random.default_rng(1)
    table = rng.normal(size=(6, 1)) + 2 * rng.normal(size=(1, 50)) + rng.normal(size=(6, 50))
    rows, columns, whole = table.mean(1), table.mean(0), table.mean()
    ms_seeds = 50 * ((rows - whole) ** 2).sum() / 5
    ms_examples = 6 * ((columns - whole) ** 2).sum() / 49
    rest = table - rows[:, None] - columns + whole
    ms_rest = (rest**2).sum() / (5 * 49)
    found = present(samples.error(sample(100 * rows, examples=table)))
    wanted = 100**2 * (ms_seeds + ms_examples - ms_rest) / 300
    assert found.seeds + present(found.examples) == pytest.approx(wanted)
    assert (found.seeds_freedom, found.examples_freedom) == (5, 49)


def test_answers_about_one_text_are_not_independent():
    rng = np.random.default_rng(2)
    texts = rng.random(50) < 0.6
    single = np.stack([np.repeat(texts, 4), np.ones(200)], axis=1).astype(float)
    grouped = np.stack([4.0 * texts, np.full(50, 4.0)], axis=1)
    apart = effects(single, tuple(map(str, range(200))), "ratio", "fraction")
    together = effects(grouped, tuple(map(str, range(50))), "ratio", "fraction")
    ratio = (together.values_G**2).sum() / (apart.values_G**2).sum()
    assert ratio == pytest.approx(4 * 199 / 200 * 50 / 49)


def test_a_difference_is_paired_by_example():
    rng = np.random.default_rng(3)
    easy = rng.random(300)
    ours = easy + 0.05 + 0.01 * rng.normal(size=(8, 300))
    theirs = easy + 0.01 * rng.normal(size=(8, 300))
    a, b = (sample(100 * x.mean(1), f"{n}", examples=x) for n, x in (("a", ours), ("b", theirs)))
    paired = present(samples.difference(a, b))
    assert present(paired.error).deviation < 0.1
    assert present(samples.error(a)).deviation > 1


@pytest.mark.parametrize("combine", ["f1", "bleu"])
def test_effects_are_the_jackknifes(combine):
    rng = np.random.default_rng(4)
    sums = rng.integers(1, 9, size=(30, 10 if combine == "bleu" else 3)).astype(float)
    if combine == "bleu":
        sums[:, 6:] = sums[:, 2:6] + 3
    from tasks.sums import COMBINATIONS

    left = [100 * float(COMBINATIONS[combine](np.delete(sums, i, 0).sum(0))) for i in range(30)]
    wanted = 29 * np.var(left)
    found = effects(sums, tuple(map(str, range(30))), combine, "fraction")
    assert (found.values_G**2).sum() == pytest.approx(wanted)


def multibootstrap(values, rng, draws=6000):
    """Means of seeds and examples drawn with replacement (Sellam et al., 2022, section 3)."""
    seeds, examples = values.shape
    means = np.empty(draws)
    for draw in range(draws):
        rows = rng.multinomial(seeds, np.full(seeds, 1 / seeds)) / seeds
        columns = rng.multinomial(examples, np.full(examples, 1 / examples)) / examples
        means[draw] = rows @ values @ columns
    return np.quantile(means, [0.025, 0.975])


@pytest.mark.parametrize(("seeds", "n"), [(10, 1500), (25, 2000)])
def test_with_ten_seeds_the_interval_is_the_multibootstraps(seeds, n):
    rng = np.random.default_rng(seeds)
    level = 1.2 + 0.02 * rng.normal(size=(seeds, 1)) + 1.6 * rng.normal(size=(1, n))
    answers = (level + 0.4 * rng.normal(size=(seeds, n)) > 0).astype(float)
    values = 100 * answers.mean(1)
    error = present(samples.error(sample(values, examples=answers)))
    half = error.quantile(0.05) * error.deviation
    low, high = 100 * multibootstrap(answers, rng)
    assert values.mean() - half == pytest.approx(low, abs=0.1)
    assert values.mean() + half == pytest.approx(high, abs=0.1)


def test_columns_on_the_same_examples_share_them():
    one = Effects(("a", "b"), np.array([1.0, -1.0]))
    other = Effects(("c", "d"), np.array([1.0, -1.0]))
    first = Sample({(1, 1): 50.0}, {(1, 1): one})
    apart = samples.mixed([first, Sample({(1, 1): 70.0}, {(1, 1): other})], [0.5, 0.5])
    alike = samples.mixed([first, Sample({(1, 1): 70.0}, {(1, 1): one})], [0.5, 0.5])
    assert apart.values == alike.values == {(1, 1): 60.0}
    assert (apart.effects[1, 1].values_G ** 2).sum() == pytest.approx(1.0)
    assert (alike.effects[1, 1].values_G ** 2).sum() == pytest.approx(2.0)


# ---- quantiles, proportions, corrections


@given(st.sampled_from([1, 2, 4, 9]), st.floats(0.001, 1000), st.floats(0.0001, 0.5))
def test_quantile_and_p_value_are_inverse_and_between_the_parts(freedom, ratio, alpha):
    error = Error(ratio, freedom, 1.0, 200)
    found = error.quantile(alpha)
    ends = sorted((statistics.student(alpha, 200), statistics.student(alpha, freedom)))
    assert ends[0] <= found <= ends[1]
    assert error.p(found) == pytest.approx(alpha, rel=1e-4)


@pytest.mark.parametrize(("freedom", "low"), [(1, 0.93), (2, 0.945), (4, 0.945)])
def test_the_quantile_covers_whatever_share_seeds_have_in_the_variance(freedom, low):
    chi = scipy.stats.chi2.ppf((np.arange(400) + 0.5) / 400, freedom) / freedom
    for ratio in (0.05, 0.3, 1.0, 3.0, 10.0, 100.0):
        covered = []
        for seeds in ratio * chi:
            error = Error(seeds, freedom, 1.0)
            z = error.quantile(0.05) * error.deviation / math.sqrt(1 + ratio)
            covered.append(2 * scipy.stats.norm.cdf(z) - 1)
        assert low < np.mean(covered) < 0.972


@pytest.mark.parametrize("freedom", [1, 2, 4, 20])
def test_the_detectable_difference_is_found_with_80_percent_power(freedom):
    rng = np.random.default_rng(freedom)
    error = Error(1.0, freedom)
    seen = rng.normal(error.detectable(), 1, 200_000)
    spread = np.sqrt(rng.chisquare(freedom, 200_000) / freedom)
    assert np.mean(np.abs(seen / spread) > error.quantile(0.05)) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (56, 56), (1, 2), (41, 56)])
def test_wilson_is_scipys(hits, n):
    known = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    squared = statistics.student(0.05, math.inf) ** 2 / n
    assert statistics.wilson(hits / n, squared) == pytest.approx((known.low, known.high))


@given(st.floats(0, 1), st.floats(0, 1e6))
def test_wilson_holds_the_proportion_and_stays_in_range(fraction, squared):
    low, high = statistics.wilson(fraction, squared)
    assert 0 <= low <= fraction + 1e-9
    assert fraction - 1e-9 <= high <= 1


def test_holm_steps_down():
    # Worked by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04 raised to the one before.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([0.01], family=5) == pytest.approx([0.05])


@pytest.mark.parametrize(("rows", "each"), [(1, 5), (3, 4), (8, 3)])
def test_dunnetts_p_values_are_scipys(rows, each):
    rng = np.random.default_rng(rows)
    control, *others = (rng.normal(loc=i == 1, size=each) for i in range(rows + 1))
    known = scipy.stats.dunnett(*others, control=control, rng=np.random.default_rng(0))
    freedom = (rows + 1) * (each - 1)
    for t, p in zip(known.statistic, known.pvalue):
        found = statistics.dunnett(float(t), freedom, (math.sqrt(0.5),) * rows)
        assert found == pytest.approx(p, abs=1e-3)


def test_equivalence_is_two_one_sided_tests():
    found = present(samples.difference(sample(A, "m"), sample(B, "m")))
    gaps = np.subtract(A, B)
    known = max(
        p_value(scipy.stats.ttest_1samp(gaps, -3, alternative="greater")),
        p_value(scipy.stats.ttest_1samp(gaps, 3, alternative="less")),
    )
    assert found.equivalence(3.0) == pytest.approx(known)
    assert present(found.equivalence(0.1)) > 0.5
