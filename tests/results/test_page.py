"""The page: what was learned comes first, cells keep their reasons, answers can be compared."""

import html
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from results import checklist, claims, forest, layout, report, tables, view
from results.examples import QUESTIONS
from tests.present import present
from tests.results.world import World, about, cell, column, full, predictions, row, table

HOSTILE = "</script><script>alert(1)</script> \"'><img src=x onerror=alert(1)>\u202e"
AXE = os.environ.get("AXE_CORE", "")  # axe.min.js, from the npm package axe-core
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def choices(count, right):
    """Answers to yes/no questions, of which the first `right` hit."""
    return [
        {"id": f"q{i}", "candidates": ["Yes", "No"], "scores": [0.9, 0.1], "text": None}
        | {"choice": 0 if i < right else 1, "gold": [0], "references": []}
        for i in range(count)
    ]


def answered(root, label="mine", count=100):
    """A store whose two rows have answered the same questions."""
    world = World(root)
    world.tables.append(table("t", [row("a", label), row("b", "other")], [column("rte")]))
    for name, right in (("a", 60), ("b", 30)):
        here = cell("t", name, "rte")
        world.put(here, acc=right / 100)
        predictions(root / here["predictions"], choices(count, right))
        texts = [{"id": f"q{i}", "premise": f"p{i}", "hypothesis": f"h{i}"} for i in range(count)]
        world.asked(here, [{**row, "label": "yes", "comment": "Yes"} for row in texts])
    world.about = about(world)
    report.write(world.write(), "g")
    return (root / "grids/g/tables/index.html").read_text()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    root = full(tmp_path_factory.mktemp("store")).write()
    report.write(root, "full")
    return (root / "grids/full/tables/index.html").read_text()


def embedded(page):
    """What the page's script reads of the answers."""
    found = re.search(r'<script type="application/json" id="answers">(.*?)</script>', page, re.S)
    return json.loads(present(found).group(1))


def test_what_was_run_and_learned_stand_before_any_table(index):
    opening = index[index.index("<header>") : index.index("<table")]
    said = (
        *("7 supported", "after Holm", "built-in world, generator 2, seed 0", "micro", "0.34M"),
        *("204,800 a run", "3 of pretraining", "100 of 277", "0123456789ab", "2026-11-25"),
        *("hours of cpu", 'aria-label="The claims'),
    )
    assert [text for text in said if text not in opening] == []


def test_a_page_without_a_record_says_so(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("t", [row("a")], [column("rte")]))
    report.write(world.write(), "g")
    assert "not on record" in (tmp_path / "grids/g/tables/index.html").read_text()


def test_a_cell_that_cannot_be_compared_is_grey_and_says_why_in_words(tmp_path):
    world = World(tmp_path)
    world.tables.append(table("t", [row("a"), row("b")], [column("rte")]))
    for name in "ab":
        for seed in (1, 2):
            world.put(cell("t", name, "rte", seed), floor=0.9, acc=0.5 + seed / 100)
    text = view.html(tables.build(world.write(), "g")[0])
    reason = "neither stands above the floor with its interval: the best constant answer gives 90.0"
    assert re.search(rf'<td class="not-testable"[^>]* title="{reason}"', text)
    assert "not testable [a]" in text
    assert f"<li>[a] not testable against a: {reason}</li>" in text
    assert '<tr class="floor"' in text


def test_differences_from_the_reference_and_from_the_paper_can_be_switched_on(index):
    first = index[index.index('<figure id="table1"') :]
    bert = next(part for part in first.split("<tr ") if "BERT-Large objective" in part)
    assert re.search(r'<div class="versus">-2\d\.\d', bert)
    assert re.search(r'<div class="gap">-2\d\.\d from the paper', bert)
    assert 'class="t-versus"' in first and 'class="t-gap"' in first


def test_every_metric_has_a_head_of_its_own_and_all_but_the_first_can_be_put_away(index):
    head = index[index.index('data-table="table1"') :].split("</thead>")[0]
    named = re.findall(r'data-column="(\w+)"( class="more")?>(.*?)<small>(.*?)</small>', head)
    assert ("record", "", "ReCoRD", "F1") in named
    assert ("record", ' class="more"', "ReCoRD", "Acc.") in named


