"""A finetuning that ends in no numbers is a failed step that says so, in every style."""

from dataclasses import replace
from pathlib import Path

from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.run.driver import drive
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store

TINY = """\
scale: micro
recipe: reference
overrides: {steps: 6, rows: 16, eval_rows: 12, world: 0.05, documents: 150}
finetune: {epochs: 1}
tables:
  - id: t
    rows: [glm-large, {variant: glm-large, style: classifier}]
    columns: [cb]
"""


def test_predictions_that_are_no_numbers_are_no_score(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(TINY)
    scores = {}
    for cell in expand(grids.load(tmp_path / "grid.yaml")).cells:
        asked, score = cell.trials[0].predictions, cell.trials[0].score
        # A rate that no grid may have, so that weights stay finite and what they give does not.
        wild = Step("finetune", asked.name, replace(asked.spec, lr=1e30), asked.inputs)
        made = Step("score", score.name, score.spec, {**score.inputs, "predictions": wild})
        scores[made.digest] = made
    store = Store(tmp_path / "store").open()
    steps, machine = ordered(scores), Machine(executor="inline", store=str(store.root))
    schedule = drive(steps, store, machine, resume="", seconds={}, quiet=True)
    assert len(scores) == 2
    for score in scores.values():
        reason = schedule.reasons[score.inputs["predictions"].digest]
        assert "diverged@1" in reason and "a score of question" in reason
        assert schedule.status[score.digest] == "blocked"
    assert not list((tmp_path / "store").glob("score/*"))
