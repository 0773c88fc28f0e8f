"""A checkpoint from anywhere as a model, its tokenizer, and how it is asked.

    asked.json, checkpoint.json, tokenizer.json    one of ours, as `harness export` writes it
    the folder of a store's pretraining            the same, its tokenizer beside it in the store
    mp_rank_00_model_states.pt                     the released GLM, or the folder of its tag file
    config.json of a GLM, pytorch_model.bin        its Hugging Face conversions
    config.json, *.safetensors, tokenizer.json     whatever `transformers` knows

The released files hold no tokenizer: a `vocab.txt` beside them is taken, else the public one that
they were trained with.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from glm.data import tokenizer as tokens
from glm.data.special import with_sentinels
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone
from glm.models.huggingface import checkpoint
from glm.models.importers import import_glm, import_hf
from glm.models.networks import Network
from glm.objectives import asked
from glm.objectives.elsewhere import GLM_FILES, SERVES, elsewhere
from glm.objectives.layout import BLANK, Layout
from glm.objectives.objective import Objective
from glm.training import checkpoints
from tasks.atomic import read_json
from tasks.errors import UserError

BERT_ROWS, BERT = 30_592, "bert-large-uncased"  # of the released models' token table
OTHERS = {50_304: "gpt2", 50_265 + 2: "roberta-large"}


@dataclass(frozen=True)
class Opened:
    """What a style needs: the model, its tokenizer, and the layout of its inputs.

    `plain` is the tokenizer without the sentinels that the model's table has rows for.
    """

    model: Backbone
    tokenizer: Tokenizer
    layout: Layout
    plain: Tokenizer


def opened(
    path: str | Path, device: torch.device | str = "cpu", *, name: str = "", revision: str = ""
) -> Opened:
    """The checkpoint at `path` on `device`, in fp32."""
    path = Path(path)
    how = asked.read(path)
    if how is not None:
        return _ours(path, how, device)
    if elsewhere(path).kind == "blanks":
        return _released(path, device)
    found = checkpoint.load(path, device, name=name, revision=revision)
    return Opened(found.model, found.tokenizer, found.layout, found.tokenizer)


def pretrained(
    folder: Path, tokenizer: Path, objective: Objective, device: torch.device | str = "cpu"
) -> Opened:
    """A model of ours that is asked as its objective says, with the tokenizer of another folder."""
    model, plain = checkpoints.load(folder, device).model, tokens.load(tokenizer)
    sentinels = objective.extra_tokens(model.positions).sentinels
    own = replace(plain, special=with_sentinels(plain.special, sentinels))
    return Opened(model, own, objective.layout, plain)


def write(folder: str | Path, model: Network, tokenizer: Tokenizer, how: asked.Asked) -> None:
    """A folder that `opened` reads: weights, tokenizer (`plain`), and how the model is asked."""
    folder = Path(folder)
    checkpoints.save(folder, model)
    tokenizer.save(folder)
    asked.write(folder, how)


def _ours(path: Path, how: asked.Asked, device: torch.device | str) -> Opened:
    plain = tokens.load(path if (path / "tokenizer.json").is_file() else _beside(path))
    special = with_sentinels(plain.special, how.sentinels)
    model = checkpoints.load(path, device).model
    return Opened(model, replace(plain, special=special), how.layout, plain)


def _beside(path: Path) -> Path:
    """The tokenizer of a store's pretraining: its input, two folders up."""
    inputs = read_json(path / "inputs.json")
    if not isinstance(inputs, dict) or not isinstance(inputs.get("tokenizer"), str):
        raise UserError(f"{path}: neither a tokenizer here nor inputs.json, which names it")
    return path.parents[1] / inputs["tokenizer"]


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
    return Opened(model.to(device), tokenizer, layout, tokenizer)
