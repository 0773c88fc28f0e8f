"""Loss curves: a small panel a variant on shared axes, a line a seed."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from results import drawing
from results.ledger import Pretraining

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWING = 1  # to be raised when the drawing itself changes
COLUMNS = 4


def loss(runs: Sequence[Pretraining], svg: Path) -> bool:
    """Draw the loss of every pretraining against its steps; False where there is no curve."""
    panels: dict[str, list[Pretraining]] = {}
    for run in runs:
        if len(run.curve) > 1:
            panels.setdefault(run.variant, []).append(run)
    if not panels:
        return False
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
        for axis in axes[len(panels) :]:
            axis.remove()
        figure.supxlabel("steps", fontsize=8)
        figure.supylabel("loss", fontsize=8)

    data = (DRAWING, [(v, [(r.seed, r.curve) for r in group]) for v, group in panels.items()])
    drawing.save([svg], data, (2.6 * across, 1.7 * down + 0.3), paint)
    return True
