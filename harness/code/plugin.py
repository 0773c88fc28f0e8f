"""Plugins: files and modules of the user's own whose top-level names stand beside the shipped ones.

A plugin is plain Python. These of its names are read, each a mapping by name or a sequence of
values that have a name; none needs to be there, and nothing is registered by importing it:

    TASKS       tasks.spec.Task
    METRICS     tasks.spec.Metric, for the columns of any task
    OBJECTIVES  frozen dataclasses that make batches, by name (a mapping)
    SYSTEMS     ablations.systems.Variant
    RECIPES     ablations.recipes.Recipe; or ablations.recipes.Finetuning by a task's name
    STYLES      styles of finetuning, by name (a mapping): see glm.adaptation.styles
    TABLES      ablations.tables.Table

A plugin's source travels with the steps that it decides, so that a worker anywhere has it, and its
fingerprint is part of their identity. A file therefore stands alone: it imports what is installed,
not its neighbours. Several files are a package, and the plugin is a module of it.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import linecache
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.code import source
from harness.errors import UserError

REGISTRIES = ("TASKS", "METRICS", "OBJECTIVES", "SYSTEMS", "RECIPES", "STYLES", "TABLES")
ENTRY_POINTS = "glm_harness.plugins"


@dataclass(frozen=True)
class Plugin:
    """A file by its text, or an installed module by its name alone."""

    name: str
    text: str = ""

    @property
    def module(self) -> str:
        """The module's name; a file's has its content in it, so that two versions are two."""
        if not self.text:
            return self.name
        stem = "".join(c if c.isalnum() else "_" for c in Path(self.name).stem)
        return f"plugin_{stem}_{hashlib.blake2b(self.text.encode(), digest_size=6).hexdigest()}"

    @property
    def fingerprint(self) -> str:
        """Of what its source says, and of what a module imports of its own package."""
        self.load()
        top = self.module.split(".")[0]
        own = [m for m in source.closure(frozenset((self.module,))) if m.split(".")[0] == top]
        said = ",".join(source.fingerprint(module) for module in own)
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def load(self) -> ModuleType:
        """The module, executed once in a process. Raises UserError when it cannot be."""
        if self.module in sys.modules:
            return sys.modules[self.module]
        try:
            if not self.text:
                return importlib.import_module(self.module)
            module = ModuleType(self.module)
            module.__file__ = self.name
            source.remember(self.module, self.text)
            lines = self.text.splitlines(keepends=True)
            linecache.cache[self.name] = (len(self.text), None, lines, self.name)
            sys.modules[self.module] = module  # where dataclasses and pickle look for it
            exec(compile(self.text, self.name, "exec"), module.__dict__)
            return module
        except Exception as error:
            sys.modules.pop(self.module, None)
            raise UserError(f"plugin {self.name}: {_told(error, self.name)}") from error

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


def _told(error: Exception, file: str) -> str:
    """The error in one line, with the plugin's line where it went wrong."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(error).__name__}: {error}"


def read(entry: str, folder: Path) -> Plugin:
    """A grid's entry: a file (`mine.py`, relative to the grid's folder) or a module's dotted name.

    Raises UserError where there is no such file or module.
    """
    if entry.endswith(".py"):
        path = folder / Path(entry).expanduser()
        try:
            return Plugin(str(path.resolve()), path.read_text(encoding="utf-8") or "\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"plugin {entry}: {path} cannot be read ({error})") from None
    try:
        known = importlib.util.find_spec(entry) is not None
    except (ImportError, ValueError):
        known = False
    if not known:
        raise UserError(f"plugin {entry}: no such module is installed; a file's name ends in .py")
    return Plugin(entry)


def installed() -> tuple[Plugin, ...]:
    """The plugins that installed packages declare as entry points."""
    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return tuple(Plugin(name) for name in sorted({point.module for point in found}))
