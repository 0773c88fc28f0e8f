"""Captions, groups and labels say what was run; the paper's stand beside its numbers only."""

import csv
import io
import json

import pytest

from results import render, report, setting, tables, view, wording
from tests.results.world import World, about, cell, column, full, row, table

FORMATS = {**render.RENDERERS, "html": view.html, "terminal": render.terminal}
OURS = "the built-in world, generator 2, seed 0, at micro scale"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = full(tmp_path_factory.mktemp("store")).write()
    report.write(root, "full")
    return root


@pytest.fixture(scope="module")
def first(store):
    return tables.build(store, "full")[0]


def small(tmp_path, **more):
    """One finished cell of Table 1 and what the manifest notes of it."""
    world = World(tmp_path)
    world.tables.append(table("table1", [row("a", "GLM Large", "GLM_Large")], [column("rte")]))
    world.put(cell("table1", "a", "rte"), acc=0.5)
    world.about = about(world, **more)
    return tables.build(world.write(), "g")[0]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_was_run(first, name):
    text = FORMATS[name](first).replace("\\_", "_").replace("\n", " ").replace("  ", " ")
    text = text.replace("100/277", "100 of 277")
    for said in (
        *("generator 2, seed 0", "0.34M", "100 of 277", "48 of 162", "26 of 100 in dev"),
        *("300 documents", "204,800", "2026-11-25 15:50:06 UTC", "0123456789ab with changes"),
    ):
        assert said in text, said


@pytest.mark.parametrize("name", FORMATS)
def test_the_papers_caption_and_groups_are_only_quoted_as_the_papers(first, name):
    text = FORMATS[name](first).replace("\n", " ").replace("  ", " ")
    for words in ("Results on the SuperGLUE dev set", "Pretrained on BookCorpus and Wikipedia"):
        before = [text[:at] for at in range(len(text)) if text.startswith(words, at)]
        assert before
        quoted = ("Table 1: ", "dev set. ") if name != "csv" else ("Table 1: ", "set. ")
        assert all(part.endswith(quoted) for part in before)


def test_the_caption_names_the_papers_table_by_its_shape_only(first):
    assert wording.heading(first) == f"Rows and columns of Table 1, run on {OURS}. Split: dev."
    assert first.title == ""
    assert wording.in_paper(first).startswith(
        "In the paper: Table 1: Results on the SuperGLUE dev set. Pretrained on"
    )


def test_a_recalled_title_is_marked(store):
    third = next(t for t in tables.build(store, "full") if t.id == "table3")
    assert third.papers.startswith("Table 3, title recalled: Results on Gigaword")


def test_a_row_is_the_objective_of_the_papers_system_at_its_own_size(first):
    labels = {line.id: line.label for line in first.lines}
    assert labels["glm-large"] == "GLM-Large objective, 0.34M"
    assert labels["t5-large"] == "T5-Large"  # not run: what is shown is the paper's


def test_only_at_the_papers_scale_a_row_is_the_papers_system(tmp_path):
    whole = small(tmp_path, scale="paper", overrides={})
    assert whole.lines[0].label == "GLM Large, 0.34M"
    cut = small(tmp_path / "b", scale="paper", overrides={"steps": 10})
    assert cut.lines[0].label == "GLM Large objective, 0.34M"


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("GLM Doc – 2D positions", "GLM Doc objective, 0.34M – 2D positions"),
        ("BERT Large (cloze)", "BERT Large objective, 0.34M (cloze)"),
        ("– shuffle spans", "– shuffle spans, 0.34M"),
    ],
)
def test_what_a_row_changes_stays_readable(tmp_path, label, shown):
    world = World(tmp_path)
    world.tables.append(table("table6", [row("a", label, "GLM_Large")], [column("rte")]))
    world.put(cell("table6", "a", "rte"), acc=0.5)
    world.about = about(world)
    assert tables.build(world.write(), "g")[0].lines[0].label == shown


def test_without_a_record_nothing_is_said_for_it(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("table1", [row("a", "GLM Large", "GLM_Large")], [column("rte")]))
    world.put(cell("table1", "a", "rte"), acc=0.5)
    found = tables.build(world.write(), "g")[0]
    assert (wording.heading(found), wording.setting(found)) == (
        "Rows and columns of Table 1. Split: dev.",
        "",
    )
    assert found.lines[0].label == "GLM Large"


def test_rows_of_two_corpora_are_grouped_by_ours(tmp_path):
    world = World(tmp_path)
    rows = [row("a", "GLM Large", "GLM_Large"), row("b", "GLM RoBERTa", "GLM_RoBERTa")]
    world.tables.append(table("table1", rows, [column("rte")]))
    for name in "ab":
        world.put(cell("table1", name, "rte"), acc=0.5)
    world.about = about(world)
    world.about["corpora"]["tokens/v"] = {"name": "news", "tokens": 5_000_000}
    world.about["pretrainings"]["pretrain/b-1"]["corpus"] = "tokens/v"
    found = tables.build(world.write(), "g")[0]
    assert [line.group for line in found.lines if line.kind == "run"] == [
        "Pretrained on world (300 documents, 38,765 tokens)",
        "Pretrained on news (5,000,000 tokens)",
    ]


def test_rows_that_share_a_label_are_told_apart_by_what_they_set(tmp_path):
    world = World(tmp_path)
    rows = [
        row("a", "mine", set={"objective.shuffle": True}),
        row("b", "mine", set={"objective.shuffle": False}),
        row("c", "other"),
        row("d", "other"),
    ]
    world.tables.append(table("t", rows, [column("rte")]))
    found = tables.build(world.write(), "g")[0]
    assert [line.label for line in found.lines] == [
        "mine (objective.shuffle=True)",
        "mine (objective.shuffle=False)",
        "other (c)",
        "other (d)",
    ]


def test_a_title_that_is_the_name_is_said_once(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("t", [row("a")], [column("rte")], title="t"))
    assert wording.heading(tables.build(world.write(), "g")[0]) == "t. Split: dev."


def test_the_csv_and_the_json_have_columns_for_what_was_run(first, store):
    line = next(csv.DictReader(io.StringIO(render.csv(first))))
    assert line["data"] == "built-in world, generator 2, seed 0"
    assert (line["examples_of"], line["trained_on"]) == ("100 of 277", "48 of 162")
    assert (line["parameters"], line["scale"]) == ("0.34M", "micro, with eval_rows=100")
    assert line["paper_row"] == "BERT_Large"
    told = json.loads((store / "grids/full/tables/tables.json").read_text())["tables"][0]
    assert told["facts"]["commit"] == "0123456789ab with changes"
    assert told["columns"][3]["cut_to_fit"] == "26 of 100 in dev"
    assert told["title"] is None
    assert told["paper"].startswith("Table 1: Results on")


def test_the_claims_say_of_what_runs_they_were_asked(store):
    folder = store / "grids/full/tables"
    assert f"Asked of runs on {OURS}." in (folder / "claims.md").read_text()
    told = json.loads((folder / "claims.json").read_text())
    assert told["facts"]["parameters"] == "0.34M"


@pytest.mark.parametrize(
    ("count", "shown"), [(343_000, "0.34M"), (335e6, "335M"), (1.2e9, "1.2B"), (9.5e6, "9.50M")]
)
def test_parameters_are_shown_in_millions(count, shown):
    assert setting.sizes([count]) == shown


def test_sizes_that_differ_are_a_range():
    assert setting.sizes([410e6, None, 110e6]) == "110M to 410M"
    assert setting.sizes([None]) == ""
