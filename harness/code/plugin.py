"""Plugins: files and modules of the user's own whose top-level names stand beside the shipped ones.

A plugin is plain Python. These of its names are read, each a mapping by name or a sequence of
values that have a name; none needs to be there, and nothing is registered by importing it:

    TASKS       tasks.spec.Task
    METRICS     tasks.spec.Metric, for the columns of any task
    OBJECTIVES  objectives, by name (a mapping): see glm.objectives.objective
    SYSTEMS     ablations.systems.Variant
    RECIPES     ablations.recipes.Recipe; or ablations.recipes.Finetuning by a task's name
    STYLES      styles of finetuning, by name (a mapping): see glm.adaptation.styles
    TABLES      ablations.tables.Table

A task that is only a mapping (`tasks.template`) is a plugin too. A plugin's source travels with the
steps that it decides, so that a worker anywhere has it, and its fingerprint is part of their
identity. A file therefore stands alone: it imports what is installed, not its neighbours. Several
files are a package, and the plugin is a module of it.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import linecache
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from harness.code import source
from harness.errors import UserError
from tasks.source import outside
from tasks.template import task

REGISTRIES = ("TASKS", "METRICS", "OBJECTIVES", "SYSTEMS", "RECIPES", "STYLES", "TABLES")
LARGEST = 4 * 2**20  # bytes of a file of tasks,
MOST_VALUES = 100_000  # and values in it
ENTRY_POINTS = "glm_harness.plugins"


@dataclass(frozen=True)
class Plugin:
    """A file by its text, an installed module by its name, or a task by its mapping as JSON."""

    name: str
    text: str = ""
    kind: Literal["file", "module", "task"] = "module"

    @property
    def label(self) -> str:
        """What a spec calls it: a task's name, a file's name without its folder."""
        if self.kind == "task":
            return str(json.loads(self.text)["name"])
        return Path(self.name).name if self.kind == "file" else self.name

    @property
    def module(self) -> str:
        """The module's name; a file's has its content in it, so that two versions are two."""
        if self.kind == "module":
            return self.name
        stem = "".join(c if c.isalnum() else "_" for c in Path(self.name).stem)
        return f"plugin_{stem}_{_digest(self.text)}"

    @property
    def fingerprint(self) -> str:
        """Of what its source says, and of what a module imports of its own package."""
        if self.kind == "task":
            return _digest(self.text)
        self.load()
        top = self.module.split(".")[0]
        own = [m for m in source.closure(frozenset((self.module,))) if m.split(".")[0] == top]
        return _digest(",".join(source.fingerprint(module) for module in own))

    def load(self) -> ModuleType:
        """The module, executed once in a process. Raises UserError when it cannot be."""
        if self.module in sys.modules:
            return sys.modules[self.module]
        try:
            if self.kind == "module":
                return importlib.import_module(self.module)
            module = ModuleType(self.module)
            sys.modules[self.module] = module  # where dataclasses and pickle look for it
            if self.kind == "task":
                self._fill(module)
            else:
                self._execute(module)
            return module
        except UserError:
            sys.modules.pop(self.module, None)
            raise
        except Exception as error:
            sys.modules.pop(self.module, None)
            raise UserError(f"plugin {self.name}: {_told(error, self.name)}") from error

    def _execute(self, module: ModuleType) -> None:
        module.__file__ = self.name
        source.remember(self.module, self.text)
        lines = self.text.splitlines(keepends=True)
        linecache.cache[self.name] = (len(self.text), None, lines, self.name)
        exec(compile(self.text, self.name, "exec"), module.__dict__)

    def _fill(self, module: ModuleType) -> None:
        made = task(json.loads(self.text), self.name)
        vars(module)["TASKS"] = {made.name: made}

    def values(self, registry: str) -> Mapping[str, Any]:
        """What the plugin brings under one of `REGISTRIES`, by name."""
        given = getattr(self.load(), registry, {})
        named: dict[Any, Any] = {None: given}
        if isinstance(given, Mapping):
            named = dict(given)
        elif isinstance(given, Sequence) and not isinstance(given, str):
            named = {getattr(v, "name", None) or getattr(v, "id", None): v for v in given}
        if not all(isinstance(name, str) and name for name in named):
            raise UserError(
                f"plugin {self.name}: {registry} is a mapping by name, or a sequence of values "
                "with names"
            )
        return named


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _told(error: Exception, file: str) -> str:
    """The error in one line, with the plugin's line where it went wrong."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(error).__name__}: {error}"


