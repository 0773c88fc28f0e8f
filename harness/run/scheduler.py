"""What may run next, and what an outcome means for the rest. Executors ask; nothing runs here.

Every step is `todo`, `flying` (handed to the executor), `waiting` (another driver has its lock),
`done`, `failed`, `blocked` (something it needs failed) or `interrupted`. A failure is a value: the
rest of the grid goes on. A lost worker, a full memory and a step's own error are counted apart.
"""

import dataclasses
import heapq
from collections import Counter
from collections.abc import Mapping

from harness.run.attempt import Outcome
from harness.steps.step import Machine, Step
from harness.store.store import Store

CORRUPT_LIMIT = 3  # times that a step's inputs may be remade before something else must be wrong


class Schedule:
    """The steps of one run, inputs first, and where each of them stands."""

    def __init__(self, steps: Mapping[str, Step], states: Mapping[str, str], machine: Machine):
        self.steps = dict(steps)  # in plan order: what completes a table first comes first
        self.machine = machine
        self.status = {d: "done" if states[d] == "done" else "todo" for d in self.steps}
        self.reasons: dict[str, str] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.counts: Counter[str] = (
            Counter()
        )  # lost, oom, corrupt, failed, blocked, interrupted, ran
        self._rank = {digest: i for i, digest in enumerate(self.steps)}
        self._by_rank = list(self.steps)
        self._queue = [self._rank[d] for d, status in self.status.items() if status == "todo"]
        self._parked: dict[str, list[int]] = {}  # by the input that is not there yet
        self._tries: dict[str, Counter[str]] = {}
        self._micro_batch: dict[str, int] = {}
        self._consumers: dict[str, list[str]] = {}
        for digest, step in self.steps.items():
            for needed in step.inputs.values():
                self._consumers.setdefault(needed.digest, []).append(digest)

    def next(self, *, ahead: bool = False) -> Step | None:
        """The first step that may run, now `flying`; None when none may.

        With `ahead`, inputs that are themselves flying suffice: the executor keeps the order.
        """
        enough = ("done", "flying") if ahead else ("done",)
        while self._queue:
            rank = heapq.heappop(self._queue)
            digest = self._by_rank[rank]
            if self.status[digest] != "todo":
                continue
            step = self.steps[digest]
            missing = [
                i.digest for i in step.inputs.values() if self.status[i.digest] not in enough
            ]
            if missing:
                self._parked.setdefault(missing[0], []).append(rank)
                continue
            self._become(digest, "flying")
            return step
        return None

    def settle(self, outcome: Outcome) -> str:
        """Take an outcome in and return the step's new status ("todo" when it is tried again)."""
        digest = outcome.digest
        self.outcomes[digest] = outcome
        tries = self._tries.setdefault(digest, Counter())
        tries[outcome.state] += 1
        if self.status[digest] == "blocked" and outcome.state != "done":
            return "blocked"  # it was handed out ahead of an input that has failed since
        self.reasons[digest] = outcome.reason
        if outcome.state == "done":
            self.counts["ran"] += 1
            self._become(digest, "done")
        elif outcome.state == "busy":
            self._become(digest, "waiting")
        elif outcome.state == "interrupted":
            self.counts["interrupted"] += 1
            self._become(digest, "interrupted")
        elif outcome.state == "unready":
            self._become(digest, "todo")
        elif outcome.state == "corrupt" and tries["corrupt"] <= CORRUPT_LIMIT:
            self._remake(self.steps[digest], outcome)
        elif outcome.state == "lost" and tries["lost"] <= self.machine.retries:
            self.counts["lost"] += 1
            self._become(digest, "todo")
        elif outcome.state == "oom" and tries["oom"] == 1 and (outcome.micro_batch or 0) > 1:
            self.counts["oom"] += 1
            self._micro_batch[digest] = int(outcome.micro_batch or 2) // 2
            self._become(digest, "todo")
        else:
            self._fail(digest, outcome, tries)
        return self.status[digest]

    def machine_for(self, step: Step) -> Machine:
        """The machine as this step gets it: with half the micro-batch after memory ran out."""
        rows = self._micro_batch.get(step.digest)
        return dataclasses.replace(self.machine, micro_batch=rows) if rows else self.machine

    def poll(self, store: Store) -> list[str]:
        """Let steps go on whose lock was given back or died; the sentences of those that wait."""
        sentences = []
        for digest, status in list(self.status.items()):
            if status == "waiting":
                sentences.append(f"{self.label(digest)}: {self.reasons[digest]}")
                self._become(digest, "todo")
        return sentences

    def open(self) -> bool:
        """Whether anything is left that may still run."""
        return any(s in ("todo", "flying", "waiting") for s in self.status.values())

    def label(self, digest: str) -> str:
        """A step for people: its kind and name."""
        return f"{self.steps[digest].kind} {self.steps[digest].name}"

    def tally(self) -> Counter[str]:
        """How many steps stand where."""
        return Counter(self.status.values())

    # --- transitions

    def _become(self, digest: str, status: str) -> None:
        self.status[digest] = status
        if status == "todo":
            heapq.heappush(self._queue, self._rank[digest])
        if status in ("done", "flying"):
            for rank in self._parked.pop(digest, ()):
                heapq.heappush(self._queue, rank)

    def _remake(self, step: Step, outcome: Outcome) -> None:
        """Inputs that cannot be trusted are made again, and then this step is tried again."""
        self.counts["corrupt"] += 1
        for name in outcome.culprits:
            if self.status[step.inputs[name].digest] == "done":
                self._become(step.inputs[name].digest, "todo")
        self._become(step.digest, "todo")

    def _fail(self, digest: str, outcome: Outcome, tries: Counter[str]) -> None:
        reason = outcome.reason
        if outcome.state == "lost":
            reason = f"its worker was lost {tries['lost']} times: {reason}"
        elif outcome.state == "oom":
            rows = outcome.micro_batch
            hint = "set machine.micro_batch" if rows is None else f"micro_batch was {rows}"
            reason = f"out of memory ({reason}); {hint}, use a smaller scale or a larger device"
        self.reasons[digest] = reason
        self.counts["failed"] += 1
        self._become(digest, "failed")
        stack = list(self._consumers.get(digest, ()))
        while stack:
            behind = stack.pop()
            if self.status[behind] in ("todo", "flying", "waiting"):
                self.status[behind] = "blocked"
                self.reasons[behind] = f"blocked by {self.label(digest)}: {reason}"
                self.counts["blocked"] += 1
                stack += self._consumers.get(behind, ())
