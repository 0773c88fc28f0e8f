"""A driver to be killed: `python -m tests.harness.driver STORE EXECUTOR [chain|pair|kill]`.

Prints one JSON line with the tally and the counts when it gets to the end.
"""

import json
import sys

from harness.run.driver import drive
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store
from tests.harness.steps_for_tests import Add, Count


def steps(seeds: int = 3, length: int = 20) -> dict[str, Step]:
    """A small grid: slow counts with checkpoints, sums of them, and a sum of all."""
    first = Step("add", "first", Add(1))
    counts = [
        Step("count", f"count-{seed}", Count(steps=length, seed=seed), {"first": first})
        for seed in range(seeds)
    ]
    sums = [Step("add", f"sum-{i}", Add(i), {"count": c}) for i, c in enumerate(counts)]
    everything = Step("add", "all", Add(), {f"sum{i}": s for i, s in enumerate(sums)})
    return ordered({everything.digest: everything})


def main() -> int:
    root, executor = sys.argv[1:3]
    length = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    machine = Machine(executor=executor, cpus=2, retries=20)
    schedule = drive(
        steps(length=length),
        Store(root).open(),
        machine,
        resume="python -m harness.run grid.yaml",
    )
    print(json.dumps({"tally": schedule.tally(), "counts": schedule.counts}), flush=True)
    return 3 if schedule.open() or schedule.tally()["interrupted"] else 0


if __name__ == "__main__":
    sys.exit(main())
