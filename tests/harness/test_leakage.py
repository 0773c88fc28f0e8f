"""Evaluation rows in training rows or the corpus: found, marked in the tables, left out of clean
scores."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from harness.run import command
from results.explanation import explain
from tasks.microworld.write import Sizes, write

GRID = """\
scale: micro
overrides: {{steps: 2, rows: 16, epochs: 0.05}}
tables: [{{id: mine, rows: [glm-large], columns: [cb]}}]
data: {{kind: folder, root: {root}, corpus: {{path: corpus/train.jsonl}}, limit: {{dev: 99}}}}
"""


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str], set[str]]:
    """A grid whose training rows and corpus hold some dev rows, run; and the ids of these."""
    top = tmp_path_factory.mktemp("leaky")
    root = top / "data"
    write(root, seed=0, documents=200, sizes=Sizes().scaled(0.5))
    rng = random.Random(0)
    dev = rows_of(root / "superglue/CB/val.jsonl")
    taught, told = rng.sample(dev[:99], 2), rng.sample(dev[:99], 2)
    train = root / "superglue/CB/train.jsonl"
    rows = [json.dumps(row | {"idx": 10_000 + number}) for number, row in enumerate(taught)]
    train.write_text("\n".join([*rows, train.read_text()]))
    with (root / "corpus/train.jsonl").open("a") as file:
        for row in told:
            text = f"Once more: {row['hypothesis'].upper()} -- {row['premise']} And so on."
            file.write(json.dumps({"text": text}) + "\n")
    (top / "mine.yaml").write_text(GRID.format(root=root))
    run(top)
    return top, {str(row["idx"]) for row in taught}, {str(row["idx"]) for row in told}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(top: Path, *options: str) -> None:
    arguments = [str(top / "mine.yaml"), "--store", str(top / "store"), "--executor", "inline"]
    assert command.main([*arguments, "--quiet", *options]) == 0


def the_cell(top: Path) -> dict[str, Any]:
    (cell,) = json.loads((top / "store/grids/mine/cells.json").read_text())["cells"]
    return cell


def test_every_row_that_was_put_in_is_listed_and_no_other(leaky: Any):
    top, taught, told = leaky
    (folder,) = (top / "store/leakage").glob("cb-*")
    found = rows_of(folder / "found.jsonl")
    dev = [each for each in found if each["split"] == "dev"]
    assert {each["row"] for each in dev if each["in"] == "training"} == taught
    assert {each["row"] for each in dev if each["in"] == "corpus"} == told
    assert len(found) == len(dev) == 4
    counts = json.loads((folder / "leakage.json").read_text())
    assert counts["dev"] == {"rows": 99, "training": 2, "corpus": 2}


def test_a_cell_with_leaked_rows_is_marked_under_its_table(leaky: Any):
    top, _, _ = leaky
    cell = the_cell(top)
    assert cell["state"] == "done" and cell["clean"] is None
    assert cell["leaked"] == {"rows": 99, "training": 2, "corpus": 2}
    said = "of 99 rows 2 in training rows and 2 in the pretraining corpus"
    assert f"{said} (leakage/cb-" in cell["reason"]
    assert said in (top / "store/grids/mine/tables/mine.md").read_text()


def test_clean_scores_leave_leaked_rows_out_and_compute_nothing_else(leaky: Any):
    top, taught, told = leaky
    before = {path.parent for path in (top / "store").glob("*/*/provenance.json")}
    value = the_cell(top)["score"]
    run(top, "--clean")
    after = {path.parent for path in (top / "store").glob("*/*/provenance.json")}
    (added,) = after - before
    assert "--set clean=true" in (top / "store/grids/mine/grid.yaml").read_text()
    cell = the_cell(top)
    assert cell["score"] == value and cell["clean"]["score"] == f"score/{added.name}"
    items = parquet.read_table(added / "items.parquet")["id"].to_pylist()
    every = parquet.read_table(top / "store" / value / "items.parquet")["id"].to_pylist()
    assert set(every) - set(items) == taught | told
    clean = cell["clean"]["metrics"]["acc"]
    assert clean["n"] == 99 - len(taught | told) and 0 <= clean["value"] <= 1
    said = f"without {99 - clean['n']} found rows: {100 * clean['value']:.1f}"
    assert said in (top / "store/grids/mine/tables/mine.md").read_text()
    assert said in explain(top / "store", "mine", "mine", "glm-large", "cb")
