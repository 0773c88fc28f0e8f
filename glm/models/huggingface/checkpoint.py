"""Checkpoints by name or folder: found offline first, read from safetensors, no code of theirs run.

A name of the hub is looked up in the local cache before the network is asked, and always comes with
the commit that it stands for. A folder is what `save_pretrained` writes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from glm.data.sequences import sequence
from glm.data.tokenizer import Tokenizer
from glm.models.headers import of_folder
from glm.models.huggingface.backbone import UNBOUNDED, HuggingFace
from glm.models.huggingface.decoder import Decoder
from glm.models.huggingface.encoder import AFTER_PADDING, Encoder
from glm.models.huggingface.encoder_decoder import EncoderDecoder
from glm.models.huggingface.vocabulary import Kind, adapted
from glm.objectives.elsewhere import SERVES
from glm.objectives.layout import Layout
from tasks.errors import UserError
from tasks.source import outside

WAYS = {"encoder": Encoder, "decoder": Decoder, "encoder-decoder": EncoderDecoder}
HOW = "pip install 'transformers>=5.0'"
READ = ("*config.json", "tokenizer.json", "*tokens*.json", "vocab.json", "*.index.json")
LAYERS = re.compile("layer|block|depth|expert|group|stage")
LARGEST = 2**24  # of any number in a configuration: no table has as many rows
FEWEST = 64  # layers that a few tensors, shared by all of them, may stand for
SHARED, SMALL = 3, 2**22  # stored once and counted again, or left out: heads, mostly


@dataclass(frozen=True)
class Loaded:
    """A model, its tokenizer, and how it is asked."""

    model: HuggingFace
    tokenizer: Tokenizer
    layout: Layout
    kind: Kind


def kind_of(config: Any) -> Kind:
    """Whether a configuration is an encoder's, a decoder's or an encoder-decoder's."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as PAIRS,
    )

    name = config.model_type
    if config.is_encoder_decoder and name in PAIRS:
        return "encoder-decoder"
    if name in MASKED and not getattr(config, "is_decoder", False):
        return "encoder"
    if name in CAUSAL:
        return "decoder"
    raise UserError(f"model type {name!r}: neither a masked, a causal nor a seq2seq model")


def load(
    folder: str | Path,
    device: torch.device | str = "cpu",
    *,
    name: str = "",
    revision: str = "",
) -> Loaded:
    """The checkpoint in `folder`, in fp32, with its tokenizer.

    Raises `UserError` where `transformers` is not installed, weights are no safetensors, or a
    weight of the body is missing. A missing head is noted, not invented.
    """
    transformers = library()
    folder = Path(folder)
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder}: no *.safetensors here, and other formats can run code; convert it once "
            "with transformers: AutoModel.from_pretrained(...).save_pretrained(FOLDER)"
        )
    _require_bounds(folder)
    safe = {"local_files_only": True, "trust_remote_code": False}
    with outside.parsing(folder, "a checkpoint of transformers"):
        config = transformers.AutoConfig.from_pretrained(folder, **safe)
        kind = kind_of(config)
        auto = {
            "encoder": transformers.AutoModelForMaskedLM,
            "decoder": transformers.AutoModelForCausalLM,
            "encoder-decoder": transformers.AutoModelForSeq2SeqLM,
        }[kind]
        _require_size(folder, auto, config)
        fast = transformers.AutoTokenizer.from_pretrained(folder, use_fast=True, **safe)
        network, facts = auto.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safe
        )
        headless = _headless(network, facts["missing_keys"], folder)
        model = HuggingFace(
            network.to(device),
            WAYS[kind].of(network),
            name or folder.name,
            revision,
            room(config),
            headless,
        )
        tokenizer, layout = adapted(fast, config, kind)
        layout = replace(layout, serves=SERVES["body"]) if headless else layout
        loaded = Loaded(model.eval(), tokenizer, layout, kind)
        _require_agreement(loaded)
    return loaded


def _require_bounds(folder: Path) -> None:
    """Raises `UserError` where a configuration asks for more than its weights can be of.

    The library builds what the configuration says and draws what the weights lack, so that one
    number in it could fill the memory.
    """
    for file in (each for pattern in READ for each in folder.glob(pattern)):
        outside.json_value(file, object, "a file of a checkpoint")
    tensors = len(of_folder(folder))
    config = outside.json_value(folder / "config.json", dict, "a configuration")
    for name, number in _numbers(config):
        most = max(tensors, FEWEST) if LAYERS.search(name) else LARGEST
        if number > most:
            raise UserError(
                f"{folder / 'config.json'}: `{name[:80]}` is {str(number)[:20]}, and the weights "
                f"are {tensors} tensors: at most {most:,}"
            )


