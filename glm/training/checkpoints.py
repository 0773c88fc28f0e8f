"""Native checkpoints: weights in safetensors, everything else in JSON, and training to the bit.

A checkpoint is a folder. `checkpoint.json` is written last, in one rename, and names the tensor
files that belong to it, so that a reader finds the old checkpoint or the new one and never half of
each, whenever the writer was stopped:

    checkpoint.json                   {"version", "shape", "model", "optimiser", "extra"}
    model.safetensors                 the model's tensors; a head's under "head."
    optimiser.safetensors             each parameter's moments and step, if it is to be resumed

The second save into a folder writes `model-2.safetensors`, the third `model.safetensors` again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from glm.models.backbone import Backbone
from glm.models.headers import headers
from glm.models.networks import Network, bare
from glm.models.shape import Shape
from tasks import atomic
from tasks.errors import UserError
from tasks.source import outside

VERSION = 1
RECORD = "checkpoint.json"
HEAD = "head."
WHAT = "a checkpoint's record"


@dataclass(frozen=True)
class Checkpoint:
    """A model, and what its saver put beside it: the step and the like."""

    model: Network
    extra: dict[str, Any]


def save(
    folder: str | Path,
    model: Backbone,
    optimiser: torch.optim.Optimizer | None = None,
    extra: Mapping[str, Any] | None = None,
    head: nn.Module | None = None,
) -> None:
    """Replace the checkpoint in `folder`, or write its first, in one step.

    With `optimiser` a run goes on from here to the bit (see `restore`). `extra` must be JSON.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    before = _record(folder) if (folder / RECORD).is_file() else {}
    suffix = "-2" if before.get("model") == "model.safetensors" else ""
    record = {"version": VERSION, "shape": model.described(), "extra": dict(extra or {})}
    tensors: dict[str, Tensor] = dict(model.named_parameters())
    if head is not None:
        tensors |= {HEAD + name: tensor for name, tensor in head.state_dict().items()}
    record["model"] = _write(folder, f"model{suffix}.safetensors", tensors)
    record["optimiser"] = None
    if optimiser is not None:
        moments = _moments(optimiser, _names(model, head))
        record["optimiser"] = _write(folder, f"optimiser{suffix}.safetensors", moments)
    atomic.write_json(folder / RECORD, record, lasting=True)
    for key in ("model", "optimiser"):
        if before.get(key) and before[key] != record[key]:
            (folder / before[key]).unlink(missing_ok=True)


def beside(folder: str | Path) -> dict[str, Any]:
    """The `extra` of the checkpoint in `folder`."""
    return _record(Path(folder))["extra"]


def load(folder: str | Path, device: torch.device | str = "cpu") -> Checkpoint:
    """The model in `folder`, on `device` and in the precision that was saved."""
    folder = Path(folder)
    record = _record(folder)
    file = folder / record["model"]
    state, _ = _tensors(file, device)
    with outside.parsing(folder / RECORD, WHAT):
        shape = Shape(**record["shape"])
        held = sum(tensor.numel() for tensor in state.values())
        if shape.layers > len(state) or shape.parameters() != held:
            raise UserError(
                f"{file} does not fit its {RECORD}: {held:,} numbers, and {shape.layers} layers "
                f"of {shape.hidden} units have {shape.parameters():,}"
            )
        model = bare(shape)
    with outside.parsing(file, f"the tensors of its {RECORD}"):
        model.load_state_dict(state, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return Checkpoint(model, record["extra"])


def restore(
    folder: str | Path,
    model: Backbone,
    optimiser: torch.optim.Optimizer,
    head: nn.Module | None = None,
) -> dict[str, Any]:
    """Put weights and moments of the checkpoint in `folder` in place; returns its `extra`.

    `optimiser` is built over `model` (and `head`). Hyper-parameters and the rate are its own: they
    come from the spec and the step.
    """
    folder = Path(folder)
    put(folder, model, head)
    record, names = _record(folder), _names(model, head)
    moments = _read(folder / record["optimiser"], model.device) if record["optimiser"] else {}
    _resume(optimiser, moments, names)
    return record["extra"]


def put(folder: str | Path, model: Backbone, head: nn.Module | None = None) -> None:
    """Put the weights of the checkpoint in `folder` in place; its head's where one is given."""
    file = Path(folder) / _record(Path(folder))["model"]
    state, kept = _tensors(file, model.device)
    state |= {HEAD + name: t for name, t in kept.items()} if head is not None else {}
    names = _names(model, head)
    odd = sorted(state.keys() ^ set(names.values()))
    if odd:
        raise UserError(f"{file} is of another model: {odd[0]} differs")
    with torch.no_grad():
        for parameter, name in names.items():
            parameter.copy_(state[name])


def head(folder: str | Path) -> dict[str, Tensor]:
    """The tensors of the head in the checkpoint in `folder`; none where it was saved without."""
    return _tensors(Path(folder) / _record(Path(folder))["model"], "cpu")[1]


def _resume(
    optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor], names: Mapping[Tensor, str]
) -> None:
    known = set(names.values())
    foreign = sorted({key.split("/")[0] for key in moments} - known)
    if foreign or not moments:
        what = f"moments of {foreign[0]}, which is not here" if foreign else "no optimiser state"
        raise UserError(f"this checkpoint cannot be resumed: it has {what}")
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            prefix = names[parameter] + "/"
            found = {
                key.removeprefix(prefix): value
                for key, value in moments.items()
                if key.startswith(prefix)
            }
            if found:
                optimiser.state[parameter] = found


def _names(model: Backbone, head: nn.Module | None) -> dict[Tensor, str]:
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    if head is not None:
        names |= {parameter: HEAD + name for name, parameter in head.named_parameters()}
    return names


def _moments(optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimiser's tensors as "parameter/moment"."""
    return {
        f"{names[parameter]}/{moment}": tensor
        for parameter, state in optimiser.state.items()
        for moment, tensor in state.items()
    }


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if not path.is_file():
        raise UserError(f"{folder}: no checkpoint here ({RECORD} is missing)")
    record = outside.json_value(path, dict, WHAT)
    if record.get("version") != VERSION:
        raise UserError(
            f"{path}: version {record.get('version')} of the layout; this program reads {VERSION}"
        )
    model, optimiser = record.get("model"), record.get("optimiser")
    if not _is_beside(model) or not (optimiser is None or _is_beside(optimiser)):
        raise UserError(f"{path}: not {WHAT}: it names no files that lie beside it")
    if not isinstance(record.get("extra"), dict):
        raise UserError(f"{path}: not {WHAT}: `extra` is missing")
    return record


def _is_beside(name: object) -> bool:
    return isinstance(name, str) and Path(name).name == name


def _tensors(path: Path, device: torch.device | str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A file's tensors by name, the model's and its head's."""
    tensors = _read(path, device)
    head = {name[len(HEAD) :]: t for name, t in tensors.items() if name.startswith(HEAD)}
    return {name: t for name, t in tensors.items() if not name.startswith(HEAD)}, head


def _read(path: Path, device: torch.device | str) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"{path}: the checkpoint's {RECORD} names this file; it is gone")
    headers(path)
    with outside.parsing(path, "safetensors"):
        return load_file(path, device=str(device))


def _write(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> str:
    part = folder / f"{name}.part"
    save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, part)
    atomic.as_umask_has_it(part)
    atomic.put(part, folder / name, lasting=True)
    return name
