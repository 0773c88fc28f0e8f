"""The one training loop: pretraining and finetuning, one device or many, written out.

What varies comes in as arguments: `pieces(step)` gives the losses of one optimizer step. Randomness
is a function of the seed and the step, so a run that was interrupted needs an integer to go on, and
on a CPU ends in the same bits as one that was not.
"""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glm.models.backbone import Backbone, together
from glm.training import checkpoints, optim
from glm.training.curve import Curve
from glm.training.optimisation import Optimisation
from glm.training.patience import Patience
from glm.training.pieces import Piece
from glm.training.session import Interrupted, Session

SNAPSHOTS = "snapshots"  # the folder of models on the way, each in a folder named by its step


def rate(optimisation: Optimisation, step: int) -> float:
    """The learning rate of update `step`, counted from 0."""
    return optim.schedule(
        optimisation.decay,
        step + 1,
        peak=optimisation.lr,
        warmup=optimisation.warmup_steps / optimisation.decay_steps,
        total=optimisation.decay_steps,
        floor=optimisation.floor,
    )


def fold(seed: int, step: int) -> int:
    """A seed of its own for every step of every run."""
    return (seed * 1_000_003 + step * 7_919 + 12_345) % (2**63)


def device_of(wanted: str) -> torch.device:
    """The device that a step computes on: "cpu", "cuda", or "auto" for the best that there is."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def name_of(device: torch.device) -> str:
    """The device in words, for ledgers."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """bf16 where the precision says so; weights and their updates stay fp32."""
    if precision == "fp32":
        return nullcontext()
    if precision != "bf16":
        raise ValueError(f"precision is fp32 or bf16, not {precision!r}")
    return torch.autocast(device.type, torch.bfloat16)


def train(
    network: nn.Module,
    pieces: Callable[[int], Sequence[Piece]],
    optimisation: Optimisation,
    session: Session,
    *,
    seed: int,
    checkpoint_seconds: float,
    device: torch.device,
    model: Backbone,
    head: nn.Module | None = None,
    precision: str = "fp32",
    lead: bool = True,
    across: Callable[[Tensor], Tensor] = lambda loss: loss,
    keep: Collection[int] = (),
    patience: Patience | None = None,
) -> dict[str, float]:
    """Train `network` in place, going on from the checkpoint in `session.folder` if there is one.

    Args:
        network: what is trained: holds `model` and `head`, in whatever wrapper.
        pieces: the losses of a step; their order and shares are part of the result's bits.
        checkpoint_seconds: between two checkpoints.
        model, head: what a checkpoint keeps.
        lead: whether this process writes checkpoints and logs (rank 0 of a data-parallel run).
        across: the mean of a loss over the processes of a data-parallel run.
        keep: steps after which the model is saved below `snapshots`, which changes nothing else.
        patience: may end the training before its last step. The weights are then the last ones: it
            has kept the best that it has seen.

    Returns:
        The ledger: the pieces' amounts summed over the whole run, "steps" and "seconds".

    Raises:
        Diverged: a loss or a gradient was NaN or infinite, with the batch's ids, the norm and the
            rate; or a weight was after the last update.
        Interrupted: the step was asked to stop; a checkpoint was written.
    """
    trained = together(model, head)
    optimizer = optim.adamw(
        trained,
        weight_decay=optimisation.weight_decay,
        betas=optimisation.betas,
        epsilon=optimisation.eps,
    )
    saved = session.folder / "checkpoint"
    first, ledger, looked = _resume(saved, model, head, optimizer)
    if first and lead:
        session.log("resume", step=first)
    network.train()
    done = first
    if patience is not None:
        patience.losses[:] = looked
    curve = Curve(session, device, optimisation, lead, ledger)
    saved_at = time.monotonic()
    for step in range(first, optimisation.steps):
        # One step: the losses of its pieces, one clipped update, one line of the curve.
        torch.manual_seed(fold(seed, step))
        batch = pieces(step)
        total = across(_backward(network, batch, device, precision))
        norm = optim.clip(trained, optimisation.clip)
        now = rate(optimisation, step)
        curve.see(step, total, norm, now, batch)
        optim.set_rate(optimizer, now)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        # Between steps: a snapshot where one is wished, and a checkpoint when one is due, or when
        # the run is asked to stop.
        stop, done = session.stopping(), step + 1
        if done in keep and lead:
            extra = {"step": done, "ledger": curve.ledger() | {"steps": done}}
            checkpoints.save(session.folder / SNAPSHOTS / str(done), model, extra=extra)
        due = time.monotonic() - saved_at > checkpoint_seconds
        if patience is not None and patience.enough(done, model, head):
            break
        if (stop or due) and done < optimisation.steps:
            curve.flush()
            if lead:
                extra = {"step": done, "ledger": curve.ledger()}
                extra |= {"looked": patience.losses} if patience is not None else {}
                checkpoints.save(saved, model, optimizer, extra, head)
                session.log("checkpoint", step=done)
            if stop:
                raise Interrupted(f"stopped after step {done} of {optimisation.steps}")
            saved_at = time.monotonic()
    curve.end(trained.parameters())
    network.eval()
    return curve.ledger() | {"steps": done}


def _resume(
    saved: Path, model: Backbone, head: nn.Module | None, optimizer: torch.optim.Optimizer
) -> tuple[int, dict[str, float], list[float]]:
    """Put a checkpoint's weights and moments in place, if there is one.

    Returns the step to begin with, the ledger so far, and what `patience` has seen.
    """
    if not (saved / checkpoints.RECORD).exists():
        return 0, {}, []
    extra = checkpoints.restore(saved, model, optimizer, head)
    return int(extra["step"]), dict(extra["ledger"]), list(extra.get("looked", ()))


def _backward(
    network: nn.Module, batch: Sequence[Piece], device: torch.device, precision: str
) -> Tensor:
    """Accumulate the gradients of a step's pieces; returns their loss, on the device."""
    total = torch.zeros((), device=device)
    for number, piece in enumerate(batch):
        last = number == len(batch) - 1
        # Data-parallel gradients are exchanged once a step, with the last piece.
        quiet = getattr(network, "no_sync", None)
        with nullcontext() if last or quiet is None else quiet():
            with autocast(device, precision):
                loss = piece.loss() * piece.share
            loss.backward()
        total += loss.detach()
    return total


class Ahead:
    """`make(step)` computed by one background thread, a few steps before it is asked for.

    Steps are asked for in order from any first one. Use it where the device, not this process's
    CPU, is busy with the step: on a CPU the thread would fight the step for its core.
    """

    def __init__(self, make: Callable[[int], Any], steps: int, depth: int = 3) -> None:
        self.make, self.steps, self.depth = make, steps, depth
        self.pool = ThreadPoolExecutor(1, "batches")
        self.queue: dict[int, Future[Any]] = {}

    def __call__(self, step: int) -> Any:
        for ahead in range(step, min(step + self.depth + 1, self.steps)):
            if ahead not in self.queue:
                self.queue[ahead] = self.pool.submit(self.make, ahead)
        return self.queue.pop(step).result()

    def close(self) -> None:
        """Stop the thread; what it has made and nobody asked for is dropped."""
        self.pool.shutdown(wait=False, cancel_futures=True)
