"""The one-page report: what was run and learned, then tables, budget, loss, examples and samples.

Everything is inlined (styles, script, drawings), and all of it can be read without the script.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from results import (
    checklist,
    drawing,
    escapes,
    examples,
    layout,
    ledger,
    readings,
    setting,
    view,
    wording,
)
from results.claims import Verdict
from results.curves import SPENT
from results.examples import Compared
from results.learning_curves import AXES, Point
from results.ledger import Pretraining
from results.predictions import Sample
from results.scores import Manifest, inside
from results.tables import Table

CUT = 600  # characters of a sample that are shown
TEXTS = ("Claim", "Why")  # columns of the claims that are sentences


def index(
    grid: Manifest,
    tables: Sequence[Table],
    verdicts: Sequence[Verdict],
    runs: Sequence[Pretraining],
    compared: Sequence[Compared],
    samples: Sequence[Sample],
    drawings: Mapping[str, str],
    points: Sequence[Point] = (),
) -> str:
    """index.html; `drawings` are SVGs: of the claims, of the loss, and of tables by their ids."""
    matched = {grid.match} & set(ledger.QUANTITIES)
    values = {
        "title": f"{grid.grid}: tables",
        "grid": grid.grid,
        "headline": checklist.headline(verdicts),
        "controls": checklist.controls(tables),
        "facts": [(wording.said(name), text) for name, text in facts(grid, runs).items()],
        "links": _links(tables, drawings, verdicts, runs, compared, samples),
        "reading": checklist.reading(verdicts) if verdicts else "",
        "heads": checklist.HEADS,
        "claims": [_claim(verdict) for verdict in verdicts],
        "forest": _inlined(drawings, "claims", "The claims' differences with their intervals"),
        "sheets": [
            (
                view.stem(table.id),
                wording.name(table.id),
                _inlined(drawings, view.stem(table.id), wording.heading(table)),
                view.html(table),
            )
            for table in tables
        ],
        "matched": ledger.matched(runs, grid.match),
        "quantities": [(label, name in matched) for name, label in ledger.QUANTITIES.items()],
        "budget": [_budget(run, matched) for run in runs],
        "loss": _inlined(drawings, "loss", "Pretraining loss by step"),
        "curves": _inlined(drawings, "curves", "Scores against what pretraining had spent"),
        "losses": readings.loss_table(runs),
        "points": readings.score_table(points),
        "spent": [AXES[unit] for unit in SPENT],
        "readings": layout.markup(
            escapes.script({"loss": readings.loss(runs), "curves": readings.scores(points)})
        ),
        "examples": _examples(compared),
        "samples": [_sample(sample) for sample in samples],
        "runs": layout.markup(escapes.script(_runs(grid))),
    }
    return layout.html("page.html.j2", values)


def _links(
    tables: Sequence[Table],
    drawings: Mapping[str, str],
    verdicts: Sequence[Verdict],
    runs: Sequence[Pretraining],
    compared: Sequence[Compared],
    samples: Sequence[Sample],
) -> list[tuple[str, str]]:
    """The page's parts that there are: anchors and names, in order."""
    parts = [
        ("claims", "Claims", bool(verdicts)),
        *((view.stem(table.id), wording.name(table.id), True) for table in tables),
        ("budget", "Budget", bool(runs)),
        ("loss", "Loss", "loss" in drawings),
        ("curves", "Curves", "curves" in drawings),
        ("examples", "Examples", bool(compared)),
        ("samples", "Samples", bool(samples)),
    ]
    return [(anchor, name) for anchor, name, there in parts if there]


def alone(table: Table) -> str:
    """A page that holds one table."""
    values = {"title": wording.heading(table), "grid": None, "sheet": view.html(table)}
    return layout.html("page.html.j2", values)


def _runs(grid: Manifest) -> dict[str, list[list[str]]]:
    """By table, row and column: each run's seeds, what became of it, its score and its answers.

    Folders are those of the store, which the page lies in.
    """
    found: dict[str, list[list[str]]] = {}
    for cell in grid.cells:
        place = "\t".join((cell["table"], cell["row"], cell["column"]))
        seeds = ".".join(str(cell.get(f"{kind}_seed")) for kind in ("pretrain", "finetune"))
        done = cell["state"] == "done"
        folders = [cell.get("score"), cell.get("predictions")] if done else ["", ""]
        kept = [folder if folder and inside(grid.store, folder) else "" for folder in folders]
        found.setdefault(place, []).append([seeds, cell["state"], *kept])
    return found


def _inlined(drawings: Mapping[str, str], name: str, label: str) -> str:
    """A drawing that is there, made ready to stand in the page."""
    if name not in drawings:
        return ""
    return layout.markup(drawing.inlined(drawings[name], escapes.html(label), name))


def facts(grid: Manifest, runs: Sequence[Pretraining]) -> dict[str, str]:
    """What was run, by name, with its examples and its cost; empty where it is not on record."""
    known = dict(setting.facts(grid))
    if known:
        known["examples"] = setting.examples(grid)
        known["cost"] = ledger.spent(grid, runs)
    return {name: text for name, text in known.items() if text}


def _claim(verdict: Verdict) -> list[tuple[str, str]]:
    """A verdict's cells, each with its class."""
    kinds = {"Verdict": verdict.verdict.replace(" ", "-"), **dict.fromkeys(TEXTS, "text")}
    return [
        (kinds.get(head, ""), text) for head, text in zip(checklist.HEADS, checklist.cells(verdict))
    ]


def _budget(run: Pretraining, matched: set[str]) -> Mapping[str, Any]:
    amounts = [
        (ledger.shown(name, run.ledger.get(name)), run.ledger.get(name, ""), name in matched)
        for name in ledger.QUANTITIES
    ]
    return {
        "variant": run.variant,
        "seed": str(run.seed),
        "amounts": amounts,
        "device": str(run.ledger.get("device") or run.reason),
        "used": ", ".join(run.labels),
    }


def _examples(compared: Sequence[Compared]) -> Mapping[str, Any] | None:
    """The first two rows' answers to the first column, and all of them for the page's script."""
    if not compared:
        return None
    first = compared[0]
    items = [
        {"id": item.id, "asked": item.asked, "gold": item.gold}
        | {"sides": [_side(answer) for answer in item.answers[:2]]}
        for item in first.items
    ]
    return {
        "said": f"{first.name}. {first.said}",
        "a": first.rows[0],
        "b": first.rows[1],
        "questions": items,
        "data": layout.markup(examples.data(list(compared))),
    }


def _side(answer: examples.Answer | None) -> Mapping[str, Any]:
    if answer is None:
        return {"text": "—", "score": "", "kind": ""}
    kind = "" if answer.right is None else "right" if answer.right else "wrong"
    return {"text": answer.text, "score": examples.shown(answer) or "", "kind": kind}


def _sample(sample: Sample) -> Mapping[str, Any]:
    rows = [("reference", sample.reference)] if sample.reference else []
    return {
        "where": f"{wording.name(sample.table)}, {sample.column}, question {sample.id}",
        "rows": [(label, _cut(text)) for label, text in (*rows, *sample.answers)],
    }


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[:CUT]}…"
