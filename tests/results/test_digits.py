"""No format prints what cannot be: an interval without width or outside its scale, or a zero."""

import csv
import io
import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plan.plan import Plan
from harness.plan.power import Column, Spread, told
from results import checklist, claims, render, tables, view, wording
from results.explanation import explain
from tests.present import present
from tests.results.world import World, cell, column, row, table

NUMBER = r"[-+]?\d[\d,.]*(?:e[-+]\d+)?"
INTERVAL = re.compile(rf"\[({NUMBER}), ({NUMBER})\]")
NO_WIDTH = re.compile(r"±\s*[0.]+(?![\d.])")
SEEDS = [(p, f) for p in range(3) for f in range(2)]

levels = st.floats(0, 1)
spreads = st.sampled_from([0.0, 1e-7, 1e-5, 1e-3, 0.03, 0.2, 1.0])
nats = st.floats(0.01, 14)


@st.composite
def worlds(draw):
    """What two systems score: accuracies in 0..1, and perplexities as their logarithms."""
    pretrainings = draw(st.integers(1, 3))
    runs = [run for run in SEEDS if run[0] < pretrainings]
    spread = draw(spreads)
    units = st.lists(st.floats(-1, 1), min_size=len(runs), max_size=len(runs))
    found = {}
    for name in "ab":
        level, log = draw(levels), draw(nats)
        shifts = draw(units)
        found[name] = [
            (run, min(1.0, max(0.0, level + spread * x)), max(0.001, log + 5 * spread * x))
            for run, x in zip(runs, shifts)
        ]
    return found, draw(st.booleans())


def stored(root: Path, found, items: bool) -> World:
    world = World(root)
    columns = [column("rte"), column("heldout", ("ppl",))]
    rows = [row("a", paper="GLM_Large"), row("b", paper="BERT_Large")]
    world.tables.append(table("mine", rows, columns))
    for name, runs in found.items():
        for (p, f), share, log in runs:
            world.put(cell("mine", name, "rte", p, f), floor=0.1, items=items, acc=share)
            here = cell("mine", name, "heldout", p, f)
            more = {"unit": "ppl", "higher": False, "floor": 2e6, "items": items}
            world.put(here, **more, ppl=math.exp(log))
    return world


def intervals(text: str) -> list[tuple[float, float]]:
    """Every interval in a text, as numbers."""
    plain = text.replace("\\", "").replace("{}", "")
    found = [(low.replace(",", ""), high.replace(",", "")) for low, high in INTERVAL.findall(plain)]
    return [(float(low), float(high)) for low, high in found]


@settings(max_examples=50, deadline=None)
@given(worlds())
def test_what_every_format_prints_of_a_number_can_be(drawn):
    found, items = drawn
    with TemporaryDirectory() as folder:
        root = stored(Path(folder), found, items).write()
        (built,) = tables.build(root, "g")
        formats = (render.markdown, render.latex, render.terminal, view.html)
        texts = [make(built) for make in formats]
        texts += [explain(root, "g", "mine", "b", name) for name in ("rte", "heldout")]
    for text in texts:
        assert not NO_WIDTH.search(text)
        assert all(low < high for low, high in intervals(text))
        assert not re.search(r"\b(inf|nan)\b", text)
    for line in (line for line in built.lines if line.kind == "run"):
        (share,), (perplexity,) = line.cells["rte"], line.cells["heldout"]
        assert all(0 <= low < high <= 100 for low, high in intervals(wording.ours(share)))
        assert all(0 <= low < high for low, high in intervals(wording.ours(perplexity)))
        for entry in (share, perplexity):
            if entry.versus:  # points, or percent of a perplexity
                shown = intervals(checklist.difference(entry.versus, entry.unit))
                assert all(low >= -100 for low, _ in shown)
    for record in csv.DictReader(io.StringIO(render.csv(built))):
        ends = [float(record[name]) for name in ("low", "mean", "high") if record[name]]
        most = 100 if record["unit"] == "fraction" else math.inf
        assert ends == sorted(ends) and all(0 <= end <= most + 1e-9 for end in ends)


@given(st.floats(1e-9, 1e6), st.floats(1e-9, 1e6))
def test_a_number_differs_from_the_ends_of_its_interval(value, half):
    low, high = wording.number(value - half, half), wording.number(value + half, half)
    assert float(low) < float(high) or half < 1e-9 * value


NO_PLAN = Plan((), 0, 0, {}, 1, False)


@given(st.floats(1e-6, 30), st.integers(2, 8), st.integers(20, 5000))
def test_no_plan_says_that_nothing_at_all_could_be_seen(spread, pretrainings, count):
    made = Column("finetuned", "rte", "acc", count, Spread(spread, 2 * 50 * 50, "here"))
    (line,) = (line for line in told([made], pretrainings, NO_PLAN, None) if line.startswith("rte"))
    assert all(float(cell) > 0 for cell in line.split()[3:5])


def test_an_interval_of_an_accuracy_ends_at_0_and_100_and_a_difference_at_100(tmp_path):
    found = {"a": [((p, 0), 0.5 + 0.45 * (-1) ** p, 1.0 + p) for p in range(2)]}
    found["b"] = [((p, 0), 0.5 - 0.4 * (-1) ** p, 2.0 + 9 * p) for p in range(2)]
    (built,) = tables.build(stored(tmp_path, found, True).write(), "g")
    summary = built.lines[0].cells["rte"][0].summary
    assert summary is not None
    assert 0 <= present(summary.low) < 5 and 95 < present(summary.high) <= 100
    versus = built.lines[1].cells["rte"][0].versus
    assert versus is not None and (versus.low, versus.high) == (-100, 100)
    assert claims.shown_scale("ppl", -50.0) == pytest.approx(-100)
