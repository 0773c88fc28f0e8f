"""Figure 4 as a plot, PNG and SVG: bars for language modelling in both modes.

Only our own numbers are drawn: the paper's are recalled and from another corpus; the table has
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results import drawing, paper
from results.cells import Entry, examples
from results.drawing import GRID, INK, QUIET
from results.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWING = 5  # to be raised when the drawing itself changes
MODES = ("unidirectional", "bidirectional")
_COLOURS = {"unidirectional": "#4c78a8", "bidirectional": "#f58518"}


@dataclass(frozen=True)
class Bar:
    """One bar: a system in a mode, with the ends of its interval where there is one."""

    system: str
    mode: str
    value: float | None
    low: float | None
    high: float | None
    reason: str


def bars(table: Table, column: str, index: int = 0) -> list[Bar]:
    """The bars of one panel of Figure 4, in the table's order."""
    printed = paper.table("figure4")
    assert printed is not None
    found = []
    for line in table.lines:
        if line.kind == "floor" or column not in line.cells:
            continue
        entry = line.cells[column][index]
        known = printed.rows.get(line.paper)
        mode = known.mode if known else "bidirectional" if line.id.endswith("bi") else MODES[0]
        low, high = interval(entry)
        value = entry.summary.mean if entry.summary else None
        found.append(Bar(line.label, mode, value, low, high, entry.reason))
    return found


def interval(entry: Entry) -> tuple[float | None, float | None]:
    """The entry's interval; from one pretraining the one over examples; else none."""
    if entry.summary is None:
        return None, None
    if entry.summary.n > 1:
        return entry.summary.low, entry.summary.high
    return examples(entry) or (None, None)


def figure4(table: Table, png: Path, svg: Path) -> bool:
    """Draw `table` to two files: one panel a column, uni- and bidirectional bars side by side.

    False, and nothing is drawn, where there is no number yet.
    """
    panels = [(column.label, bars(table, column.id)) for column in table.columns]
    if not any(bar.value is not None for _, drawn in panels for bar in drawn):
        return False
    lower = [_lower(table, column.id) for column in table.columns]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (label, drawn), down in zip(axes, panels, lower):
            _panel(axis, drawn)
            better = "" if down is None else f" ({'lower' if down else 'higher'} is better)"
            axis.set_title(drawing.text(f"{label}{better}"), fontsize=10)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)

    systems = max(len({bar.system for bar in drawn}) for _, drawn in panels)
    size = (max(4.6, 0.6 * systems + 0.8) * len(panels) + 0.4, 4.4)
    drawing.save([png, svg], (DRAWING, panels, lower), size, paint)
    return True


def _lower(table: Table, column: str) -> bool | None:
    """Whether less is better in a column; None where no run has said so yet."""
    known = [line.cells[column][0] for line in table.lines if line.cells[column][0].runs]
    return not known[0].higher_is_better if known else None


def _panel(axis, drawn: Sequence[Bar]) -> None:
    systems = list(dict.fromkeys(bar.system for bar in drawn))
    values = [bar.value for bar in drawn if bar.value is not None and bar.value > 0]
    # One system far off (GLM-Large's perplexity) would flatten the rest: then a log axis.
    logarithmic = bool(values) and max(values) > 20 * sorted(values)[len(values) // 2]
    floor = min(values) / 2 if logarithmic else 0.0
    for mode in MODES:
        chosen = [bar for bar in drawn if bar.mode == mode]
        at = [systems.index(bar.system) + (-0.2 if mode == MODES[0] else 0.2) for bar in chosen]
        heights = [(bar.value or 0.0) for bar in chosen]
        axis.bar(at, heights, 0.36, color=_COLOURS[mode], label=mode, zorder=2)
        for x, bar in zip(at, chosen):
            if bar.value is None:
                axis.text(
                    x, floor, " no number", rotation=90, ha="center", va="bottom", color=QUIET
                )
            elif bar.low is not None and bar.high is not None:
                # At 0 or 100% an interval's end can miss the value itself by a rounding error.
                ends = [[max(bar.value - bar.low, 0.0)], [max(bar.high - bar.value, 0.0)]]
                axis.errorbar([x], [bar.value], ends, fmt="none", ecolor=INK, capsize=3, zorder=3)
    if logarithmic:
        axis.set_yscale("log")
    elif not any(values):
        axis.set_ylim(0, 1)
    axis.set_xlim(-0.6, len(systems) - 0.4)
    names = [drawing.text(system) for system in systems]
    slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(systems)), names, fontsize=7.5, **slant)
    axis.grid(axis="y", color=GRID, linewidth=0.6, zorder=0)
    axis.set_axisbelow(True)
