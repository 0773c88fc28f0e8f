"""Curves: where one system passes another, with an interval over seeds, and trends of a loss."""

import math
import random
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results import curves as drawn
from results import learning_curves as curves
from results import page
from results.learning_curves import Point
from results.scores import Manifest

SLOW = [(1e6, 10.0), (1e7, 30.0), (1e8, 50.0)]  # 20 points a decade
FAST = [(1e6, 0.0), (1e7, 40.0), (1e8, 80.0)]  # 40: passes the other half a decade on


def shifted(track, by):
    return [(x * by, value) for x, value in track]


def test_one_passes_the_other_where_the_lines_cross_in_the_logarithm():
    assert curves.passing(FAST, SLOW) == pytest.approx(10**6.5)


def test_who_is_ahead_throughout_passes_nowhere_and_who_ends_behind_never_does():
    higher = [(x, value + 50) for x, value in SLOW]
    assert curves.passing(higher, SLOW) == 0.0
    assert curves.passing(SLOW, higher) == math.inf
    assert curves.passing(SLOW, SLOW) == math.inf


def test_it_is_the_last_crossing_that_counts():
    wavy = [(1e6, 20.0), (1e7, 20.0), (1e8, 60.0)]
    assert curves.passing(wavy, SLOW) == pytest.approx(1e7 * 10 ** (10 / 20))


def test_nothing_is_compared_where_only_one_was_measured():
    assert curves.passing(shifted(FAST, 1e6), SLOW) == math.inf
    assert curves.passing(FAST, []) == math.inf
    longer = [(1e5, 99.0), *FAST]
    assert curves.passing(longer, SLOW) == pytest.approx(10**6.5)


@given(st.floats(0.01, 100), st.floats(1, 20))
def test_a_crossing_moves_with_the_unit_and_not_with_the_scores_own(by: float, add: float):
    one, other = shifted(FAST, by), shifted(SLOW, by)
    assert curves.passing(one, other) == pytest.approx(by * 10**6.5)
    one, other = ([(x, v + add) for x, v in track] for track in (one, other))
    assert curves.passing(one, other) == pytest.approx(by * 10**6.5)


def test_the_interval_over_seeds_is_students_on_the_log_scale():
    by = [0.8, 1.0, 1.4]
    met = curves.crossing(
        [shifted(FAST, b) for b in by], [shifted(SLOW, b) for b in by], "positions"
    )
    assert met is not None and (met.seeds, met.crossed, met.ahead) == (3, 3, 0)
    logs = [math.log(b * 10**6.5) for b in by]
    mean, error = sum(logs) / 3, float(stats.sem(logs))
    low, high = stats.t.interval(0.95, 2, mean, error)
    assert (met.at, met.low, met.high) == pytest.approx(tuple(map(math.exp, (mean, low, high))))
    assert curves.worded(met) == "3.3M [1.6M, 6.6M] positions"


def test_an_end_of_the_interval_outside_of_what_was_measured_is_said_to_be_so():
    by = [0.3, 3.0]
    met = curves.crossing(
        [shifted(FAST, b) for b in by], [shifted(SLOW, b) for b in by], "positions"
    )
    assert met is not None and curves.worded(met) == "3.0M [<300.0k, >300.0M] positions"


def test_one_seed_has_a_place_and_no_interval():
    met = curves.crossing([FAST], [SLOW], "flops")
    assert met is not None and curves.worded(met) == "3.2M FLOPs"


def test_a_crossing_needs_every_seed_to_end_ahead_and_says_where_some_were_always_ahead():
    always = [(x, value + 50) for x, value in SLOW]
    assert curves.crossing([FAST, SLOW], [SLOW, always], "flops") is None
    met = curves.crossing([FAST, always], [SLOW, SLOW], "flops")
    assert met is not None and (met.at, met.crossed, met.ahead) == (None, 1, 1)


def measured(row, seed, track, better=True, column="lambada"):
    return [
        Point(
            *("language", row, row.upper(), column, "acc", seed, step),
            spent={"positions": x, "flops": 2e6 * x, "seconds": x / 1e4},
            value=value,
            higher_is_better=better,
            status="done",
            reason="",
        )
        for step, (x, value) in enumerate(track, 1)
    ]


def test_a_sentence_says_who_passes_whom_and_at_how_much_of_everything():
    found = measured("glm", 0, FAST) + measured("bert", 0, SLOW)
    (said,) = curves.crossings(found)
    places = "3.2M positions, 6.32e+12 FLOPs, 316 device-seconds (1 seed)"
    assert said.startswith(f"lambada acc: GLM passes BERT at {places}")


