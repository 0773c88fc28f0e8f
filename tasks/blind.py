"""The blind control: rows that are asked about another row's passage.

What a model scores on them it has from the rest of the question: a hypothesis without its premise,
two alternatives without what they should follow from, the name that is mostly right. A system that
sees the passage and scores no more has not read it.

    premise "A dog sleeps."  hypothesis "An animal rests."   ->   premise "Ann bought two hats."
    premise "Ann bought two hats."  hypothesis "Ann paid."   ->   premise "A dog sleeps."
"""

import random
from collections.abc import Callable, Sequence

from tasks.errors import UserError
from tasks.spec import Row, Task


def swapped(*names: str) -> Callable[[Row, Row], Row]:
    """A row with these fields of another one."""
    return lambda row, other: {**row, **{name: other[name] for name in names}}


def blinded(task: Task, rows: Sequence[Row], seed: int) -> list[Row]:
    """Every row with the passage of another cluster, in the rows' order.

    The clusters stand in a ring in an order drawn by `seed`, and each is asked about the next one's
    passages. Raises `UserError` for a task without passages and for rows of a single cluster.
    """
    if task.withhold is None:
        raise UserError(f"{task.title} has no passage that could be withheld")
    clusters: dict[str, list[Row]] = {}
    for row in rows:
        clusters.setdefault(task.cluster(row), []).append(row)
    ring = list(clusters)
    if len(ring) < 2:
        raise UserError(f"{task.title}: a blind control needs rows about two passages at least")
    random.Random(f"blind/{seed}").shuffle(ring)
    after = dict(zip(ring, [*ring[1:], ring[0]]))
    asked: dict[str, int] = dict.fromkeys(ring, 0)
    found = []
    for row in rows:
        cluster = task.cluster(row)
        others = clusters[after[cluster]]
        found.append(task.withhold(row, others[asked[cluster] % len(others)]))
        asked[cluster] += 1
    return found
