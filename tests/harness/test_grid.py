"""A grid's mistakes are all said at once, each with its place, before anything is computed."""

import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablations.tables import TABLES
from glm.adaptation.requirements import REQUIREMENTS, fitting
from glm.adaptation.styles import STYLES
from harness.code.catalogue import Catalogue
from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.grid.json_schema import json_schema
from harness.grid.positions import dumped
from harness.run import command
from harness.steps.finetune import Finetune

ROOT = Path(__file__).resolve().parents[2]


def load(tmp_path: Path, text: str, *options: str) -> grids.Grid:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    return grids.load(path, options)


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
    assert grid.seeds.pretrain == [0] and [table.id for table in grid.resolved_tables] == ["table1"]
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
        "grid.yaml:2:1: unknown key `tabels`; did you mean `tables` or `tasks`?",
        "grid.yaml:4:5: unknown table `tabel1`; did you mean `table1` or `table6`?",
        "grid.yaml:5:23: unknown variant `glm-lage`; did you mean `glm-large` or `glm-base`?",
        "grid.yaml:5:53: unknown key `stile`; did you mean `style` or `set`?",
        "grid.yaml:5:88: unknown task `cbb`; did you mean `cb`?",
        "grid.yaml:6:23: `seeds.pretrain.1` is 'no': it should be an integer; "
        "`no` is text here, write true or false",
        "grid.yaml:7:8: `match` is 'position': use 'corpus_tokens', 'positions', "
        "'targets' or 'flops'; did you mean `positions`?",
        "grid.yaml:8:1: `seeds` is written twice (first in line 6)",
        "grid.yaml:9:18: unknown kind of step `pretran`; did you mean `pretrain`?",
        "grid.yaml:9:54: `machine.time_limit.pretrain` is 'soon': "
        "a time is a number of seconds, or like 90s, 30m, 2h, 1d",
        "11 errors in grid.yaml; nothing was run",
    ]


def test_a_part_of_a_named_table_keeps_the_tables_own_order_title_and_reference(tmp_path: Path):
    text = """\
tables:
  - {table: table6, rows: [GLM_Large_no_shuffle, GLM_Large], columns: [rte, copa]}
  - {table: table5}
  - {table: figure4, rows: [GLM_Large_uni, GPT_Large_uni], reference: GPT_Large_uni}
"""
    part, whole, other = load(tmp_path, text).resolved_tables
    assert [row.id for row in part.rows] == ["GLM_Large", "GLM_Large_no_shuffle"]
    assert [column.id for column in part.columns] == ["copa", "rte"]
    assert (part.title, part.average, part.reference) == (
        TABLES["table6"].title,
        True,
        "GLM_Large",
    )
    assert whole == TABLES["table5"]
    assert other.reference == "GPT_Large_uni"


def test_a_part_of_a_table_names_only_what_the_table_has(tmp_path: Path):
    text = """\
tables:
  - {table: table6, rows: [GLM_Large_no_shufle, GLM_Large], columns: [rt]}
  - {table: table1, rows: [GLM_Doc], column: [rte]}
  - {table: tabel5}
  - {table: table3, rows: [GLM_Doc, GLM_Large], reference: GLM_Sent}
"""
    assert errors(tmp_path, text) == [
        "grid.yaml:2:28: unknown row of table6 `GLM_Large_no_shufle`; did you mean "
        "`GLM_Large_no_shuffle` or `GLM_Large_no_cloze`?",
        "grid.yaml:2:71: unknown column of table6 `rt`; did you mean `rte`?",
        "grid.yaml:3:27: `GLM_Large` is what differences are taken against: keep it, "
        "or give a `reference`",
        "grid.yaml:3:38: unknown key `column`; did you mean `columns`?",
        "grid.yaml:4:13: unknown table `tabel5`; did you mean `table5` or `table6`?",
        "grid.yaml:5:60: unknown row `GLM_Sent`; did you mean `GLM_Large` or `GLM_Doc`?",
        "6 errors in grid.yaml; nothing was run",
    ]


