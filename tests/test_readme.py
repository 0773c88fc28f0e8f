"""What the README says is so: its example runs, and its tree is the repository's."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PACKAGES = ("tasks", "glm", "ablations", "results", "harness")


def block(heading: str, language: str) -> str:
    """The first block of code below a heading."""
    section = README.split(f"## {heading}\n", 1)[1]
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


def named() -> set[str]:
    """The files in the README's tree, whose folders are told by two more spaces."""
    found, folders = set(), list[str]()
    for line in block("Where things are", "").splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            found.add("".join(folders) + name)
    return found


def test_the_tree_names_every_file_of_the_packages_and_every_grid():
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).glob("**/*.py")
        if path.name != "__init__.py"
    }
    there |= {str(path.relative_to(ROOT)) for path in (ROOT / "ablations").glob("**/*.yaml")}
    assert sorted(there - named()) == [], "files that README.md does not name"
    assert sorted(named() - there) == [], "files that are only in README.md"
