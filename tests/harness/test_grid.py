"""A grid's mistakes are all said at once, each with its place, before anything is computed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.names import Names

NAMES = Names(
    tables={"table1": (10, 8), "table6": (8, 8)},
    variants=["bert-base", "glm-base", "glm-large"],
    tasks={"copa": ("acc",), "cb": ("f1", "acc"), "record": ("f1", "acc")},
    groups={"superglue": ("record", "copa", "cb")},
    scale_fields=["steps", "batch"],
    settings=["lr", "epochs"],
    styles=["cloze", "classifier"],
    kinds=["pretrain", "finetune"],
)


def load(tmp_path: Path, text: str, *options: str) -> grids.Grid:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    return grids.load(path, options, NAMES)


def errors(tmp_path: Path, text: str, *options: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text, *options)
    lines = str(caught.value).replace(str(tmp_path) + "/", "").splitlines()
    return [line for line in lines if not line.startswith("    ")]


def test_the_smallest_grid_has_every_default(tmp_path: Path):
    grid = load(tmp_path, "tables: [table1]\n")
    assert (grid.name, grid.scale, grid.match, grid.recipe) == (
        "grid",
        "micro",
        "positions",
        "paper",
    )
    assert grid.seeds.pretrain == [0] and grid.resolved_tables() == ["table1"]
    assert grids.machine(grid, store="/x").store == "/x"


def test_every_mistake_is_said_at_once_with_its_place_and_the_nearest_name(tmp_path: Path):
    text = """\
scale: mico
tabels: [table1]
tables:
  - tabel1
  - {id: mine, rows: [glm-lage, {variant: glm-base, stile: x}], columns: [copa, {task: cbb}]}
seeds: {pretrain: [0, no]}
match: position
seeds: 3
machine: {gpus: {pretran: 1}, time_limit: {pretrain: soon}}
"""
    assert errors(tmp_path, text) == [
        "grid.yaml:1:8: unknown scale `mico`; did you mean `micro`?",
        "grid.yaml:2:1: unknown key `tabels`; did you mean `tables`?",
        "grid.yaml:4:5: unknown table `tabel1`; did you mean `table1` or `table6`?",
        "grid.yaml:5:23: unknown variant `glm-lage`; did you mean `glm-large` or `glm-base`?",
        "grid.yaml:5:53: unknown key `stile`; did you mean `style` or `set`?",
        "grid.yaml:5:88: unknown task `cbb`; did you mean `cb`?",
        "grid.yaml:6:23: `seeds.pretrain.1` is 'no': it should be an integer; "
        "`no` is text here, write true or false",
        "grid.yaml:7:8: `match` is 'position': use 'positions', 'targets', 'flops' or "
        "'corpus_tokens'; did you mean `positions`?",
        "grid.yaml:8:1: `seeds` is written twice (first in line 6)",
        "grid.yaml:9:18: unknown kind of step `pretran`; did you mean `pretrain`?",
        "grid.yaml:9:54: `machine.time_limit.pretrain` is 'soon': "
        "a time is a number of seconds, or like 90s, 30m, 2h, 1d",
        "11 errors in grid.yaml; nothing was run",
    ]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- table1\n", "1:1: is no mapping"),
        ("tables:\n\t- table1\n", "2:1: a tab"),
        ("tables: [table1]\n  scale: micro\n", "2:3: "),
        ("tables: [table1\n", "2:1: "),
        ("tables: [table1]\nseeds: {pretrain: [0, .nan]}\n", "2:23: .nan is no number"),
        ("tables: [table1]\nmachine: {cpus: yes}\n", "2:17: `machine.cpus` is 'yes'"),
        ("tables: !!python/object/apply:os.system ['true']\n", "1:9: the tag"),
        ("name: ../../etc\ntables: [table1]\n", "1:7: `../../etc` cannot name a folder"),
        ("tables: [{id: a/b, rows: [glm-base], columns: [copa]}]\n", "1:15: `a/b` cannot name"),
        (BOMB, "aliases unfold to more than"),
        ("a: &a [*a]\n", "aliases unfold"),
        (
            "tables: [table1]\nseeds: {pretrain: 10000, finetune: 1250}\n",
            "80 cells x 12,500,000 seeds x 1 points of the sweep are 1,000,000,000 trials",
        ),
        ("tables: [table1]\nseeds: {pretrain: 1000000000}\n", "between 1 and 10,000"),
        ("tables: [table1, table1]\n", "1:18: table `table1` is there twice"),
        ("tables: []\n", "1:9: `tables` is []"),
        ("tables: [table1]\ndata: {kind: folder}\n", "2:7: a folder source needs `root`"),
    ],
)
def test_malformed_yaml_is_refused_with_its_place(tmp_path: Path, text: str, said: str):
    began = time.process_time()
    assert any(said in line for line in errors(tmp_path, text))
    assert time.process_time() - began < 3


def test_numbers_are_read_by_value_and_words_stay_words(tmp_path: Path):
    text = "tables: [table1]\nsweep: {parameters: {lr: [1e-5, 0.00001, 1E-5, 3], epochs: [no]}}\n"
    parameters = load(tmp_path, text).sweep.parameters
    assert parameters == {"lr": [1e-5, 1e-5, 1e-5, 3], "epochs": ["no"]}


def test_a_number_of_seeds_means_that_many(tmp_path: Path):
    assert load(tmp_path, "tables: [table1]\nseeds: {pretrain: 3}").seeds.pretrain == [0, 1, 2]


def test_times_have_units(tmp_path: Path):
    text = "tables: [table1]\nmachine: {time_limit: {pretrain: 2h, finetune: 90}}\n"
    assert grids.machine(load(tmp_path, text)).time_limit == {"pretrain": 7200, "finetune": 90}


def test_set_overrides_and_is_checked_alike(tmp_path: Path):
    text = "tables: [table1]\n"
    grid = load(tmp_path, text, "seeds.pretrain=[3,4]", "data.root=/x", "tables.0=table6")
    assert grid.seeds.pretrain == [3, 4] and grid.data.root == "/x" and grid.tables == ["table6"]
    said = errors(tmp_path, text, "scale=tiny", "machine.cpu=1", "data.documents=no", "nonsense")
    assert sorted(said[:4]) == [
        "--set data.documents=no: `data.documents` is 'no': it should be an integer; "
        "`no` is text here, write true or false",
        "--set machine.cpu=1: unknown key `cpu`; did you mean `cpus` or `gpus`?",
        "--set nonsense: write --set key=value",
        "--set scale=tiny: unknown scale `tiny`; there are micro, small, base, paper",
    ]
    assert len(said) == 5


def test_a_schema_for_editors_covers_every_key():
    made = grids.schema()
    assert set(made["properties"]) == set(grids.Grid.model_fields)
    json.dumps(made)


def test_a_malformed_grid_ends_with_exit_code_2_before_anything_is_made(tmp_path: Path):
    (tmp_path / "grid.yaml").write_text("tables: [table1]\nscal: micro\n")
    command = [sys.executable, "-m", "harness.run", str(tmp_path / "grid.yaml")]
    done = subprocess.run(
        [*command, "--store", str(tmp_path / "store")], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "grid.yaml:2:1: unknown key `scal`; did you mean `scale`?" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "store").exists()


@pytest.mark.parametrize("gpus", ["{finetune: 2}", "{pretrain: 1.5}"])
def test_only_pretraining_may_ask_for_several_devices_and_only_for_whole_ones(gpus, tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(f"tables: [table1]\nmachine: {{gpus: {gpus}}}\n")
    with pytest.raises(UserError, match="only pretraining runs on several"):
        grids.load(path)