def test_a_table_with_one_mistake_hides_no_other(tmp_path: Path):
    text = """\
tables:
  - stile: x
    reference: glm-huge
    rows: [5, {variant: glm-large, set: {objective.shuffle: "no", pattern: 99}}, {id: who}]
    columns: [rte, {taks: cb}, {task: yahoo, options: {ratoi: 0.1, ratio: 3}}]
    split: tset
"""
    assert errors(tmp_path, text) == [
        "grid.yaml:2:5: unknown key `stile`; did you mean `title`?",
        "grid.yaml:2:5: the table's `id` is missing",
        "grid.yaml:3:16: unknown row `glm-huge`; did you mean `glm-large`?",
        "grid.yaml:4:12: 5 is neither a name nor a mapping",
        "grid.yaml:4:61: `objective.shuffle` is 'no': it should be true or false",
        "grid.yaml:4:76: `pattern` is 99: RTE has the patterns 0 to 4",
        "grid.yaml:4:82: the row's `variant` is missing",
        "grid.yaml:5:20: the column's `task` is missing",
        "grid.yaml:5:21: unknown key `taks`; did you mean `task`?",
        "grid.yaml:5:56: unknown option of yahoo `ratoi`; did you mean `ratio`?",
        "grid.yaml:5:75: `ratio` is 3: it should be less than 1",
        "grid.yaml:6:12: `split` is 'tset': use 'dev' or 'test'; did you mean `test`?",
        "12 errors in grid.yaml; nothing was run",
    ]


def own(rows: str, columns: str = "[cb]", more: str = "") -> str:
    return f"tables: [{{id: mine, rows: {rows}, columns: {columns}{more}}}]\n"


def changed(settings: str, rows: str = "glm-large", columns: str = "[cb]") -> str:
    return own(f"[{{variant: {rows}, set: {{{settings}}}}}]", columns)


