"""Selection: what was chosen for each run, and what the reported number would be without that.

A sweep chooses settings and patience an epoch, both on rows that are not reported. The last epoch
and the sweep's first setting are what stands there without choosing; *optimism* is how much better
the chosen one looks where it was chosen than where it is reported.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Seeds = tuple[Any, Any]  # (pretraining seed, finetuning seed)


@dataclass(frozen=True)
class Choice:
    """One run's choices. All numbers are in shown units and, but for `optimism`, on the rows that
    are reported; None where nothing of the kind was chosen, or it is not known."""

    seeds: Seeds
    value: float  # what is reported
    epoch: int | None = None  # the one that was chosen, from 1
    epochs: int | None = None  # of how many
    last: float | None = None  # what the last epoch's weights give
    settings: Mapping[str, Any] | None = None
    trials: int = 0
    first: float | None = None  # what the sweep's first setting gives
    optimism: float | None = None  # positive where the chosen one flatters itself


@dataclass(frozen=True)
class Gain:
    """What a way of choosing brought, the mean over runs: better where positive."""

    mean: float
    runs: int


def choices(done: Sequence[Mapping[str, Any]]) -> tuple[Choice, ...]:
    """The choices behind runs that have a number."""
    return tuple(
        Choice(
            (record["pretrain_seed"], record["finetune_seed"]), record["value"], **record["choice"]
        )
        for record in done
        if record.get("choice")
    )


def gains(found: Sequence[Choice], sign: int) -> Mapping[str, Gain | None]:
    """What choosing brought, the mean over runs; `sign` is -1 where less is better.

    `last`: the chosen epoch over the last one. `first`: the chosen settings over the sweep's first.
    `optimism`: how much better the chosen ones look where they were chosen.
    """
    return {
        "last": _mean(sign * (c.value - c.last) for c in found if c.last is not None),
        "first": _mean(sign * (c.value - c.first) for c in found if c.first is not None),
        "optimism": _mean(c.optimism for c in found if c.optimism is not None),
    }


def _mean(values: Iterable[float]) -> Gain | None:
    known = list(values)
    return Gain(math.fsum(known) / len(known), len(known)) if known else None
