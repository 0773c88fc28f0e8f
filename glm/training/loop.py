"""The one training loop: pretraining and finetuning, one device or many, written out.

What varies comes in as arguments: `pieces(step)` gives the losses of one optimizer step. Randomness
is a function of the seed and the step, so a run that was interrupted needs an integer to go on, and
on a CPU ends in the same bits as one that was not.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from glm.training import optim
from glm.training.curve import Curve
from glm.training.keeping import Keeping
from glm.training.learner import Learner
from glm.training.optimisation import Optimisation
from glm.training.patience import Patience
from glm.training.pieces import Piece
from glm.training.processes import ALONE, Processes
from glm.training.session import Session


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


def train(
    learner: Learner,
    pieces: Callable[[int], Sequence[Piece]],
    optimisation: Optimisation,
    session: Session,
    *,
    seed: int,
    checkpoint_seconds: float,
    processes: Processes = ALONE,
    snapshots: Collection[int] = (),
    patience: Patience | None = None,
) -> dict[str, float]:
    """Train in place, going on from the checkpoint in `session.folder` if there is one.

    `pieces` gives a step's losses: their order and shares are part of the result's bits.
    `patience` may end the training before its last step, and has kept the best weights that it has
    seen: what is in place at the end are the last ones.

    Returns the ledger: the pieces' amounts summed over the whole run, "steps" and "seconds".

    Raises `Diverged` where a loss, a gradient or a weight is no number, and `Interrupted`, with a
    checkpoint written, where the session is asked to stop.
    """
    weights, lead = learner.weights, processes.lead
    optimizer = optim.of(optimisation, weights)
    keeping = Keeping(session, learner, optimizer, patience, checkpoint_seconds, snapshots, lead)
    done, ledger, losses = keeping.begin()
    curve = Curve(session, learner.device, optimisation, lead, ledger, losses)
    learner.network.train()
    for step in range(done, optimisation.steps):
        # One step: the losses of its pieces, one clipped update, one line of the curve.
        torch.manual_seed(fold(seed, step))
        batch = pieces(step)
        loss = processes.mean(_backward(learner, batch))
        norm = optim.clip(weights, optimisation.clip)
        curve.see(step, loss, norm, rate(optimisation, step), batch)
        optim.update(optimizer, rate(optimisation, step))
        done = step + 1
        if patience is not None and patience.enough(done, learner.model, learner.head):
            break
        keeping.after(done, optimisation.steps, curve)
    curve.end(weights.parameters())
    learner.network.eval()
    return curve.ledger() | {"steps": done}


def _backward(learner: Learner, batch: Sequence[Piece]) -> Tensor:
    """Accumulate the gradients of a step's pieces; returns their loss, on the device."""
    total = torch.zeros((), device=learner.device)
    for number, piece in enumerate(batch):
        last = number == len(batch) - 1
        # Data-parallel gradients are exchanged once a step, with the last piece.
        quiet = getattr(learner.network, "no_sync", None)
        with nullcontext() if last or quiet is None else quiet():
            with learner.autocast():
                loss = piece.loss() * piece.share
            loss.backward()
        total += loss.detach()
    return total