TABLE = "tables: [table1]\n"
# What is wrong -> where the report points, and what it says.
NONSENSE = {
    # Settings: the type and the range of each field.
    TABLE + "overrides: {steps: -3}": ("-3", "`steps` is -3: it should be at least 1"),
    TABLE + "overrides: {rows: 0}": ("0", "`rows` is 0: it should be at least 1"),
    TABLE + "overrides: {steps: abc}": ("abc", "`steps` is 'abc': it should be an integer"),
    TABLE + "overrides: {depth: 1/0}": ("1/0", "`depth` is '1/0': it should be a number"),
    TABLE + "overrides: {name: x}": ("name", "unknown number of a scale `name`"),
    TABLE + "finetune: {lr: -1}": ("-1", "`lr` is -1: it should be greater than 0"),
    TABLE + 'finetune: {lr: ""}': ('""', "`lr` is '': it should be a number"),
    TABLE + "finetune: {lr: true}": ("true", "`lr` is True: it should be a number"),
    TABLE + "finetune: {lr: 1e308}": ("1e308", "`lr` is 1e+308: it should be at most 1"),
    TABLE + "finetune: {epochs: 0}": ("0", "`epochs` is 0: it should be at least 1"),
    TABLE + "finetune: {epochs: 1.5}": ("1.5", "`epochs` is 1.5: it should be an integer"),
    TABLE + "finetune: {epochs: 1e308}": ("1e308", "`epochs` is 1e+308: it should be an integer"),
    TABLE + "finetune: {epochs: true}": ("true", "`epochs` is True: it should be an integer"),
    TABLE + "finetune: {decay: steep}": ("steep", "`decay` is 'steep': it should be 'cosine',"),
    TABLE + "finetune: {betas: [0.9]}": ("[0.9]", "`betas` is [0.9]: "),
    TABLE + "finetune: {decoding: 1}": ("decoding", "is a group of settings: write decoding."),
    TABLE + "finetune: {decoding.beams: 2}": ("decoding.beams", "has no effect on any table"),
    TABLE + "sweep: {parameters: {decoding: [1]}}": ("decoding", "is a group of settings"),
    TABLE + "sweep: {parameters: {lr: [1e-4, x]}}": ("x", "`lr` is 'x': it should be a number"),
    TABLE + "sweep: {parameters: {lr: []}}": ("[]", "`sweep.parameters.lr` is []"),
    TABLE + "seeds: {pretrain: [0, 0]}": ("[0, 0]", "seed 0 is there twice"),
    TABLE + "data: {limit: {train: -5}}": ("-5", "is -5: it should be at least 1"),
    # What a row sets.
    changed('objective.shuffle: "no"'): ('"no"', "`objective.shuffle` is 'no': it should be true"),
    changed("objective.spans.ratio: x"): ("x", "`objective.spans.ratio` is 'x': it should be a"),
    changed("objective.spans: 1"): ("objective.spans", "is a group of settings: write spans.mean"),
    changed("objective.spans.ratio: 1"): ("1", "`objective.spans.ratio` is 1: it should be less"),
    changed("objective.sentinels: odd"): ("odd", "is 'odd': it should be '', 'masks' or 'full'"),
    changed("objective.masked: 1.5", "bert-large"): ("1.5", "is 1.5: it should be at most 1"),
    changed("objective.parts: []", "glm-doc"): ("[]", "it is no plain value, which a grid could"),
    changed("variant.layers: 0"): ("0", "`variant.layers` is 0: it should be at least 1"),
    changed("pretrain.lr: 7"): ("7", "`pretrain.lr` is 7: it should be at most 1"),
    changed("pattern: 99"): ("99", "`pattern` is 99: CB has the patterns 0 to 4"),
    changed("pattern: x"): ("x", "`pattern` is 'x': CB has the patterns 0 to 4"),
    changed("mode: rank"): ("mode", "`mode` has no effect on any column"),
    changed("mode: x", columns="[wsc]"): ("x", "unknown mode of wsc `x`; there are rank, generate"),
    changed("label_smoothing: 0.1"): ("label_smoothing", "has no effect on any column"),
    changed("lr: 1e-4", columns="[lambada]"): ("lr", "`lr` has no effect on any column"),
    changed("options.ratio: 0.3"): ("options.ratio", "has no effect on any column"),
    # Names within a table.
    own("[glm-large]", more=", reference: glm"): ("glm}", "unknown row `glm`; did you mean"),
    own("[glm-large, glm-large]"): ("glm-large]", "`glm-large` is there twice"),
    own("[glm-large]", "[superglue, cb]"): ("cb]", "`cb` is there twice"),
    own("[glm-large]", "[{task: cb, options: {ratio: 1}}]"): ("ratio", "unknown option of cb"),
    own("[glm-large]", "[{task: yahoo, options: {ratio: 2}}]"): ("2", "`ratio` is 2: it should"),
    own("[glm-large]", "[{task: cnndm, options: {layout: x}}]"): ("x", "`layout` is 'x': it"),
    own("[glm-large]", "[{task: wsc, options: {mode: [1]}}]"): ("[1]", "unknown mode of wsc"),
    own("[glm-large]", "[{task: cb, metrics: [f2]}]"): ("f2", "unknown metric of cb `f2`"),
    # What cannot be asked of a system.
    own("[{variant: gpt-large, style: seq2seq}]", "[rte]"): (
        "seq2seq",
        "RTE cannot be asked as `seq2seq`: use cloze or classifier",
    ),
    own("[{variant: bert-large, style: cloze}]"): (
        "cloze",
        "CB cannot be asked as `cloze`: that needs one blank, and `bert-large` can only be asked "
        "for masked tokens or vector: use bert-cloze or classifier",
    ),
    own("[bert-large]", "[heldout]", ", split: test"): ("bert-large", "Held-out documents cannot"),
    own("[bert-large]", "[lambada]", ", split: test"): ("bert-large", "that needs continuation"),
    own("[bert-large]", "[gigaword]"): (
        "bert-large",
        "Gigaword cannot be asked: that needs masked target or one blank",
    ),
    own("[{variant: gpt-large, style: bert-cloze}]"): ("bert-cloze", "use cloze or classifier"),
    own("[{variant: glm-large, style: bert-infill}]", "[yahoo]"): ("bert-infill", "use infill"),
    own("[glm-large]", "[heldout]"): ("{id", "Held-out documents has no dev split, only test"),
    # What would not fit, or hardly end.
    TABLE + "overrides: {width: 100}": ("{width", "parameters, which take"),
    TABLE + "overrides: {depth: 10000}": ("{depth", "parameters, which take"),
    TABLE + "overrides: {steps: 1000000000}": ("{steps", "FLOPs to pretrain, about"),
    TABLE + "overrides: {documents: 1000000000}": ("1000000000", "are about 700 GB of text"),
    TABLE + "scale: mico\ndata: {documents: 1000000000}": ("mico", "documents are about 700 GB"),
    TABLE + "data: {documents: 1000000000}": ("1000000000", "1,000,000,000 documents are about"),
    TABLE + "overrides: {heads: 1/2, width: 1/100}": ("{heads", "8 units for 6 heads"),
    TABLE + "overrides: {length: 500}": ("{length", "sequences of 500 tokens for 192 positions"),
    changed("variant.layers: 900000"): ("", "parameters, which take"),
    changed("pretrain.steps: 10000000000"): ("", "10,000,000,000 steps and"),
}


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused_by_the_command_line_in_one_report(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
):
    path, store = tmp_path / "grid.yaml", tmp_path / "store"
    path.write_text(text)
    code = command.main([str(path), "--plan", "--store", str(store)])
    output = capsys.readouterr()
    assert code == 2 and not output.out and not store.exists()
    at, said = NONSENSE[text]
    assert said in output.err and output.err.endswith("nothing was run\n")
    line, column, message = output.err.removeprefix(f"{path}:").split(":", 2)
    assert text.splitlines()[int(line) - 1][int(column) - 1 :].startswith(at) and message