def test_answers_of_two_rows_stand_side_by_side(tmp_path):
    (found,) = embedded(answered(tmp_path))
    assert found["rows"] == ["mine, 0.34M", "other, 0.34M"]
    assert len(found["items"]) == QUESTIONS
    assert found["said"].startswith("40 of 100 questions, evenly spaced")
    assert found["items"][0] == [
        "q0",
        "premise: p0 · hypothesis: h0",
        "Yes",
        [["Yes", "0.90", True], ["Yes", "0.90", True]],
    ]
    assert [item[0] for item in found["items"]][-1] == "q97"
    kinds = {tuple(answer[2] for answer in item[3]) for item in found["items"]}
    assert kinds == {(True, True), (True, False), (False, False)}


def test_few_questions_are_all_shown_and_the_first_pair_without_the_script(tmp_path):
    page = answered(tmp_path, count=12)
    (found,) = embedded(page)
    assert (len(found["items"]), found["said"]) == (
        12,
        "All 12 questions, by each row's first run.",
    )
    shown = page[page.index('id="items"') : page.index('id="answers"')]
    assert shown.count('<th scope="row">q') == 12
    assert '<td class="text">premise: p3 · hypothesis: h3</td>' in shown  # not the gold answer
    assert '<td class="text right">Yes</td>' in shown


def test_hostile_labels_and_answers_stay_text_on_the_page(tmp_path):
    root = tmp_path
    world = World(root)
    hostile = column("rte", ("acc", "f1"), label=HOSTILE)
    world.tables.append(table("t", [row("a", HOSTILE), row("b")], [hostile], title=HOSTILE))
    for name in "ab":
        here = cell("t", name, "rte")
        world.put(here, acc=0.5, f1=0.5)
        rows = [{**one, "candidates": [HOSTILE, "No"], "id": HOSTILE} for one in choices(1, 1)]
        predictions(root / here["predictions"], rows)
    world.about = about(world, source={"kind": HOSTILE}, recipe=HOSTILE)
    report.write(world.write(), "g")

    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.seen = []

        def handle_starttag(self, tag, attrs):
            self.seen.append((tag, [name for name, _ in attrs]))

    page = (root / "grids/g/tables/index.html").read_text()
    parser = Tags()
    parser.feed(page)
    assert [tag for tag, _ in parser.seen].count(
        "script"
    ) == 4  # answers, runs, readings, the page's own
    assert not [tag for tag, names in parser.seen if tag == "img" or "onerror" in names]
    assert "\u202e" not in page
    assert embedded(page)[0]["items"][0][0].startswith("</script>")


def controlled(tmp_path, again, half):
    """A table whose controls score around these values, against a reference at 0.7."""
    world = World(tmp_path)
    rows = [row("a", "mine"), row("aa", "again", control="aa")]
    rows.append(row("half", "half", control="planted"))
    world.tables.append(table("t", rows, [column("rte")]))
    for name, level in (("a", 0.7), ("aa", again), ("half", half)):
        for seed in (1, 2, 3):
            world.put(cell("t", name, "rte", seed), floor=0.3, acc=level + seed / 500)
    return checklist.controls(tables.build(world.write(), "g"))


def test_controls_say_what_they_have_shown(tmp_path):
    silent, found = controlled(tmp_path / "a", again=0.701, half=0.5)
    assert silent == "t, again: silent: it differs from mine in 0 of 1 testable numbers"
    assert found == "t, half: found: it is worse than mine in 1 of 1 testable numbers"
    loud, unseen = controlled(tmp_path / "b", again=0.5, half=0.701)
    assert "not silent" in loud
    assert "not found in 1 testable numbers" in unseen


def test_the_forest_has_the_strongest_claim_first(tmp_path):
    built = tables.build(full(tmp_path).write(), "full")
    drawn = forest.bars(claims.check(built))
    assert [bar.verdict for bar in drawn] == ["supported"] * 7
    assert drawn[0].text == "Table 1: GLM-Large beats BERT-Large on the SuperGLUE average"
    assert drawn[0].printed == pytest.approx(5.0)
    assert not drawn[0].recalled
    assert present(drawn[0].low) < drawn[0].value < present(drawn[0].high)
    assert all(bar.printed is None for bar in drawn if bar.unit == "ppl")


