"""From predictions to numbers: cheap, and apart, so that mending a metric costs no GPU hour."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.code import catalogue
from harness.steps import predictions
from harness.steps.dataset import read_rows
from harness.steps.halves import half
from harness.steps.leakage import leaked
from harness.steps.predictions import CHOSEN
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.errors import Absent
from tasks.metrics.floors import commonest, floors
from tasks.spec import Answer, How, Metric, Question, Row, Task, questions
from tasks.sums import Rows

TRAINING = 5000  # training rows that are looked at for a constant output


@dataclass(frozen=True)
class Score:
    """The metrics of one task over one file of predictions, without leaked rows if these are known.

    `signatures` say how each metric is computed and how the task was asked; a metric that is mended
    has another one, so its scores are made again while the predictions stay. What else a reader of
    the numbers must know is no part of the computation: it stands in the manifest's cells.
    """

    version: ClassVar[int] = 2
    uses: ClassVar[str] = "cpu"
    task: str
    split: str
    metrics: tuple[str, ...]
    signatures: tuple[str, ...]
    predictions: str = CHOSEN  # or another file of answers in the same folder
    part: str = ""  # select | report: one half of the split's clusters; "" is all of it
    style: str = "cloze"
    pattern: int = 0
    mode: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write scores.json, and items.parquet with what every answer adds to each metric."""
        names = catalogue.of_step(work.how)
        task = names.tasks[self.task]
        answers = predictions.read(work.inputs["predictions"] / self.predictions)
        asked = self._asked(task, read_rows(work.inputs["dataset"] / f"{self.split}.jsonl"))
        if "level" in self.options:  # the predictions are of all levels
            answers = [answer for answer in answers if answer.id in asked]
        if self.part:
            answers = [a for a in answers if half(task.cluster(asked[a.id][1])) == self.part]
        if "leakage" in work.inputs:
            gone = leaked(work.inputs["leakage"], self.split)
            answers = [a for a in answers if str(asked[a.id][1]["id"]) not in gone]
        known = names.measures(self.task)
        chosen = [known[name] for name in self.metrics]
        measured = {metric.name: _measured(metric, answers) for metric in chosen}

        metrics = {}
        for metric, signature in zip(chosen, self.signatures, strict=True):
            value, reason, _ = measured[metric.name]
            metrics[metric.name] = {
                "value": value,
                "n": len(answers),
                "signature": signature,
                "unit": metric.unit,
                "higher_is_better": metric.higher_is_better,
                "combine": metric.combine if measured[metric.name][2] else "",
                "reason": reason,
            }

        found = [asked[a.id][0] for a in answers if a.id in asked]
        questions = found if len(found) == len(answers) else []
        training = self._training(task, work.inputs["dataset"] / "train.jsonl")
        facts = {
            "task": self.task,
            "split": self.split,
            "metrics": metrics,
            "floors": floors(task, chosen, questions, answers, training),
            "commonest": commonest(answers),
            "skipped": _skipped(json.loads((work.inputs["dataset"] / "dataset.json").read_text())),
        }
        write_facts(work.folder / "scores.json", facts, ordered=True)
        rows = {name: rows for name, (_, _, rows) in measured.items() if rows}
        clusters = [task.cluster(asked[a.id][1]) if a.id in asked else a.id for a in answers]
        predictions.write_items(work.folder / "items.parquet", answers, clusters, rows)

    def _asked(self, task: Task, rows: Sequence[Row]) -> dict[str, tuple[Question, Row]]:
        """Every question by id, with its row."""
        how = self._how(False)
        return {q.id: (q, row) for row in rows for q in questions(task, row, how)}

    def _training(self, task: Task, path: Path) -> Iterator[Question]:
        """The first training questions of a generating task, for constant outputs."""
        if task.group == "generation" and path.is_file():
            how = self._how(True)
            for row in read_rows(path)[:TRAINING]:
                yield from questions(task, row, how)

    def _how(self, train: bool) -> How:
        return How(self.style, train, self.pattern, self.mode, options=self.options)

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The task and its metrics."""
        return (("tasks", self.task), *(("metrics", name) for name in self.metrics))


def _measured(metric: Metric, answers: Sequence[Answer]) -> tuple[float | None, str, Rows | None]:
    """A metric's value, or the reason why there is none, and every answer's statistics."""
    try:
        if metric.statistics is None:
            return metric.compute(answers), "", None
        rows = metric.statistics(answers) if answers else None
    except Absent as absent:
        return None, str(absent), None
    value = None if rows is None else metric.value(rows)
    if value is None:
        return None, "cannot be computed from these answers", None
    return value, "", rows


def _skipped(dataset: Mapping[str, Any]) -> dict[str, int]:
    """How many bad rows were left out of each split, where there were any."""
    counts = {split: len(facts.get("skipped", ())) for split, facts in dataset.items()}
    return {split: count for split, count in counts.items() if count}