def test_a_row_is_told_apart_by_what_differs_and_says_it(tmp_path: Path):
    rows = """[glm-large, {variant: glm-large, style: classifier},
      {variant: glm-large, set: {lr: 0.0001, epochs: 3}}, {variant: glm-large, set: {lr: 2e-5}},
      {variant: bert-large, set: {objective.ratio: 0.25}}]"""
    (table,) = load(tmp_path, own(rows, more=", reference: glm-large+lr=2e-5")).resolved_tables
    assert {row.id: row.label for row in table.rows} == {
        "glm-large": "GLM Large",
        "glm-large+classifier": "GLM Large, classifier",
        "glm-large+lr=1e-4+epochs=3": "GLM Large, lr 1e-4, epochs 3",
        "glm-large+lr=2e-5": "GLM Large, lr 2e-5",
        "bert-large": "BERT Large, ratio 0.25",
    }
    columns = "[{task: yahoo, options: {ratio: 0.1}}, {task: yahoo, options: {ratio: 0.3}}]"
    (table,) = load(tmp_path, own("[glm-large]", columns)).resolved_tables
    assert [column.id for column in table.columns] == ["yahoo+ratio=0.1", "yahoo+ratio=0.3"]


def test_the_way_of_asking_follows_the_system(tmp_path: Path):
    rows = "[glm-large, bert-large, gpt-large, unilm-large]"
    expansion = expand(load(tmp_path, own(rows, "[cb]")))
    styles = {cell.row: cell.trials[0].predictions.spec.style for cell in expansion.cells}
    cloze = dict.fromkeys(("glm-large", "gpt-large", "unilm-large"), "cloze")
    assert styles == {**cloze, "bert-large": "bert-cloze"}
    signed = {cell.row: cell.trials[0].score.spec.signatures[0] for cell in expansion.cells}
    assert "|style:bert-cloze|" in signed["bert-large"] and "|style:cloze|" in signed["glm-large"]
    expansion = expand(load(tmp_path, own("[glm-large, bert-large]", "[yahoo]")))
    assert [cell.trials[0].predictions.spec.style for cell in expansion.cells] == [
        "infill",
        "bert-infill",
    ]


