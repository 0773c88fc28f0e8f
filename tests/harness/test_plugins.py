"""What a stranger writes outside of the package: a task, an objective, a system, a table.

No file of the package is touched, and nothing of a plugin is left behind for the next grid.
"""

import itertools
import json
import pickle
from pathlib import Path

import pytest

import harness
from harness.code import catalogue, plugin
from harness.errors import UserError
from harness.grid import load
from harness.grid.expansion import expand
from harness.steps.pretrain import Pretrain
from harness.store.store import Store

MINE = '''
"""A stranger's plugin."""
from dataclasses import dataclass, replace

from ablations.recipes import Finetuning
from ablations.systems import GLM_LARGE
from ablations.tables import Column, Row, Table
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.spans import Poisson
from tasks.metrics import ACCURACY
from tasks.spec import Blank, Cloze, Part, Task


@dataclass(frozen=True)
class Short:
    """Blank infilling that shuffles nothing, by the stranger's own class."""

    inner: BlankInfilling = BlankInfilling(spans=Poisson(), shuffle=False)

    def __call__(self, text_BN, rng, special):
        return self.inner(text_BN, rng, special)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def at_positions(self, positions):
        return replace(self, inner=self.inner.at_positions(positions))


WORDS = ("warm", "cold")  # in the order of the labels


def ask(row, how):
    gold = (row["label"],) if "label" in row else ()
    text = (Part(row["place"] + " is"), Blank(), Part("."))
    return [Cloze(row["id"], text, WORDS, gold, verbalizer=True)]


TASKS = [
    Task("weather", "Weather", "mine", "weather", ask, (ACCURACY,), styles=("cloze",)),
]
RECIPES = {"weather": Finetuning(1e-3, 1, 4, 0.1)}
OBJECTIVES = {"short": Short()}
SYSTEMS = [replace(GLM_LARGE, name="mine", label="Mine", objective=Short())]
TABLES = [
    Table(
        "own",
        "A table of my own",
        (Row("mine", "Mine", "mine"), Row("glm", "GLM", "glm-large")),
        (Column("weather", "Weather", "weather", ("acc",)),),
    )
]
'''
GRID = """\
scale: micro
overrides: {steps: 2, rows: 8, eval_rows: 6, world: 0.05, documents: 120}
plugins: [mine.py]
tables: [own]
data: {files: {weather: {train: train.jsonl, dev: train.jsonl}}}
machine: {executor: EXECUTOR, workers: 2, cpus: 2, store: store}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"id": str(i), "place": f"town {i}", "label": i % 2} for i in range(8)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "grid.yaml").write_text(GRID.replace("EXECUTOR", "inline"))
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    steps = expand(load.load(folder / "grid.yaml")).steps
    return {f"{step.kind} {step.name}": digest for digest, step in steps.items()}


@pytest.mark.parametrize("executor", ["ray"])
def test_a_strangers_plugin_fills_a_table_on_ray_with_two_workers(folder: Path, executor: str):
    (folder / "grid.yaml").write_text(GRID.replace("EXECUTOR", executor))
    result = harness.run(folder / "grid.yaml", quiet=True)
    assert result.code == 0
    assert [name.split(",")[0] for name in result.tables["own"].index[:2]] == ["Mine", "GLM"]
    assert set(result.scores.task) == {"weather"} and result.scores.value.notna().all()
    assert set(result.predictions.row) == {"mine", "glm"} and len(result.predictions) == 12
    spec = json.loads(next(folder.glob("store/pretrain/mine*/spec.json")).read_text())
    assert list(spec["spec"]["plugins"]) == ["mine.py"]


def test_a_plugins_code_is_part_of_what_it_decides_and_its_comments_are_not(folder: Path):
    before = digests(folder)
    (folder / "mine.py").write_text("# a comment\n" + MINE.replace("A stranger's", "My"))
    assert digests(folder) == before
    (folder / "mine.py").write_text(MINE.replace('"warm"', '"hot"'))
    after = digests(folder)
    same = {name for name in before if before[name] == after[name]}
    assert all(
        "glm-large" in name or name.split()[0] in ("world", "corpus", "tokenizer", "tokens")
        for name in same
    )
    kinds = {name.split()[0] for name in set(before) - same}
    assert kinds == {"dataset", "leakage", "pretrain", "finetune", "score"}


def test_a_step_travels_with_its_plugin(folder: Path):
    steps = expand(load.load(folder / "grid.yaml")).steps
    step = next(s for s in steps.values() if s.kind == "pretrain" and s.name.startswith("mine"))
    packed = pickle.dumps(Store(folder / "store").order(step))
    assert b"stranger" in packed  # the source itself
    assert pickle.loads(packed).spec == step.spec


def test_a_grids_names_are_its_own(folder: Path):
    load.load(folder / "grid.yaml")
    (folder / "grid.yaml").write_text("tables: [own]\n")
    with pytest.raises(UserError, match="unknown table `own`"):
        load.load(folder / "grid.yaml")


def test_whatever_step_names_a_plugins_task_has_the_plugin_with_it(folder: Path):
    (folder / "mine.py").write_text(
        "from dataclasses import replace\nfrom tasks import TASKS as SHIPPED\n"
        "TASKS = [replace(SHIPPED[name], name=name + '-mine') for name in ('rte', 'lambada')]\n"
    )
    columns = "columns: [rte-mine, lambada-mine]"
    text = f"tables: [{{id: t, rows: [glm-large], {columns}, split: test}}]\n"
    (folder / "grid.yaml").write_text("plugins: mine.py\nclean: true\n" + text)
    steps = expand(load.load(folder / "grid.yaml")).steps.values()
    naming = [step for step in steps if getattr(step.spec, "task", "").endswith("-mine")]
    kinds = {step.kind for step in naming}
    assert kinds >= {"dataset", "finetune", "zeroshot", "score", "leakage", "ngram"}
    assert all(list(vars(step.spec)["plugins"]) == ["mine.py"] for step in naming)
    assert all(len(step.how["plugins"]) == 1 for step in naming)


def test_an_objective_of_a_plugin_is_named_in_a_row(folder: Path):
    rows = "[{variant: glm-large, set: {objective: short}}]"
    text = f"plugins: mine.py\ntables: [{{id: t, rows: {rows}, columns: [rte]}}]\n"
    (folder / "grid.yaml").write_text(text)
    steps = expand(load.load(folder / "grid.yaml")).steps
    found = [s.spec_of(Pretrain) for s in steps.values() if s.kind == "pretrain"]
    assert [type(spec.objective).__name__ for spec in found] == ["Short"]
    (folder / "grid.yaml").write_text(text.replace("short", "shirt"))
    with pytest.raises(UserError, match="unknown objective `shirt`"):
        load.load(folder / "grid.yaml")


WRONG = {
    "TASKS = [": ("x = 1 / 0", "plugin .*mine.py: line 2: ZeroDivisionError"),
    "not Python": ("def", "plugin .*mine.py: line 2"),
    "a taken name": (
        "from tasks.superglue.rte import RTE\nTASKS = [RTE]",
        "TASKS has 'rte', which is the harness's own already",
    ),
    "no task": ("TASKS = {'x': 3}", r"TASKS\['x'\] is no Task"),
    "no names": ("SYSTEMS = [3]", "SYSTEMS is a mapping by name"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_plugin_that_cannot_be_used_is_refused_at_its_place(folder: Path, what: str):
    text, message = WRONG[what]
    (folder / "mine.py").write_text(f"\n{text}\n")
    (folder / "grid.yaml").write_text("plugins: [mine.py]\ntables: [table1]\n")
    with pytest.raises(UserError, match=message) as found:
        load.load(folder / "grid.yaml")
    assert "grid.yaml:1:" in str(found.value)


def test_a_missing_plugin_is_refused_at_its_place(folder: Path):
    (folder / "grid.yaml").write_text("plugins: [mien.py, no.such.module]\ntables: [table1]\n")
    with pytest.raises(UserError, match=r"(?s)mien.py cannot be read.*no.such.module"):
        load.load(folder / "grid.yaml")


def test_a_task_needs_no_code(folder: Path):
    task = {
        "kind": "classification",
        "fields": ["place"],
        "template": "{place} is {blank}.",
        "label": "label",
        "labels": [0, 1],
        "verbalizer": ["warm", "cold"],
    }
    grid = {
        "tasks": {"weather": task},
        "tables": [{"id": "t", "rows": ["glm-large"], "columns": ["weather"]}],
        "data": {
            "root": str(folder),
            "files": {"weather": {"train": "train.jsonl", "dev": "train.jsonl"}},
        },
    }
    (folder / "grid.yaml").write_text(json.dumps(grid))
    before = digests(folder)
    task["verbalizer"] = ["hot", "cold"]
    (folder / "grid.yaml").write_text(json.dumps(grid))
    changed = {
        name.split()[0] for name, digest in digests(folder).items() if before[name] != digest
    }
    assert changed == {"dataset", "leakage", "finetune", "score"}


def test_a_module_is_a_plugin_too(folder: Path, monkeypatch):
    package = folder / "stranger"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.py").write_text("WORDS = 1\n")
    (package / "mine.py").write_text("from stranger import words\n" + MINE)
    monkeypatch.syspath_prepend(str(folder))
    (found,) = plugin.read("stranger.mine", folder)
    assert "weather" in catalogue.of((found,)).tasks
    assert found.module == "stranger.mine" and len(found.fingerprint) == 16


HOSTILE = {
    "deep": "[" * 50_000,
    "laughs": "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefghij")
    ),
    "itself": "a: &a [*a]\n",
    "cut": "a: {b: [",
    "a program": "a: !!python/object/apply:os.system [ls]\n",
    "long": "a: " + "x" * (5 * 2**20),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_of_tasks_is_refused_in_one_sentence(what: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(HOSTILE[what])
    with pytest.raises(UserError, match=r"mine\.yaml: cannot be read as tasks \(") as refused:
        plugin.read("mine.yaml", tmp_path)
    assert len(str(refused.value)) < 500
