"""Where one cell of a table comes from: its runs, files, settings, cost and signature, as text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from results import checklist, gates, items, paper, scores, selection, statistics, tables, wording
from results.cells import Entry, examples
from results.escapes import clean
from results.ledger import QUANTITIES, shown
from results.legend import without
from results.scores import Manifest, inside, unsound
from results.selection import Gain
from results.tables import Line, Table
from tasks.atomic import read_json
from tasks.errors import UserError, meant
from tasks.metrics.floors import FLOORS


def explain(store: Path | str, grid: str, table: str, row: str, column: str) -> str:
    """All there is to say about a cell; a `UserError` with the nearest names for one that is not
    there.

    A row may be named by its id, its label or its id in the paper.
    """
    read = scores.manifest(store, grid)
    found = tables.assemble(read, items.attached(read, scores.records(read)))
    chosen = found[_index("table", table, [[t.id] for t in found])]
    names = [[line.id, line.label, line.name, line.paper] for line in chosen.lines]
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
        out += _entry(entry, chosen, line)
    none = "No run of its own: computed from the row's other columns."
    out += ["", "Runs" if cells else none]
    for cell in cells:
        out += _run(read, cell, line.cells[place.id])
    for entry in line.cells[place.id]:
        out += _selection(entry)
    for title, key in (("Pretraining", "pretrain"), ("Answers", "predictions"), ("Score", "score")):
        out += _settings(read, title, [cell.get(key) for cell in cells])
    return "\n".join(_cleaned(out)) + "\n"


def _cleaned(lines: Iterable[str]) -> list[str]:
    """The lines without control characters, their indentation kept."""
    return [" " * (len(line) - len(line.lstrip(" "))) + clean(line) for line in lines]


def _index(what: str, wanted: str, names: Sequence[Sequence[str]]) -> int:
    for index, spellings in enumerate(names):
        if wanted in spellings:
            return index
    every = [spelling for spellings in names for spelling in spellings if spelling]
    ids = ", ".join(spellings[0] for spellings in names)
    raise UserError(f"no {what} `{wanted}`{meant(wanted, every) or '.'} There are: {ids}")


def _entry(entry: Entry, table: Table, line: Line) -> list[str]:
    label = wording.METRICS.get(entry.metric, entry.metric)
    out = [f"{label}: {wording.ours(entry)}"]
    if line.kind == "run":
        gone = f" ({wording.missing(entry)})" if entry.states else ""
        out[0] += f"   {entry.done}/{entry.wanted} runs{gone}"
    if entry.reason and (entry.summary is None or entry.states):
        out.append(f"  why: {entry.reason}")
    out += _intervals(entry)
    if entry.clean:
        out.append(f"  {without(entry)}")
    if entry.floors:
        known = (
            f"{FLOORS.get(n, n)} {gates.shown(v, entry.unit)}" for n, v in entry.floors.items()
        )
        out.append(f"  floors: {', '.join(known)}")
    if entry.versus is not None:
        out += _versus(entry, table)
    if entry.paper is not None:
        by = "; ".join(f"{s}: {paper.sources()[s]}" for s in entry.paper.source)
        word = "the paper" if entry.paper.status == "confirmed" else entry.paper.status
        out.append(f"  {word}: {wording.quoted(entry.paper)} ({entry.paper.status}; {by})")
    out += [f"  signature: {signature}" for signature in entry.signatures]
    return out


def _intervals(entry: Entry) -> list[str]:
    """Both estimands' intervals, or the one over examples where seeds give none."""
    found = entry.summary
    if found is None or not entry.runs:
        return []
    if found.low is not None and found.high is not None and found.fixed:
        pairs = {found.estimand: (found.low, found.high), statistics.TEST_SET: found.fixed}
        return [f"  95% interval for {name}: {_ends(*ends)}" for name, ends in pairs.items()]
    over = examples(entry)
    return [f"  95% interval over examples, not over seeds: {_ends(*over)}"] if over else []


def _versus(entry: Entry, table: Table) -> list[str]:
    """The difference from the reference row, how small a one would be seen, and the gate."""
    found = entry.versus
    assert found is not None
    text = f"  against {table.reference}: {checklist.difference(found, entry.unit)}"
    if found.error is not None:
        text += f" for {found.estimand}, detectable {checklist.detectable(found, entry.unit)}"
    if entry.p is not None:
        text += f", p = {entry.p:.3g} among the rows"
    gate = [f"  not testable against {table.reference}: {entry.untestable}"]
    return [text, *(gate if entry.untestable else [])]


def _ends(low: float, high: float) -> str:
    half = (high - low) / 2
    return f"[{wording.number(low, half)}, {wording.number(high, half)}]"


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


def _selection(entry: Entry) -> list[str]:
    """What was chosen for every run and what that brought, as columns; gains in shown units, better
    where positive, on the rows that are reported."""
    if not entry.choices:
        return []
    heads = ("seeds", "reported", "chosen", "last epoch", "gain")
    heads += ("first setting", "gain", "optimism")
    sign = 1 if entry.higher_is_better else -1
    rows: list[tuple[str, ...]] = [heads]
    for one in entry.choices:
        epoch = f"epoch {one.epoch} of {one.epochs}" if one.epoch else ""
        settings = ", ".join(f"{name}={value}" for name, value in (one.settings or {}).items())
        settings = f"{settings} of {one.trials}" if settings else ""
        brought = selection.gains([one], sign)
        numbers = (_plain(one.last), _gained(brought["last"]))
        numbers += (_plain(one.first), _gained(brought["first"]), _gained(brought["optimism"]))
        said = "; ".join(filter(None, (settings, epoch)))
        rows.append((", ".join(map(str, one.seeds)), f"{one.value:.2f}", said, *numbers))
    means = {name: _gained(gain) for name, gain in entry.gains.items()}
    rows.append(("mean", "", "", "", means["last"], "", means["first"], means["optimism"]))
    kept = [i for i in range(len(heads)) if any(row[i] for row in rows[1:])]
    label = wording.METRICS.get(entry.metric, entry.metric)
    title = (
        f"Selection, {label}: gains are on the rows that are reported, better where positive; "
        "optimism is how much better the chosen look where they were chosen"
    )
    return ["", title, *(f"  {' | '.join(row[i] or '–' for i in kept)}" for row in rows)]


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _gained(gain: Gain | None) -> str:
    return "" if gain is None else wording.signed(gain.mean, 1.0)


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
    sound = path is not None and not unsound(grid.store, folder, name)
    found = read_json(path / name) if path and sound else None
    return found if isinstance(found, dict) else {}


def _flat(value: object, prefix: str = "") -> Iterable[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _flat(value[key], f"{prefix}.{key}" if prefix else key)
    elif prefix:
        yield prefix, value
