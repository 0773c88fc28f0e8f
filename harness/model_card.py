"""The model card of an exported pretraining: what it is, and what it scored, in the Hub's form.

`model-index` holds a result for every score of the store that reports on the model: none of a
control, of the last epoch where another was chosen, of what settings were chosen on, or of the same
answers without leaked rows. Most are of a finetuned copy of it, and say so: the exported weights
are those before.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.steps.predictions import CHOSEN
from tasks import TASKS
from tasks.atomic import read_json, read_object
from tasks.checksums import fault

TYPES = {  # a group of tasks -> the Hub's name for what is done
    "superglue": "text-classification",
    "generation": "summarization",
    "language": "text-generation",
}
NAMED = ("style", "level", "part", "seed")  # said of every result; others where results differ
HOW = {"finetune": "after finetuning", "zeroshot": "zero-shot"}


def write(out: Path, folder: Path, root: Path) -> int:
    """Write `out`/README.md for the pretraining in `folder` of the store; returns its results."""
    from huggingface_hub import EvalResult, ModelCardData

    spec = (read_json(folder / "spec.json") or {}).get("spec", {})
    results = [EvalResult(**each) for each in _results(folder, root)]
    card = ModelCardData(
        model_name=folder.name,
        tags=["glm-harness"],
        eval_results=results or None,
        library_name="transformers" if (out / "config.json").is_file() else "glm-harness",
    )
    text = f"---\n{card.to_yaml()}\n---\n\n{_said(folder, spec, len(results))}"
    (out / "README.md").write_text(text, encoding="utf-8")
    return len(results)


def _said(folder: Path, spec: Mapping[str, Any], results: int) -> str:
    ledger = read_json(folder / "ledger.json") or {}
    provenance = read_json(folder / "provenance.json") or {}
    facts = {
        "parameters": ledger.get("parameters"),
        "steps": ledger.get("steps"),
        "corpus tokens": ledger.get("corpus_tokens"),
        "FLOPs": ledger.get("flops"),
        "device": ledger.get("device"),
        "seed": spec.get("seed"),
        "precision": spec.get("precision"),
        "commit": provenance.get("commit"),
    }
    lines = [f"| {name} | {_number(value)} |" for name, value in facts.items() if value is not None]
    objective = json.dumps(spec.get("objective"), sort_keys=True)
    return "\n".join(
        [
            f"# {folder.name}",
            "",
            "Pretrained by glm-harness, from random weights, to compare objectives at equal size. "
            "Not meant for use.",
            "",
            "| | |",
            "| --- | --- |",
            *lines,
            "",
            f"Objective: `{objective}`",
            "",
            f"The {results} results above are this one pretraining's, without an interval: "
            "differences to other models are for the harness's tables, over several seeds. Results "
            "after finetuning are of finetuned copies, not of these weights.",
            "",
        ]
    )


def _number(value: object) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value}"


@dataclass(frozen=True)
class _Score:
    """A score that reports on the model: its numbers, and what they were measured under."""

    name: str  # of its folder
    kind: str  # of the step that answered
    made: Mapping[str, Any]  # its scores.json
    settings: Mapping[str, Any]

    @property
    def measured(self) -> tuple[str, str, str]:
        """The task, its split, and the kind of step that answered."""
        return self.made["task"], self.made["split"], self.kind


def _scores(folder: Path, root: Path) -> Iterator[_Score]:
    """The store's scores that report on the pretraining in `folder`."""
    for score in sorted((root / "score").glob("*")):
        inputs = read_object(score / "inputs.json")
        answers = inputs.get("predictions", "")
        kind = answers.split("/")[0]
        made_from = read_object(root / answers / "inputs.json") if kind in HOW else {}
        if made_from.get("pretrain") != f"pretrain/{folder.name}" or fault(score):
            continue
        spec, asked = (
            read_object(made / "spec.json").get("spec", {}) for made in (score, root / answers)
        )
        chosen = spec.get("predictions", CHOSEN) == CHOSEN and spec.get("part") != "select"
        if chosen and not asked.get("blind") and "leakage" not in inputs:
            settings = {**asked, "part": spec.get("part"), **spec.get("options", {})}
            settings.pop("options", None)  # the score's are these and its level
            yield _Score(score.name, kind, read_object(score / "scores.json"), settings)


def _results(folder: Path, root: Path) -> Iterator[dict[str, Any]]:
    """The fields of an `EvalResult` for every number that reports on the model.

    The Hub takes results of one task, configuration and split for one thing measured, whatever
    their names: so a configuration says all that tells two of them apart.
    """
    scores = list(_scores(folder, root))
    alike: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for score in scores:
        alike.setdefault(score.measured, []).append(score.settings)
    for score in scores:
        task, split, kind = score.measured
        known = TASKS.get(task)
        under = ", ".join((HOW[kind], *_under(score.settings, alike[score.measured])))
        for name, metric in score.made["metrics"].items():
            if metric["value"] is not None:
                yield {
                    "task_type": TYPES.get(known.group if known else "", "other"),
                    "dataset_type": task,
                    "dataset_name": f"{task} ({split}, {under})",
                    "dataset_config": under,
                    "dataset_split": split,
                    "metric_type": name,
                    "metric_name": f"{name} {HOW[kind]}, {metric['n']} examples",
                    "metric_value": metric["value"],
                    "metric_config": metric["signature"],
                    "metric_args": {"score": score.name},
                }


def _under(settings: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a number was measured under: what is always named, and what `alike` ones differ in."""
    varied = (
        name
        for name in sorted(settings)
        if len({json.dumps(other.get(name), sort_keys=True) for other in alike}) > 1
    )
    for name in dict.fromkeys((*NAMED, *varied)):
        value = settings.get(name)
        if value not in (None, ""):
            yield f"the half to {value} on" if name == "part" else f"{name} {value}"
