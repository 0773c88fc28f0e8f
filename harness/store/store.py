"""The store: `store/{kind}/{name}-{digest}/` exists if and only if the step is done.

Work happens in `....part` beside it, which is renamed when whole. A finished folder holds what the
step wrote and

    spec.json         every field of the spec in full: a moved default shows against it
    code.json         fingerprints of the modules that decided it
    inputs.json       the folders it was made from
    provenance.json   commit, versions, host, device, command, data digests, attempts
    checksums.json    size and blake2b of every other file
    log.jsonl         what happened, one event a line

A folder that fails its checksums goes to `quarantine/` with the reason and is made again.
"""

import json
import os
import pickle
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

from harness.code.plugin import Plugin
from harness.errors import StoreDamaged, UserError
from harness.steps import KINDS
from harness.steps.identity import differences
from harness.steps.step import Spec, Step, described
from harness.store import edited
from harness.store.edited import Code
from tasks.atomic import as_json, read_json, write_json
from tasks.checksums import FORMAT, checksums, fault

OWN = ("locks", "quarantine", "sessions", "grids")  # folders that hold no steps


@dataclass(frozen=True)
class Order:
    """A step as it travels to a worker: its own spec, and its inputs as folders (no chain)."""

    kind: str
    name: str
    digest: str
    spec: Spec
    described: Mapping[str, Any]
    inputs: Mapping[str, str]  # name -> folder below the store's root
    how: Mapping[str, Any]
    threads: int
    uses: str
    folder: str  # where the result will lie below the store's root
    code: Code  # that decides the result, as the run found it

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Travels with its plugins: they are loaded before what is made of their classes."""
        plugins = self.how.get("plugins", ())
        if not plugins:
            return object.__reduce_ex__(self, protocol)
        return _opened, (plugins, pickle.dumps(vars(self)))


def _opened(plugins: Sequence[Plugin], data: bytes) -> Order:
    for plugin in plugins:
        plugin.load()
    return Order(**pickle.loads(data))


@dataclass(frozen=True)
class Fault:
    """A folder that cannot be trusted, and why."""

    folder: Path
    reason: str


class Store:
    """The folder that holds every step's result, shared by processes and machines."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self._found: dict[str, dict[str, str]] = {}  # kind -> digest -> folder's name
        self._planned: dict[str, str] = {}  # digest -> folder: one name per step within a plan

    def open(self) -> "Store":
        """Make the root where it is missing. Raises StoreDamaged when it is no store of ours."""
        note = self.root / "store.json"
        try:
            for name in OWN:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            if not note.exists():
                write_json(note, {"format": FORMAT})
            found = json.loads(note.read_text())["format"]
        except (NotADirectoryError, FileExistsError, PermissionError) as error:
            raise StoreDamaged(f"{self.root} cannot be used as a store: {error}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreDamaged(
                f"{note} is not readable ({error}): remove it if it is not"
            ) from error
        if found != FORMAT:
            raise StoreDamaged(f"{note} has format {found}, this version reads {FORMAT}")
        return self

    # --- where things are

    def scan(self, kinds: Iterable[str]) -> None:
        """List the kinds' folders once, so that looking up many steps costs no further calls."""
        for kind in kinds:
            if (self.root / kind).is_file():
                raise StoreDamaged(
                    f"{self.root / kind} is a file, where a folder of results should be: move it"
                )
            self._found[kind] = listed(self.root / kind)

    def forget(self) -> None:
        """Drop what `scan` has seen: other processes have changed it since."""
        self._found.clear()

    def path(self, step: Step) -> Path:
        """The step's finished folder, or where it will be; one made under another name counts."""
        whole = self._named(step, "")
        if whole is None:
            part = self._named(step, ".part")
            whole = part.with_suffix("") if part else self.root / self._folder(step)
        return whole

    def part(self, step: Step) -> Path:
        """The folder the step is worked on in; one begun under another name is gone on with."""
        return self._named(step, ".part") or self.root / f"{self._folder(step)}.part"

    def _folder(self, step: Step) -> str:
        return self._planned.get(step.digest, step.folder)

    def _named(self, step: Step, ending: str) -> Path | None:
        own = self.root / (self._folder(step) + ending)
        if step.kind in self._found:
            name = self._found[step.kind].get(step.digest + ending)
        else:
            name = None if own.is_dir() else listed(self.root / step.kind).get(step.digest + ending)
        if name and (self.root / step.kind / name).is_dir():
            return self.root / step.kind / name
        return own if own.is_dir() else None

    def state(self, step: Step) -> str:
        """ "done", "partial" (a .part folder is there) or "absent"."""
        if self._named(step, ""):
            return "done"
        return "partial" if self._named(step, ".part") else "absent"

    def states(self, steps: Mapping[str, Step]) -> dict[str, str]:
        """Every step's state from one listing per kind: a thousand steps in a few milliseconds."""
        self.scan({step.kind for step in steps.values()})
        states = {}
        for digest, step in steps.items():
            self._planned.setdefault(digest, step.folder)
            found = self._found[step.kind]
            partial = "partial" if f"{digest}.part" in found else "absent"
            states[digest] = "done" if digest in found else partial
        return states

    def order(self, step: Step) -> Order:
        """The step as a worker gets it."""
        return Order(
            kind=step.kind,
            name=step.name,
            digest=step.digest,
            spec=step.spec,
            described=described(step),
            inputs={
                name: str(self.path(needed).relative_to(self.root))
                for name, needed in step.inputs.items()
            },
            how=dict(step.how),
            threads=step.threads,
            uses=step.uses,
            folder=str(self.path(step).relative_to(self.root)),
            code=edited.of(step),
        )

    # --- making a folder

    def begin(self, order: Order) -> Path:
        """The .part folder, made or taken over from an earlier attempt."""
        part = self.root / f"{order.folder}.part"
        part.mkdir(parents=True, exist_ok=True)
        if not (part / edited.FILE).exists():  # what goes on is still of the code that began it
            inputs = {name: self.root / folder for name, folder in order.inputs.items()}
            write_json(part / edited.FILE, edited.record(order.code, inputs))
        return part

    def finish(self, order: Order, provenance: Mapping[str, Any]) -> Path:
        """Complete the .part folder's own files and rename it: from here on the step is done."""
        part, whole = self.root / f"{order.folder}.part", self.root / order.folder
        own = {"spec": order.described, "inputs": order.inputs, "provenance": provenance}
        for name, value in own.items():  # nobody reads them before the folder is renamed
            (part / f"{name}.json").write_text(as_json(value))
        files = {"format": FORMAT, "files": checksums(part)}
        (part / "checksums.json").write_text(as_json(files))
        part.rename(whole)
        self._found.setdefault(order.kind, {})[order.digest] = whole.name
        return whole

    # --- trusting a folder

    def moved_defaults(self, step: Step) -> list[str]:
        """Messages for fields whose default has moved under a finished folder with this digest."""
        stored = read_json(self.path(step) / "spec.json")
        if not isinstance(stored, dict) or "spec" not in stored:
            return []  # damaged: the checksums say so
        now = described(step)["spec"]
        return [
            f"{step.kind} {step.name}: the default of `{place}` moved from {old!r} to {new!r} "
            f"under the finished {self.path(step).name}; raise the version of "
            f"{type(step.spec).__name__}, or set `{place}` where it is meant"
            for place, old, new in differences(stored["spec"], now)
        ]

    def refuse_moved_defaults(self, steps: Iterable[Step]) -> None:
        """Raise UserError naming every field whose default moved under a finished step."""
        messages = [text for step in steps for text in self.moved_defaults(step)]
        if messages:
            raise UserError("\n".join(dict.fromkeys(messages)))

    def quarantine(self, folder: Path, reason: str) -> Path:
        """Move a folder out of the way, with the reason beside it. Returns where it went."""
        stamp = time.strftime("%Y%m%dT%H%M%S")
        target = self.root / "quarantine" / f"{folder.parent.name}-{folder.name}-{stamp}"
        while target.exists():
            target = target.with_name(target.name + "x")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except FileNotFoundError:  # another worker found the same fault
            return target
        write_json(target.with_name(target.name + ".json"), {"from": str(folder), "why": reason})
        self._found.get(folder.parent.name, {}).pop(folder.name.rsplit("-", 1)[-1], None)
        return target

    def folders(self) -> list[Path]:
        """Every finished folder."""
        found = []
        for kind in sorted(self.root.iterdir()) if self.root.is_dir() else []:
            if kind.is_dir() and kind.name not in OWN:
                names = listed(kind).values()
                found += [kind / name for name in sorted(names) if not name.endswith(".part")]
        return found

    def verify(self) -> list[Fault]:
        """Every folder that fails its checksums, read in full, or is none of the harness's."""
        faults = ((folder, fault(folder)) for folder in self.folders())
        found = [Fault(folder, reason) for folder, reason in faults if reason]
        for kind in KINDS:
            if (self.root / kind).is_file():
                found.append(Fault(self.root / kind, "is a file, where a folder should be"))
        return found


def listed(kind: Path) -> dict[str, str]:
    """The names of a kind's folders by digest; work in progress by digest and ".part"."""
    try:
        names = os.listdir(kind)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name.rsplit("-", 1)[1]: name for name in names if "-" in name}
