"""AdamW with the original's decay groups, and the learning rate as a function of the step."""

import math
from typing import get_args

import torch
from torch import Tensor, nn

from glm.training.optimisation import Decay, Optimisation

KINDS = get_args(Decay)


def groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """AdamW's two groups: matrices and tables decay, biases and layer norms do not.

    The token and position tables decay as well, as in the original. A head trained along with the
    model comes in as `nn.ModuleList([model, head])`.
    """
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def adamw(
    model: nn.Module,
    *,
    weight_decay: float = Optimisation.weight_decay,
    betas: tuple[float, float] = Optimisation.betas,
    epsilon: float = Optimisation.eps,
) -> torch.optim.AdamW:
    """AdamW with decoupled decay, fused into one pass; its rate is 0 until `set_rate`."""
    grouped = [group for group in groups(model, weight_decay) if group["params"]]
    return torch.optim.AdamW(grouped, lr=0.0, betas=betas, eps=epsilon, fused=True)


def of(optimisation: Optimisation, model: nn.Module) -> torch.optim.AdamW:
    """AdamW over a model, with what an optimisation says of it."""
    return adamw(
        model,
        weight_decay=optimisation.weight_decay,
        betas=optimisation.betas,
        epsilon=optimisation.eps,
    )


def update(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """One update at `rate`, with the gradients that there are; afterwards there are none."""
    set_rate(optimiser, rate)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Use `rate` for the next updates of every group."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def clip(model: nn.Module, limit: float) -> Tensor:
    """Scale all gradients together to a 2-norm of at most `limit`; returns the norm before.

    The norm stays a tensor on the model's device, so nothing waits for it.
    """
    return nn.utils.clip_grad_norm_(model.parameters(), limit)


def schedule(
    kind: str, step: int, *, peak: float, warmup: float, total: int, floor: float
) -> float:
    """The learning rate of update `step`.

    `warmup` is the fraction of `total` steps in which the rate rises linearly from 0 (at step 0) to
    `peak`; from there it falls, linearly or along half a cosine, to `floor * peak` at `total`, and
    stays there. (The original's linear rate goes on falling after `total`, below zero in the end.)
    """
    if kind not in KINDS:
        raise ValueError(f"schedule {kind!r}: choose from {', '.join(KINDS)}")
    rising = warmup * total
    if step <= rising and rising > 0:
        return peak * step / rising
    if kind == "constant":
        return peak
    done = min((step - rising) / (total - rising), 1.0) if total > rising else 1.0
    shape = 1 - done if kind == "linear" else (1 + math.cos(math.pi * done)) / 2
    return peak * (floor + (1 - floor) * shape)
