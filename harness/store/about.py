"""What a reader of the tables must know beside the numbers: the manifest's `about`.

    scale, overrides, recipe, match, precision, seeds
    source         where the tasks' rows come from
    corpora        by folder: documents, bytes, tokens
    pretrainings   by folder: variant, parameters, what it read and what it cost
    columns        by table and column: examples used and there, skipped, questions cut short
    commits        of the code that made the results, oldest first; "dirty" with changes to it
    finished       when the last of the results was, in UTC

Everything is read from specs and finished folders; what is not there yet is left out.
"""

import time
from collections.abc import Iterable
from typing import Any

from glm.objectives.amounts import UNITS
from harness.grid.expansion import Cell, Expansion
from harness.grid.overrides import scaled
from harness.grid.schema import Grid
from harness.plan.estimate import planned, shape
from harness.steps.checkpoint import Checkpoint
from harness.steps.corpus import Corpus
from harness.steps.pretrain import Pretrain
from harness.steps.step import Step
from harness.steps.world import World
from harness.store.store import Store
from tasks.atomic import read_json, read_object

LEDGER = (*UNITS, "steps", "seconds", "device")


def about(grid: Grid, expansion: Expansion, store: Store) -> dict[str, Any]:
    """The facts behind a grid's tables, as plain values."""
    steps = expansion.steps.values()
    scale = scaled(grid)
    return {
        "scale": scale.name,
        "overrides": dict(sorted(grid.overrides.items())),
        "recipe": grid.recipe,
        "match": grid.match,
        "precision": scale.precision if grid.precision == "auto" else grid.precision,
        "seeds": {"pretrain": grid.seeds.pretrain, "finetune": grid.seeds.finetune},
        "source": _source(grid, steps),
        "corpora": {_folder(store, s): _corpus(s, store) for s in steps if s.kind == "tokens"},
        "pretrainings": {
            _folder(store, s): PRETRAINED[s.kind](s, store) for s in steps if s.kind in PRETRAINED
        },
        "columns": _columns(expansion, store),
        **_made(steps, store),
    }


def examples(dataset: Step, split: str, store: Store) -> dict[str, Any]:
    """Rows of a split that are used, of how many, and how many bad ones were skipped."""
    facts = read_object(store.path(dataset) / "dataset.json").get(split, {})
    found = {"used": facts.get("rows"), "of": facts.get("of"), "skipped": facts.get("skipped")}
    found["skipped"] = len(found["skipped"] or ()) or None
    return {name: value for name, value in found.items() if value is not None}


def _source(grid: Grid, steps: Iterable[Step]) -> dict[str, Any]:
    """The kind of source, and what identifies it where that is no digest of files."""
    worlds = [step.spec_of(World) for step in steps if step.kind == "world"]
    found: dict[str, Any] = {"kind": grid.data.kind}
    if worlds:
        world = worlds[0]
        found |= {"generator": world.generator, "seed": world.seed, "documents": world.documents}
    if grid.data.revision:
        found["revision"] = grid.data.revision
    return found


def _corpus(tokens: Step, store: Store) -> dict[str, Any]:
    """Counts of the text that a pretraining reads, and of the held-out part."""
    corpus = tokens.inputs["corpus"]
    spec = corpus.spec_of(Corpus)
    facts: dict[str, Any] = {"name": corpus.name, "hub": spec.hub, "revision": spec.revision}
    counts = read_object(store.path(corpus) / "corpus.json")
    facts |= {f"{part}_{name}": n for part in counts for name, n in counts[part].items()}
    facts["tokens"] = read_object(store.path(tokens) / "tokens.json").get("tokens")
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _pretraining(step: Step, store: Store) -> dict[str, Any]:
    """A pretraining as planned, and as its ledger has it once it is done."""
    spec = step.spec_of(Pretrain)
    facts = {
        "name": step.name,
        "seed": spec.seed,
        "parameters": shape(step).parameters(),
        "layers": spec.shape.layers,
        "hidden": spec.shape.hidden,
        "batch": spec.batch,
        "length": spec.length,
        "planned_steps": spec.optimisation.steps,
        "planned": dict(planned(step)),
        "corpus": _folder(store, step.inputs["tokens"]),
    }
    ledger = read_object(store.path(step) / "ledger.json")
    return facts | {name: ledger[name] for name in (*LEDGER, "parameters") if name in ledger}


def _checkpoint(step: Step, store: Store) -> dict[str, Any]:
    """A model that was trained elsewhere: what it is called, at which commit, and how large."""
    spec = step.spec_of(Checkpoint)
    facts = read_object(store.path(step) / "reference.json")
    found = {"name": step.name, "seed": spec.seed, "checkpoint": spec.name}
    found |= {"revision": spec.revision, "parameters": facts.get("parameters")}
    return {name: value for name, value in found.items() if value not in (None, "")}


PRETRAINED = {"pretrain": _pretraining, "checkpoint": _checkpoint}


def _columns(expansion: Expansion, store: Store) -> dict[str, dict[str, Any]]:
    """What each column was measured on."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in expansion.cells:
        cells.setdefault((cell.table, cell.column), []).append(cell)
    found: dict[str, dict[str, Any]] = {}
    for (table, column), those in cells.items():
        score = those[0].trials[0].score
        dataset, split = score.inputs["dataset"], score.spec.split
        facts: dict[str, Any] = {"task": score.spec.task, "split": split, "part": score.spec.part}
        facts["examples"] = examples(dataset, split, store)
        if score.inputs["predictions"].kind == "finetune":
            facts["training"] = examples(dataset, "train", store)
        facts["cut"] = _cut([c.trials[0].predictions for c in those], store)
        found.setdefault(table, {})[column] = facts
    return found


def _cut(answered: Iterable[Step], store: Store) -> dict[str, dict[str, int]]:
    """Questions that were cut to fit, by split: the most of any row, and of how many.

    Rows differ in it because their patterns and vocabularies do.
    """
    found: dict[str, dict[str, int]] = {}
    for step in {step.digest: step for step in answered}.values():
        ledger = read_object(store.path(step) / "ledger.json")
        for split, count in ledger.get("cut", {}).items():
            asked = (
                ledger["questions"] if split == "training" else ledger.get("asked", {}).get(split)
            )
            if asked is not None and count >= found.get(split, {"most": -1})["most"]:
                found[split] = {"most": count, "of": asked}
    return found


def _made(steps: Iterable[Step], store: Store) -> dict[str, Any]:
    """The commits that the finished scores were made at, and when the last one was."""
    notes = [
        note
        for step in steps
        if step.kind == "score" and (note := read_json(store.path(step) / "provenance.json"))
    ]
    notes.sort(key=lambda note: note.get("finished", 0.0))
    commits = {}
    for code in (note.get("code") or {} for note in notes):
        if code.get("commit"):
            commits[code["commit"]] = commits.get(code["commit"], False) or bool(code.get("dirty"))
    found: dict[str, Any] = {
        "commits": [{"commit": name, "dirty": dirty} for name, dirty in commits.items()]
    }
    if notes and notes[-1].get("finished"):
        stamp = time.gmtime(notes[-1]["finished"])
        found["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", stamp)
    return found


def _folder(store: Store, step: Step) -> str:
    return str(store.path(step).relative_to(store.root))
