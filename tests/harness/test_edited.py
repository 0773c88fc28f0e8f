"""Results of code that has been edited since are not served as if nothing had happened.

Each test runs a copy of the packages, so that it may edit them, with the world's smallest grid.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.code import source

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tasks", "glm", "ablations", "results", "harness")
GRID = """\
scale: micro
overrides: {steps: 2, rows: 8, eval_rows: 6, world: 0.05, documents: 120}
tables:
  - {id: two, rows: [glm-large], columns: [rte, copa]}
machine: {executor: inline, store: store}
"""
RTE = "tasks/superglue/rte.py"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages in which the grid has been run once."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "measured")
        )
    (folder / "grid.yaml").write_text(GRID)
    ran = run(folder)
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of that copy, to be edited."""
    return shutil.copytree(whole, tmp_path / "copy")


def run(folder: Path, *options: str, module: str = "harness.run") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", module, *options[:1], "grid.yaml", *options[1:]]
        if module == "harness"
        else [sys.executable, "-m", module, "grid.yaml", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
    )


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def add(folder: Path, file: str) -> None:
    """Make a module say something more."""
    with (folder / file).open("a") as out:
        out.write("\nNEW = 1\n")


def made(folder: Path) -> dict[str, tuple[int, int]]:
    """Every finished step's folder, as it is told from one made again."""
    found = {}
    for path in (folder / "store").glob("*/*/spec.json"):
        at = path.stat()
        found[str(path.parent.relative_to(folder / "store"))] = (at.st_ino, at.st_mtime_ns)
    return {name: at for name, at in found.items() if not name.startswith("quarantine")}


def test_an_edited_verbalizer_stops_the_run_before_it_computes(copy: Path):
    before = made(copy)
    edit(copy, RTE, '"Yes"', '"Sure"')
    for options in ((), ("--quiet",)):
        ran = run(copy, *options)
        assert ran.returncode == 2 and not ran.stdout, ran.stdout
        assert "tasks.superglue.rte: 1 dataset, 1 finetune, 1 score, 1 leakage (rte, " in ran.stderr
        assert "making 4 steps again" in ran.stderr and "--code rerun" in ran.stderr
    assert made(copy) == before
    planned = run(copy, "--plan")
    assert planned.returncode == 0 and "tasks.superglue.rte: 1 dataset" in planned.stdout
    why = run(copy, "why", "score/glm-large-rte-cloze-s0.0", module="harness")
    assert "earlier code (tasks.superglue.rte)" in why.stdout


def test_rerun_makes_exactly_the_edited_steps_again(copy: Path):
    before = made(copy)
    edit(copy, RTE, '"Yes"', '"Sure"')
    ran = run(copy, "--code", "rerun")
    assert ran.returncode == 0 and "4 steps ran" in ran.stdout, ran.stderr
    after = made(copy)
    assert after.keys() == before.keys()
    again = {name for name in before if before[name] != after[name]}
    assert {name.split("-")[0] for name in again} == {
        "dataset/rte",
        "leakage/rte",
        "finetune/glm",
        "score/glm",
    }
    assert all("rte" in name for name in again)
    notes = [json.loads(p.read_text()) for p in (copy / "store/quarantine").glob("*.json")]
    assert {note["why"] for note in notes} == {"made by earlier code: tasks.superglue.rte"}
    assert run(copy, "--quiet").returncode == 0


def test_kept_results_are_marked_wherever_they_are_shown(copy: Path):
    before = made(copy)
    edit(copy, RTE, '"Yes"', '"Sure"')
    ran = run(copy, "--code", "keep")
    assert ran.returncode == 0 and made(copy) == before
    note = "made by earlier code: tasks.superglue.rte"
    cells = json.loads((copy / "store/grids/grid/cells.json").read_text())["cells"]
    assert [cell["earlier_code"] for cell in cells] == [["tasks.superglue.rte"], []]
    tables = copy / "store/grids/grid/tables"
    shown = [tables / "two.md", tables / "index.html"]
    assert note in ran.stdout and all(note in path.read_text() for path in shown)
    assert run(copy).returncode == 2  # it is asked again: nothing was decided for good


def test_comments_docstrings_layout_and_what_only_shows_results_change_nothing(copy: Path):
    for file in (RTE, "glm/training/loop.py"):
        text = (copy / file).read_text()
        (copy / file).write_text('"""Another docstring."""\n# a comment\n\n' + text)
    add(copy, "results/wording.py")
    add(copy, "harness/run/inline.py")
    assert run(copy, "--quiet").returncode == 0


def test_what_was_made_from_a_result_that_was_made_again_is_found_by_another_grid(copy: Path):
    other = GRID.replace("[rte, copa]", "[copa]")
    add(copy, "glm/objectives/spans.py")
    (copy / "grid.yaml").write_text(other)
    assert run(copy, "--quiet", "--code", "rerun").returncode == 0
    (copy / "grid.yaml").write_text(GRID)
    ran = run(copy)
    assert ran.returncode == 2 and "finetune (glm-large-rte-cloze-s0.0" in ran.stderr
    assert "dataset" not in ran.stderr and "copa" not in ran.stderr


def test_a_training_begun_by_earlier_code_is_not_gone_on_with_unasked(copy: Path):
    folder = next((copy / "store").glob("finetune/*rte*"))
    folder.rename(folder.with_name(folder.name + ".part"))
    shutil.rmtree(next((copy / "store").glob("score/*rte*")))
    edit(copy, RTE, '"Yes"', '"Sure"')
    ran = run(copy)
    assert ran.returncode == 2 and "1 dataset, 1 finetune, 1 leakage (rte" in ran.stderr


def test_a_fingerprint_is_of_what_the_source_says():
    source.remember("plain", 'X = {"a": 1}\n\ndef f(x):\n    return x + 1\n')
    source.remember(
        "dressed", '"""Doc."""\nX = {\n  "a": 1,\n}\ndef f(x):  # c\n  "d"\n  return (x+1)'
    )
    source.remember("other", 'X = {"a": 1}\n\ndef f(x):\n    return x + 2\n')
    assert source.fingerprint("plain") == source.fingerprint("dressed")
    assert source.fingerprint("plain") != source.fingerprint("other")
    # The value is part of every store: it may not change with Python's version.
    assert source.fingerprint("plain") == "5ca718c930e6a6d6"
