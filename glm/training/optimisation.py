"""What an optimizer does, as part of a spec. Apart from the loop, so that plans need no torch."""

from dataclasses import dataclass
from typing import Literal

Decay = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True)
class Optimisation:
    """AdamW with warm-up and decay; rates are fractions of one, lengths are in steps.

    The defaults are the original's for finetuning, and the only ones: what else has such fields
    takes them from here. How the original pretrains stands in the recipes.
    """

    steps: int
    lr: float
    warmup_steps: int
    decay_steps: int
    decay: Decay = "linear"
    floor: float = 0.0  # of the peak rate
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    clip: float = 1.0
