"""Why a step would run again: the fields in which it differs from the nearest finished one."""

from collections.abc import Mapping
from typing import Any

from harness.steps.step import Step, described, ordered
from harness.store import edited
from harness.store.store import Store
from tasks.atomic import read_json, read_object
from tasks.checksums import fault

ABSENT = "(not there)"


def find(steps: Mapping[str, Step], wanted: str) -> list[Step]:
    """Steps whose folder, digest or name is, or starts with, what was asked for."""
    exact = [
        s for s in steps.values() if wanted in (s.folder, s.digest, s.name, f"{s.kind}/{s.name}")
    ]
    if exact:
        return exact
    return [s for s in steps.values() if s.folder.startswith(wanted) or s.digest.startswith(wanted)]


def why(step: Step, store: Store, depth: int = 0) -> list[str]:
    """One line for each reason, inputs indented under the step that reads them."""
    indent = "  " * depth
    label = f"{indent}{step.kind} {step.name}"
    if store.state(step) == "done":
        reason = fault(store.path(step))
        if reason:
            return [f"{label}: {store.path(step).name} is damaged ({reason})"]
        earlier = edited.find(ordered({step.digest: step}), store).get(step.digest)
        if earlier:
            modules = ", ".join(earlier.modules)
            return [f"{label}: done by earlier code ({modules}), would run again: --code rerun"]
        return [f"{label}: done, would not run again"]
    lines = [f"{label}: {'begun, not finished' if store.state(step) == 'partial' else 'not there'}"]
    for folder, why_so in _quarantined(step, store):
        lines.append(f"{indent}  {folder} went to quarantine: {why_so}")
    nearest = _nearest(step, store)
    if nearest is None:
        return [*lines, f"{indent}  no other {step.kind} is in the store"]
    folder, stored, inputs = nearest
    lines.append(f"{indent}  nearest finished one: {step.kind}/{folder}")
    for name, was, now in changes(stored, _facts(step)):
        lines.append(f"{indent}  {name}: {was!r} there, {now!r} now")
    for name, needed in step.inputs.items():
        if not str(inputs.get(name, "")).endswith(needed.digest):
            lines.append(f"{indent}  another {name}:")
            lines += why(needed, store, depth + 2)
    return lines


def changes(stored: object, now: object, place: str = "") -> list[tuple[str, Any, Any]]:
    """Every field that differs or that only one side has: (dotted name, stored, now)."""
    if isinstance(stored, dict) and isinstance(now, dict):
        found = []
        for name in dict.fromkeys([*stored, *now]):
            where = f"{place}.{name}".lstrip(".")
            found += changes(stored.get(name, ABSENT), now.get(name, ABSENT), where)
        return found
    return [] if stored == now else [(place, stored, now)]


def _facts(step: Step) -> dict[str, Any]:
    now = described(step)
    return {"version": now["version"], **now["spec"]}


def _nearest(step: Step, store: Store) -> tuple[str, dict[str, Any], dict[str, str]] | None:
    """The finished step of this kind with the fewest differences, one of its own name first."""
    best, found = None, None
    for folder in (f for f in store.folders() if f.parent.name == step.kind):
        stored = read_json(folder / "spec.json")
        if not isinstance(stored, dict) or "spec" not in stored:
            continue
        facts = {"version": stored["version"], **stored["spec"]}
        inputs = read_object(folder / "inputs.json")
        other = sum(
            not str(inputs.get(name, "")).endswith(needed.digest)
            for name, needed in step.inputs.items()
        )
        distance = (stored["name"] != step.name, len(changes(facts, _facts(step))) + other)
        if best is None or distance < best:
            best, found = distance, (folder.name, facts, inputs)
    return found


def _quarantined(step: Step, store: Store) -> list[tuple[str, str]]:
    found = []
    for note in sorted((store.root / "quarantine").glob(f"{step.kind}-*{step.digest}*.json")):
        said = read_object(note)
        found.append((step.folder, str(said.get("why", ""))))
    return found
