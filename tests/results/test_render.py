"""Each format says the same, marks what is recalled, and lets no text act as markup."""

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from results import paper, render, tables, view, wording
from tasks import TASKS
from tests.present import present
from tests.results.world import World, cell, column, full, row, superglue, table

FORMATS = {**render.RENDERERS, "html": view.html, "terminal": render.terminal}

HOSTILE = (
    '=cmd|"/c calc"!A1 <script>alert(1)</script> \\input{x} $x_1^2$ | `a` [l](http://x) %&#~\u202e'
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = full(tmp_path_factory.mktemp("store")).write()
    return {table.id: table for table in tables.build(root, "full")}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("store"))
    rows = [row("a", HOSTILE), row("b", HOSTILE, group=HOSTILE)]
    columns = [column("copa", (HOSTILE, "acc"), label=HOSTILE)]
    world.tables.append(table("mine", rows, columns, title=HOSTILE, split=HOSTILE))
    for seed in (1, 2):
        values: dict[str, Any] = {HOSTILE: 0.5 + seed / 10, "acc": 0.5}
        world.put(cell("mine", "a", "copa", seed), signature=HOSTILE + str(seed), **values)
    world.lost(cell("mine", "b", "copa"), "failed", HOSTILE)
    return tables.build(world.write(), "g")[0]


def recalled_as_papers(text):
    """Numbers that follow the word "paper" without the sign of a recalled one."""
    quoted = re.findall(r"paper ([^<\n|&}]*)", text)
    return {n for part in quoted for n in re.findall(r"(?<![≈$\d.])\d+\.\d(?!\d|ʳ|\$)", part)}


@pytest.mark.parametrize("format", ["md", "tex", "html"])
def test_a_recalled_number_never_passes_for_the_papers(whole, format):
    text = FORMATS[format](whole["table3"])
    assert recalled_as_papers(text) == {"38.6", "37.7"}
    for shown in ("19.7", "36.0", "18.5", "34.9"):
        sign = rf"\$\\approx\${shown}\$\^{{r}}\$" if format == "tex" else f"≈{shown}ʳ"
        assert re.search(sign, text)
        assert len(re.findall(rf"\b{shown}", text)) == len(re.findall(sign, text))
    assert "recalled from memory, not seen in the paper" in text


def test_a_wholly_recalled_cell_is_not_called_the_papers_at_all(whole):
    text = render.markdown(whole["figure4"])
    assert "<br>recalled ≈15.1ʳ" in text
    assert "paper 1" not in text


def test_the_csv_keeps_recalled_numbers_in_a_column_of_their_own(whole):
    rows = list(csv.DictReader(io.StringIO(render.csv(whole["table3"]))))
    assert [(r["paper_confirmed"], r["paper_recalled"]) for r in rows[:3]] == [
        ("38.6", ""),
        ("", "19.7"),
        ("", "36.0"),
    ]


def test_the_terminal_names_and_signs_what_is_recalled(whole):
    text = render.terminal(whole["table3"])
    assert "paper, ʳ recalled" in text
    assert "37.7/≈18.5ʳ/≈34.9ʳ" in text
    assert "recalled" in render.terminal(whole["figure4"]).split("≈15.1ʳ")[0].splitlines()[-1]


def test_every_cell_shows_mean_interval_and_the_papers_number(whole):
    text = render.markdown(whole["table1"])
    glm = next(line for line in text.splitlines() if line.startswith("| GLM-Large objective"))
    assert re.search(r"\| 70\.7 \[64\.2, 76\.4\]<br>paper 76\.0 \|", glm)
    assert glm.startswith("| GLM-Large objective, 0.34M | 3×2 |")


def test_every_metric_of_every_task_has_one_name_here():
    metrics = {metric.name for task in TASKS.values() for metric in task.metrics}
    assert metrics <= set(wording.METRICS)
    assert wording.METRICS["bpb"] == "bits per byte"


def test_missing_seeds_are_counted_in_the_cell(whole):
    assert "4/6 seeds \\(2 diverged@40\\) [1]" in render.markdown(whole["table1"])
    assert "4/6 seeds (2 diverged@40) [1]" in view.html(whole["table1"])
    assert "4/6 seeds" in render.terminal(whole["table1"])


def test_a_dash_has_its_reason_below_the_table(whole):
    for text in (render.markdown(whole["table1"]), render.terminal(whole["table1"])):
        number = present(re.search(r"T5-Large.*?—\[(\d)\]", text)).group(1)
        assert re.search(rf"\[{number}\] not run: checkpoint from elsewhere", text)


