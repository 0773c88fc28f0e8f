"""The released GLM checkpoints and their Hugging Face form, in and out.

Both hold one flat dict of tensors with the original's names; the Hugging Face classes put `glm.`
before each. Linear weights are (out, in) in both, as here, so names are all that changes. Reading
runs no code from the file (`weights_only=True`), and every name and every shape must be the
expected one: the original loads what fits and leaves the rest random.
"""

import json
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from glm.models.transformer import Shape, Transformer
from glm.objectives.elsewhere import GLM_FILES, tagged
from tasks.errors import UserError
from tasks.source import outside

# Our name -> the original's. `{i}` is the layer.
NAMES = {
    "word.weight": "word_embeddings.weight",
    "position.weight": "transformer.position_embeddings.weight",
    "inner.weight": "transformer.block_position_embeddings.weight",
    "norm": "transformer.final_layernorm",
    "blocks.{i}.attention_norm": "transformer.layers.{i}.input_layernorm",
    "blocks.{i}.fused": "transformer.layers.{i}.attention.query_key_value",
    "blocks.{i}.merge": "transformer.layers.{i}.attention.dense",
    "blocks.{i}.mlp_norm": "transformer.layers.{i}.post_attention_layernorm",
    "blocks.{i}.up": "transformer.layers.{i}.mlp.dense_h_to_4h",
    "blocks.{i}.down": "transformer.layers.{i}.mlp.dense_4h_to_h",
}
RELEASED = "mp_rank_00_model_states.pt"
HUGGING_FACE = "pytorch_model.bin"
HEAD_SIZE = 64  # of every released model
WHAT = "a file of tensors and plain data"
LEGACY = 4  # pickles at the beginning of a file of torch before 1.6
MOST_OPERATIONS = 2_000_000  # of a pickle: a model of 10 billion parameters has 20,000


def original_name(name: str) -> str:
    """The original's name of our parameter `name`."""
    layer = re.match(r"blocks\.(\d+)\.", name)
    general = name if layer is None else name.replace(layer.group(1), "{i}", 1)
    stem, _, last = general.rpartition(".")
    found = NAMES.get(general) or f"{NAMES[stem]}.{last}"
    return found if layer is None else found.replace("{i}", layer.group(1))


def from_original(state: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """The original's tensors under our `names`."""
    return {name: state[original_name(name)] for name in names}


def import_glm(path: str | Path, heads: int | None = None) -> Transformer:
    """A released checkpoint: the folder of its `latest_checkpointed_iteration.txt`, the folder of
    its `mp_rank_00_model_states.pt`, or that file. The weights come out in fp32.

    The shape is read off the tensors. `heads` is hidden / 64 unless given.
    """
    file = _released_file(Path(path))
    stored = _unpickle(file)
    if not isinstance(stored.get("module"), Mapping):
        raise UserError(f"{file}: no state dict under 'module'; is this a released GLM checkpoint?")
    return _model(file, stored["module"], heads)


def import_hf(path: str | Path, heads: int | None = None) -> Transformer:
    """The Hugging Face form: a folder with `pytorch_model.bin` (and `config.json`), or that file.

    The shape is read off the tensors, `heads` from the configuration, else hidden / 64.
    """
    path = Path(path)
    file = path / HUGGING_FACE if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file}: no such file; give a folder with {HUGGING_FACE}")
    config = file.parent / "config.json"
    if heads is None and config.is_file():
        said = outside.json_value(config, dict, "a configuration").get("num_attention_heads")
        heads = said if type(said) is int else None
    return _model(file, _unpickle(file), heads)


def export_hf(model: Transformer, folder: str | Path) -> None:
    """Write `pytorch_model.bin` and `config.json` as the Hugging Face conversions have them."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    state = {"glm." + original_name(name): t.cpu() for name, t in model.state_dict().items()}
    torch.save(state, folder / HUGGING_FACE)
    config = {
        "model_type": "glm",
        "architectures": ["GLMForConditionalGeneration"],
        "num_layers": shape.layers,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "embedding_dropout_prob": shape.dropout,
        "attention_dropout_prob": shape.attention_dropout,
        "output_dropout_prob": shape.dropout,
        "max_sequence_length": shape.positions,
        "block_position_encoding": shape.inner,
        "layernorm_epsilon": 1e-5,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _released_file(path: Path) -> Path:
    inside = tagged(path)
    if inside is not None and inside.is_dir():
        path = inside
    file = path / RELEASED if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file}: no such file; give the folder with {GLM_FILES[0]} or {RELEASED}")
    if (file.parent / RELEASED.replace("00", "01")).exists():
        raise UserError(f"{file.parent}: split over several model-parallel files; merge them first")
    return file


def _unpickle(file: Path) -> Mapping[str, Any]:
    """The file's dict, if it holds tensors, numbers, strings and their containers only."""
    # A training run's states of the random generators are numpy arrays: data as well.
    plain: list[Any] = [OrderedDict, set, np.ndarray, np.dtype, type(np.dtype("uint32"))]
    rebuild = np.empty(0).__reduce__()[0]
    plain += [(rebuild, f"{module}._reconstruct") for module in
              ("numpy.core.multiarray", "numpy._core.multiarray")]  # fmt: skip
    with outside.parsing(file, WHAT):
        _require_bounds(file)
        try:
            with torch.serialization.safe_globals(plain):
                stored = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            named = re.search(r"GLOBAL (\S+)", str(error))
            why = f"it holds {named.group(1)}" if named else "it is none"
            raise UserError(f"{file}: refused: not {WHAT}: {why}") from None
    if not isinstance(stored, Mapping):
        raise UserError(f"{file}: holds a {type(stored).__name__}, not a dict of tensors")
    return stored


