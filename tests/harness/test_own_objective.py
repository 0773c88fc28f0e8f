"""An objective of a user's own file goes the whole way of a plan, with no file of ours touched."""

from pathlib import Path

import numpy as np
import pytest

from ablations.systems import VARIANTS
from glm.data.stream import batch_at, stream
from glm.models.transformer import Shape, build, loss, tensors
from harness.code.catalogue import Catalogue
from harness.code.plugin import Plugin
from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import Expansion, expand
from harness.plan import estimate
from harness.steps.pretrain import Pretrain
from tests.glm.texts import SPECIAL, WORDS

SOURCE = '''
"""Every second half of a document is one blank: a rule, and two systems that learn from it."""

from dataclasses import dataclass, replace

from ablations.systems import GLM_LARGE
from glm.objectives.blank_infilling import infill
from glm.objectives.layout import BLANK
from glm.objectives.objective import Likelihood
from glm.objectives.per_document import PerDocument


@dataclass(frozen=True)
class SecondHalf:
    share: float = 0.5

    def __call__(self, document, rng, special):
        begin = max(1, round(len(document) * (1 - self.share)))
        return infill(document.tolist(), [(begin, len(document))], special)


def system(name, share):
    objective = PerDocument(SecondHalf(share), BLANK, Likelihood("exact", "left to right"))
    return replace(GLM_LARGE, name=name, label=name, objective=objective)


SYSTEMS = (system("halves", 0.5), system("thirds", 1 / 3))
'''
GRID = """
tables: [{id: mine, rows: [glm-large, halves, thirds], columns: [cb, lambada], split: SPLIT}]
match: targets
"""
KNOWN = Catalogue((Plugin("halves.py", SOURCE, "file"),))


def unfolded(folder: Path, split: str, columns: str) -> Expansion:
    path = folder / "grid.yaml"
    path.write_text(GRID.replace("SPLIT", split).replace("cb, lambada", columns))
    return expand(grids.load(path, known=KNOWN))


def test_a_grid_with_an_objective_from_outside_is_planned_with_matched_budgets(tmp_path: Path):
    made = unfolded(tmp_path, "dev", "cb")
    steps = {s.name.split("-micro")[0]: s for s in made.steps.values() if s.kind == "pretrain"}
    counts = {name: s.spec_of(Pretrain).optimisation.steps for name, s in steps.items()}
    assert set(steps) == {"glm-large", "halves", "thirds"}
    assert len({step.digest for step in steps.values()}) == 3
    spent = {name: estimate.planned(step) for name, step in steps.items()}
    for name in ("halves", "thirds"):
        near = pytest.approx(spent["glm-large"]["targets"], rel=1 / counts[name])
        assert spent[name]["targets"] == near
    assert counts["halves"] < counts["thirds"] < 240
    assert all(estimate.cost(step).flops > 0 for step in steps.values())
    # The same file read again is the same steps; so is asking a second time.
    assert unfolded(tmp_path, "dev", "cb").steps.keys() == made.steps.keys()


def test_what_its_layout_serves_it_may_be_asked_and_nothing_else(tmp_path: Path):
    made = unfolded(tmp_path, "test", "lambada")
    assert sum(step.kind == "zeroshot" for step in made.steps.values()) == 3
    with pytest.raises(UserError, match="bert-cloze"):
        path = tmp_path / "grid.yaml"
        rows = "[{variant: halves, style: bert-cloze}]"
        path.write_text(f"tables: [{{id: mine, rows: {rows}, columns: [cb]}}]")
        grids.load(path, known=KNOWN)


def test_its_batches_train_a_model():
    objective = KNOWN.systems["halves"].objective
    rng = np.random.default_rng(0)
    corpus = stream((rng.integers(*WORDS, size) for size in (40, 90, 25)), SPECIAL)
    batch = batch_at(corpus, objective, SPECIAL, seed=0, step=0, rows=4, length=48)
    model = build(Shape(1, 16, 2, SPECIAL.padded, positions=64), seed=0)
    value = loss(model, tensors(batch), vocabulary=SPECIAL.size)
    assert 5 < value.item() < 8 and batch.targets > 4 * 20
    assert "halves" not in VARIANTS