def test_the_default_style_of_every_system_and_task_is_one_that_can_be(tmp_path: Path):
    known, asked = Catalogue(), 0
    for name, system in known.systems.items():
        for task in known.tasks.values():
            if fitting(task.styles, system.objective.layout):
                split = "test" if task.group == "language" else "dev"
                text = own(f"[{name}]", f"[{task.name}]", f", split: {split}")
                asked += len(expand(load(tmp_path, text)).cells)
    assert asked > 200


def test_a_task_without_a_recipe_has_a_default_one(tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\nfrom tasks import TASKS as SHIPPED\n"
        "TASKS = [replace(SHIPPED['rte'], name='mine'), replace(SHIPPED['xsum'], name='written')]\n"
    )
    path = tmp_path / "grid.yaml"
    more = "scale: paper\nmachine: {gpus: {pretrain: 8}}\nplugins: mine.py\n"
    path.write_text(more + own("[glm-large]", "[mine]"))
    (cell,) = expand(grids.load(path)).cells
    assert (
        cell.trials[0].predictions.spec_of(Finetune).epochs == 10
        and "recipe:default" in cell.conditions
    )
    path.write_text(path.read_text().replace("[mine]", "[written]"))
    (cell,) = expand(grids.load(path)).cells
    assert cell.trials[0].predictions.spec_of(Finetune).decoding.beams == 5


def test_a_path_is_relative_to_the_grids_file_and_with_set_to_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "there" / "text").mkdir(parents=True)
    (tmp_path / "here" / "text").mkdir(parents=True)
    for place in ("there", "here"):
        (tmp_path / place / "text" / "a.txt").write_text("A line.\n")
    path = tmp_path / "there" / "grid.yaml"
    more = "data: {root: text, corpus: {path: a.txt}}\nmachine: {store: results}\n"
    path.write_text(own("[glm-large]", "[cb]") + more)
    monkeypatch.chdir(tmp_path / "here")
    grid = grids.load(path)
    assert grid.data.root == str(tmp_path / "there/text")
    assert grids.machine(grid).store == str(tmp_path / "there/results")
    assert grids.load(path, ["data.root=text"]).data.root == str(tmp_path / "here/text")
    with pytest.raises(UserError, match=r"grid.yaml:2:35: no file .*there/text/b.txt"):
        path.write_text(path.read_text().replace("a.txt", "b.txt"))
        grids.load(path)
    path.write_text(path.read_text().replace("root: text", "root: nowhere"))
    with pytest.raises(UserError, match=r"grid.yaml:2:14: no folder .*there/nowhere"):
        grids.load(path)


def test_the_grid_that_is_kept_asks_for_the_same_with_what_was_set(tmp_path: Path):
    (tmp_path / "text").mkdir()
    path = tmp_path / "grid.yaml"
    path.write_text(TABLE + "data: {root: text}\noverrides: {depth: 1/3, lr: 1e-5}\nname: no\n")
    grid = grids.load(path, ["overrides.steps=7", "finetune.decay=cosine"])
    (tmp_path / "kept").mkdir()
    kept = tmp_path / "kept" / "grid.yaml"
    kept.write_text(grid.text)
    again = grids.load(kept)
    assert again.data.root == grid.data.root
    assert {**again.asked, "data": None} == {**grid.asked, "data": None}
    assert again.overrides == {"depth": "1/3", "lr": 1e-5, "steps": 7} and again.name == "no"


