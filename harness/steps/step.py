"""A step is a spec, its inputs and a digest; a machine says how it is run and cannot change it.

The digest is of the kind, the spec's version, the fields that differ from their defaults, and the
digests of the inputs. So a new field with a harmless default forks no old digest, a moved default
is caught when a stored `spec.json`, which holds every field, disagrees with today's, and `version`
is bumped when equal fields come to mean something new.
"""

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, runtime_checkable

from typing_extensions import TypeVar

from harness.errors import UserError
from harness.steps.identity import canonical, hexdigest, version

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@,-]{0,119}")


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
    checkpoint_seconds: float = 60.0  # between two checkpoints of a training
    track: str = ""  # tensorboard | trackio | wandb: who is told of losses and scores
    lock_expiry: float = 30.0  # seconds without a heartbeat after which a lock's holder is dead


class Work(Protocol):
    """What a running step sees of the world. `harness.run.attempt` makes it."""

    folder: Path  # the .part folder; may hold a checkpoint of an earlier attempt
    inputs: Mapping[str, Path]  # finished, verified folders
    machine: Machine
    how: Mapping[str, Any]  # the step's own runtime values, such as where its files lie
    attempt: int  # 1, 2, ...
    provenance: dict[str, Any]  # what the step adds to provenance.json, such as data digests

    def log(self, event: str, **facts: object) -> None:
        """Append a line to log.jsonl: "step", "checkpoint" and "resume" with `step=n` count."""
        ...

    def stopping(self) -> bool:
        """Whether to write a checkpoint and raise `Interrupted` now. Cheap: call it every step."""
        ...


class Spec(Protocol):
    """What a step computes: a frozen dataclass of plain values with these members."""

    version: ClassVar[int]  # bumped when equal fields come to mean something new
    uses: ClassVar[str]  # "cpu" or "gpu"
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def run(self, work: Work) -> None:
        """Write the results into `work.folder`."""
        ...


@runtime_checkable
class Naming(Protocol):
    """A spec with fields that name entries of registries, whose code decides its result too."""

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """Each entry as its registry ("tasks", "styles" or "metrics") and its name in there."""
        ...


S = TypeVar("S")
S_co = TypeVar("S_co", bound=Spec, covariant=True, default=Spec)


@dataclass(frozen=True, eq=False)
class Step(Generic[S_co]):
    """One node of the plan. Two steps with one digest are one step, whatever their names.

    For type checkers a `Step[Score]` is a step whose spec is a `Score`, and a plain `Step` may have
    any spec.
    """

    kind: str
    name: str
    spec: S_co
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

    def spec_of(self, kind: type[S]) -> S:
        """The spec, where it is known to be of this class. TypeError where it is of another."""
        if not isinstance(self.spec, kind):
            raise TypeError(f"{self.kind} {self.name} is no {kind.__name__}")
        return self.spec

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
        return self.spec.uses


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


def described(step: Step) -> dict[str, Any]:
    """What `spec.json` holds: every field in full."""
    return {
        "kind": step.kind,
        "name": step.name,
        "digest": step.digest,
        "version": version(step.spec),
        "spec": canonical(step.spec, full=True),
    }


def slug(text: str, limit: int = 80) -> str:
    """`text` as a readable part of a folder's name: "glm/no-shuffle" -> "glm+no-shuffle".

    Not injective and need not be: the digest tells steps apart.
    """
    kept = re.sub(r"[^A-Za-z0-9._+=@,-]+", "-", text.replace("/", "+"))
    kept = re.sub(r"\.{2,}", ".", kept).strip("-._+=@,")[:limit]
    return kept or "unnamed"
