"""A model on the way of a pretraining: what it was after some of its steps.

That a pretraining keeps snapshots is no part of what it computes: with or without them it has the
same digest and ends in the same bits. Where a finished one has not kept what is asked for, the
steps up to there are made again, to the same bits on a CPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from glm.objectives.objective import Objective
from harness.steps.kept import link
from harness.steps.pretrain import Pretrain
from harness.steps.step import Work

FIRST = 0.01  # of a pretraining's steps, after which its curve has the first point


@dataclass(frozen=True)
class Snapshot:
    """The model after `at` optimizer steps of the pretraining `of`."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "gpu"
    at: int
    of: Pretrain
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    @property
    def objective(self) -> Objective:
        """The pretraining's."""
        return self.of.objective

    @property
    def seed(self) -> int:
        """The pretraining's."""
        return self.of.seed

    def run(self, work: Work) -> None:
        """Write the model and what it had cost up to there, as a pretraining that ended there."""
        from glm.training.keeping import SNAPSHOTS
        from harness.steps import pretraining

        kept = work.inputs["pretrain"] / SNAPSHOTS / str(self.at)
        if kept.is_dir():
            for file in kept.iterdir():
                link(file, work.folder / file.name)
            work.log("kept", at=self.at)
            return
        work.log("trained again", at=self.at)
        # The rate's schedule has a length of its own, so that stopping early changes no step.
        optimisation = replace(self.of.optimisation, steps=self.at)
        pretraining.run(replace(self.of, optimisation=optimisation), work)


def spaced(steps: int, points: int) -> tuple[int, ...]:
    """Where a curve of `points` points is measured before its end: log-spaced from 1% on.

    Fewer where the steps are too few to tell that many apart.
    """
    shares = (FIRST ** (1 - i / (points - 1)) for i in range(points - 1))
    places = dict.fromkeys(max(1, round(steps * share)) for share in shares)
    return tuple(at for at in places if at < steps)
