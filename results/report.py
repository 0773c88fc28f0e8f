"""Writes a grid's tables and its one-page report; nothing is recomputed that the store holds.

    STORE/grids/NAME/tables/   table1.md .csv .tex .html ...   figure4.png .svg   loss.svg
                               tables.json   claims.md .json   index.html

A file whose bytes would not change is left alone. The same store gives the same bytes.
"""

from pathlib import Path

from results import (
    checklist,
    claims,
    data,
    figure,
    items,
    ledger,
    page,
    predictions,
    render,
    scores,
    tables,
)
from results.explanation import explain
from tasks import atomic

__all__ = ["explain", "write"]


def write(store: Path | str, grid: str) -> list[Path]:
    """Every table of `grid` in every format, Figure 4 and index.html; the paths, index.html first.

    Raises `UserError` where the grid has no readable manifest.
    """
    read = scores.manifest(store, grid)
    built = tables.assemble(read, items.attached(read, scores.records(read)))
    folder = read.store / "grids" / grid / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    for table in built:
        for suffix, renderer in render.RENDERERS.items():
            text = renderer(table)
            whole = page.alone(text, table) if suffix == "html" else text
            files[f"{_stem(table.id)}.{suffix}"] = whole
    drawings: dict[str, str] = {}
    plots: list[Path] = []
    for table in built:
        if table.id == "figure4":
            plots = [folder / "figure4.png", folder / "figure4.svg"]
            figure.figure4(table, *plots)
            drawings[table.id] = plots[1].read_text(encoding="utf-8")
    runs = ledger.pretrainings(read)
    curves = figure.loss_curves(runs)
    if curves:
        files["loss.svg"] = curves
    verdicts = claims.check(built, runs=runs, match=read.match)
    if verdicts:
        files["claims.md"] = checklist.markdown(verdicts)
        files["claims.json"] = data.text(checklist.as_data(verdicts))
    files["tables.json"] = data.text(
        {"budget": ledger.matched(runs, read.match), "tables": [data.table(t) for t in built]}
    )
    samples = predictions.samples(read)
    index = page.index(grid, built, verdicts, runs, curves, samples, drawings, read.match)
    paths = [_put(folder / "index.html", index)]
    paths += [_put(folder / name, text) for name, text in files.items()]
    return paths + plots


def _put(path: Path, text: str) -> Path:
    """Writes `text` whole or not at all."""
    encoded = text.encode("utf-8")
    if path.exists() and path.read_bytes() == encoded:
        return path
    atomic.write(path, encoded)
    return path


def _stem(id: str) -> str:
    """A table's id as the stem of a file name: nothing in it leads elsewhere."""
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in id)
    return kept.strip("-") or "table"