def read(entry: str, folder: Path) -> tuple[Plugin, ...]:
    """A grid's entry: a file of Python (mine.py) or of tasks (mine.yaml), relative to the grid's
    folder, or a module's dotted name.

    Raises UserError where there is no such file or module.
    """
    path = folder / Path(entry).expanduser()
    if path.suffix == ".py":
        return (_file(entry, path),)
    if path.suffix in (".yaml", ".yml", ".json"):
        return _tasks_file(entry, path)
    try:
        spec = importlib.util.find_spec(entry)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise UserError(f"plugin {entry}: no such module is installed; a file's name ends in .py")
    if "." not in entry and spec.origin and not spec.submodule_search_locations:
        return (_file(entry, Path(spec.origin)),)  # one file: it travels as one
    return (Plugin(entry),)


def _file(entry: str, path: Path) -> Plugin:
    try:
        return Plugin(str(path.resolve()), path.read_text(encoding="utf-8"), "file")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"plugin {entry}: {path} cannot be read ({error})") from None


def _tasks_file(entry: str, path: Path) -> tuple[Plugin, ...]:
    """One task's mapping, a list of them, or a mapping of names to them."""
    found = _values(path)
    if isinstance(found, Mapping) and "kind" in found:
        found = [found]
    if isinstance(found, list):
        return tuple(task_of(f"{entry}[{i}]", each) for i, each in enumerate(found))
    return tasks_of(entry, found)


def _values(path: Path) -> object:
    """What a YAML or JSON file holds; aliases may repeat something, but not unfold without end."""
    import yaml

    with outside.parsing(path, "tasks"):
        if path.stat().st_size > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes")
        text = path.read_text(encoding="utf-8")
        if (node := yaml.compose(text, Loader=yaml.SafeLoader)) is not None:
            _count(node, {})
        return yaml.safe_load(text)


def _count(node: Any, counted: dict[int, int]) -> int:
    """How many values there are below a node with its aliases written out."""
    if id(node) not in counted:
        counted[id(node)] = LARGEST  # of what holds itself
        below = node.value if isinstance(node.value, list) else []
        parts = (part for each in below for part in (each if isinstance(each, tuple) else (each,)))
        counted[id(node)] = 1 + sum(_count(part, counted) for part in parts)
    if counted[id(node)] > MOST_VALUES:
        raise ValueError(f"its aliases unfold to more than {MOST_VALUES:,} values")
    return counted[id(node)]


def tasks_of(place: str, mappings: object) -> tuple[Plugin, ...]:
    """Tasks by name, as a grid has them under `tasks:`."""
    if not isinstance(mappings, Mapping):
        raise UserError(f"{place}: a mapping of names to tasks is wanted")
    return tuple(
        task_of(f"{place}.{name}", {"name": name, **each} if isinstance(each, Mapping) else each)
        for name, each in mappings.items()
    )


def task_of(place: str, mapping: object) -> Plugin:
    """One task's mapping. Raises UserError where no task can be made of it."""
    plugin = Plugin(place, json.dumps(mapping, sort_keys=True, default=str), "task")
    plugin.load()
    return plugin


def installed() -> tuple[Plugin, ...]:
    """The plugins that installed packages declare as entry points."""
    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return tuple(Plugin(name) for name in sorted({point.module for point in found}))
