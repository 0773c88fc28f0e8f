"""A finetuning that ends in no numbers is a failed cell that says so, in every style."""

from pathlib import Path

from tests.harness.test_whole_way import ran

DIVERGING = """\
scale: micro
recipe: reference
overrides: {steps: 6, rows: 16, eval_rows: 12, world: 0.05, documents: 150}
finetune: {lr: 1e30, epochs: 1}
tables:
  - id: t
    rows: [glm-large, {variant: glm-large, id: classifier, style: classifier}]
    columns: [cb]
"""


def test_predictions_that_are_no_numbers_are_no_score(tmp_path: Path) -> None:
    found = ran(tmp_path / "store", "diverging", DIVERGING)
    assert found.code == 1
    assert len(found.cells) == 2
    for cell in found.cells:
        assert "diverged@1" in cell["reason"]
        assert "a score of question" in cell["reason"]
    assert not list((tmp_path / "store").glob("score/*"))
