"""A model of a store as a folder for others: `python -m harness export STEP DIR`.

STEP is a pretraining, or a finetuning whose weights the grid kept (`keep_weights`). What has an
equal in `transformers` is written so that its Auto classes load it:

    a causal model of ours                        GPT2LMHeadModel
    a checkpoint from elsewhere, finetuned        what it was
    BERT or RoBERTa, finetuned as a classifier    BertForSequenceClassification and the like

Others have none there: GLM's second positions and spans, BERT's table tied without a transform
below it (the library's pre-LN encoders have one, or norm their embeddings). These become a folder
that a grid's `checkpoint` reads. A head without an equal goes beside its body as
`head.safetensors`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from glm.objectives import asked
from harness import model_card
from harness.errors import UserError
from harness.steps.kept import WEIGHTS
from tasks.atomic import as_umask_has_it, read_json

if TYPE_CHECKING:
    from torch import Tensor

    from glm.models.huggingface.backbone import HuggingFace
    from glm.training.opening import Opened

HEAD_FILE = "head.safetensors"
# Families whose classifier is ours (a tanh of a linear layer at the first token, and a linear layer
# on it), and the names of our head's layers there.
CLASSIFIERS = {
    "bert": {"pool": "bert.pooler.dense", "out": "classifier"},
    "roberta": {"pool": "classifier.dense", "out": "classifier.out_proj"},
}


def export(step: str, out: Path, root: Path) -> str:
    """Write the model of `step` in the store at `root` to `out`; returns a line about it.

    `step` is its folder, or the beginning or end of its name below `pretrain/` or `finetuned/`.
    """
    folder = found(step, root, "pretrain", "finetuned")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already: name a folder that is not")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError, PermissionError) as error:
        raise UserError(f"no folder {out} can be made: {error.strerror}") from None
    said = _finetuned(folder, out) if (folder / WEIGHTS).is_dir() else _pretrained(folder, out)
    for file in out.glob("*.safetensors"):
        as_umask_has_it(file)
    return said


def _pretrained(folder: Path, out: Path) -> str:
    """A pretraining, and what it scored."""
    from glm.training.opening import opened

    said = _ours(folder, folder, opened(folder), out)
    model_card.write(out, folder, folder.parents[1])
    return said


def _ours(weights: Path, origin: Path, given: "Opened", out: Path) -> str:
    """A Transformer of ours, asked and spelled as what it began as is."""
    from glm.models import gpt2
    from glm.models.transformer import Transformer
    from glm.training import opening
    from glm.training.checkpoints import load

    model = load(weights).model
    size = f"{model.shape.parameters():,} parameters"
    causal = given.layout.kind == "causal" and not model.shape.inner
    if causal and isinstance(model, Transformer):
        gpt2.write(out, model, given.tokenizer)
        return f"{out}: a GPT-2 of {size}, for transformers"
    opening.write(out, model, given.plain, asked.read(origin) or asked.Asked(given.layout))
    return f"{out}: {size}, for a row {{checkpoint: {out}}}"


def _finetuned(folder: Path, out: Path) -> str:
    """A finetuned model, and its head if it has one."""
    from safetensors.torch import save_file

    from glm.models.huggingface.backbone import HuggingFace
    from glm.training import checkpoints
    from glm.training.opening import opened
    from harness.steps.checkpoint import referred

    inputs, root = read_json(folder / "inputs.json"), folder.parents[1]
    elsewhere = referred(root / inputs["pretrain"])
    origin = Path(elsewhere["path"]) if elsewhere else root / inputs["pretrain"]
    given, head = opened(origin), checkpoints.head(folder / WEIGHTS)
    if not isinstance(given.model, HuggingFace):
        said = _ours(folder / WEIGHTS, origin, given, out)
    elif _is_a_classifier(given.model, head):
        checkpoints.put(folder / WEIGHTS, given.model)
        return _classifier(given.model, head, _labels(root / inputs["finetune"]), origin, out)
    else:
        checkpoints.put(folder / WEIGHTS, given.model)
        said = _as_it_was(given.model, origin, out)
    if head:
        save_file(dict(head), out / HEAD_FILE)
        said += f"; its classifier has no equal there and is {HEAD_FILE}"
    return said


def _is_a_classifier(model: "HuggingFace", head: Mapping[str, "Tensor"]) -> bool:
    """Whether a classifier of the library has layers like the head's: no marked words, classes."""
    if not head or model.network.config.model_type not in CLASSIFIERS:
        return False
    classes, seen = head["out.weight"].shape
    return classes > 1 and seen == model.hidden


def _classifier(
    model: "HuggingFace",
    head: Mapping[str, "Tensor"],
    labels: Mapping[int, str],
    origin: Path,
    out: Path,
) -> str:
    """The body under the library's own classifier, whose layers get the head's weights."""
    from transformers import AutoModelForSequenceClassification

    network = model.network
    config = type(network.config).from_dict(network.config.to_dict() | {"id2label": labels})
    made = AutoModelForSequenceClassification.from_config(config)
    made.base_model.load_state_dict(network.base_model.state_dict(), strict=False)
    for ours, theirs in CLASSIFIERS[config.model_type].items():
        layer = made.get_submodule(theirs)
        layer.load_state_dict({name: head[f"{ours}.{name}"] for name in ("weight", "bias")})
    made.save_pretrained(out)
    _tokenizer(origin, out)
    return f"{out}: a {type(made).__name__}, for transformers"


def _as_it_was(model: "HuggingFace", origin: Path, out: Path) -> str:
    """A checkpoint from elsewhere with new weights; a head that it lacked is not written."""
    network = model.network.base_model if model.headless else model.network
    network.save_pretrained(out)
    _tokenizer(origin, out)
    return f"{out}: a {type(network).__name__}, for transformers"


def _tokenizer(origin: Path, out: Path) -> None:
    from transformers import AutoTokenizer

    safe = {"local_files_only": True, "trust_remote_code": False}
    AutoTokenizer.from_pretrained(origin, **safe).save_pretrained(out)


def _labels(finetuned: Path) -> dict[int, str]:
    """The names of the classes, in the order of the head's outputs."""
    from harness.steps import predictions

    answers = predictions.read(finetuned / predictions.CHOSEN)
    return dict(enumerate(answers[0].candidates))


def found(step: str, root: Path, *kinds: str) -> Path:
    """The folder of a store's finished step of these kinds: itself, or by a part of its name.

    It is absolute: the store around it is looked for above it. Raises `UserError` where there is
    none, or several.
    """
    folder = Path(os.path.abspath(step))
    if _holds(folder):
        return folder
    kind, _, name = step.rpartition("/")
    among = [kind] if kind in kinds else kinds
    there = sorted(path for each in among for path in (root / each).glob("*") if _holds(path))
    matching = [p for p in there if p.name.startswith(name) or p.name.endswith(name)]
    if len(matching) != 1:
        names = ", ".join(f"{p.parent.name}/{p.name}" for p in matching or there) or "none"
        what = "several models are" if matching else "no finished model is"
        raise UserError(f"{root}: {what} called {step!r}: {names}")
    return Path(os.path.abspath(matching[0]))


def _holds(folder: Path) -> bool:
    """Whether a folder holds a model."""
    return any((place / "checkpoint.json").is_file() for place in (folder, folder / WEIGHTS))
