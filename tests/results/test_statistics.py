"""Our intervals and tests agree with scipy's, and refuse what a number cannot say."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from results import statistics

A = [71.2, 69.8, 73.5, 70.1, 72.2]
B = [70.0, 69.9, 71.0, 69.2, 70.3]


def test_mean_and_deviation_and_t_interval_are_scipys():
    found = statistics.summary(A)
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(A), scipy.stats.sem(A))
    assert found.mean == pytest.approx(np.mean(A))
    assert found.sd == pytest.approx(np.std(A, ddof=1))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_value_has_neither_deviation_nor_interval():
    assert statistics.summary([71.0]) == statistics.Summary(1, 71.0)
    assert statistics.paired([71.0], [60.0]) == statistics.Difference(1, 11.0)


def test_values_without_spread_have_no_interval():
    found = statistics.summary([50.0, 50.0, 50.0])
    assert (found.sd, found.low, found.high) == (0.0, None, None)
    assert statistics.paired([3.1, 2.1], [2.1, 1.1]).sign == 0


def test_no_mean_of_nothing():
    with pytest.raises(ValueError, match="no mean"):
        statistics.summary([])


def test_paired_difference_is_scipys_paired_t_test():
    found = statistics.paired(A, B)
    known = scipy.stats.ttest_rel(A, B)
    ends = known.confidence_interval(0.95)
    assert found.p == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert found.mean == pytest.approx(np.mean(A) - np.mean(B))


def test_sign_says_on_which_side_of_zero_the_interval_lies():
    assert statistics.paired([5.0, 6.0, 7.0], [1.0, 2.1, 3.0]).sign == 1
    assert statistics.paired([1.0, 2.1, 3.0], [5.0, 6.0, 7.0]).sign == -1
    assert statistics.paired([1.0, 9.0], [5.0, 6.0]).sign == 0


def test_permutation_is_scipys_exact_one():
    differences = np.subtract(A, B)
    known = scipy.stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert statistics.permutation_p(differences) == pytest.approx(known.pvalue)


def test_permutation_of_many_differences_is_drawn_and_needs_a_generator():
    differences = np.random.default_rng(0).normal(0.5, 1, 40)
    drawn = statistics.permutation_p(differences, np.random.default_rng(1))
    assert drawn == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert drawn == statistics.permutation_p(differences, np.random.default_rng(1))
    with pytest.raises(ValueError, match="generator"):
        statistics.permutation_p(differences)


def test_bootstrap_is_near_scipys_percentile_interval():
    values = np.random.default_rng(0).integers(-1, 2, 200).astype(float)
    found = statistics.bootstrap(values, np.random.default_rng(1))
    known = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.02)
    assert statistics.bootstrap([1.0, 1.0], np.random.default_rng(0)).low is None


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (56, 56), (1, 2), (41, 56)])
def test_wilson_is_scipys(hits, n):
    known = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert statistics.wilson(hits / n, n) == pytest.approx((known.low, known.high))


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_proportion_and_stays_in_range(n, data):
    fraction = data.draw(st.integers(0, n)) / n
    low, high = statistics.wilson(fraction, n)
    assert 0 <= low <= fraction + 1e-12
    assert fraction - 1e-12 <= high <= 1


def test_wilson_of_no_proportion_is_refused():
    with pytest.raises(ValueError, match="no proportion"):
        statistics.wilson(1.2, 10)


def test_holm_steps_down():
    # Worked by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04 raised to the one before.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
