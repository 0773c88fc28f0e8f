"""From a grid to its tables: `python -m harness.run grid.yaml`.

Exit codes: 0 everything done; 1 some cells failed (tables are still written, the cells marked);
2 a user's error found before any compute; 3 interrupted, resumable with the same command; 4 the
store is damaged or locked.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import StoreDamaged, UserError, disk_full
from harness.grid import load as grids
from harness.plan import text as planned
from harness.run import session as sessions
from harness.run import signals
from harness.run.progress import duration
from harness.run.scheduler import Schedule
from harness.store.store import Store
from results import render, tables
from results import report as reports

SET = "override one of its values, tables.0.split=test; a path is relative to here"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a grid; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(argv)
    command = shlex.join(["python", "-m", "harness.run", *argv])
    return ended(lambda: _run(options, command), options.store or "store")


def ended(command: Callable[[], int], store: str) -> int:
    """Run a command; returns its exit code, or that of the error which it tells in a sentence."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return unread()
    except KeyboardInterrupt:
        return signals.STOPPED
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except StoreDamaged as error:
        print(error, file=sys.stderr)
        return 4
    except OSError as error:
        full = disk_full(error, Path(store))
        if full is None:
            raise
        print(full, file=sys.stderr)
        return 4


def unread() -> int:
    """Whoever read the output has gone (`| head`): say no more, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return signals.STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.run",
        description="Run a grid: pretrain, finetune and score what its tables need; print them.",
    )
    parser.add_argument("grid", help="the grid's YAML file")
    parser.add_argument(
        "--plan", action="store_true", help="say what would be done, and do nothing"
    )
    parser.add_argument(
        "--steps", action="store_true", help="a plan that lists every step, a line each"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=SET)
    parser.add_argument(
        "--detect",
        type=float,
        metavar="POINTS",
        help="a plan that says how many pretrainings show such a difference, and in what time",
    )
    parser.add_argument(
        "--clean", action="store_true", help="score also without rows that a model has read"
    )
    parser.add_argument("--store", help="where results are kept (default: machine.store)")
    parser.add_argument("--address", help="a Ray cluster: auto, or host:port")
    parser.add_argument("--executor", choices=("auto", "ray", "inline"))
    parser.add_argument(
        "--code",
        choices=("rerun", "keep"),
        help="results of code that was edited since: make them again, or keep and mark them",
    )
    parser.add_argument("--quiet", action="store_true", help="print the tables only")
    return parser


def _run(options: argparse.Namespace, command: str) -> int:
    began = time.monotonic()
    if options.detect is not None and not 0 < options.detect < 100:
        raise UserError(f"--detect {options.detect:g}: a difference in points, between 0 and 100")
    options.set += ["clean=true"] * options.clean
    grid = grids.load(options.grid, options.set)
    machine = grids.machine(
        grid, store=options.store, address=options.address, executor=options.executor
    )
    session = sessions.prepare(grid, machine)
    if options.plan or options.steps or options.detect is not None:
        print(session.shown(options.detect, every=options.steps))
        return 0
    session = sessions.settle(session, options.code)
    if not options.quiet:
        print("\n".join(planned.summary(session.plan, session.store)), flush=True)
    changed = "".join(f" --set {shlex.quote(each)}" for each in options.set)
    head = f"# {options.grid}{changed}\n"
    schedule = sessions.carry_out(session, head, resume=command, quiet=options.quiet)
    if sessions.state(schedule) == signals.STOPPED:
        done = schedule.tally()["done"]
        print(f"interrupted: {done} steps are done. Go on with: {command}", flush=True)
        report(session.store, grid.name, begun=True)
    else:
        report(session.store, grid.name)
        _close(schedule, time.monotonic() - began, options.quiet)
    return sessions.state(schedule)


def report(store: Store, name: str, begun: bool = False) -> None:
    """Write the tables in every format and print them; with `begun` only those with a number."""
    built = [each for each in tables.build(store.root, name) if each.begun or not begun]
    if not built:
        return
    paths = reports.write(store.root, name)
    for table in built:
        print(render.terminal(table))
    print(f"report: {_near(paths[0])}", flush=True)


def _near(path: Path) -> str:
    """A path for people: from here, or whole where that says less, or here is no more (the folder
    of a submitted job is Ray's to remove)."""
    try:
        short = os.path.relpath(path)
    except OSError:
        return str(path)
    return str(path) if short.startswith("..") else short


def _close(schedule: Schedule, seconds: float, quiet: bool) -> None:
    """Say what went wrong, each kind apart."""
    tally, counts = schedule.tally(), schedule.counts
    for digest, status in schedule.status.items():
        if status == "failed":
            print(f"failed: {schedule.label(digest)}: {schedule.reasons[digest]}", file=sys.stderr)
    if tally["blocked"]:
        print(f"{tally['blocked']} steps were blocked by these", file=sys.stderr)
    if not quiet:
        again = [f"{counts[n]} {n}" for n in ("lost", "oom", "corrupt", "failed") if counts[n]]
        print(
            f"{counts['ran']} steps ran, {tally['done']} of {len(schedule.steps)} are done, "
            f"in {duration(seconds)}" + (f" ({', '.join(again)})" if again else ""),
            flush=True,
        )
