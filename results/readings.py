"""What can be read off the drawings of curves: their values, for a pointer and as tables.

A panel of a drawing is where matplotlib has put it; the page's script needs to know only what its
horizontal axis spans, and the lines in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from results import curves
from results.curves import SPENT
from results.learning_curves import AXES, Point, amount
from results.ledger import Pretraining

ROWS = 6  # places of a loss curve that its table shows
MOST = 80  # points of a line that a pointer finds

Panel = Mapping[str, Any]


def loss(runs: Sequence[Pretraining]) -> list[Panel]:
    """The panels of the loss, in the order drawn."""
    groups = curves.variants(runs)
    if not groups:
        return []
    low, high = curves.limits([at for group in groups.values() for r in group for at, _ in r.curve])
    return [
        {
            "name": variant,
            "axis": "steps",
            "log": False,
            "from": low,
            "to": high,
            "lines": [[f"seed {run.seed}", _some(run.curve, MOST)] for run in group],
        }
        for variant, group in groups.items()
    ]


def scores(points: Sequence[Point]) -> list[Panel]:
    """The panels of scores on the way, row by row as drawn."""
    found = []
    for (_, column, metric), own in curves.panels(points).items():
        for unit in SPENT:
            spent = [point.spent[unit] for point in own if unit in point.spent]
            low, high = curves.limits(spent, logarithmic=True) if spent else (1.0, 1.0)
            lines: dict[str, list[tuple[float, float]]] = {}
            for point in own:
                if unit in point.spent and point.value is not None:
                    name = f"{point.label}, seed {point.seed}"
                    lines.setdefault(name, []).append((point.spent[unit], point.value))
            found.append(
                {
                    "name": f"{column} {metric}",
                    "axis": AXES[unit],
                    "log": True,
                    "from": low,
                    "to": high,
                    "lines": [[name, sorted(line)] for name, line in lines.items()],
                }
            )
    return found


def loss_table(runs: Sequence[Pretraining]) -> list[tuple[str, str, list[str]]]:
    """Variant, seed, and the loss at some steps, of every pretraining that has a curve."""
    return [
        (variant, str(run.seed), [f"{loss:.3f} at {amount(at)}" for at, loss in _some(run.curve)])
        for variant, group in curves.variants(runs).items()
        for run in group
    ]


def score_table(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """Every point that has a value: what, whose, which seed, at what cost, and the value."""
    return [
        (
            f"{column} {metric}",
            point.label,
            str(point.seed),
            *(amount(point.spent[unit]) if unit in point.spent else "–" for unit in SPENT),
            f"{point.value:.4g}",
        )
        for (_, column, metric), own in curves.panels(points).items()
        for point in own
    ]


def _some(curve: Sequence[tuple[int, float]], count: int = ROWS) -> list[tuple[int, float]]:
    """At most `count` points, evenly spaced, the first and the last among them."""
    if len(curve) <= count:
        return list(curve)
    return [curve[i * (len(curve) - 1) // (count - 1)] for i in range(count)]
