"""Scores on the way of pretrainings: where one system passes another, and who was still learning.

A grid with `curve:` measures what needs no finetuning at points of every pretraining. Each point
knows what had been spent up to there, so that systems are compared at equal positions, targets,
FLOPs or device-seconds, whichever a reader cares for.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from typing import Any

from results import ledger, scores, setting
from results.ledger import Pretraining, shown
from results.scores import Manifest
from results.statistics import LEVEL, student

AXES = {
    "positions": "positions",
    "targets": "targets",
    "flops": "FLOPs",
    "seconds": "device-seconds",
}
LAST = 0.1  # of the steps, over which a loss is looked at
LEAST = 5  # lines of a loss curve that a trend is read from
LEVEL_LOSS = 0.005  # a change of the loss over those steps that counts as none

Track = Sequence[tuple[float, float]]  # (spent, value), in the order of the steps


@dataclass(frozen=True)
class Point:
    """A score of one pretraining after some of its steps; `value` is None where there is none."""

    table: str
    row: str
    label: str
    column: str
    metric: str
    seed: int | str
    step: int
    spent: Mapping[str, float]  # by the names of AXES
    value: float | None
    higher_is_better: bool
    status: str
    reason: str


@dataclass(frozen=True)
class Crossing:
    """Where a row passes another for good, in one unit, over the seeds of both.

    `at` is the geometric mean over seeds with a Student interval on the log scale: None where not
    every seed crosses, or there is one only. `first` and `last` bound what was measured.
    """

    axis: str
    at: float | None
    low: float | None
    high: float | None
    first: float
    last: float
    seeds: int
    crossed: int
    ahead: int  # seeds in which it was ahead from the first point on


# --- reading


def points(grid: Manifest) -> list[Point]:
    """Every point of every curve, the ends of the pretrainings included."""
    found = []
    for cell in grid.cells:
        if not cell.get("curve"):
            continue
        ends = [{**cell, **point} for point in cell["curve"]] + [dict(cell)]
        for end in ends:
            spent, _ = ledger.read(grid, end.get("pretrain"))
            at = int(end.get("step") or spent.get("steps") or 0)
            for record in scores.records(replace(grid, cells=(end,))):
                found.append(_point(grid, record, at, spent))
    return found


def _point(grid: Manifest, record: Mapping[str, Any], at: int, spent: Mapping[str, Any]) -> Point:
    table = next(each for each in grid.tables if each["id"] == record["table"])
    done = record["status"] == "done"
    return Point(
        table=record["table"],
        row=record["row"],
        label=str(setting.labels(grid, table).get(record["row"]) or record["row"]),
        column=record["column"],
        metric=record["metric"],
        seed=record["pretrain_seed"],
        step=at,
        spent={axis: float(spent[axis]) for axis in AXES if spent.get(axis)},
        value=record["value"] if done else None,
        higher_is_better=bool(record.get("higher_is_better", True)),
        status=record["status"],
        reason=record["reason"],
    )


def table(found: Sequence[Point]) -> str:
    """The points as CSV, one a line, those without a number with their reason."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fixed = ("table", "row", "column", "metric", "seed", "step")
    writer.writerow([*fixed, *AXES, "value", "status", "reason"])
    for point in found:
        spent = [point.spent.get(axis, "") for axis in AXES]
        value = "" if point.value is None else point.value
        own = [getattr(point, name) for name in fixed]
        writer.writerow([*own, *spent, value, point.status, point.reason])
    return out.getvalue()


def track(found: Sequence[Point], axis: str) -> list[tuple[float, float]]:
    """The points of one seed as (spent, value), those without a number left out."""
    whole = [(point.spent[axis], point.value) for point in found if axis in point.spent]
    return sorted((spent, value) for spent, value in whole if value is not None)


# --- crossings


def passing(one: Track, other: Track) -> float:
    """What had been spent when `one` rose above `other` to stay there.

    0 where it is above from the first common point on, infinity where it is not at the last.
    Between points both are taken to be straight in the logarithm of what is spent.
    """
    first, last = _common(one, other)
    if not first <= last:
        return math.inf
    places = sorted({first, last, *(x for x, _ in (*one, *other) if first <= x <= last)})
    ahead = [_at(one, x) - _at(other, x) for x in places]
    if ahead[-1] <= 0:
        return math.inf
    behind = [i for i, difference in enumerate(ahead) if difference <= 0]
    if not behind:
        return 0.0
    i = behind[-1]
    share = -ahead[i] / (ahead[i + 1] - ahead[i])
    return places[i] * (places[i + 1] / places[i]) ** share


def _common(one: Track, other: Track) -> tuple[float, float]:
    """The range in which both were measured; empty (infinity to 0) where one has no point."""
    if not one or not other:
        return math.inf, 0.0
    return max(one[0][0], other[0][0]), min(one[-1][0], other[-1][0])


def _at(of: Track, x: float) -> float:
    """The value at `x`, straight between its neighbours in log x."""
    for (left, low), (right, high) in pairwise(of):
        if left <= x <= right and left < right:
            return low + (high - low) * math.log(x / left) / math.log(right / left)
    return of[0][1] if x <= of[0][0] else of[-1][1]


