"""From predictions to numbers: cheap, and apart, so that mending a metric costs no GPU hour."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.step import Cost, Work


@dataclass(frozen=True)
class Score:
    """The metrics of one task over one file of predictions.

    `signatures` are the metrics' own: a metric that is mended has another signature, and so its
    scores are made again while the predictions stay.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    task: str
    split: str
    metrics: tuple[str, ...]
    signatures: tuple[str, ...]
    predictions: str = "predictions.parquet"
    asked: Mapping[str, Any] = field(default_factory=dict)  # how: part of every signature

    def run(self, work: Work) -> None:
        """Write scores.json."""
        from harness import predictions
        from tasks import TASKS
        from tasks.metrics import floor, measure

        task = TASKS[self.task]
        answers = predictions.read(work.inputs["predictions"] / self.predictions)
        found = {metric.name: metric for metric in task.metrics}
        asked = "|".join(f"{name}:{value}" for name, value in sorted(self.asked.items()))
        metrics = {}
        for name in self.metrics:
            value, reason = measure(found[name], answers)
            metrics[name] = {
                "value": value,
                "n": len(answers),
                "signature": "|".join(filter(None, (found[name].signature, asked))),
                "unit": found[name].unit,
                "higher_is_better": found[name].higher_is_better,
                "reason": reason,
            }
        facts = {
            "task": self.task,
            "split": self.split,
            "metrics": metrics,
            "floor": floor(task, answers),
        }
        (work.folder / "scores.json").write_text(json.dumps(facts, indent=1, sort_keys=True))

    def cost(self) -> Cost:
        """Seconds at most."""
        return Cost(0.0, 4e3)
