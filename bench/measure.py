"""Two or more ways to do one thing, timed in turn inside one process.

The machines this runs on are shared, so wall time is not trusted: a time is process CPU time
(user and system) with one thread, and the variants alternate in ABBA order, so that a slow spell
hits all of them alike. A ratio is taken within a round and shown as min, median and max over the
rounds.
"""

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the greatest of some repeated measurements."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2f} {self.median:.2f} {self.high:.2f}"


def spread(values: list[float]) -> Spread:
    return Spread(min(values), statistics.median(values), max(values))


@dataclass(frozen=True)
class Times:
    """CPU seconds per call: one entry per round for every variant, in the same order of rounds."""

    seconds: Mapping[str, list[float]]

    def of(self, name: str) -> Spread:
        return spread(self.seconds[name])

    def rate(self, name: str, amount: float) -> Spread:
        """`amount` of work per CPU second, where one call does `amount`."""
        return spread([amount / s for s in self.seconds[name]])

    def ratio(self, name: str, peer: str) -> Spread:
        """How many times faster `name` is than `peer`, round by round."""
        pairs = zip(self.seconds[name], self.seconds[peer], strict=True)
        return spread([theirs / ours for ours, theirs in pairs])


def one_thread() -> None:
    """Hold every library at one thread; call it before the first heavy import where possible."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def interleaved(
    variants: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    warmup: int = 2,
    calls: int | Mapping[str, int] = 1,
) -> Times:
    """Time `variants` in ABBA order: forwards, then backwards, in every round.

    `calls` repeats a variant inside one timing (give fast ones more, so that each timing lasts
    long enough for the clock). Garbage is collected before, never during, a timing.
    """
    many = calls if isinstance(calls, Mapping) else dict.fromkeys(variants, calls)
    for run in variants.values():
        for _ in range(warmup):
            run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for _ in range(rounds):
        spent = dict.fromkeys(names, 0.0)
        for name in names + names[::-1]:
            spent[name] += _timed(variants[name], many.get(name, 1))
        for name in names:
            seconds[name].append(spent[name] / (2 * many.get(name, 1)))
    return Times(seconds)


def _timed(run: Callable[[], object], calls: int) -> float:
    gc.collect()
    gc.disable()
    try:
        begin = time.process_time()
        for _ in range(calls):
            run()
        return time.process_time() - begin
    finally:
        gc.enable()


def load() -> str:
    """The machine's load average, to be printed beside every measurement."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())
