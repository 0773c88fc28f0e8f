"""The weights of a finetuned model, kept where a grid asks for them (`keep_weights`).

That a finetuning keeps its weights is no part of what it computes: with or without them it has the
same digest and the same answers. Where a finished one has not kept them it is made again, to the
same bits on a CPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from harness.steps.finetune import Finetune
from harness.steps.kept import WEIGHTS, link
from harness.steps.step import Work


@dataclass(frozen=True)
class Finetuned:
    """The model that the finetuning `of` ends with."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "gpu"
    of: Finetune
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write `weights/`: the finetuning's own, or, with all else that it writes, made again."""
        kept = work.inputs["finetune"] / WEIGHTS
        if not kept.is_dir():
            work.log("trained again")
            self.of.run(work)
            return
        (work.folder / WEIGHTS).mkdir(exist_ok=True)
        for file in kept.iterdir():
            link(file, work.folder / WEIGHTS / file.name)
        work.log("kept")

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The finetuning's task and style."""
        return self.of.decided_by()
