"""Pretraining: one model from random weights, one objective, one corpus, one seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from glm.models.flops import parameter_count, training_flops
from glm.objectives.objective import Objective
from glm.training.optimisation import Optimisation
from harness.steps.step import Cost, Work


@dataclass(frozen=True)
class Pretrain:
    """What is pretrained. The token table's rows come from the tokenizer that the step is given."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "gpu"
    objective: Objective
    layers: int
    hidden: int
    heads: int
    positions: int
    optimisation: Optimisation
    batch: int  # sequences per optimizer step, over all devices
    length: int  # raw tokens per sequence
    vocabulary: int  # rows of the token table as planned, for the estimate
    inner: bool = True
    activation: str = "gelu_tanh"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    precision: str = "bf16"
    seed: int = 0
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write the model, its ledger and its loss curve."""
        if work.machine.devices > 1:
            from harness.run import data_parallel as distributed

            distributed.pretrain(self, work)
        else:
            from harness.steps import pretraining

            pretraining.run(self, work)

    @property
    def parameters(self) -> int:
        """Of the model as planned, its token table's padded rows included."""
        sizes = (self.layers, self.hidden, self.vocabulary, self.positions, self.inner)
        return parameter_count(*sizes)

    def cost(self) -> Cost:
        """FLOPs from the objective's average amounts, and the bytes of the weights."""
        from ablations.budget import amounts

        each = amounts(self.objective, self.length)
        flops = training_flops(
            self.layers, self.hidden, self.vocabulary, each.positions, each.squares, each.targets
        )
        return Cost(flops * self.batch * self.optimisation.steps, 4.0 * self.parameters)
