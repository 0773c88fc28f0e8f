"""Imports go one way, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("tasks", "glm", "ablations", "results", "harness")  # each may import those before it
HEAVY = ("torch", "ray", "transformers", "datasets")
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def top_level(path: Path) -> set[str]:
    """The packages that importing a file imports at once: what stands outside of functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    outside = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {alias.name for n in outside if isinstance(n, ast.Import) for alias in n.names}
    names |= {n.module for n in outside if isinstance(n, ast.ImportFrom) and n.module}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    assert not imported(path) & (above | {"bench", "tests"})


def test_tasks_import_neither_torch_nor_a_tokenizer() -> None:
    barred = {"torch", "tokenizers", "transformers", "ray", "sentencepiece"}
    for path in (ROOT / "tasks").rglob("*.py"):
        assert not imported(path) & barred, path
        assert "datasets" not in top_level(path), path


def loaded_by(*command: str) -> list[str]:
    """Which heavy packages a fresh interpreter has loaded after running a command."""
    report = f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    code = f"import sys\ntry:\n    {command[0]}\nexcept SystemExit:\n    pass\n{report}"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("package", LAYERS)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert loaded_by(f"import {package}") == []


@pytest.mark.parametrize(
    "module", ["tasks.source.rows", "tasks.metrics", "tasks.source.hub", "tasks.show"]
)
def test_reading_rows_and_metrics_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == []


@pytest.mark.parametrize("module", ["tasks", "harness", "harness.run.command"])
def test_help_loads_nothing_heavy(module: str) -> None:
    if (
        not (ROOT / f"{module.replace('.', '/')}.py").exists()
        and not (ROOT / module / "__main__.py").exists()
    ):
        pytest.skip(f"there is no {module} to run")
    run = (
        f"import runpy; sys.argv = ['{module}', '--help']; "
        f"runpy.run_module('{module}', run_name='__main__')"
    )
    assert loaded_by(run) == []


def modules() -> dict[str, Path]:
    """Every module of the packages by name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }


def reached(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below but what is there for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from reached(child)


def own_imports(path: Path, known: Container[str]) -> set[str]:
    """The packages' modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in reached(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A module of a package comes with the package, whatever its `__init__` imports.
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name in known}


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    left = {name: own_imports(path, known) - {name} for name, path in known.items()}
    # What imports nothing that is left cannot be in a circle; nor can what nothing left imports.
    while True:
        needed = set().union(*left.values())
        free = {name for name, needs in left.items() if not needs or name not in needed}
        if not free:
            break
        left = {name: needs - free for name, needs in left.items() if name not in free}
    assert not left, f"these import each other: {left}"
