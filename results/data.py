"""Tables as data for a program: what `tables.json` holds."""

import json
from collections.abc import Mapping
from typing import Any

from results import wording
from results.cells import Clean, Entry
from results.checklist import numbers
from results.ledger import Pretraining
from results.legend import legend
from results.selection import Choice
from results.tables import Line, Table


def text(value: object) -> str:
    """JSON that is the same for the same value; what is not finite is null."""
    return json.dumps(_finite(value), indent=1, ensure_ascii=False) + "\n"


def pretraining(run: Pretraining) -> Mapping[str, Any]:
    """A pretraining's budget, or the reason why it is not known."""
    return {
        "variant": run.variant,
        "seed": run.seed,
        "folder": run.folder,
        "used_by": list(run.labels),
        "ledger": dict(run.ledger),
        "reason": run.reason or None,
    }


def table(table: Table) -> Mapping[str, Any]:
    """A table with every number and the reason for every one that is missing."""
    return {
        "id": table.id,
        "caption": wording.heading(table),
        "title": table.title or None,
        "facts": dict(table.facts),
        "paper": table.papers or None,
        "split": table.split,
        "reference": table.reference,
        "columns": [
            {
                "id": c.id,
                "label": c.label,
                "task": c.task or None,
                "metrics": list(c.metrics),
                "examples": c.used or None,
                "trained_on": c.trained or None,
                "cut_to_fit": c.cut or None,
            }
            for c in table.columns
        ],
        "rows": [_row(line, table) for line in table.lines],
        "legend": legend(table),
        "notes": list(table.notes),
    }


def _row(line: Line, table: Table) -> Mapping[str, Any]:
    return {
        "id": line.id,
        "label": line.label,
        "name": line.name,
        "group": line.group or None,
        "parameters": line.size or None,
        "kind": line.kind,
        "paper": line.paper or None,
        "control": line.control or None,
        "cells": {c.id: [_entry(entry) for entry in line.cells[c.id]] for c in table.columns},
    }


def _clean(clean: Clean) -> Mapping[str, Any]:
    found = clean.summary
    return {
        "found": clean.found,
        "examples": clean.n,
        "mean": found.mean,
        "interval": [found.low, found.high] if found.low is not None else None,
        "runs": clean.runs,
    }


def _selection(entry: Entry) -> Mapping[str, Any]:
    """What was chosen for each run, and the mean of what that brought."""
    gained = {name: gain.mean if gain else None for name, gain in entry.gains.items()}
    return {
        "over_last_epoch": gained["last"],
        "over_first_setting": gained["first"],
        "optimism": gained["optimism"],
        "runs": [_choice(choice) for choice in entry.choices],
    }


def _choice(choice: Choice) -> Mapping[str, Any]:
    return {
        "seeds": list(choice.seeds),
        "epoch": choice.epoch,
        "epochs": choice.epochs,
        "last_epoch": choice.last,
        "settings": dict(choice.settings) if choice.settings is not None else None,
        "trials": choice.trials or None,
        "first_setting": choice.first,
        "optimism": choice.optimism,
    }


def _entry(entry: Entry) -> Mapping[str, Any]:
    found = entry.summary
    return {
        "metric": entry.metric,
        "unit": entry.unit,
        "higher_is_better": entry.higher_is_better,
        "mean": found.mean if found else None,
        "sd": found.sd if found else None,
        "sd_over": found.over if found and found.sd is not None else None,
        "interval": [found.low, found.high] if found and found.low is not None else None,
        "estimand": found.estimand or None if found else None,
        "interval_this_test_set": list(found.fixed) if found and found.fixed else None,
        "seeds_alike": found.alike if found else False,
        "runs": [{"seeds": list(seeds), "value": value} for seeds, value in entry.runs.items()],
        "wanted": entry.wanted,
        "missing": dict(entry.states),
        "reason": entry.reason if found is None or entry.states else "",
        "examples": entry.n,
        "floors": dict(entry.floors),
        "share_of_commonest_answer": entry.commonest,
        "versus_reference": numbers(entry.versus),
        "p": entry.p,
        "marked": entry.marked,
        "not_testable": entry.untestable or None,
        "found_rows": dict(entry.leaked) if entry.leaked else None,
        "without_found_rows": _clean(entry.clean) if entry.clean else None,
        "selection": _selection(entry) if entry.choices else None,
        "signatures": list(entry.signatures),
        "paper": {"shown": entry.paper.shown, "status": entry.paper.status}
        if entry.paper
        else None,
    }


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
