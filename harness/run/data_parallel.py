"""Data-parallel pretraining through Ray Train: one process per device, the same global batch.

Every process computes its share of each step's batch, and gradients are averaged, weighted by the
targets that a share holds: the loss is that of one device up to the order of sums. The processes
meet in the step's folder, so several nodes need nothing but the store's path. Ray Train retries
nothing: a process that was lost is another outcome than one that failed, and the schedule knows.
"""

import dataclasses
import json
import pickle
import shutil
import signal
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import Diverged, Interrupted, Lost, OutOfMemory, UserError, is_out_of_memory
from harness.run.working import Working
from harness.steps.pretrain import Pretrain
from harness.steps.step import Machine, Work
from harness.store.attempts import events
from tasks.atomic import read_object, write_json

if TYPE_CHECKING:
    from ray.train.torch import TorchTrainer

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
    rank: int

    def log(self, event: str, **facts: object) -> None:
        """One log for all: process 0 writes it."""
        if self.rank == 0:
            self.own.log(event, **facts)

    def stopping(self) -> bool:
        """Whether any process has been asked to stop: they must leave the loop together."""
        import torch

        asked = torch.tensor([float(self.own.stopping())])
        torch.distributed.all_reduce(asked)
        return bool(asked.item())


def pretrain(spec: Pretrain, work: Work) -> None:
    """Run the step on `work.machine.devices` processes; raises what one process would.

    Raises:
        Lost: a process ended without a word; the step goes on from its last checkpoint.
    """
    machine = work.machine
    if spec.batch < machine.devices:
        raise UserError(
            f"machine.gpus.pretrain is {machine.devices}, more than a step's {spec.batch} "
            "sequences: ask for fewer, or for a larger batch"
        )
    verdict, scratch = work.folder / VERDICT, work.folder / "ray-train"
    verdict.unlink(missing_ok=True)
    trainer = _trainer(spec, work, scratch)
    failure: Exception | None = None
    try:
        with _interrupts():
            trainer.fit()
    except Exception as error:
        if not type(error).__module__.startswith("ray."):
            raise  # a bug of ours
        failure = error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    ended = read_object(verdict) or {"state": "lost"}
    verdict.unlink(missing_ok=True)
    _judge(ended, failure, work)


def _trainer(spec: Pretrain, work: Work, scratch: Path) -> "TorchTrainer":
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    machine = work.machine
    on_gpu = machine.device == "cuda" or (
        machine.device == "auto" and ray.cluster_resources().get("GPU", 0) > 0
    )
    threads = machine.threads or int(getattr(spec, "threads", 1))
    each = {"CPU": threads, "GPU": 1} if on_gpu else {"CPU": threads}
    # Gradients and losses go between devices; counts and questions between hosts, without waiting
    # for a device to get to them.
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    own = dataclasses.replace(
        machine, devices=1, threads=threads, device="cuda" if on_gpu else "cpu"
    )
    return TorchTrainer(
        _process,
        train_loop_config={"spec": pickle.dumps(spec), "work": _carried(work, own)},
        scaling_config=ScalingConfig(
            num_workers=machine.devices, use_gpu=on_gpu, resources_per_worker=each
        ),
        torch_config=TorchConfig(backend=backend),
        run_config=RunConfig(
            name="pretrain",
            storage_path=str(scratch),
            failure_config=FailureConfig(max_failures=0, max_preemption_failures=0),
        ),
    )


def _judge(ended: Mapping[str, Any], failure: Exception | None, work: Work) -> None:
    """Raise what the processes' end means, or return when the result is there."""
    state = ended["state"]
    if state == "diverged":
        raise Diverged(ended["step"], ended["detail"])
    if state == "interrupted":
        raise Interrupted(ended["reason"])
    if state == "oom":
        rows = [e["rows"] for e in events(work.folder / "log.jsonl") if e["event"] == "micro_batch"]
        if rows:
            work.log("micro_batch", rows=rows[-1])  # what the next attempt halves
        raise OutOfMemory(ended["reason"]) from failure
    if state == "refused":
        raise UserError(ended["reason"])
    if state == "failed":
        raise RuntimeError(ended["reason"]) from failure
    if failure is not None or state == "lost":
        lines = str(failure).strip().splitlines() if failure else []
        raise Lost(
            f"a data-parallel process was lost: {lines[-1][:200] if lines else 'no word from it'}"
        )


@contextmanager
def _interrupts() -> Iterator[None]:
    """Give Ctrl-C's handler back afterwards: Ray Train takes it and keeps it."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


def _carried(work: Work, machine: Machine) -> dict[str, Any]:
    """What a process on another machine needs to make its own view of the step."""
    return {
        "folder": str(work.folder),
        "inputs": {name: str(path) for name, path in work.inputs.items()},
        "machine": machine,
        "how": dict(work.how),
        "attempt": work.attempt,
        "stop": str(getattr(work, "stop", work.folder / "stop")),
    }


def _process(config: Mapping[str, Any]) -> None:
    """One process: its share of every step; process 0 writes the result and the verdict."""
    from ray import train

    context = train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    folder = Path(config["work"]["folder"])
    try:
        for plugin in config["work"]["how"].get("plugins", ()):
            plugin.load()  # before a spec that is made of its classes
        _run(pickle.loads(config["spec"]), config["work"], rank, world)
        ended: dict[str, Any] = {"state": "done"}
    except Interrupted as error:
        ended = {"state": "interrupted", "reason": str(error)}
    except Diverged as error:
        ended = {"state": "diverged", "step": error.step, "detail": error.detail}
    except Exception as error:
        _fail(folder, rank, error)
        raise
    if rank == 0:
        write_json(folder / VERDICT, ended)


def _run(spec: Pretrain, carried: Mapping[str, Any], rank: int, world: int) -> None:
    """The process's share of the work, in its own number of threads and on its own device."""
    import torch
    from ray.train.torch import get_device
    from torch import nn

    from glm.training.processes import Processes
    from harness.steps import pretraining

    machine: Machine = carried["machine"]
    torch.set_num_threads(machine.threads or 1)
    ids = None
    if machine.device == "cuda":
        ids = [get_device()]
        torch.cuda.set_device(ids[0])
    inputs = {name: Path(path) for name, path in carried["inputs"].items()}
    own = Working(
        Path(carried["folder"]),
        inputs,
        machine,
        carried["how"],
        carried["attempt"],
        Path(carried["stop"]),
    )

    def wrap(module: nn.Module) -> nn.Module:
        return nn.parallel.DistributedDataParallel(module, device_ids=ids)

    share = Share(own, own.folder, inputs, machine, own.how, own.attempt, own.provenance, rank)
    pretraining.run(spec, share, Processes(rank, world), wrap)


def _fail(folder: Path, rank: int, error: Exception) -> None:
    """Leave word of a process's own failure; the first to fail says what went wrong.

    One that has only lost its peers says nothing: either a peer has, or one was lost. Ray may have
    taken their group away by then, so that whatever the process asks of it fails.
    """
    from torch import distributed

    if isinstance(error, distributed.DistError) or "gloo" in str(error):
        return
    if not distributed.is_initialized():
        return
    first = (str(error).strip().splitlines() or ["no message"])[0]
    ended = {"state": "failed", "reason": f"in process {rank}: {type(error).__name__}: {first}"}
    if isinstance(error, UserError):
        ended = {"state": "refused", "reason": str(error)}
    elif is_out_of_memory(error):
        ended = {"state": "oom", "reason": first}
    with suppress(OSError), open(folder / VERDICT, "x") as file:
        file.write(json.dumps(ended))
        (folder / "traceback.txt").write_text(traceback.format_exc())
