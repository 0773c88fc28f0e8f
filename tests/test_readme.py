"""What the README says is so: its example runs, and its tree is the repository's.

The tree's lines are the first sentences of the files themselves; after a file is added, moved or
renamed, `python -m tests.test_readme` writes the tree anew.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PACKAGES = ("tasks", "glm", "ablations", "results", "harness")
TREE = re.compile(r"(## Where things are\n.*?```\n)(.*?)(```)", re.DOTALL)


def block(heading: str, language: str) -> str:
    """The first block of code below a heading."""
    section = README.read_text().split(f"## {heading}\n", 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_trains_a_glm_that_fills_a_blank(tmp_path: Path):
    whose, does = ("river", "boat", "dog", "child", "wind"), ("runs", "goes", "walks")
    where = ("down the hill", "by the house", "to the old mill", "past the church")
    lines = [f"the {a} {b} {c} .\n" for a in whose for b in does for c in where]
    (tmp_path / "corpus.txt").write_text("".join(lines))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block("A GLM in twenty lines", "python")],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= set("".join(lines).split()) and done.stdout.strip()


def told(path: Path) -> str:
    """A file's own first sentence: a module's docstring, a grid's first comment."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        first = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    else:
        first = text.split("\n")[0].removeprefix("#").strip()
    sentence = first.split(". ")[0].removesuffix(".")
    return sentence if len(sentence) <= 76 else sentence[:72].rsplit(" ", 1)[0] + " ..."


def tree() -> str:
    """Every folder and file of the packages, with what each says of itself."""
    lines = []

    def walk(folder: Path, depth: int) -> None:
        indent = "  " * depth
        init = folder / "__init__.py"
        about = told(init) if init.exists() else ""
        lines.append(f"{indent + folder.name + '/':<26}{about}".rstrip())
        kept = [p for p in sorted(folder.iterdir()) if p.suffix in (".py", ".yaml")]
        for path in kept:
            if path.name != "__init__.py":
                lines.append(f"{indent + '  ' + path.name:<26}{told(path)}".rstrip())
        for path in sorted(folder.iterdir()):
            if (path.is_dir() and any(path.glob("*.py"))) or path == ROOT / "ablations/paper":
                walk(path, depth + 1)

    for package in PACKAGES:
        walk(ROOT / package, 0)
    return "\n".join(lines) + "\n"


def test_the_tree_is_what_the_files_say_of_themselves():
    found = TREE.search(README.read_text())
    assert found is not None and found[2] == tree(), "run `python -m tests.test_readme`"


if __name__ == "__main__":
    README.write_text(TREE.sub(lambda found: found[1] + tree() + found[3], README.read_text()))
