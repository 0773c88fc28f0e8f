"""The code of modules without importing them: what it says, and what it builds on.

A module's fingerprint is of its parsed source, so that comments, docstrings and layout do not
count. Everything is read once in a process: what a process has loaded is what it computes with.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

# Imports are followed within these. What runs, keeps and shows results decides none of them.
FOLLOWED = ("tasks", "glm", "ablations", "harness.steps")
# These name others and decide nothing: what a step takes from them, it names itself.
REGISTRIES = (
    *("tasks", "ablations.systems", "ablations.recipes", "ablations.tables"),
    *("glm", "glm.adaptation.styles", "harness.steps"),
)
MACHINERY = ("harness.steps.step", "harness.steps.identity", "tasks.atomic", "tasks.checksums")

_texts: dict[str, bytes] = {}  # sources that lie in no file: plugins that came with a step


def remember(module: str, text: str) -> None:
    """Keep the source of a module that was made from text."""
    _texts[module] = text.encode()


@cache
def path(module: str) -> Path | None:
    """The module's file, found without importing it; None where there is none."""
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or top in sys.stdlib_module_names:
        return None
    if not spec.submodule_search_locations:
        return Path(spec.origin) if spec.origin and not below else None
    for folder in spec.submodule_search_locations:
        place = Path(folder, *below)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file() and not (file.name != "__init__.py" and not below):
                return file
    return None


@cache
def text(module: str) -> bytes | None:
    """The module's source; None where there is none to be read."""
    if module in _texts:
        return _texts[module]
    file = path(module)
    try:
        return file.read_bytes() if file else None
    except OSError:
        return None


@cache
def seal(module: str) -> str:
    """A digest of the source as it is written: the same one needs no parsing."""
    return _digest(text(module) or b"")


@cache
def fingerprint(module: str) -> str:
    """A digest of what the source says; of the bytes where Python cannot read them."""
    tree = _parsed(module)
    if tree is None:
        return seal(module)
    said: list[str] = []
    _say(tree, said)
    return _digest("\n".join(said).encode())


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


@cache
def _parsed(module: str) -> ast.Module | None:
    try:
        return ast.parse(text(module) or b"")
    except (SyntaxError, ValueError):
        return None


# Fields that only some versions of Python have, or that follow from the rest.
_UNSAID = {"ctx", "kind", "type_comment", "type_ignores"}


def _say(value: object, said: list[str]) -> None:
    """Write a tree out, without bare strings and empty fields, the same in every Python 3.11+."""
    if isinstance(value, ast.AST):
        said.append(type(value).__name__)
        for name in value._fields:
            inner = getattr(value, name, None)
            if inner is not None and inner != [] and name not in _UNSAID:
                said.append(name)
                _say(inner, said)
    elif isinstance(value, list):
        said.append("[")
        for each in value:
            if not _bare_string(each):
                _say(each, said)
        said.append("]")
    else:
        said.append(repr(value))


def _bare_string(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def imports(module: str) -> tuple[str, ...]:
    """What the module imports, wherever in it, but for the sake of types."""
    tree, found = _parsed(module), []
    file = path(module)
    inside = file is not None and file.name == "__init__.py"
    package = module if inside else module.rpartition(".")[0]
    for node in _reached(tree) if tree else ():
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join(filter(None, [*(above if node.level else ()), node.module]))
            found += [start, *(f"{start}.{alias.name}" for alias in node.names)]
    return tuple(dict.fromkeys(found))


def _reached(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below, but not what stands under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _reached(child)


@cache
def closure(roots: frozenset[str]) -> tuple[str, ...]:
    """The roots and all they import of the project's packages and of the roots' own, in order."""
    own = {root.split(".")[0] for root in roots}
    seen: set[str] = set()
    left = sorted(roots)
    while left:
        module = left.pop()
        if module in seen or text(module) is None:
            continue
        seen.add(module)
        left += [name for name in imports(module) if _followed(name, own)]
    return tuple(sorted(seen))


def _followed(module: str, own: set[str]) -> bool:
    if module in REGISTRIES or module in MACHINERY:
        return False
    top = module.split(".")[0]
    ours = any(module == name or module.startswith(f"{name}.") for name in FOLLOWED)
    return ours or (top in own and top not in ("harness", "results"))


def entry(registry: str, name: str) -> str:
    """The module of `name`'s class in the module `registry`, whose dict says `"name": Class()`.

    Read, not imported: some registries load torch. The registry itself where it is not found.
    """
    tree = _parsed(registry)
    came = {
        alias.asname or alias.name: node.module
        for node in (tree.body if tree else ())
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for node in ast.walk(tree) if tree else ():
        for key, value in zip(node.keys, node.values) if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and key.value == name and isinstance(value, ast.Call):
                return came.get(getattr(value.func, "id", ""), registry)
    return registry


def owners(values: Iterable[object]) -> set[str]:
    """The modules of the functions and classes that values are made of, however deep."""
    found: set[str] = set()
    left: list[object] = list(values)
    while left:
        value = left.pop()
        fields = getattr(type(value), "__dataclass_fields__", None)
        if callable(value) or fields is not None:
            named = value if hasattr(value, "__qualname__") else type(value)
            found.add(str(named.__module__))
        if fields is not None and not isinstance(value, type):
            left += [getattr(value, name) for name in fields]
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            left += value
    return found
