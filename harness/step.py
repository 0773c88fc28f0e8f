"""A step is a spec, its inputs and a digest; a machine says how it is run and cannot change it.

The digest is of the kind, the spec's version, the fields that differ from their defaults, and the
digests of the inputs. So a new field with a harmless default forks no old digest, a moved default
is caught when a stored `spec.json`, which holds every field, disagrees with today's, and `version`
is bumped when equal fields come to mean something new.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from harness.errors import UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@,-]{0,119}")


@dataclass(frozen=True)
class Cost:
    """What a step is expected to take: for plans and estimates, never for decisions."""

    flops: float = 0.0
    disk_bytes: float = 0.0


@dataclass(frozen=True)
class Machine:
    """How steps are run. Nothing here can reach a digest."""

    executor: str = "auto"  # inline | ray | auto (ray where it is installed)
    address: str = ""  # local | auto | host:port; "": RAY_ADDRESS where it is set, else local
    gpus: Mapping[str, float] = field(default_factory=dict)  # kind of step -> GPUs, 0.5 shares one
    cpus: int | None = None  # CPUs that a local executor may use; None: all
    local_gpus: int | None = None  # GPUs that a local executor may use; None: what Ray finds
    threads: int | None = None  # instead of the spec's threads; changes the order of CPU sums
    workers: int | None = None  # steps that run at once; None: as many as resources allow
    micro_batch: int | None = None  # rows per forward pass; None: chosen from the model
    store: str = "store"
    time_limit: Mapping[str, float] = field(default_factory=dict)  # kind -> seconds
    device: str = "auto"  # cpu | cuda | auto: what the step finds
    devices: int = 1  # devices that this step was given
    retries: int = 3  # times a step goes on after its worker was lost
    lock_expiry: float = 30.0  # seconds without a heartbeat after which a lock's holder is dead


class Work(Protocol):
    """What a running step sees of the world. `harness.attempt` makes it."""

    folder: Path  # the .part folder; may hold a checkpoint of an earlier attempt
    inputs: Mapping[str, Path]  # finished, verified folders
    machine: Machine
    how: Mapping[str, Any]  # the step's own runtime values, such as where its files lie
    attempt: int  # 1, 2, ...
    provenance: dict[str, Any]  # what the step adds to provenance.json, such as data digests

    def log(self, event: str, **facts: Any) -> None:
        """Append a line to log.jsonl: "step", "checkpoint" and "resume" with `step=n` count."""
        ...

    def stopping(self) -> bool:
        """Whether to write a checkpoint and raise `Interrupted` now. Cheap: call it every step."""
        ...


class Spec(Protocol):
    """What a step computes: a frozen dataclass of plain values with these members."""

    version: Any  # ClassVar[int]: bumped when equal fields come to mean something new
    uses: Any  # ClassVar[str]: "cpu" or "gpu"

    def run(self, work: Any) -> None:
        """Write the results into `work.folder`."""
        ...

    def cost(self) -> Cost:
        """An estimate, without importing torch."""
        ...


@dataclass(frozen=True, eq=False)
class Step:
    """One node of the plan. Two steps with one digest are one step, whatever their names."""

    kind: str
    name: str
    spec: Any
    inputs: Mapping[str, "Step"] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)  # runtime values; not in the digest

    def __post_init__(self) -> None:
        for part in (self.kind, self.name):
            if not NAME.fullmatch(part) or ".." in part:
                raise UserError(
                    f"{part!r} cannot be part of a step's folder: use letters, digits and ._+=@,-"
                )

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits; equal exactly when the same thing would be computed."""
        # Inputs first, and iteratively: a chain may be longer than Python's recursion limit.
        stack = [self]
        while stack:
            step = stack[-1]
            unknown = [i for i in step.inputs.values() if "digest" not in i.__dict__]
            if unknown:
                stack += unknown
            else:
                stack.pop().__dict__["digest"] = step._identity()
        return self.__dict__["digest"]

    def _identity(self) -> str:
        identity = {
            "kind": self.kind,
            "version": version(self.spec),
            "spec": canonical(self.spec),
            "inputs": {name: step.digest for name, step in self.inputs.items()},
        }
        return hexdigest(identity)

    @cached_property
    def folder(self) -> str:
        """Where the result lies below the store's root: "{kind}/{name}-{digest}"."""
        return f"{self.kind}/{self.name}-{self.digest}"

    @property
    def threads(self) -> int:
        """CPU threads that the step computes with, whatever runs it: its bits depend on them."""
        return int(getattr(self.spec, "threads", 1))

    @property
    def uses(self) -> str:
        """ "cpu" or "gpu": what the step runs on where there is a choice."""
        return str(getattr(self.spec, "uses", "cpu"))

    def cost(self) -> Cost:
        """The spec's estimate; nothing where it gives none."""
        return self.spec.cost() if hasattr(self.spec, "cost") else Cost()


