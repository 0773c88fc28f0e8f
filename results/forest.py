"""A forest plot: every claim that has a difference, with its interval, the strongest first.

Beside each: the band in which a difference would go unseen (up to the detectable one), and the
paper's own difference, hollow where a number behind it is only recalled.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results import claims, drawing, wording
from results.claims import Verdict
from results.drawing import INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWING = 1  # to be raised when the drawing itself changes
COLOURS = {
    "supported": "#14713a",
    "reversed": "#b02a1c",
    "equivalent": "#1f5fa8",
    "inconclusive": QUIET,
}
UNITS = {"fraction": "points", "ppl": "percent of a perplexity"}
ROOM = 1.15  # of the widest value, on both sides of zero


@dataclass(frozen=True)
class Bar:
    """One claim, in shown units and in favour of the claim where positive."""

    text: str
    verdict: str
    unit: str
    value: float
    low: float | None
    high: float | None
    detectable: float | None
    printed: float | None
    recalled: bool


def bars(verdicts: Sequence[Verdict]) -> list[Bar]:
    """The claims that have a difference and are told once, the strongest first.

    Strength is the difference over its error; those without an error come last.
    """
    found = []
    for verdict in verdicts:
        known = verdict.difference
        if known is None or verdict.repeats:
            continue
        strength = abs(known.mean) / known.error.deviation if known.error else 0.0
        bar = Bar(
            text=f"{wording.name(verdict.claim.table)}: {verdict.claim.text}",
            verdict=verdict.verdict,
            unit=verdict.unit,
            value=claims.shown_scale(verdict.unit, known.mean),
            low=_shown(verdict.unit, known.low),
            high=_shown(verdict.unit, known.high),
            detectable=_shown(verdict.unit, known.detectable),
            # A perplexity's difference in print is in its own units: it has no place on this axis.
            printed=verdict.printed if verdict.unit == "fraction" else None,
            recalled=verdict.printed_status != "confirmed",
        )
        found.append((-strength, len(found), bar))
    return [bar for _, _, bar in sorted(found, key=lambda one: one[:2])]


def _shown(unit: str, value: float | None) -> float | None:
    return None if value is None else claims.shown_scale(unit, value)


def draw(verdicts: Sequence[Verdict], svg: Path) -> bool:
    """Draw the claims, a panel a unit; False where none has a difference."""
    drawn = bars(verdicts)
    panels = [(unit, [bar for bar in drawn if bar.unit == unit]) for unit in UNITS]
    panels = [(unit, group) for unit, group in panels if group]
    if not panels:
        return False
    heights = [len(group) + 0.8 for _, group in panels]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, (unit, group) in zip(axes, panels):
            _panel(axis, unit, group)

    drawing.save([svg], (DRAWING, panels), (7.4, 0.46 * sum(heights) + 0.2), paint)
    return True


def _panel(axis: "Axes", unit: str, group: Sequence[Bar]) -> None:
    values = [abs(end) for bar in group for end in (bar.value, bar.printed) if end is not None]
    halves = sorted(max(abs(b.low), abs(b.high)) for b in group if b.low is not None and b.high)
    # A few very wide intervals run out of the picture and leave the rest its room.
    ends = halves[: max(1, len(halves) * 4 // 5)]
    limit = ROOM * max([*values, *ends, 1e-9])
    for at, bar in enumerate(group):
        colour = COLOURS.get(bar.verdict, QUIET)
        if bar.detectable is not None:
            wide = min(bar.detectable, limit)
            axis.barh(at, 2 * wide, 0.34, left=-wide, color="#8888883d", zorder=1)
        if bar.low is not None and bar.high is not None:
            axis.plot([bar.low, bar.high], [at, at], color=colour, linewidth=2, zorder=3)
        axis.plot([bar.value], [at], "o", color=colour, markersize=6, zorder=4)
        if bar.printed is not None:
            face = "none" if bar.recalled else "#7a4ea3"
            axis.plot(
                [bar.printed],
                [at],
                "D",
                markersize=5,
                markerfacecolor=face,
                markeredgecolor="#7a4ea3",
                zorder=5,
            )
        text = textwrap.shorten(drawing.text(bar.text), 80, placeholder=" …")
        axis.text(-limit, at - 0.36, text, va="center", fontsize=8.5)
        axis.text(
            limit, at - 0.36, bar.verdict, color=colour, va="center", ha="right", fontsize=8.5
        )
    axis.axvline(0, color=INK, linewidth=0.8, zorder=2)
    axis.set_xlim(-limit, limit)
    axis.set_ylim(len(group) - 0.6, -0.7)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(f"against the claim  ◂  {UNITS[unit]}  ▸  for the claim", fontsize=9)
