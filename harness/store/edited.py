"""Results made by code that has been edited since: which, by what, and what they are worth.

Every step's folder holds `code.json`: the fingerprints of the modules that decided its result, and
those of its inputs' code, so that what was made from a result that has been made again shows. It is
written when the work begins, and is no part of the digest: whoever edits code decides with
`--code` whether results are made again or kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.code import catalogue, source
from harness.errors import UserError
from harness.steps.identity import hexdigest
from harness.steps.step import Step
from harness.store import locks
from tasks.atomic import read_json, read_object

if TYPE_CHECKING:
    from harness.store.store import Store

FILE = "code.json"
UNRECORDED = "(not recorded)"
SHOWN = 4  # names of steps and modules that a message lists


@dataclass(frozen=True)
class Code:
    """What decides a step's result: the modules by name, each with its seal and its fingerprint."""

    roots: tuple[str, ...]
    modules: Mapping[str, tuple[str, str]]

    def edited(self) -> list[str]:
        """The modules that say something else here and now."""
        return [name for name, said in self.modules.items() if _differs(name, *said)]


def refuse(code: Code) -> None:
    """Raise UserError where this process would compute with other code than the run began with."""
    changed = [name for name in code.edited() if source.text(name) is not None]
    if changed:
        raise UserError(f"{_some(changed)} was edited while this run went on: start it again")


def of(step: Step) -> Code:
    """The code that would make the step now."""
    names = catalogue.of_step(step.how)
    roots = catalogue.roots(step.spec, names)
    seals = {name: (source.seal(name), source.fingerprint(name)) for name in source.closure(roots)}
    return Code(tuple(sorted(roots)), seals)


def _differs(module: str, seal: str, fingerprint: str) -> bool:
    """The same bytes need no parsing."""
    return source.seal(module) != seal and source.fingerprint(module) != fingerprint


def record(code: Code, inputs: Mapping[str, Path]) -> dict[str, Any]:
    """What `code.json` holds."""
    before = {name: _digest(read_json(folder / FILE)) for name, folder in inputs.items()}
    said = {name: fingerprint for name, (_, fingerprint) in code.modules.items()}
    return {
        "roots": list(code.roots),
        "modules": {name: list(both) for name, both in code.modules.items()},
        "inputs": before,
        "digest": hexdigest({"modules": said, "inputs": before}),
    }


def _digest(recorded: object) -> str:
    return str(recorded.get("digest", "")) if isinstance(recorded, dict) else ""


@dataclass(frozen=True)
class Edited:
    """A finished or begun step that other code has made: `modules` say what, of its own or of what
    it was made from."""

    step: Step
    folder: Path
    modules: tuple[str, ...]
    own: bool  # else only something that it was made from is


def find(steps: Mapping[str, Step], store: "Store") -> dict[str, Edited]:
    """By digest, the steps that edited code has made, and those made from them.

    `steps` come inputs first, as a plan has them.
    """
    states = store.states(steps)
    found: dict[str, Edited] = {}
    digests: dict[str, str] = {}  # of the code that made each step
    for digest, step in steps.items():
        if states[digest] == "absent":
            continue
        folder = store.path(step) if states[digest] == "done" else store.part(step)
        recorded = read_json(folder / FILE)
        if not isinstance(recorded, dict) and states[digest] == "partial":
            continue  # it was stopped before it began
        digests[digest] = _digest(recorded)
        own = _own(step, recorded)
        before = [found[i.digest].modules for i in step.inputs.values() if i.digest in found]
        modules = dict.fromkeys((*own, *(m for each in before for m in each)))
        if not modules and _remade(step, recorded, digests):
            modules = {"(its input was made again)": None}
        if modules:
            found[digest] = Edited(step, folder, tuple(modules), bool(own))
    return found


def _own(step: Step, recorded: Any) -> list[str]:
    """The modules of the step's own code that are not as they are recorded."""
    try:
        then = {name: (str(seal), str(said)) for name, (seal, said) in recorded["modules"].items()}
        roots = recorded["roots"]
    except (TypeError, KeyError, ValueError, AttributeError):
        return [UNRECORDED]
    names = catalogue.of_step(step.how)
    same_roots = roots == sorted(catalogue.roots(step.spec, names))
    if same_roots and all(source.seal(name) == seal for name, (seal, _) in then.items()):
        return []  # what they import has not changed either
    now = of(step).modules
    changed = [name for name, said in then.items() if name in now and _differs(name, *said)]
    return changed + sorted(set(then) ^ set(now))


def _remade(step: Step, recorded: Any, digests: Mapping[str, str]) -> bool:
    then = recorded.get("inputs", {})
    return any(
        digests.get(needed.digest, then.get(name)) != then.get(name)
        for name, needed in step.inputs.items()
    )


def told(found: Mapping[str, Edited]) -> list[str]:
    """What has been edited and which steps it concerns, for people."""
    own = [each for each in found.values() if each.own]
    by_module: dict[str, list[Step]] = {}
    for each in own or found.values():
        for module in each.modules:
            by_module.setdefault(module, []).append(each.step)
    lines = [f"the code behind {_count(len(own or found), 'result')} of this store has changed:"]
    same: dict[tuple[str, ...], list[str]] = {}  # modules that concern the same steps
    for module, steps in by_module.items():
        same.setdefault(tuple(step.digest for step in steps), []).append(module)
    for modules in same.values():
        lines.append(f"  {_some(modules)}: {counted(by_module[modules[0]])}")
    behind = [each.step for each in found.values() if not each.own] if own else []
    if behind:
        lines.append(f"  made from these: {counted(behind)}")
    return lines


def counted(steps: Sequence[Step]) -> str:
    """Steps for people: how many of each kind, and the first names."""
    kinds = Counter(step.kind for step in steps)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f"{counts} ({_some([step.name for step in steps])})"


def _some(names: Iterable[str]) -> str:
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def put_away(found: Mapping[str, Edited], store: "Store") -> None:
    """Move the results to quarantine, so that a run makes them again."""
    for each in found.values():
        lock = store.root / "locks" / each.step.digest
        if lock.exists() and not locks.gone(read_object(lock)):
            raise UserError(
                f"{each.step.kind} {each.step.name} is being worked on by another run: wait for "
                "it, or use --code keep"
            )
    for each in found.values():
        store.quarantine(each.folder, f"made by earlier code: {', '.join(each.modules)}")
    store.forget()
