"""Gates: whether a comparison of two systems in a column can mean anything.

Two systems that both lie at what is reached without understanding a question differ by luck. A
comparison is *testable* only if one of them stands above every floor of the column with its whole
interval, and not both give one answer nearly always. The reason why not is a sentence.
"""

from collections.abc import Mapping

from results import cells, samples, statistics
from results.cells import Entry
from tasks.metrics.floors import FLOORS

CONSTANT = 0.9  # the share of one answer above which a system counts as answering always alike


def untestable(a: Entry, b: Entry, among: int = 1) -> str:
    """Why `a` and `b` cannot be compared in their column, or "" where they can.

    `among` is how many columns are asked for one verdict: each interval is widened so that one
    column in twenty such sets, not one of twenty columns, passes by luck.
    """
    if not a.runs or not b.runs:
        return "one of the two has no number"
    if min(a.commonest or 0.0, b.commonest or 0.0) > CONSTANT:
        shares = f"{100 * (a.commonest or 0):.0f}% and {100 * (b.commonest or 0):.0f}%"
        return f"both give one answer nearly always ({shares} of their answers)"
    floors = _shared(a, b)
    if not floors and not (a.floors and b.floors):
        return "no floor was computed to compare them with"
    level = 1 - (1 - statistics.LEVEL) / among
    below = {side: obstacle(entry, floors, level) for side, entry in (("a", a), ("b", b))}
    if not all(below.values()):
        return ""
    name = below["a"] if below["a"] == below["b"] else _highest(floors, a)
    return f"neither stands above the floor with its interval: {_said(name, floors, a, b)}"


def obstacle(entry: Entry, floors: Mapping[str, float], level: float = statistics.LEVEL) -> str:
    """The first floor, the hardest first, above which an entry's interval does not lie; or ""."""
    ends = bounds(entry, level)
    own = {**floors, **{k: v for k, v in entry.floors.items() if k == "shuffled"}}
    ordered = sorted(own, key=lambda name: own[name], reverse=entry.higher_is_better)
    if ends is None:
        return ordered[0]
    above = (
        (lambda value: ends[0] > value)
        if entry.higher_is_better
        else (lambda value: ends[1] < value)
    )
    return next((name for name in ordered if not above(own[name])), "")


def bounds(entry: Entry, level: float = statistics.LEVEL) -> tuple[float, float] | None:
    """The interval that a gate reads: over seeds and examples, or where all seeds are alike (or
    there is one pretraining) over examples."""
    if entry.summary is None:
        return None
    error = samples.error(entry.sample)
    if error is None:
        return cells.examples(entry, level)
    return cells.interval(entry.sample.means.mean, error, entry.unit, level)


def _shared(a: Entry, b: Entry) -> dict[str, float]:
    """The column's floors, each at its hardest; how outputs mixed up score is a system's own."""
    best = max if a.higher_is_better else min
    found: dict[str, float] = {}
    for entry in (a, b):
        for name, value in entry.floors.items():
            if name != "shuffled":
                found[name] = best(found.get(name, value), value)
    return found


def _highest(floors: Mapping[str, float], entry: Entry) -> str:
    best = max if entry.higher_is_better else min
    return best(floors, key=lambda name: floors[name]) if floors else "shuffled"


def _said(name: str, floors: Mapping[str, float], a: Entry, b: Entry) -> str:
    value = floors.get(name)
    if value is None:
        value = max(entry.floors.get(name, 0.0) for entry in (a, b))
    return f"{FLOORS.get(name, name)} gives {shown(value, a.unit)}"


def shown(value: float, unit: str) -> str:
    """A floor's value: bits a byte are small numbers."""
    return f"{value:.3f}" if unit == "bits" else f"{value:.1f}"
