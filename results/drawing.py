"""Drawings: how every plot is styled, saved, and kept where nothing has changed.

The same data gives the same bytes: no dates, no random ids, the font that matplotlib ships.
"""

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.escapes import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, QUIET, GRID = "#222222", "#6b6b6b", "#dddddd"
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def save(
    paths: Sequence[Path],
    data: object,
    size: tuple[float, float],
    paint: Callable[["Figure"], None],
) -> None:
    """Paint a figure of `size` inches into `paths`, the last of which is an SVG.

    Files that are whole and were drawn from the same data are left as they are: matplotlib takes a
    second to start, and rebuilding the tables should not.
    """
    drawn_from = _digest(repr((size, data)).encode())
    if _current(paths, drawn_from):
        return
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    *rasters, vector = paths
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": vector.stem}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        for path in rasters:
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
            path.write_bytes(buffer.getvalue())
        buffer = io.BytesIO()
        metadata = {"Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", metadata=metadata, transparent=True)
    body = buffer.getvalue()
    vector.write_bytes(body + _seal(drawn_from, rasters, body))


def inlined(svg: str, label: str, prefix: str) -> str:
    """An SVG file's root element for a page: labelled, its ids apart from other drawings'."""
    root = svg[svg.index("<svg") : svg.rindex("</svg>") + len("</svg>")]
    own = re.sub(r'( id="|xlink:href="#|url\(#)', rf"\1{prefix}-", root)
    return own.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def text(written: str) -> str:
    """Text that matplotlib shows as it is: no formula, no control characters."""
    return clean(written).replace("$", r"\$")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _seal(drawn_from: str, rasters: Sequence[Path], body: bytes) -> bytes:
    """The SVG's last line: what all files were drawn from, and what they must then hold."""
    held = " ".join(_digest(data) for data in [*(path.read_bytes() for path in rasters), body])
    return f"<!-- data {drawn_from} files {held} -->\n".encode()


def _current(paths: Sequence[Path], drawn_from: str) -> bool:
    if not all(path.is_file() for path in paths):
        return False
    *rasters, vector = paths
    body, mark, _ = vector.read_bytes().rpartition(b"<!-- data ")
    return bool(mark) and vector.read_bytes() == body + _seal(drawn_from, rasters, body)