def ordered(steps: Mapping[str, Step]) -> dict[str, Step]:
    """`steps` and everything they need, by digest, inputs first and otherwise in the order given.

    Iterative: a chain of ten thousand steps must not meet Python's recursion limit.
    """
    done: dict[str, Step] = {}
    seen: set[int] = set()
    for root in steps.values():
        stack = [(root, False)]
        while stack:
            step, expanded = stack.pop()
            if expanded:
                # Inputs came first, so their digests are memoised and this one does not recurse.
                done.setdefault(step.digest, step)
            elif id(step) not in seen:
                seen.add(id(step))
                stack.append((step, True))
                stack += [(needed, False) for needed in reversed(list(step.inputs.values()))]
    return done


def version(spec: Any) -> int:
    """The spec's version, 1 where it names none."""
    return int(getattr(type(spec), "version", 1))


def canonical(value: Any, *, full: bool = False, place: str = "spec") -> Any:
    """`value` as JSON values that are equal exactly when it means the same.

    Of a dataclass only the fields that differ from their defaults (all with `full`); nested ones
    also carry their class name and version. Numbers count by value (1e-5 is 0.00001, 1.0 is 1).
    What has no stable form (NaN, sets, paths, arrays, functions, objects) is refused by name.
    """
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise UserError(f"{place} is {value}: only finite numbers have a stable identity")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, tuple | list):
        return [canonical(v, full=full, place=f"{place}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise UserError(f"{place} has a key that is no text: {list(value)!r}")
        return {
            key: canonical(value[key], full=full, place=f"{place}.{key}") for key in sorted(value)
        }
    if is_dataclass(value) and not isinstance(value, type):
        return _canonical_fields(value, full, place)
    raise UserError(
        f"{place} is a {type(value).__module__}.{type(value).__qualname__}, "
        "which has no stable form: use numbers, text, tuples, dicts or frozen dataclasses of them"
    )


def _canonical_fields(value: Any, full: bool, place: str) -> dict[str, Any]:
    """A dataclass as a dict; the outermost spec is known by its kind and carries no class name."""
    form: dict[str, Any] = {}
    if place != "spec":
        form["is"] = type(value).__name__
        if version(value) != 1:
            form["version"] = version(value)
    for each in fields(value):
        now = canonical(getattr(value, each.name), full=full, place=f"{place}.{each.name}")
        if full or not _is_default(each, now, full, f"{place}.{each.name}"):
            form[each.name] = now
    return form


def _is_default(each: "dataclasses.Field[Any]", now: Any, full: bool, place: str) -> bool:
    if each.default is not dataclasses.MISSING:
        default = each.default
    elif each.default_factory is not dataclasses.MISSING:
        default = each.default_factory()
    else:
        return False
    # Types matter here: True equals 1 in Python, but not in a spec.
    return json.dumps(canonical(default, full=full, place=place)) == json.dumps(now)


def hexdigest(value: Any) -> str:
    """16 hexadecimal digits of a canonical value; key order does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def described(step: Step) -> dict[str, Any]:
    """What `spec.json` holds: every field in full."""
    return {
        "kind": step.kind,
        "name": step.name,
        "digest": step.digest,
        "version": version(step.spec),
        "spec": canonical(step.spec, full=True),
    }


def differences(stored: Any, now: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    """Fields that both sides have with unequal values: (dotted name, stored, now).

    A field that only one side has was added or taken away with a harmless default.
    """
    if isinstance(stored, dict) and isinstance(now, dict):
        found = []
        for name in stored:
            if name in now:
                found += differences(stored[name], now[name], f"{place}.{name}".lstrip("."))
        return found
    return [] if stored == now and type(stored) is type(now) else [(place, stored, now)]


def slug(text: str, limit: int = 80) -> str:
    """`text` as a readable part of a folder's name: "glm/no-shuffle" -> "glm+no-shuffle".

    Not injective and need not be: the digest tells steps apart.
    """
    kept = re.sub(r"[^A-Za-z0-9._+=@,-]+", "-", text.replace("/", "+"))
    kept = re.sub(r"\.{2,}", ".", kept).strip("-._+=@,")[:limit]
    return kept or "unnamed"
