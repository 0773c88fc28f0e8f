"""From predictions to numbers: cheap, and apart, so that mending a metric costs no GPU hour."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.steps.step import Cost, Work


@dataclass(frozen=True)
class Score:
    """The metrics of one task over one file of predictions.

    `signatures` say everything that decides the numbers beside the model and the rows; a metric
    that is mended has another one, so its scores are made again while the predictions stay.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    task: str
    split: str
    metrics: tuple[str, ...]
    signatures: tuple[str, ...]
    predictions: str = "predictions.parquet"
    style: str = "cloze"
    pattern: int = 0
    mode: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    context: str = ""  # what else a reader of the number wants to know: recipe, scale, selection

    def run(self, work: Work) -> None:
        """Write scores.json."""
        from harness.steps import predictions
        from harness.steps.dataset import read_rows
        from tasks import TASKS
        from tasks.errors import Absent
        from tasks.metrics import floor
        from tasks.spec import How

        task = TASKS[self.task]
        answers = predictions.read(work.inputs["predictions"] / self.predictions)
        how = How(self.style, False, self.pattern, self.mode, options=self.options)
        rows = read_rows(work.inputs["dataset"] / f"{self.split}.jsonl")
        questions = [question for row in rows for question in task.ask(row, how)]
        known = {metric.name: metric for metric in task.metrics}
        metrics = {}
        for name, signature in zip(self.metrics, self.signatures, strict=True):
            try:
                value, reason = known[name].compute(answers), ""
            except Absent as absent:
                value, reason = None, str(absent)
            if value is None and not reason:
                reason = "cannot be computed from these answers"
            metrics[name] = {
                "value": value,
                "n": len(answers),
                "signature": "|".join(filter(None, (signature, self.context))),
                "unit": known[name].unit,
                "higher_is_better": known[name].higher_is_better,
                "reason": reason,
            }
        lowest = floor(task, questions, answers) if task.group == "superglue" else {}
        facts = {
            "task": self.task,
            "split": self.split,
            "metrics": metrics,
            "floor": {name: lowest[name] for name in self.metrics if name in lowest},
            "skipped": _skipped(json.loads((work.inputs["dataset"] / "dataset.json").read_text())),
        }
        (work.folder / "scores.json").write_text(json.dumps(facts, indent=1, sort_keys=True))

    def cost(self) -> Cost:
        """Seconds at most."""
        return Cost(0.0, 4e3)


def _skipped(dataset: Mapping[str, Any]) -> dict[str, int]:
    """How many bad rows were left out of each split, where there were any."""
    counts = {split: len(facts.get("skipped", ())) for split, facts in dataset.items()}
    return {split: count for split, count in counts.items() if count}