def test_a_corpus_field_that_is_not_there_is_found_before_anything_runs(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text('{"body": "A line."}\n')
    text = own("[glm-large]") + "data: {corpus: {path: a.jsonl, field: text}}\n"
    said = errors(tmp_path, text)
    assert (
        said[0].startswith("grid.yaml:2:39: ") and "no JSON object with text in 'text'" in said[0]
    )
    assert load(tmp_path, text.replace("field: text", "field: body"))


def test_what_a_grid_may_name_is_listed_at_once_and_without_torch():
    code = (
        "import sys; from harness.__main__ import main; main(['list'])\n"
        "print('HEAVY', [n for n in ('torch', 'ray', 'datasets') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    lines = done.stdout.splitlines()
    assert lines[-1] == "HEAVY []", done.stderr
    for name, says in (
        ("glm-large", "GLM Large; 24 x 1024; learns BlankInfilling"),
        ("cb", "CB; asked as cloze, classifier"),
        ("finetune: lr", "peak learning rate (number, above 0, at most 1)"),
    ):
        found = [line for line in lines if line.strip().startswith(f"{name} ")]
        assert any(says in line for line in found), name


@pytest.mark.parametrize("style", STYLES)
def test_a_style_knows_the_settings_that_the_table_says(style: str):
    known = {each.name for each in fields(type(STYLES[style]))}  # type: ignore[arg-type]
    needs = REQUIREMENTS[style]
    for field, setting in (
        ("label_smoothing", "label_smoothing"),
        ("target", "target_length"),
        ("beams", "decoding.beams"),
        ("length_penalty", "decoding.length_penalty"),
        ("min_length", "decoding.min_length"),
        ("ngram", "decoding.no_repeat_ngram"),
    ):
        assert (field in known) == (setting in needs.settings), setting


WHOLE = {
    "overrides": {"steps": 5, "depth": 0.2},
    "finetune": {"lr": 0.001, "betas": [0.9, 0.99]},
    "seeds": {"pretrain": [0, 1], "finetune": 2},
    "sweep": {"parameters": {"lr": [0.001, 0.002]}, "select": "best_dev"},
    "data": {"documents": 100, "limit": {"train": 5}, "vocabulary": {"kind": "train"}},
    "machine": {"gpus": {"pretrain": 1}, "time_limit": {"pretrain": "2h"}},
    "tables": [
        "table3",
        {
            "id": "a",
            "rows": ["glm-large", {"variant": "bert-large", "set": {"objective.ratio": 0.2}}],
            "columns": ["cb", {"task": "wsc", "options": {"mode": "rank"}}],
            "reference": "glm-large",
        },
    ],
}
SAME_FOLDER = HealthCheck.function_scoped_fixture
ODD = [None, True, -1, 0, 1.5, 1e308, 10**30, "", "no", "a/b", [], [1], {}, {"a": [1]}, "1/0"]


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of every value inside of another."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*path, key))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(list(places(WHOLE))), st.sampled_from(ODD)), min_size=1))
def test_whatever_is_written_in_a_grids_place_it_loads_or_is_refused(tmp_path: Path, odd: Any):
    value = copy.deepcopy(WHOLE)
    for path, other in odd[:3]:
        within: Any = value
        try:
            for key in path[:-1]:
                within = within[key]
            within[path[-1]] = copy.deepcopy(other)
        except (KeyError, IndexError, TypeError):
            continue  # something odd is in its place already
    (tmp_path / "grid.yaml").write_text(dumped(value))
    try:
        expand(grids.load(tmp_path / "grid.yaml"))
    except UserError as error:
        assert str(error).endswith("nothing was run")


def test_a_decoder_for_an_objective_that_writes_nothing_is_refused(tmp_path: Path):
    rows = "[{variant: gpt-large, set: {variant.decoder: 6}}]"
    found = errors(tmp_path, own(rows))
    assert any("a decoder, and its objective does not say what it writes" in e for e in found)


def test_limits_are_raised_where_much_is_meant(tmp_path: Path):
    more = "overrides: {documents: 20000000}\n"
    assert load(tmp_path, TABLE + more + "limits: {documents: 20000000}\n")
    deep = "overrides: {depth: 2000}\n"
    assert "GB to train: there are" in errors(tmp_path, TABLE + deep + "limits: {memory_gb: 1}")[0]
    assert load(tmp_path, TABLE + deep + "limits: {memory_gb: 100000, days: 100000000}")


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
            "104 cells x 12,500,000 seeds x 1 points of the sweep are 1,300,000,000 trials",
        ),
        ("tables: [table1]\nseeds: {pretrain: 1000000000}\n", "between 1 and 10,000"),
        ("tables: [table1, table1]\n", "1:18: table `table1` is there twice"),
        ("tables: []\n", "1:9: no tables: name at least one"),
        ("tables: [table1]\ndata: {kind: folder}\n", "2:7: a folder source needs `root`"),
    ],
)
def test_malformed_yaml_is_refused_with_its_place(tmp_path: Path, text: str, said: str):
    began = time.process_time()
    assert any(said in line for line in errors(tmp_path, text))
    assert time.process_time() - began < 3


