"""Steps one after the other in this process: no Ray needed, and the same bits."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from harness.run.attempt import attempt
from harness.run.progress import Progress
from harness.run.scheduler import Schedule
from harness.run.signals import Stop
from harness.store.store import Store


def run(
    schedule: Schedule, store: Store, session: Mapping[str, Any], progress: Progress, stop: Stop
) -> None:
    """Run what is left of the schedule until it is done, failed, or asked to stop."""
    waited: set[str] = set()
    while schedule.open() and not stop.asked:
        step = schedule.next()
        if step is None:
            waited = progress.waits(schedule.poll(store), waited)
            time.sleep(0.5)
            continue
        machine = dataclasses.replace(
            schedule.machine_for(step), store=str(store.root), executor="inline"
        )
        outcome = attempt(store.order(step), machine, session)
        progress.settled(step, outcome, schedule.settle(outcome))