def test_a_diverged_cell_says_so_in_its_place(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a")], [column("copa")]))
    world.lost(cell("mine", "a", "copa"), "failed", "diverged@12: the loss is NaN")
    built = tables.build(world.write(), "g")[0]
    assert "— diverged@12 [1]" in render.markdown(built)
    assert "— diverged@12 [1]" in view.html(built)


def test_from_one_seed_no_format_prints_an_interval(tmp_path):
    root = full(tmp_path, pretrain=(1,), finetune=(1,)).write()
    built = tables.build(root, "full")[0]
    for renderer in (render.markdown, view.html, render.latex, render.terminal):
        text = renderer(built)
        assert "±" not in text
        assert "pm$" not in text
        assert not re.search(r"\d \[\d", text)
        assert "From one pretraining there is no interval" in text


def test_groups_stand_before_their_first_row(whole):
    text = render.markdown(whole["table1"])
    second = text.index("**Not run here**")
    assert text.index("| BERT-Large") < second < text.index("| T5-Large")


def test_table_1_fits_a_terminal(whole):
    lines = render.terminal(whole["table1"]).splitlines()
    assert max(len(line) for line in lines[:30]) <= 140
    heads = ["F1/Acc.", *["Acc."] * 5, "F1/Acc.", "F1a/EM"]
    assert [line for line in lines if line.split() == heads]


def test_hostile_text_is_no_html(hostile):
    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.seen = set()

        def handle_starttag(self, tag, attrs):
            self.seen.add(tag)

    parser = Tags()
    parser.feed(view.html(hostile))
    ours = "figure figcaption p div table thead tbody tr th td small ul li label input a span"
    assert parser.seen <= set(ours.split())


def test_hostile_text_is_no_latex(hostile):
    text = render.latex(hostile)
    assert r"\input" not in text
    assert r"\textbackslash{}input\{x\}" in text
    assert r"\$x\_1\textasciicircum{}2\$" in text
    body = present(re.search(r"\\begin{tabular}{(\w+)}", text)).group(1)
    rows = [line for line in text.splitlines() if line.startswith("{}")]
    for line in rows:
        assert len(re.findall(r"(?<!\\)&", line)) == len(body) - 1


def test_hostile_text_is_no_markdown(hostile):
    text = render.markdown(hostile)
    assert "<script" not in text
    assert "](http" not in text
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line[:1] == "|"}
    assert len(widths) == 1


def test_hostile_text_is_no_formula(hostile):
    rows = list(csv.reader(io.StringIO(render.csv(hostile))))
    assert {len(row) for row in rows} == {len(render.CSV_HEADER)}
    cells = [cell for row in rows for cell in row]
    numeric = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?$")
    assert not [c for c in cells if c[:1] in "=+-@\t\r" and c and not numeric.match(c)]


def test_direction_and_control_characters_are_dropped_everywhere(hostile):
    for renderer in FORMATS.values():
        assert not re.search("[\u202e\x00-\x08\x1b]", renderer(hostile))


def test_a_label_that_opens_with_a_bracket_does_not_become_latexs_argument(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("mine", [row("a", "[3pt]"), row("b", "*")], [column("copa")]))
    assert "\n{}[3pt] &" in render.latex(tables.build(world.write(), "g")[0])


def test_every_paper_table_renders_with_nothing_run(tmp_path):
    world = World(tmp_path)
    for id in paper.TABLES:
        printed = present(paper.table(id))
        rows = [row(name, r.label, name) for name, r in printed.rows.items()]
        columns = [column(c, m) for c, m in printed.columns.items() if c != "avg"]
        world.tables.append(table(id, rows, columns, average="avg" in printed.columns))
    for built in tables.build(world.write(), "g"):
        for renderer in FORMATS.values():
            assert renderer(built)
        assert all(e.paper for line in built.lines for es in line.cells.values() for e in es)


def test_the_columns_of_the_papers_table_1_are_named_as_there(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("table1", [row("a")], superglue(), average=True))
    text = render.markdown(tables.build(world.write(), "g")[0])
    head = next(line for line in text.splitlines() if line.startswith("| System"))
    assert "| ReCoRD F1/Acc. | COPA Acc. | WSC Acc. | RTE Acc. | BoolQ Acc. | WiC Acc. |" in head
    assert head.endswith("| CB F1/Acc. | MultiRC F1a/EM | Avg |")
