"""Curves: the loss of pretrainings by step, and scores by what had been spent."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from results import drawing
from results.learning_curves import AXES, Point
from results.ledger import Pretraining

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWING = 2  # to be raised when the drawing itself changes
COLUMNS = 4
SPENT = ("positions", "flops", "seconds")  # of which each has a panel


def loss(runs: Sequence[Pretraining], svg: Path) -> bool:
    """Draw the loss of every pretraining against its steps; False where there is no curve.

    A small panel a variant on shared axes, a line a seed.
    """
    panels = variants(runs)
    if not panels:
        return False
    ends = limits([step for group in panels.values() for r in group for step, _ in r.curve])
    across = min(COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)

    def paint(figure: "Figure") -> None:
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        axes = list(grid.flat)
        for axis, (variant, group) in zip(axes, panels.items()):
            for run in group:
                steps, losses = zip(*run.curve)
                axis.plot(steps, losses, color="#4c78a8", linewidth=1, alpha=0.8)
            axis.set_title(drawing.text(variant), fontsize=8, loc="left")
            axis.grid(color=drawing.GRID, linewidth=0.5)
            axis.tick_params(labelsize=7, labelbottom=True)
        axes[0].set_xlim(*ends)  # shared
        for axis in axes[len(panels) :]:
            axis.remove()
        figure.supxlabel("steps", fontsize=8)
        figure.supylabel("loss", fontsize=8)

    data = (DRAWING, [(v, [(r.seed, r.curve) for r in group]) for v, group in panels.items()])
    drawing.save([svg], data, (2.6 * across, 1.7 * down + 0.3), paint)
    return True


def variants(runs: Sequence[Pretraining]) -> dict[str, list[Pretraining]]:
    """The pretrainings that have a curve, by variant: a panel each, in this order."""
    panels: dict[str, list[Pretraining]] = {}
    for run in runs:
        if len(run.curve) > 1:
            panels.setdefault(run.variant, []).append(run)
    return panels


def limits(values: Sequence[float], logarithmic: bool = False) -> tuple[float, float]:
    """Where an axis begins and ends: a little outside of its values."""
    low, high = min(values), max(values)
    if logarithmic:
        room = (high / low) ** 0.05 if high > low else 1.1
        return low / room, high * room
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def panels(points: Sequence[Point]) -> dict[tuple[str, str, str], list[Point]]:
    """The points with a value by table, column and metric: a row of panels each, in this order."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        if point.value is not None:
            found.setdefault((point.table, point.column, point.metric), []).append(point)
    return found


def scores(points: Sequence[Point], svg: Path) -> bool:
    """Draw scores against what pretraining had spent; False where there is none.

    A panel for each column of a table and unit of spending. A line is the mean over a row's seeds,
    its band goes from the lowest seed to the highest.
    """
    measured = [point for point in points if point.value is not None]
    drawn = panels(points)
    if not drawn:
        return False
    labels = dict.fromkeys(point.label for point in measured)
    colours = {label: f"C{i % 10}" for i, label in enumerate(labels)}

    def paint(figure: "Figure") -> None:
        from matplotlib.lines import Line2D

        grid = figure.subplots(len(drawn), len(SPENT), squeeze=False)
        for axes, (panel, own) in zip(grid, drawn.items()):
            for axis, unit in zip(axes, SPENT):
                _scores(axis, own, unit, colours)
            axes[0].set_ylabel(drawing.text(" ".join(panel[1:])))
        handles = [Line2D([], [], color=colour, marker=".") for colour in colours.values()]
        names = [drawing.text(label) for label in colours]
        figure.legend(handles, names, loc="outside lower center", ncols=COLUMNS, frameon=False)

    data = (DRAWING, [(p.table, p.label, p.column, p.metric, p.seed, p.step) for p in measured])
    values = [(p.value, sorted(p.spent.items())) for p in measured]
    drawing.save([svg], (data, values), (3.6 * len(SPENT), 2.6 * len(drawn) + 0.5), paint)
    return True


def _scores(axis: "Axes", own: Sequence[Point], unit: str, colours: Mapping[str, str]) -> None:
    """One panel: a line and a band for each row."""
    for label in dict.fromkeys(point.label for point in own):
        steps: dict[int, list[tuple[float, float]]] = {}
        for point in (p for p in own if p.label == label and unit in p.spent):
            if point.value is not None:
                steps.setdefault(point.step, []).append((point.spent[unit], point.value))
        seeds = [seeds for _, seeds in sorted(steps.items())]
        at = [sum(x for x, _ in each) / len(each) for each in seeds]
        values = [[value for _, value in each] for each in seeds]
        means = [sum(each) / len(each) for each in values]
        axis.plot(at, means, color=colours[label], marker=".", linewidth=1.2)
        lows, highs = [min(each) for each in values], [max(each) for each in values]
        axis.fill_between(at, lows, highs, color=colours[label], alpha=0.2, linewidth=0)
    axis.set_xscale("log")
    spent = [point.spent[unit] for point in own if unit in point.spent]
    if spent:
        axis.set_xlim(*limits(spent, logarithmic=True))
    axis.set_xlabel(AXES[unit])
    axis.grid(color=drawing.GRID, linewidth=0.5)
