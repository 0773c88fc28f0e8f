"""Where one cell of a table comes from: its runs, files, settings, cost and signature, as text."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from results import paper, predictions, scores, statistics, tables, wording
from results.cells import Entry
from results.figure import examples
from results.ledger import QUANTITIES, shown
from results.scores import Manifest, inside
from results.tables import Line, Table
from tasks.errors import UserError


def explain(store: Path | str, grid: str, table: str, row: str, column: str) -> str:
    """All there is to say about a cell; a `UserError` with the nearest names for one that is not
    there.

    A row may be named by its id, its label or its id in the paper.
    """
    read = scores.manifest(store, grid)
    found = tables.assemble(read, scores.records(read))
    chosen = found[_index("table", table, [[t.id] for t in found])]
    names = [[line.id, line.label, line.paper] for line in chosen.lines]
    line = chosen.lines[_index("row", row, names)]
    labels = [[c.id, c.label] for c in chosen.columns]
    place = chosen.columns[_index("column", column, labels)]
    cells = [
        cell
        for cell in read.cells
        if (cell["table"], cell["row"], cell["column"]) == (chosen.id, line.id, place.id)
    ]
    out = [f"{wording.name(chosen.id)} · {line.label} · {place.label}", ""]
    for entry in line.cells[place.id]:
        out += _entry(entry, chosen, line, place.id)
    out += _examples(read, cells, chosen, place.id)
    none = "No run of its own: computed from the row's other columns."
    out += ["", "Runs" if cells else none]
    for cell in cells:
        out += _run(read, cell, line.cells[place.id])
    for title, key in (("Pretraining", "pretrain"), ("Answers", "predictions"), ("Score", "score")):
        out += _settings(read, title, [cell.get(key) for cell in cells])
    return "\n".join(_cleaned(out)) + "\n"


def _cleaned(lines: Iterable[str]) -> list[str]:
    """The lines without control characters, their indentation kept."""
    from results.escapes import clean

    return [" " * (len(line) - len(line.lstrip(" "))) + clean(line) for line in lines]


def _index(what: str, wanted: str, names: Sequence[Sequence[str]]) -> int:
    for index, spellings in enumerate(names):
        if wanted in spellings:
            return index
    every = [spelling for spellings in names for spelling in spellings if spelling]
    near = difflib.get_close_matches(wanted, every, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    ids = ", ".join(spellings[0] for spellings in names)
    raise UserError(f"no {what} {wanted!r}{hint} There are: {ids}")


def _entry(entry: Entry, table: Table, line: Line, column: str) -> list[str]:
    label = wording.METRICS.get(entry.metric, entry.metric)
    out = [f"{label}: {wording.ours(entry)}"]
    if line.kind == "run":
        gone = f" ({wording.missing(entry)})" if entry.states else ""
        out[0] += f"   {entry.done}/{entry.wanted} seeds{gone}"
    if entry.reason and (entry.summary is None or entry.states):
        out.append(f"  why: {entry.reason}")
    low, high = examples(entry)
    if low is not None and high is not None and entry.done == 1:
        out.append(f"  over its {entry.n} examples: [{low:.1f}, {high:.1f}] (95%, Wilson)")
    if entry.versus is not None:
        text = f"  against {table.reference}, paired by seed: {entry.versus.mean:+.2f}"
        if entry.versus.low is not None and entry.versus.p is not None:
            low, high, p = entry.versus.low, entry.versus.high, entry.versus.p
            text += f" [{low:+.2f}, {high:+.2f}], p = {p:.3g}"
        out.append(f"{text} over {entry.versus.n}")
    if entry.paper is not None:
        by = "; ".join(f"{s}: {paper.sources()[s]}" for s in entry.paper.source)
        word = "the paper" if entry.paper.status == "confirmed" else entry.paper.status
        out.append(f"  {word}: {wording.quoted(entry.paper)} ({entry.paper.status}; {by})")
    out += [f"  signature: {signature}" for signature in entry.signatures]
    return out


def _examples(
    grid: Manifest, cells: Sequence[Mapping[str, Any]], table: Table, column: str
) -> list[str]:
    """One seed's accuracy beside the reference row's on the same questions, by bootstrap."""
    mine = next((cell for cell in cells if cell["state"] == "done"), None)
    if mine is None or mine["row"] == table.reference:
        return []
    keys = ("table", "column", "pretrain_seed", "finetune_seed", "state")
    alike = (c for c in grid.cells if all(c[key] == mine[key] for key in keys))
    other = next((cell for cell in alike if cell["row"] == table.reference), None)
    if other is None:
        return []
    ours = predictions.hits(grid, mine.get("predictions"))
    theirs = predictions.hits(grid, other.get("predictions"))
    shared = sorted(id for id in ours if id in theirs)
    if len(shared) < 2:
        return []
    import numpy as np

    differences = [100 * (ours[id] - theirs[id]) for id in shared]
    found = statistics.bootstrap(differences, np.random.default_rng(0))
    ends = f" [{found.low:+.1f}, {found.high:+.1f}]" if found.low is not None else ""
    seeds = f"seeds {mine['pretrain_seed']}, {mine['finetune_seed']}"
    return [
        f"Choices that are right, against {table.reference}, paired over {found.n} questions "
        f"({seeds}): {found.mean:+.1f}{ends} (95%, bootstrap; other questions, not other seeds)"
    ]


def _run(grid: Manifest, cell: Mapping[str, Any], entries: Sequence[Entry]) -> list[str]:
    seeds = (cell["pretrain_seed"], cell["finetune_seed"])
    values = [
        f"{wording.METRICS.get(e.metric, e.metric)} {e.runs[seeds]:.2f}"
        for e in entries
        if seeds in e.runs and cell.get("selected") is not False
    ]
    said = ", ".join(values) or f"{cell['state']}: {cell.get('reason') or 'no reason given'}"
    out = [f"  pretraining seed {seeds[0]}, finetuning seed {seeds[1]}: {said}"]
    if cell.get("selected") is not None:
        out.append(f"    selected    {json.dumps(cell['selected'], sort_keys=True)}")
    for key in ("score", "predictions", "pretrain"):
        path = inside(grid.store, cell.get(key))
        if path is not None:
            out.append(f"    {key:<11} {path}{'' if path.is_dir() else '  (not there)'}")
    return out


def _settings(grid: Manifest, title: str, folders: Sequence[str | None]) -> list[str]:
    """The first folder's settings in full, the others' where they differ; what each cost."""
    known = [folder for folder in dict.fromkeys(folders) if folder]
    specs = {folder: dict(_flat(_json(grid, folder, "spec.json"))) for folder in known}
    first = specs[known[0]] if known else {}
    out = []
    for folder in known:
        fields = {
            key: value
            for key, value in specs[folder].items()
            if folder == known[0] or first.get(key, ()) != value
        }
        ledger = _json(grid, folder, "ledger.json")
        if not fields and not ledger:
            continue
        out += ["", f"{title}: {folder}"]
        out += [f"  {key}: {json.dumps(value)}" for key, value in fields.items()]
        cost = [
            f"{label.lower()} {shown(key, ledger[key])}"
            for key, label in QUANTITIES.items()
            if key in ledger
        ]
        device = f" on {ledger['device']}" if ledger.get("device") else ""
        out += [f"  cost: {', '.join(cost)}{device}"] if cost else []
    return out


def _json(grid: Manifest, folder: str, name: str) -> Mapping[str, Any]:
    path = inside(grid.store, folder)
    try:
        read = json.loads((path / name).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _flat(value: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _flat(value[key], f"{prefix}.{key}" if prefix else key)
    elif prefix:
        yield prefix, value