def test_the_page_of_a_large_grid_stays_small(tmp_path):
    world = World(tmp_path)
    names = [f"row{i}" for i in range(24)]
    columns = [column(f"c{i}", ("acc", "f1")) for i in range(10)]
    world.tables.append(table("t", [row(name) for name in names], columns))
    for name in names:
        for place in columns:
            here = cell("t", name, place["id"])
            world.put(here, items=False, acc=0.5, f1=0.4)
            rows = [{**one, "candidates": ["w" * 300, "v" * 300]} for one in choices(50, 20)]
            predictions(tmp_path / here["predictions"], rows)
    report.write(world.write(), "g")
    assert (tmp_path / "grids/g/tables/index.html").stat().st_size < 3e6


class Outline(HTMLParser):
    """A page's ids, what refers to them, heads without a scope, and tags that do not match."""

    EMPTY = frozenset("meta input br path use rect".split())

    def __init__(self):
        super().__init__()
        self.ids, self.named, self.unscoped, self.open, self.wrong = [], set(), 0, [], []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.ids += [known["id"]] if "id" in known else []
        self.named |= set((known.get("aria-labelledby") or "").split())
        target = known.get("href") or ""
        self.named |= {target[1:]} if target.startswith("#") else set()
        self.unscoped += tag == "th" and "scope" not in known
        self.open += [] if tag in self.EMPTY else [tag]

    def handle_endtag(self, tag):
        if tag not in self.EMPTY and self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


def test_ids_are_the_pages_only_ones_and_every_head_has_a_scope(index):
    page = Outline()
    page.feed(index)
    assert len(page.ids) == len(set(page.ids))
    assert page.named <= set(page.ids)
    assert (page.unscoped, page.wrong, page.open) == (0, [], [])


def test_a_table_may_be_called_like_a_part_of_the_report(tmp_path):
    world = World(tmp_path)
    names = ("claims", "loss", "index", "cells", "a b")
    world.tables += [table(name, [row("a")], [column("rte")]) for name in names]
    for name in names:
        world.put(cell(name, "a", "rte"), acc=0.5)
    world.pretrained("pretrain/a-1")
    report.write(world.write(), "g")
    folder = tmp_path / "grids/g/tables"
    page = Outline()
    page.feed((folder / "index.html").read_text())
    assert len(page.ids) == len(set(page.ids))
    assert {"claims-table", "loss-table", "a-b"} <= set(page.ids)
    assert "What was run" in (folder / "index.html").read_text()
    assert (folder / "loss-table.csv").is_file()


def luminance(colour):
    """A colour's relative luminance, by the Web Content Accessibility Guidelines."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_ink_is_legible_on_every_ground(scheme):
    style = (layout.FOLDER / "page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.S)[:2]
    colours = dict(re.findall(r"--(\w+): (#\w+)", light))
    colours |= dict(re.findall(r"--(\w+): (#\w+)", dark)) if scheme == "dark" else {}
    for ink in ("ink", "soft", "paper", "good", "bad", "warn"):
        for ground in ("page", "shade", "match"):
            pair = sorted((luminance(colours[ink]), luminance(colours[ground])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ink, ground)


# What a reader does, and what the page then shows, as its title.
PROBE = """
const rows = () => [...document.querySelectorAll("tr[data-row]")];
const press = (text) => [...document.querySelectorAll("th button")]
  .find((button) => button.textContent.startsWith(text)).click();
const choose = (select, value) => {
  select.value = value;
  select.dispatchEvent(new Event("change"));
};
const found = { fits: document.documentElement.scrollWidth <= innerWidth };
press("RTE"); found.best = rows().map((row) => row.dataset.row);
press("RTE"); found.worst = rows().map((row) => row.dataset.row);
const search = document.querySelector("input[type=search]");
search.value = "other"; search.dispatchEvent(new Event("input"));
found.kept = rows().filter((row) => !row.hidden).map((row) => row.dataset.row);
document.querySelector("td[data-column]").click();
found.command = document.querySelector("figure div.command").textContent;
found.links = [...document.querySelectorAll("div.command a")].map((a) => a.getAttribute("href"));
const [task, a, b, kind] = document.querySelectorAll("#choices select");
found.counts = [...kind.options].map((option) => option.textContent);
choose(kind, "a"); found.only = document.querySelectorAll("#items tbody tr").length;
document.title = JSON.stringify(found);
"""


def probed(page, probe, profile, width=1400, *more):
    """What a script finds on a page, which it leaves as the page's title."""
    page.write_text(page.read_text().replace("</body>", f"<script>{{{probe}}}</script></body>"))
    run = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    run += [
        f"--window-size={width},900",
        f"--user-data-dir={profile}/profile",
        *more,
        page.as_uri(),
    ]
    ran = subprocess.run(run, capture_output=True, text=True, timeout=120)
    title = present(re.search(r"<title>(.*?)</title>", ran.stdout)).group(1)
    return json.loads(html.unescape(title))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [420, 1400])
