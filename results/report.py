"""Writes a grid's tables and its one-page report; nothing is recomputed that the store holds.

    STORE/grids/NAME/tables/   index.html   table1.md .csv .tex .html ...   tables.json
                               claims.md .json .svg   figure4.png .svg   loss.svg   cells.parquet
                               curves.csv .md .svg where a grid has `curve:`

A file whose bytes would not change is left alone. The same store gives the same bytes.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results import (
    checklist,
    claims,
    curves,
    data,
    examples,
    figure,
    forest,
    items,
    learning_curves,
    ledger,
    page,
    predictions,
    render,
    scores,
    setting,
    tables,
    view,
    wording,
)
from results.explanation import explain
from tasks import atomic

__all__ = ["explain", "write"]


def write(store: Path | str, grid: str) -> list[Path]:
    """Every table of `grid` in every format, the drawings and index.html; index.html comes first.

    Raises `UserError` where the grid has no readable manifest.
    """
    read = scores.manifest(store, grid)
    records = items.attached(read, scores.records(read))
    built = tables.assemble(read, records)
    runs = ledger.pretrainings(read)
    verdicts = claims.check(built, runs=runs, match=read.match)
    folder = read.store / "grids" / grid / "tables"
    folder.mkdir(parents=True, exist_ok=True)

    files: dict[str, str] = {}
    for table in built:
        stem = view.stem(table.id)
        files |= {f"{stem}.{suffix}": make(table) for suffix, make in render.RENDERERS.items()}
        files[f"{stem}.html"] = page.alone(table)
    if verdicts:
        files["claims.md"] = checklist.markdown(verdicts, setting.place(read))
        files["claims.json"] = data.text(checklist.as_data(verdicts, setting.facts(read)))
    files["tables.json"] = data.text(
        {
            "facts": page.facts(read, runs),
            "controls": checklist.controls(built),
            "budget": ledger.matched(runs, read.match),
            "pretrainings": [data.pretraining(run) for run in runs],
            "tables": [data.table(table) for table in built],
        }
    )

    on_the_way = learning_curves.points(read)
    if on_the_way:
        files["curves.csv"] = learning_curves.table(on_the_way)
        files["curves.md"] = learning_curves.markdown(on_the_way, runs)

    plots = _drawn(folder, built, verdicts, runs, on_the_way)
    drawings = {
        path.stem: path.read_text(encoding="utf-8") for path in plots if path.suffix == ".svg"
    }
    compared = examples.compared(read, {table.id: wording.name(table.id) for table in built})
    samples = predictions.samples(read)
    index = page.index(read, built, verdicts, runs, compared, samples, drawings, on_the_way)
    paths = [_put(folder / "index.html", index)]
    paths += [_put(folder / name, text) for name, text in files.items()]
    paths += [_frame(folder / "cells.parquet", records)] if records else []
    return [*paths, *plots]


def _drawn(
    folder: Path,
    built: Sequence[tables.Table],
    verdicts: Sequence[claims.Verdict],
    runs: Sequence[ledger.Pretraining],
    on_the_way: Sequence[learning_curves.Point],
) -> list[Path]:
    """Every drawing that there is something for; a drawing's stem says of what."""
    paths = []
    for table in built:
        if table.id == "figure4":
            pair = [folder / "figure4.png", folder / "figure4.svg"]
            paths += pair if figure.figure4(table, *pair) else []
    if forest.draw(verdicts, folder / "claims.svg"):
        paths.append(folder / "claims.svg")
    if curves.loss(runs, folder / "loss.svg"):
        paths.append(folder / "loss.svg")
    if curves.scores(on_the_way, folder / "curves.svg"):
        paths.append(folder / "curves.svg")
    return paths


def _frame(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """All runs' numbers as one long table: a row per cell, metric and pair of seeds."""
    import pyarrow
    from pyarrow import json as rows
    from pyarrow import parquet

    # By way of JSON: an array made of Python values would import pandas.
    kept = [{name: _plain(record.get(name)) for name in scores.FIELDS} for record in records]
    lines = "\n".join(json.dumps(record) for record in kept).encode()
    one_block = rows.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(rows.read_json(io.BytesIO(lines), one_block), buffer)
    return _write(path, buffer.getvalue().to_pybytes())


def _plain(value: object) -> object:
    """A value of a column: what is nested as JSON."""
    return json.dumps(value) if isinstance(value, Mapping) else value


def _put(path: Path, text: str) -> Path:
    return _write(path, text.encode("utf-8"))


def _write(path: Path, content: bytes) -> Path:
    """Writes `content` whole or not at all."""
    if not path.exists() or path.read_bytes() != content:
        atomic.write(path, content)
    return path
