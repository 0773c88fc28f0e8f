"""A grid made ready and carried out: what the command line and Python have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.errors import UserError
from harness.grid.expansion import Expansion, expand
from harness.grid.schema import Grid
from harness.plan import plan as plans
from harness.plan import power
from harness.plan import text as planned
from harness.plan.plan import Plan
from harness.run import signals
from harness.run.driver import drive
from harness.run.scheduler import Schedule
from harness.steps.step import Machine
from harness.store import edited, manifest, runs
from harness.store.edited import Edited
from harness.store.store import Store
from harness.track import beside

HURRIED, PATIENT = 5.0, 120.0  # seconds that a tracker has after an interruption, and at the end


@dataclass(frozen=True)
class Session:
    """A checked grid, what it unfolds to, and what of it the store has already."""

    grid: Grid
    machine: Machine
    store: Store
    expansion: Expansion
    plan: Plan
    earlier: Mapping[str, Edited]  # results of code that has been edited since

    def shown(self, detect: float | None = None, *, every: bool = False) -> str:
        """The whole plan for people, with what it takes to show a difference of `detect` points.

        Steps of a kind share a line unless `every` one is asked for.
        """
        grid, plan = self.grid, self.plan
        columns = power.columns(grid.name, self.expansion, self.store)
        said = planned.earlier(plan, self.earlier)
        said += power.told(columns, len(grid.seeds.pretrain), plan, detect)
        return planned.show(plan, self.store, every=every, said=said)


def prepare(grid: Grid, machine: Machine) -> Session:
    """Everything short of running: nothing is written."""
    store = Store(machine.store)
    expansion = expand(grid)
    plan = plans.make(expansion, store, machine)
    return Session(grid, machine, store, expansion, plan, edited.find(expansion.steps, store))


def settle(session: Session, code: str | None) -> Session:
    """Decide over results of earlier code: "rerun" puts them away, "keep" keeps them.

    Raises UserError where there are some and nothing is decided.
    """
    earlier = session.earlier
    if earlier and not code:
        said = planned.earlier(session.plan, earlier)
        raise UserError("\n".join([*said, "nothing was run"]))
    session.store.open()
    if not earlier or code != "rerun":
        return session
    edited.put_away(earlier, session.store)
    plan = plans.make(session.expansion, session.store, session.machine)
    return replace(session, plan=plan, earlier={})


def carry_out(
    session: Session, head: str, *, resume: str, quiet: bool, guest: bool = False
) -> Schedule:
    """Run what is left; the grid is kept beside its results, below `head`.

    A `guest` lives in somebody else's process: it never ends it.
    """
    grid, store, expansion = session.grid, session.store, session.expansion
    folder = store.root / "grids" / grid.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grid.yaml").write_text(head + grid.text, encoding="utf-8")
    manifest.write(grid, expansion, store, *manifest.known(store, expansion.steps))
    begun = runs.begin(folder, session.plan.lines, session.plan.workers)
    code, failed = signals.STOPPED, {}  # unless it comes to its end
    try:
        schedule = _tracked(session, resume=resume, quiet=quiet, guest=guest)
        manifest.write(grid, expansion, store, schedule.status, schedule.reasons)
        code = state(schedule)
        failed = {d: schedule.reasons[d] for d, s in schedule.status.items() if s == "failed"}
    finally:
        runs.end(folder, begun, code, failed)
    return schedule


def _tracked(session: Session, *, resume: str, quiet: bool, guest: bool) -> Schedule:
    """Run what is left, with the tracker beside it that the machine names."""
    store, track = session.store, session.machine.track
    tracker = beside.start(store.root, session.grid.name, track) if track else None
    patience = HURRIED
    try:
        schedule = drive(
            session.expansion.steps,
            store,
            session.machine,
            resume=resume,
            seconds=session.plan.seconds,
            quiet=quiet,
            guest=guest,
        )
        patience = HURRIED if state(schedule) == signals.STOPPED else PATIENT
        return schedule
    finally:
        if tracker is not None:
            tracker.end(patience)


def state(schedule: Schedule) -> int:
    """The exit code: 0 everything done, 1 some cells failed, 3 interrupted and resumable."""
    tally = schedule.tally()
    if schedule.open() or tally["interrupted"]:
        return signals.STOPPED
    return 1 if tally["failed"] or tally["blocked"] else 0
