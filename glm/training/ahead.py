"""Batches made by a thread while the device is busy with the one before."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


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
