"""Finetuning one pretrained model on one task, and its predictions on the split that is scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ablations.recipes import Decoding
from glm.objectives.objective import Objective
from glm.training.optimisation import Decay, Optimisation
from harness.steps.step import Work


@dataclass(frozen=True)
class Finetune:
    """What is finetuned and asked. The objective tells how this variant writes its inputs."""

    version: ClassVar[int] = 2  # 2: answers are computed at the precision of the training
    uses: ClassVar[str] = "gpu"
    task: str
    style: str  # a key of `glm.adaptation.styles.STYLES`
    objective: Objective
    lr: float
    epochs: int
    batch: int  # questions per optimizer step
    split: str = "dev"
    select_on: str = ""  # a second split to predict, for choosing between settings
    pattern: int = 0
    mode: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    warmup: float = 0.06  # of all steps
    decay: Decay = Optimisation.decay
    floor: float = Optimisation.floor
    weight_decay: float = Optimisation.weight_decay
    betas: tuple[float, float] = Optimisation.betas
    eps: float = Optimisation.eps
    clip: float = Optimisation.clip
    dropout: float = 0.1
    max_length: int = 256
    target_length: int = 0
    label_smoothing: float = 0.0
    patience: int = 0  # epochs without a lower loss on dev (its unreported half) that end it
    last: bool = False  # with patience: what the last epoch's weights answer is written too
    decoding: Decoding = field(default_factory=Decoding)
    precision: str = "bf16"
    blind: bool = False  # every question is asked about another one's passage (`tasks.blind`)
    seed: int = 0
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write predictions.parquet (also .select.parquet and .last.parquet) and ledger.json."""
        from harness.steps import finetuning

        finetuning.run(self, work)

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The task and the style."""
        return (("tasks", self.task), ("styles", self.style))


@dataclass(frozen=True)
class ZeroShot:
    """The pretrained model's own answers: likelihoods and last words, without any finetuning."""

    version: ClassVar[int] = 2  # 2: answers are computed at the spec's precision
    uses: ClassVar[str] = "gpu"
    task: str
    objective: Objective
    split: str = "test"
    mode: str = "unidirectional"
    options: Mapping[str, Any] = field(default_factory=dict)
    window: int = 512
    stride: int = 256
    precision: str = "fp32"
    style: str = "lm"  # a key of `glm.adaptation.styles.STYLES` that is not trained
    pattern: int = 0
    shots: int = 0  # training rows before every question (`tasks.shots`)
    seed: int = 0  # that draws them
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write predictions.parquet."""
        from harness.steps import finetuning

        finetuning.zero_shot(self, work)

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The task and the style."""
        return (("tasks", self.task), ("styles", self.style))