def _require_bounds(file: Path) -> None:
    """Raises ValueError for a small file that would fill the memory.

    `torch.save` packs nothing and needs a few operations for a tensor; a list that is empty takes
    one byte of a pickle and seventy of memory.
    """
    if not zipfile.is_zipfile(file):
        with open(file, "rb") as stream:
            for _ in range(LEGACY):
                _require_short(stream)
        return
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        held = sum(entry.file_size for entry in entries)
        if held > file.stat().st_size or any(entry.compress_type for entry in entries):
            raise ValueError(f"{held:,} bytes packed into {file.stat().st_size:,}")
        for entry in entries:
            if entry.filename.endswith("/data.pkl"):
                with archive.open(entry) as stream:
                    _require_short(stream)


def _require_short(stream: IO[bytes]) -> None:
    for count, _ in enumerate(pickletools.genops(stream)):
        if count > MOST_OPERATIONS:
            raise ValueError(f"more than {MOST_OPERATIONS:,} operations before a tensor is read")


def _model(file: Path, state: Mapping[str, Any], heads: int | None) -> Transformer:
    """The model whose tensors `state` holds, all of them and no others."""
    state = _without_prefix(_dense(file, state))
    with outside.parsing(file, "a GLM"):
        shape = _shape(file, state, heads)
        with torch.device("meta"):
            model = Transformer(shape)
    expected = {original_name(name): p.shape for name, p in model.named_parameters()}
    faults = [f"{name} is missing" for name in expected if name not in state]
    faults += [f"{name} is unknown" for name in state if name not in expected]
    faults += [
        f"{name} is {tuple(state[name].shape)}, not {tuple(size)}"
        for name, size in expected.items()
        if name in state and state[name].shape != size
    ]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise UserError(f"{file}: not a GLM of {shape}: {'; '.join(faults[:5])}{more}")
    names = [name for name, _ in model.named_parameters()]
    ours = {name: tensor.float() for name, tensor in from_original(state, names).items()}
    model.load_state_dict(ours, assign=True)
    return model.requires_grad_(True)


def _dense(file: Path, state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """`state`, if it is of named tensors of which every number is there."""
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{file}: {str(name)[:80]} is no tensor")
        stored = value.layout is torch.strided and not value.is_quantized and not value.is_meta
        if not stored or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise UserError(f"{file}: {name[:80]} of {tuple(value.shape)} is not all there")
    return dict(state)


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` without `glm.` (Hugging Face) or `model.` (classifiers) before every name."""
    for prefix in ("glm.", "model."):
        if state and all(name.startswith(prefix) for name in state):
            return {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return dict(state)


def _shape(file: Path, state: Mapping[str, Tensor], heads: int | None) -> Shape:
    word, position = state.get(NAMES["word.weight"]), state.get(NAMES["position.weight"])
    if word is None or position is None or word.ndim != 2 or position.ndim != 2:
        begins = ", ".join(name[:80] for name in list(state)[:3])
        raise UserError(
            f"{file}: {NAMES['word.weight']} or {NAMES['position.weight']} is missing, or no "
            f"table; it begins with {begins or 'nothing'}"
        )
    found = (re.match(r"transformer\.layers\.(\d{1,6})\.", name) for name in state)
    layers = 1 + max((int(match.group(1)) for match in found if match), default=-1)
    if layers > len(state):
        raise UserError(f"{file}: {layers} layers in {len(state)} tensors")
    rows, hidden = word.shape
    inner = NAMES["inner.weight"] in state
    return Shape(
        layers=layers,
        hidden=hidden,
        heads=heads or max(hidden // HEAD_SIZE, 1),
        vocabulary=rows,
        positions=position.shape[0] - (1 if inner else 0),
        inner=inner,
    )
