"""The model card of an exported pretraining: what it is, and what it scored, in the Hub's form.

`model-index` holds a result for every score of the store that rests on the model. Most are of a
finetuned copy of it, and say so: the exported weights are those before.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import TASKS
from tasks.atomic import read_json
from tasks.checksums import fault

TYPES = {  # a group of tasks -> the Hub's name for what is done
    "superglue": "text-classification",
    "generation": "summarization",
    "language": "text-generation",
}
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


def _results(folder: Path, root: Path) -> Iterator[dict[str, Any]]:
    """The fields of an `EvalResult` for every number of the store that rests on the model."""
    for score in sorted((root / "score").glob("*")):
        answers = (read_json(score / "inputs.json") or {}).get("predictions", "")
        kind = answers.split("/")[0]
        made_from = (read_json(root / answers / "inputs.json") or {}) if kind in HOW else {}
        if made_from.get("pretrain") != f"pretrain/{folder.name}" or fault(score):
            continue
        made = read_json(score / "scores.json") or {}
        spec = (read_json(score / "spec.json") or {}).get("spec", {})
        part = f", the half to {spec['part']} on" if spec.get("part") else ""
        known = TASKS.get(made["task"])
        for name, metric in made["metrics"].items():
            if metric["value"] is not None:
                yield {
                    "task_type": TYPES.get(known.group if known else "", "other"),
                    "dataset_type": made["task"],
                    "dataset_name": f"{made['task']} ({made['split']}{part})",
                    "dataset_split": made["split"],
                    "metric_type": name,
                    "metric_name": f"{name} {HOW[kind]}, {metric['n']} examples",
                    "metric_value": metric["value"],
                    "metric_config": metric["signature"],
                }