def test_in_a_browser_tables_sort_and_filter_and_answers_are_compared(tmp_path, width):
    answered(tmp_path)
    page = tmp_path / "grids/g/tables/index.html"
    found = probed(page, PROBE, tmp_path, width)
    assert found["fits"]
    assert (found["best"], found["worst"], found["kept"]) == (["a", "b"], ["b", "a"], ["b"])
    assert found["command"].startswith("python -m harness explain grid.yaml t ")
    folder = tmp_path / "grids/g/tables"
    assert len(found["links"]) == 2 and all((folder / link).is_file() for link in found["links"])
    counts = ["all (40)", "both right (12)", "only A right (12)", "only B right (0)"]
    assert found["counts"] == [*counts, "both wrong (16)"]
    assert found["only"] == 12


POINT = """
const box = document.querySelector("[data-readings=loss]"), svg = box.querySelector("svg");
const said = () => document.querySelector("output.reading").textContent;
const found = { before: said(), focus: svg.tabIndex };
const area = svg.querySelector("g[id*='axes_'] path").getBoundingClientRect();
const at = (share) => svg.dispatchEvent(new PointerEvent("pointermove",
  { clientX: area.left + share * area.width, clientY: area.top + area.height / 2 }));
at(0); found.left = said();
at(1); found.right = said();
const press = (key) => svg.dispatchEvent(new KeyboardEvent("keydown", { key }));
for (let i = 0; i < 30; i++) press("ArrowLeft");
found.pressed = said(); press("ArrowDown"); found.below = said();
document.title = JSON.stringify(found);
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_in_a_browser_a_pointer_and_the_arrow_keys_read_a_curves_values(tmp_path):
    root = full(tmp_path).write()
    report.write(root, "full")
    page = root / "grids/full/tables/index.html"
    curve = present(losses_of(page.read_text())[0])
    found = probed(page, POINT, tmp_path)
    name, axis, line, points = curve["name"], curve["axis"], *curve["lines"][0]
    assert found["before"].startswith("Point at a curve") and found["focus"] == 0
    for key, (step, loss) in (("left", points[0]), ("right", points[-1]), ("pressed", points[0])):
        assert found[key].startswith(f"{name} by {axis} — {line}: ")
        read, where = re.findall(r": ([\d.]+) at ([\d,.]+)", found[key])[0]
        assert float(read) == pytest.approx(loss, rel=1e-3)
        assert float(where.replace(",", "")) == pytest.approx(step, rel=1e-3)
    assert found["below"].startswith(losses_of(page.read_text())[1]["name"])


def losses_of(page):
    """The panels of the loss that a page's script reads."""
    found = re.search(r'<script type="application/json" id="readings">(.*?)</script>', page, re.S)
    return json.loads(present(found).group(1))["loss"]


def test_the_values_of_curves_stand_in_a_table_too(index):
    section = index[index.index('<h2 id="loss">') :]
    table = section[section.index("<details>") : section.index("</details>")]
    panel = losses_of(index)[0]
    step, loss = panel["lines"][0][1][-1]
    assert panel["name"] in table and f"{loss:.3f} at {step:g}" in table


RULES = """
axe.run(document, { resultTypes: ["violations"] }).then((found) => {
  document.title = JSON.stringify(found.violations.map((one) => [one.id, one.nodes[0].html]));
});
"""


@pytest.mark.skipif(
    not (BROWSER and AXE), reason="no Chromium here, or AXE_CORE names no axe.min.js"
)
@pytest.mark.parametrize("width", [420, 1400])
def test_axe_finds_no_fault_in_the_page(tmp_path, width):
    root = full(tmp_path).write()
    report.write(root, "full")
    page = root / "grids/full/tables/index.html"
    probe = Path(AXE).read_text() + RULES
    assert probed(page, probe, tmp_path, width, "--virtual-time-budget=60000") == []