def _numbers(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The whole numbers of a configuration with their names, those of configurations and lists
    inside it too; a number in a list has the list's name."""
    waiting = list(config.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, each) for each in value]
        elif isinstance(value, int) and not isinstance(value, bool):
            yield name, value


def _require_size(folder: Path, auto: Any, config: Any) -> None:
    """Raises `UserError` where the model that a configuration describes is not the one stored."""
    with torch.device("meta"):
        described = sum(each.numel() for each in auto.from_config(config).parameters())
    stored = sum(each.numbers for each in of_folder(folder).values())
    if described > SHARED * stored + SMALL:
        raise UserError(
            f"{folder / 'config.json'}: describes {described:,} parameters, and the weights hold "
            f"{stored:,}"
        )


@torch.inference_mode()
def _require_agreement(loaded: Loaded) -> None:
    """Read a few tokens as a backbone and as the library does: a family that computes its logits in
    an unforeseen way must not give numbers that look right."""
    model, special = loaded.model, loaded.tokenizer.special
    if model.headless:
        return
    ids = [i % special.size for i in (special.unk, special.eos, 7, 11, 13)]
    branch = [0] * len(ids) if loaded.kind == "encoder" else [1] * len(ids)
    inputs = {"input_ids": torch.tensor([ids], device=model.device)}
    if loaded.kind == "encoder-decoder":
        inputs["decoder_input_ids"] = inputs["input_ids"]
        branch = [0] * len(ids) + branch
    count = len(branch) // len(ids)
    positions = list(range(len(ids))) * count
    reads = range(len(branch) - len(ids), len(branch))
    row = sequence(ids * count, positions, [0] * len(branch), branch, reads)
    ours_RV = model.logits(model.read([row], special.pad))
    theirs_RV = model.network(**inputs).logits[0]
    if ours_RV.shape != theirs_RV.shape or not torch.allclose(ours_RV, theirs_RV, 1e-3, 1e-3):
        raise UserError(
            f"{model.name}: models of type {model.network.config.model_type!r} compute their "
            "logits in a way that is not known here, so that their scores would be wrong"
        )


def library() -> ModuleType:
    """`transformers`, or how to get it."""
    try:
        import transformers
    except ImportError:
        raise UserError(f"checkpoints from elsewhere need transformers: {HOW}") from None
    return transformers


def room(config: Any) -> int:
    """How many positions a model has: of its table, or what it was trained with."""
    positions = getattr(config, "max_position_embeddings", None) or UNBOUNDED
    if config.model_type in AFTER_PADDING:
        positions -= config.pad_token_id + 1
    return positions


def _headless(network: Any, missing: Any, folder: Path) -> bool:
    """Whether only a head is missing; a body that lacks a weight is refused."""
    prefix = network.base_model_prefix + "."
    body = sorted(name for name in missing if name.startswith(prefix) and "pooler" not in name)
    if body or (missing and network.base_model is network):
        raise UserError(f"{folder}: the weights lack {(body or sorted(missing))[0]}")
    return bool(missing)


def locate(name: str, revision: str = "", *, whole: bool = True) -> tuple[Path, str]:
    """Where a checkpoint lies, and its commit ("" for a folder).

    Looks at folders, then at the hub's local cache, then at the hub. Without `whole` only the
    configuration has to be there.
    """
    if Path(name).is_dir():
        return Path(name), ""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*.model"] + ["*.safetensors"] * whole
    faults = (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError)
    for offline in (True, False):
        try:
            folder = snapshot_download(
                name, revision=revision or None, allow_patterns=wanted, local_files_only=offline
            )
        except faults:
            continue
        found = Path(folder)
        if (found / "config.json").is_file() and (not whole or any(found.glob("*.safetensors"))):
            return found, found.name
    at = f" --revision {revision}" if revision else ""
    raise UserError(
        f"checkpoint {name!r} is no folder, not in the local cache, and the hub cannot be reached "
        f"or has no such model with safetensors. Get it with `hf download {name}{at}`, or give a "
        "folder that holds config.json, tokenizer.json and model.safetensors."
    )