def test_numbers_are_read_by_value_and_words_stay_words(tmp_path: Path):
    text = "tables: [table1]\nsweep: {parameters: {lr: [1e-5, 0.00001, 1E-5, 1], epochs: [1e1]}}\n"
    sweep = load(tmp_path, text).sweep
    assert sweep is not None
    assert sweep.parameters == {"lr": [1e-5, 1e-5, 1e-5, 1], "epochs": [10]}
    text = "tables: [{id: no, rows: [glm-base], columns: [copa]}]"
    assert load(tmp_path, text).resolved_tables[0].id == "no"


def test_a_number_of_seeds_means_that_many(tmp_path: Path):
    assert load(tmp_path, "tables: [table1]\nseeds: {pretrain: 3}").seeds.pretrain == [0, 1, 2]


def test_times_have_units(tmp_path: Path):
    text = "tables: [table1]\nmachine: {time_limit: {pretrain: 2h, finetune: 90}}\n"
    assert grids.machine(load(tmp_path, text)).time_limit == {"pretrain": 7200, "finetune": 90}


def test_set_overrides_and_is_checked_alike(tmp_path: Path):
    text = "tables: [table1]\n"
    grid = load(tmp_path, text, "seeds.pretrain=[3,4]", f"data.root={tmp_path}", "tables.0=table6")
    assert grid.seeds.pretrain == [3, 4] and grid.data.root == str(tmp_path)
    assert grid.tables == ["table6"]
    said = errors(tmp_path, text, "scale=tiny", "machine.cpu=1", "data.documents=no", "nonsense")
    assert sorted(said[:4]) == [
        "--set data.documents=no: `data.documents` is 'no': it should be an integer; "
        "`no` is text here, write true or false",
        "--set machine.cpu=1: unknown key `cpu`; did you mean `cpus` or `gpus`?",
        "--set nonsense: write --set key=value",
        "--set scale=tiny: unknown scale `tiny`; there are micro, small, base, paper",
    ]
    assert len(said) == 5


def described(schema: Any, place: str = "") -> Iterator[str]:
    """The places of keys without a description, in a JSON Schema."""
    if isinstance(schema, dict):
        for name, key in schema.get("properties", {}).items():
            if "description" not in key:
                yield f"{place}.{name}"
        for name, inside in schema.items():
            yield from described(inside, f"{place}.{name}")


def test_the_schema_for_editors_says_what_every_key_means_and_may_hold():
    made = json_schema()
    assert set(made["properties"]) == set(grids.Grid.model_fields)
    assert list(described(made)) == []
    finetune = made["properties"]["finetune"]["properties"]
    assert finetune["lr"]["exclusiveMinimum"] == 0 and finetune["epochs"]["minimum"] == 1
    assert "micro" in made["properties"]["scale"]["enum"]
    assert "glm-large" in made["$defs"]["InlineRow"]["properties"]["variant"]["enum"]
    assert made["properties"]["overrides"]["additionalProperties"] is False
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
