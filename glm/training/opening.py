"""A checkpoint from anywhere as a model, its tokenizer, and how it is asked.

    asked.json, checkpoint.json, tokenizer.json    one of ours, as `harness export` writes it
    mp_rank_00_model_states.pt                     the released GLM, or the folder of its tag file
    config.json of a GLM, pytorch_model.bin        its Hugging Face conversions
    config.json, *.safetensors, tokenizer.json     whatever `transformers` knows

The released files hold no tokenizer: a `vocab.txt` beside them is taken, else the public one that
they were trained with.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from glm.data import tokenizer as tokens
from glm.data.special import with_sentinels
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from glm.models.importers import import_glm, import_hf
from glm.models.transformer import Transformer
from glm.objectives.elsewhere import GLM_FILES, SERVES, Kind, kind_of
from glm.objectives.layout import BLANK, Layout
from glm.training import checkpoints
from tasks.errors import UserError

ASKED = "asked.json"
BERT_ROWS, BERT = 30_592, "bert-large-uncased"  # of the released models' token table
OTHERS = {50_304: "gpt2", 50_265 + 2: "roberta-large"}


@dataclass(frozen=True)
class Opened:
    """What a style needs: the model, its tokenizer, and the layout of its inputs."""

    model: Backbone
    tokenizer: Tokenizer
    layout: Layout


def opened(
    path: str | Path, device: torch.device | str = "cpu", *, name: str = "", revision: str = ""
) -> Opened:
    """The checkpoint at `path` on `device`, in fp32."""
    path = Path(path)
    kind = kind_of(path)
    if (path / ASKED).is_file():
        return _ours(path, device)
    if kind == "blanks":
        return _released(path, device)
    from glm.models.huggingface import checkpoint

    loaded = checkpoint.load(path, device, name=name, revision=revision)
    return Opened(loaded.model, loaded.tokenizer, loaded.layout)


def write(
    folder: str | Path,
    model: Transformer,
    tokenizer: Tokenizer,
    layout: Layout,
    kind: Kind,
    sentinels: int = 0,
) -> None:
    """A folder that `opened` reads: weights, tokenizer, and how the model is asked."""
    folder = Path(folder)
    checkpoints.save(folder, model)
    tokenizer.save(folder)
    facts = {"kind": kind, "sentinels": sentinels, "layout": asdict(layout)}
    (folder / ASKED).write_text(json.dumps(facts, indent=1) + "\n")


def _ours(path: Path, device: torch.device | str) -> Opened:
    facts: dict[str, Any] = json.loads((path / ASKED).read_text())
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in facts["layout"].items()}
    tokenizer = tokens.load(path)
    special = with_sentinels(tokenizer.special, facts["sentinels"])
    model = checkpoints.load(path, device).model
    return Opened(model, replace(tokenizer, special=special), Layout(**fields))


def _released(path: Path, device: torch.device | str) -> Opened:
    """The released GLM in either form: one blank a [MASK], answers in two dimensions."""
    pt = path.suffix == ".pt" or any((path / name).is_file() for name in GLM_FILES)
    model = import_glm(path) if pt else import_hf(path)
    folder = path.parent if path.is_file() else path
    if (folder / "vocab.txt").is_file():
        tokenizer = tokens.bert(folder / "vocab.txt", task_masks=True)
    elif any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        tokenizer = tokens.load(folder)
    else:
        rows = model.shape.vocabulary
        public = BERT if rows == BERT_ROWS else OTHERS.get(rows, "")
        if not public:
            raise UserError(f"{path}: no vocab.txt beside it, and {rows} rows are no known one's")
        tokenizer = tokens.hub(public)
    if tokenizer.special.size > model.shape.vocabulary:
        raise UserError(
            f"{path}: {tokenizer.special.size} ids of the vocabulary beside it do not fit its "
            f"{model.shape.vocabulary} rows: give the vocabulary that it was trained with"
        )
    layout = replace(BLANK, inner=model.shape.inner, serves=SERVES["blanks"])
    return Opened(model.to(device), tokenizer, layout)
