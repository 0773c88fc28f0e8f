"""Data-parallel pretraining through Ray Train: one process per device, the same global batch.

Every process computes its share of each step's batch, and gradients are averaged, weighted by the
targets that a share holds: the loss is that of one device up to the order of sums. The processes
meet in the step's folder, so several nodes need nothing but the store's path.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.attempt import Working
from harness.errors import Diverged, Interrupted, OutOfMemory, is_out_of_memory
from harness.step import Machine, Work
from harness.steps.pretrain import Pretrain

VERDICT = "verdict.json"  # how the processes ended, for the step that started them


@dataclass
class Share:
    """A process's view of the step: all of them stop, and fail, at the same step."""

    own: Working
    folder: Path
    inputs: Mapping[str, Path]
    machine: Machine
    how: Mapping[str, Any]
    attempt: int
    provenance: dict[str, Any]

    def log(self, event: str, **facts: Any) -> None:
        self.own.log(event, **facts)

    def stopping(self) -> bool:
        """Whether any process has been asked to stop: they must leave the loop together."""
        import torch

        asked = torch.tensor([float(self.own.stopping())], device=_device())
        torch.distributed.all_reduce(asked)
        return bool(asked.item())


def pretrain(spec: Pretrain, work: Work) -> None:
    """Run the step on `work.machine.devices` processes; raises what one process would."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    verdict, scratch = work.folder / VERDICT, work.folder / "ray-train"
    verdict.unlink(missing_ok=True)
    trainer = TorchTrainer(
        _process,
        train_loop_config={"spec": spec, "work": _carried(work)},
        scaling_config=ScalingConfig(
            num_workers=work.machine.devices, use_gpu=work.machine.device != "cpu"
        ),
        run_config=RunConfig(name="pretrain", storage_path=str(scratch)),
    )
    try:
        trainer.fit()
    except Exception as error:
        if is_out_of_memory(error) or "out of memory" in str(error):
            raise OutOfMemory(str(error).splitlines()[0]) from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    ended = json.loads(verdict.read_text())
    verdict.unlink()
    if ended["state"] == "diverged":
        raise Diverged(ended["step"], ended["detail"])
    if ended["state"] == "interrupted":
        raise Interrupted(ended["reason"])


def _carried(work: Work) -> dict[str, Any]:
    """What a process on another machine needs to make its own view of the step."""
    return {
        "folder": str(work.folder),
        "inputs": {name: str(path) for name, path in work.inputs.items()},
        "machine": dataclasses.replace(work.machine, devices=1),
        "how": dict(work.how),
        "attempt": work.attempt,
        "stop": str(getattr(work, "stop", work.folder / "stop")),
    }


def _process(config: Mapping[str, Any]) -> None:
    """One process: its share of every step; process 0 writes the result and the verdict."""
    import torch
    from ray import train
    from ray.train.torch import prepare_model

    from harness import pretraining

    context = train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    carried = config["work"]
    machine: Machine = carried["machine"]
    torch.set_num_threads(machine.threads or 1)
    own = Working(
        Path(carried["folder"]),
        {name: Path(path) for name, path in carried["inputs"].items()},
        machine,
        carried["how"],
        carried["attempt"],
        Path(carried["stop"]),
    )
    ended: dict[str, Any] = {"state": "done"}
    try:
        pretraining.run(
            config["spec"],
            Share(own, own.folder, own.inputs, machine, own.how, own.attempt, own.provenance),
            rank,
            world,
            wrap=lambda module: prepare_model(module, move_to_device=False),
        )
    except Interrupted as error:
        ended = {"state": "interrupted", "reason": str(error)}
    except Diverged as error:
        ended = {"state": "diverged", "step": error.step, "detail": error.detail}
    if rank == 0:
        (own.folder / VERDICT).write_text(json.dumps(ended))


def _device() -> Any:
    from ray.train.torch import get_device

    return get_device()
