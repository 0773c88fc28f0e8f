"""Figure 4 as a plot (matplotlib, PNG and SVG) and loss curves as SVG written by hand.

Only our own numbers are drawn: the paper's are recalled and from another corpus; the table has
them.

The same data gives the same bytes: no dates, no random ids, the font that matplotlib ships.
"""

import hashlib
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import paper
from results.cells import Entry, examples
from results.escapes import clean
from results.ledger import Pretraining
from results.tables import Table

DRAWING = 2  # to be raised when the drawing itself changes
MODES = ("unidirectional", "bidirectional")
_STYLE: Any = {
    "svg.hashsalt": "glm-harness",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_INK, _QUIET, _GRID = "#222222", "#777777", "#dddddd"
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


def figure4(table: Table, png: Path, svg: Path) -> None:
    """Draw `table` to two files: one panel a column, uni- and bidirectional bars side by side.

    Files that are whole and were drawn from the same data are left as they are: matplotlib takes a
    second to start, and rebuilding the tables should not.
    """
    panels = [(column.label, bars(table, column.id)) for column in table.columns]
    lower = [not table.lines[0].cells[column.id][0].higher_is_better for column in table.columns]
    drawn_from = _digest(repr((DRAWING, panels, lower)).encode())
    if _current(png, svg, drawn_from):
        return
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.6 * len(panels) + 0.4, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (label, drawn), down in zip(axes, panels, lower):
            _panel(axis, drawn)
            title = f"{clean(label)} ({'lower' if down else 'higher'} is better)"
            axis.set_title(title.replace("$", r"\$"), fontsize=10)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        raster, vector = io.BytesIO(), io.BytesIO()
        figure.savefig(raster, format="png", dpi=150, metadata={"Software": None})
        figure.savefig(vector, format="svg", metadata={"Date": None, "Creator": None})
    png.write_bytes(raster.getvalue())
    body = vector.getvalue()
    svg.write_bytes(body + _seal(drawn_from, raster.getvalue(), body))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _seal(drawn_from: str, png: bytes, body: bytes) -> bytes:
    """The SVG's last line: what both files were drawn from, and what they must then hold."""
    return f"<!-- data {drawn_from} png {_digest(png)} svg {_digest(body)} -->\n".encode()


def _current(png: Path, svg: Path, drawn_from: str) -> bool:
    if not (png.is_file() and svg.is_file()):
        return False
    body, mark, _ = svg.read_bytes().rpartition(b"<!-- data ")
    return bool(mark) and svg.read_bytes() == body + _seal(drawn_from, png.read_bytes(), body)


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
                    x, floor, " no number", rotation=90, ha="center", va="bottom", color=_QUIET
                )
            elif bar.low is not None and bar.high is not None:
                # At 0 or 100% an interval's end can miss the value itself by a rounding error.
                ends = [[max(bar.value - bar.low, 0.0)], [max(bar.high - bar.value, 0.0)]]
                axis.errorbar([x], [bar.value], ends, fmt="none", ecolor=_INK, capsize=3, zorder=3)
    if logarithmic:
        axis.set_yscale("log")
    axis.set_xlim(-0.6, len(systems) - 0.4)
    axis.set_xticks(
        range(len(systems)), [_wrapped(clean(s)).replace("$", r"\$") for s in systems], fontsize=7.5
    )
    axis.grid(axis="y", color=_GRID, linewidth=0.6, zorder=0)
    axis.set_axisbelow(True)


def _wrapped(system: str) -> str:
    return (
        system.replace(", ", ",\n")
        .replace(" – ", "\n– ")
        .replace(" positional encoding", "\npositions")
    )


def loss_curves(runs: Sequence[Pretraining], columns: int = 4) -> str:
    """Loss against step as one SVG: a small panel per variant on shared axes, a line per seed."""
    panels: dict[str, list[Pretraining]] = {}
    for run in runs:
        if len(run.curve) > 1:
            panels.setdefault(run.variant, []).append(run)
    if not panels:
        return ""
    points = [point for group in panels.values() for run in group for point in run.curve]
    last, top = max(step for step, _ in points), max(loss for _, loss in points)
    low = min(loss for _, loss in points)
    wide, high = 230, 150
    across = min(columns, len(panels))
    down = math.ceil(len(panels) / across)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide * across} {high * down}" '
        f'width="{wide * across}" role="img" aria-label="Loss curves" '
        'font-family="sans-serif" font-size="10">'
    ]
    for index, (variant, group) in enumerate(panels.items()):
        x, y = wide * (index % across), high * (index // across)
        panel = _curve_panel(variant, group, last, low, top)
        out.append(f'<g transform="translate({x},{y})">{panel}</g>')
    return "\n".join([*out, "</svg>", ""])


def _curve_panel(
    variant: str, group: Sequence[Pretraining], last: int, low: float, top: float
) -> str:
    left, right, above, below = 34, 220, 20, 128
    span = (top - low) or 1.0

    def place(step: int, loss: float) -> str:
        across = left + (right - left) * step / max(1, last)
        return f"{across:.1f},{below - (below - above) * (loss - low) / span:.1f}"

    lines = [
        f'<text x="{left}" y="13" fill="{_INK}">{html.escape(clean(variant))}</text>',
        f'<path d="M{left},{above}V{below}H{right}" fill="none" stroke="{_QUIET}"/>',
    ]
    for value in (low, (low + top) / 2, top):
        y = below - (below - above) * (value - low) / span
        at = f'x="{left - 4}" y="{y + 3:.1f}" text-anchor="end"'
        lines.append(f'<text {at} fill="{_QUIET}">{value:.1f}</text>')
    at = f'x="{right}" y="{below + 13}" text-anchor="end"'
    lines.append(f'<text {at} fill="{_QUIET}">{last:,} steps</text>')
    for run in group:
        path = " ".join(place(step, loss) for step, loss in run.curve)
        line = 'fill="none" stroke="#4c78a8" stroke-width="1.2" opacity="0.8"'
        lines.append(f'<polyline points="{path}" {line}/>')
    return "".join(lines)