def crossing(one: Sequence[Track], other: Sequence[Track], axis: str) -> Crossing | None:
    """Where `one` passes `other`, seed by seed; None unless it ends ahead in every seed.

    The tracks rise where a system gets better, and stand in the order of their seeds.
    """
    places = [passing(a, b) for a, b in zip(one, other, strict=True)]
    if not places or math.inf in places:
        return None
    ranges = [_common(a, b) for a, b in zip(one, other)]
    crossed = [math.log(place) for place in places if place]
    at = low = high = None
    if len(crossed) == len(places):
        mean = sum(crossed) / len(crossed)
        at = math.exp(mean)
        if len(crossed) > 1:
            freedom = len(crossed) - 1
            variance = sum((value - mean) ** 2 for value in crossed) / freedom
            half = student(1 - LEVEL, freedom) * math.sqrt(variance / len(crossed))
            low, high = math.exp(mean - half), math.exp(min(mean + half, 700.0))
    bounds = min(first for first, _ in ranges), max(last for _, last in ranges)
    ahead = len(places) - len(crossed)
    return Crossing(axis, at, low, high, *bounds, len(places), len(crossed), ahead)


def crossings(found: Sequence[Point]) -> list[str]:
    """A sentence for every row that passes another of its table in a column."""
    curves: dict[tuple[str, str, str], dict[str, dict[Any, list[Point]]]] = {}
    for point in found:
        rows = curves.setdefault((point.table, point.column, point.metric), {})
        rows.setdefault(point.row, {}).setdefault(point.seed, []).append(point)
    said = []
    for (_, column, metric), rows in curves.items():
        for one, other in permutations(rows.values(), 2):
            sentence = _passes(one, other)
            said += [f"{column} {metric}: {sentence}"] if sentence else []
    return said


def _passes(one: Mapping[Any, list[Point]], other: Mapping[Any, list[Point]]) -> str:
    """ "GLM passes BERT at 6.1M [4.4M, 8.0M] positions, 2.1e+13 FLOPs"; "" where it does not.

    In units in which it does not in every seed, what it does there is said instead.
    """
    seeds = [seed for seed in one if seed in other]
    if not seeds:
        return ""
    sample, against = one[seeds[0]][0], other[seeds[0]][0]
    sign = 1 if sample.higher_is_better else -1
    places: list[str] = []
    others: list[str] = []
    for axis in AXES:
        tracks = [
            [[(x, sign * value) for x, value in track(side[seed], axis)] for seed in seeds]
            for side in (one, other)
        ]
        if not all(map(all, tracks)):
            continue  # not measured in this unit
        met = crossing(tracks[0], tracks[1], axis)
        if met is None:
            others.append(f"by {AXES[axis]} not ahead in every seed where both were last measured")
        elif met.at is None:
            others.append(f"by {AXES[axis]} ahead throughout in {met.ahead} of {met.seeds} seeds")
        else:
            places.append(worded(met))
    if not places:
        return ""
    told = f"{sample.label} passes {against.label} at {', '.join(places)}"
    seeded = f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}"
    return "; ".join([f"{told} ({seeded})", *others])


def worded(met: Crossing) -> str:
    """ "6.1M [4.4M, 8.0M] positions". An end outside of what was measured is said to be so."""
    name = AXES[met.axis]
    if met.at is None:
        return f"no single place in {name}"
    if met.low is None or met.high is None:
        return f"{amount(met.at)} {name}"
    low = f"<{amount(met.first)}" if met.low < met.first else amount(met.low)
    high = f">{amount(met.last)}" if met.high > met.last else amount(met.high)
    return f"{amount(met.at)} [{low}, {high}] {name}"


def amount(value: float) -> str:
    """A number in short: 950, 6.1M, 2.10e+13."""
    for size, letter in ((1e12, ""), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f}{letter}" if letter else shown("flops", value)
    return f"{value:.3g}"


# --- who was still learning


def trend(curve: Sequence[tuple[int, float]]) -> str:
    """What a loss did over the last tenth of its steps, in words.

    By a least-squares line through the loss there, its ends' difference relative to its mean, with
    a Student interval: falling (or rising) where this leaves out 0, level where it lies wholly
    within half a per cent.
    """
    from_step = curve[-1][0] * (1 - LAST) if curve else 0
    late = [(step, loss) for step, loss in curve if step >= from_step]
    if len(late) < LEAST:
        return "too few lines of its loss to say whether it was still falling"
    change, half = _slope(late)
    said = f"its loss changed by {100 * change:+.1f}% ± {100 * half:.1f} over the last tenth"
    if abs(change) + half <= LEVEL_LOSS:
        return f"{said}: level"
    if abs(change) <= half:
        return f"{said}: not to be told from none"
    return f"{said}: still falling" if change < 0 else f"{said}: rising"


def _slope(late: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The line's change from end to end and its interval's half, relative to the mean loss."""
    steps, losses = [float(step) for step, _ in late], [loss for _, loss in late]
    count, middle, mean = len(late), sum(steps) / len(late), sum(losses) / len(late)
    spread = sum((step - middle) ** 2 for step in steps)
    slope = sum((s - middle) * (loss - mean) for s, loss in zip(steps, losses)) / spread
    left = sum((loss - mean - slope * (s - middle)) ** 2 for s, loss in zip(steps, losses))
    error = math.sqrt(left / (count - 2) / spread)
    span = (steps[-1] - steps[0]) / mean
    return slope * span, student(1 - LEVEL, count - 2) * error * span


def markdown(found: Sequence[Point], runs: Sequence[Pretraining]) -> str:
    """Crossings, and what every pretraining's loss did at its end."""
    met = crossings(found)
    lines = ["## Where one system passes another", ""]
    lines += ["Seed by seed, with 95% intervals over the seeds. Whether the difference at the end"]
    lines += ["is more than chance is for the tables to say.", ""]
    lines += [f"- {sentence}" for sentence in met] or ["- Nowhere, in every seed alike."]
    lines += ["", "## At the end of each pretraining", ""]
    lines += [f"- {', '.join(run.labels)}, seed {run.seed}: {trend(run.curve)}." for run in runs]
    return "\n".join([*lines, ""])