def test_units_in_which_it_does_not_pass_in_every_seed_are_said_apart():
    dear = [
        replace(p, spent={**p.spent, "seconds": 30 * p.spent["seconds"]})
        for p in measured("glm", 0, FAST)
    ]
    (said,) = curves.crossings(dear + measured("bert", 0, SLOW))
    assert "GLM passes BERT at 3.2M positions, 6.32e+12 FLOPs (1 seed); by device-seconds" in said
    assert said.endswith("by device-seconds not ahead in every seed where both were last measured")


def test_of_a_perplexity_the_lower_is_ahead():
    found = measured("glm", 0, FAST, better=False) + measured("bert", 0, SLOW, better=False)
    (said,) = curves.crossings(found)
    assert "BERT passes GLM at 3.2M positions" in said


def test_a_point_without_a_number_is_in_the_file_with_its_reason_and_in_no_curve():
    whole = measured("glm", 0, FAST)
    lost = replace(whole[1], value=None, status="failed", reason="no memory")
    found = [whole[0], lost, whole[2]]
    lines = curves.table(found).splitlines()
    assert lines[0].startswith("table,row,column,metric,seed,step,positions,targets,flops,seconds")
    assert lines[2].endswith(",,failed,no memory")
    assert len(curves.track(found, "positions")) == 2


def falling(by: float, noise: float) -> list[tuple[int, float]]:
    """A loss of 2 that changes by the share `by` over the last tenth of 2,000 steps."""
    rng = random.Random(0)
    return [
        (step, 2 - 2 * by * (1800 - step) / 200 + rng.gauss(0, noise))
        for step in range(10, 2001, 10)
    ]


@pytest.mark.parametrize(
    "by, noise, said",
    [
        (-0.02, 0.005, "still falling"),
        (0.02, 0.005, "rising"),
        (0.0, 0.001, "level"),
        (0.0, 0.1, "not to be told from none"),
    ],
)
def test_a_loss_that_falls_is_told_from_one_that_is_level_and_from_noise(by, noise, said):
    assert curves.trend(falling(by, noise)).endswith(said)


def test_the_trend_is_that_of_a_least_squares_line():
    curve = falling(-0.02, 0.005)
    late = [(step, loss) for step, loss in curve if step >= 1800]
    steps, losses = zip(*late)
    fit: Any = stats.linregress(steps, losses)  # its types do not know its fields
    change = fit.slope * 200 / (sum(loss for _, loss in late) / len(late))
    half = stats.t.ppf(0.975, len(late) - 2) * fit.stderr / fit.slope * change
    assert f"{100 * change:+.1f}% ± {100 * abs(half):.1f} over" in curves.trend(curve)


def test_a_short_loss_curve_has_no_trend():
    assert curves.trend([]).startswith("too few lines")
    assert curves.trend([(10, 2.0), (20, 1.5)]).startswith("too few lines")


def test_the_figure_has_a_line_and_a_band_for_every_row_and_is_drawn_once(tmp_path):
    svg = tmp_path / "curves.svg"
    found = [p for seed in (0, 1) for p in measured("glm", seed, FAST)] + measured("b$", 0, SLOW)
    assert drawn.scores(found, svg)
    text = " ".join(ET.fromstring(svg.read_bytes()).itertext())
    assert "GLM" in text and "B$" in text and "FLOPs" in text
    svg.touch()
    before = svg.stat().st_mtime_ns
    assert drawn.scores(found, svg) and svg.stat().st_mtime_ns == before
    assert not drawn.scores([], tmp_path / "none.svg")


def test_the_page_has_the_figure_where_there_is_one_and_leads_to_the_numbers(tmp_path):
    svg = tmp_path / "curves.svg"
    assert drawn.scores(measured("glm", 0, FAST) + measured("b", 0, SLOW), svg)
    grid = Manifest(tmp_path, "g", (), (), {})
    drawings = {"curves": svg.read_text(encoding="utf-8")}
    shown = page.index(grid, [], [], [], [], [], drawings)
    assert 'aria-label="Scores against what pretraining had spent"' in shown
    assert '<a href="#curves">' in shown and '<a href="curves.csv">' in shown
    assert "Scores on the way" not in page.index(grid, [], [], [], [], [], {})
