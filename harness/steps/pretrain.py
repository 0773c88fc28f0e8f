"""Pretraining: one model from random weights, one objective, one corpus, one seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glm.models.shape import Shape
from glm.objectives.objective import Objective
from glm.training.optimisation import Optimisation
from harness.steps.step import Work


@dataclass(frozen=True)
class Pretrain:
    """What is pretrained. The token table's rows come from the tokenizer that the step is given."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "gpu"
    objective: Objective
    shape: Shape
    optimisation: Optimisation
    batch: int  # sequences per optimizer step, over all devices
    length: int  # raw tokens per sequence
    precision: str = "bf16"
    seed: int = 0
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write the model, its ledger and its loss curve."""
        from harness.steps import pretraining

        pretraining.run(self, work)
