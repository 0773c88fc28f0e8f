"""Points on the way of a pretraining: kept or made again, they are the model that it was there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import Expansion, expand
from harness.plan import estimate
from harness.run.driver import drive
from harness.steps.pretrain import Pretrain
from harness.steps.snapshot import Snapshot, spaced
from harness.steps.step import Step, ordered
from harness.store.store import Store
from tests.harness.small_pretraining import ALONE, ONE

ASKED = """\
scale: micro
seeds: {{pretrain: 2}}
curve: {curve}
tables:
  - id: language
    split: test
    rows: [glm-large, bert-large]
    columns: [blimp]
  - id: tuned
    rows: [glm-large]
    columns: [cb]
"""


def unfolded(folder: Path, text: str) -> Expansion:
    path = folder / "grid.yaml"
    path.write_text(text)
    return expand(grids.load(path))


def snapshot(pretrained: Step[Pretrain], at: int) -> Step[Snapshot]:
    inputs = {"pretrain": pretrained, **pretrained.inputs}
    return Step("snapshot", f"small-at{at}", Snapshot(at, pretrained.spec), inputs)


def made(folder: Path, *steps: Step) -> Store:
    store = Store(folder).open()
    schedule = drive(ordered({step.digest: step for step in steps}), store, ONE, quiet=True)
    assert set(schedule.status.values()) == {"done"}, schedule.reasons
    return store


def weights(store: Store, step: Step) -> bytes:
    return (store.path(step) / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "steps, points, places",
    [
        (2000, 8, (20, 39, 75, 144, 278, 537, 1036)),
        (3, 8, (1, 2)),
        (1, 8, ()),
        (2000, 1, ()),
        (2000, 0, ()),
    ],
)
def test_a_curves_points_are_log_spaced_and_the_last_is_the_end(steps, points, places):
    assert spaced(steps, points) == places


def test_a_snapshot_that_was_kept_and_one_that_is_made_again_are_the_same_model(tmp_path: Path):
    keeping = replace(ALONE, how={"snapshots": (5,)})
    kept, again = snapshot(keeping, 5), snapshot(ALONE, 5)
    assert keeping.digest == ALONE.digest and kept.digest == again.digest
    one, two = made(tmp_path / "one", kept), made(tmp_path / "two", again)
    assert weights(one, ALONE) == weights(two, ALONE)
    assert weights(one, kept) == weights(two, again) != weights(one, ALONE)
    said = [(store.path(kept) / "log.jsonl").read_text() for store in (one, two)]
    assert '"kept"' in said[0] and '"trained again"' in said[1]
    spent = [json.loads((store.path(kept) / "ledger.json").read_text()) for store in (one, two)]
    for ledger in spent:
        assert ledger.pop("seconds") > 0
    assert spent[0] == spent[1]
    assert spent[0]["steps"] == 5 and spent[0]["parameters"] > 0
    whole = json.loads((one.path(ALONE) / "ledger.json").read_text())
    assert 0 < spent[0]["flops"] < whole["flops"]


def test_a_curve_adds_scores_to_what_is_not_finetuned_and_moves_no_digest(tmp_path: Path):
    bare, curved = (unfolded(tmp_path, ASKED.format(curve=n)) for n in (0, 4))
    assert set(bare.steps) < set(curved.steps)
    added = [step for digest, step in curved.steps.items() if digest not in bare.steps]
    assert {step.kind for step in added} == {"snapshot", "zeroshot", "score"}
    assert not any(cell.curve for cell in bare.cells)
    for cell in curved.cells:
        places = [point.snapshot.spec.at for point in cell.curve]
        steps = cell.pretrain.spec_of(Pretrain).optimisation.steps
        assert places == ([] if cell.table == "tuned" else list(spaced(steps, 4)))


def test_a_plan_counts_the_bytes_of_snapshots_once(tmp_path: Path):
    bare, curved = (unfolded(tmp_path, ASKED.format(curve=n)) for n in (0, 4))
    bytes_of = [
        sum(estimate.cost(s).disk_bytes for s in found.steps.values() if s.kind in kinds)
        for found in (bare, curved)
        for kinds in [("pretrain", "snapshot")]
    ]
    assert bytes_of[1] == 4 * bytes_of[0]


def test_a_curve_that_nothing_is_measured_at_is_refused(tmp_path: Path):
    text = "curve: 8\ntables: [{id: mine, rows: [glm-large], columns: [cb]}]\n"
    with pytest.raises(UserError, match=r"grid.yaml:1:\d+.*`curve` out, or add a column"):
        unfolded(tmp_path, text)
