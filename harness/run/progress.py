"""What a run shows: a live view on a terminal, plain timestamped lines otherwise.

Steps report through their log.jsonl, which the driver only reads: nothing travels but files, so the
view is the same for every executor, and a step without a view loses nothing.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from harness import cpus
from harness.run.attempt import Outcome
from harness.run.scheduler import Schedule
from harness.steps.step import Step
from harness.store.attempts import parsed
from harness.store.store import Store

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

EVERY = 30.0  # seconds between plain lines about what is running
EVIDENCE = 30.0  # seconds of work after which what was measured counts as much as the plan


class Progress:
    """Shows a schedule's progress from `open` to `close`."""

    def __init__(
        self,
        schedule: Schedule,
        store: Store,
        seconds: Mapping[str, float],
        out: TextIO | None = None,
        quiet: bool = False,
    ) -> None:
        self.schedule = schedule
        self.store = store
        self.seconds = seconds  # estimates by digest
        self.out = out or sys.stdout
        self.quiet = quiet
        self.began = time.monotonic()
        self.worked = 0.0  # seconds spent in finished steps, and what the plan had said of them
        self.expected = 0.0
        self._live: Live | None = None
        self._over = threading.Event()

    def open(self) -> None:
        """Start the live view, or the thread that prints plain lines."""
        if self.quiet:
            return
        if self.out.isatty():
            from rich.live import Live

            self._live = Live(get_renderable=self._view, refresh_per_second=2, transient=True)
            self._live.start()
        else:
            threading.Thread(target=self._murmur, name="progress", daemon=True).start()

    def close(self) -> None:
        """End the view and leave the terminal as it was."""
        self._over.set()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """One line, with the time."""
        if self.quiet:
            return
        line = f"{time.strftime('%H:%M:%S')}  {text}"
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self.out, flush=True)

    def settled(self, step: Step, outcome: Outcome, status: str) -> None:
        """A step's attempt ended: say so."""
        if outcome.state == "done":
            self.worked += outcome.seconds
            self.expected += self.seconds.get(step.digest, 0.0)
        if self.quiet or outcome.state in ("unready", "busy"):
            return
        word = {"todo": f"again ({outcome.state})"}.get(status, status)
        why = f": {self.schedule.reasons[step.digest]}" if outcome.reason else ""
        self.say(
            f"{word:<9} {step.kind} {step.name}  {outcome.seconds:.1f} s  [{self._count()}]{why}"
        )

    def waits(self, sentences: list[str], before: set[str]) -> set[str]:
        """Say whom we wait for, once a holder; heartbeats tick on without a line each."""
        known = set(before)
        for sentence in sentences:
            key = sentence.split(", last heartbeat")[0]
            if key not in known:
                self.say(sentence)
                known.add(key)
        return known

    # --- what is shown

    def left(self) -> float | None:
        """Seconds left, from the plan's estimates corrected by what finished steps really took."""
        steps, status = self.schedule.steps, self.schedule.status
        open_ = [d for d in steps if status[d] in ("todo", "flying", "waiting")]
        expected = sum(self.seconds.get(d, 0.0) for d in open_)
        if not open_ or not expected or not self.expected or not self.worked:
            return None
        workers = self.schedule.machine.workers or cpus.allowed()
        return remaining(expected, self.expected, time.monotonic() - self.began, workers)

    def _count(self) -> str:
        tally = self.schedule.tally()
        failed = tally["failed"] + tally["blocked"]
        left = self.left()
        return (
            f"{tally['done']}/{len(self.schedule.steps)}"
            + (f", {failed} failed or blocked" if failed else "")
            + (f", about {duration(left)} left" if left is not None else "")
        )

    def running(self) -> list[tuple[Step, Mapping[str, Any]]]:
        """Steps whose lock is held, with the last facts of their logs."""
        with contextlib.suppress(OSError):
            held = set(os.listdir(self.store.root / "locks"))
            steps = self.schedule.steps
            flying = [d for d, status in list(self.schedule.status.items()) if status == "flying"]
            return [
                (steps[d], tail(self.store.root / f"{steps[d].folder}.part" / "log.jsonl"))
                for d in flying
                if d in held
            ]
        return []

    def _view(self) -> "Table":
        from rich.table import Table

        table = Table(title=self._count(), title_justify="left", box=None, padding=(0, 2, 0, 0))
        for name in ("running", "", "at", "loss", "tokens/s"):
            table.add_column(name, justify="left" if name in ("running", "") else "right")
        for step, facts in self.running()[:20]:
            table.add_row(step.kind, step.name, *measured(facts))
        return table

    def _murmur(self) -> None:
        while not self._over.wait(EVERY):
            for step, facts in self.running()[:20]:
                names = ("at", "loss", "tokens/s")
                said = [f"{n} {v}" for n, v in zip(names, measured(facts)) if v]
                self.say(f"running   {step.kind} {step.name}  {', '.join(said)}")


def measured(facts: Mapping[str, Any]) -> tuple[str, str, str]:
    """A "step" event for people: how far it is, the loss, and tokens a second; "" where unknown."""
    at = f"{facts['step']:,}" if "step" in facts else ""
    at += f" of {facts['of']:,}" if at and "of" in facts else ""
    loss = f"{facts['loss']:.3f}" if isinstance(facts.get("loss"), float | int) else ""
    speed = facts.get("tokens_per_second")
    return at, loss, f"{speed:,.0f}" if isinstance(speed, float | int) else ""


def tail(log: Path, size: int = 4096) -> Mapping[str, Any]:
    """The last "step" event of a log, from its last few lines; empty where there is none."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - size))
            lines = file.read().splitlines()
    except OSError:
        return {}
    steps = (event for event in parsed(reversed(lines)) if event["event"] == "step")
    return next(steps, {})


def remaining(expected: float, finished: float, elapsed: float, workers: int) -> float:
    """Seconds left of what is expected to take `expected`, after `elapsed` for `finished`.

    Until there is some evidence the plan is believed: as if all workers had kept to it so far.
    """
    return expected * (elapsed + EVIDENCE) / (finished + EVIDENCE * workers)


def duration(seconds: float) -> str:
    """Seconds for people: "40 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
