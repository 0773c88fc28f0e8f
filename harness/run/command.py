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
from collections.abc import Sequence
from typing import Any

from harness.errors import StoreDamaged, UserError, disk_full

SET = "override one of its values, tables.0.split=test; a path is relative to here"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a grid; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(argv)
    try:
        code = _run(options, shlex.join(["python", "-m", "harness.run", *argv]))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return unread()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except StoreDamaged as error:
        print(error, file=sys.stderr)
        return 4
    except OSError as error:
        from pathlib import Path

        full = disk_full(error, Path(options.store or "store"))
        if full is None:
            raise
        print(full, file=sys.stderr)
        return 4


def unread() -> int:
    """Whoever read the output has gone (`| head`): say no more, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.run",
        description="Run a grid: pretrain, finetune and score what its tables need; print them.",
    )
    parser.add_argument("grid", help="the grid's YAML file")
    parser.add_argument(
        "--plan", action="store_true", help="say what would be done, and do nothing"
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
    from harness.grid import load as grids
    from harness.grid.expansion import expand
    from harness.plan import plan as plans
    from harness.plan import power
    from harness.plan import text as planned
    from harness.store import edited
    from harness.store.store import Store

    began = time.monotonic()
    if options.detect is not None and not 0 < options.detect < 100:
        raise UserError(f"--detect {options.detect:g}: a difference in points, between 0 and 100")
    options.set += ["clean=true"] * options.clean
    grid = grids.load(options.grid, options.set)
    machine = grids.machine(
        grid, store=options.store, address=options.address, executor=options.executor
    )
    store = Store(machine.store)
    expansion = expand(grid)
    plan = plans.make(expansion, store, machine)
    earlier = edited.find(expansion.steps, store)
    if options.plan or options.detect is not None:
        print(planned.show(plan, store))
        found = power.columns(grid.name, expansion, store)
        print("\n".join(power.told(found, len(grid.seeds.pretrain), plan, options.detect)))
        print("\n".join(planned.earlier(plan, earlier)), end="\n" * bool(earlier))
        return 0

    from harness.run.driver import drive
    from harness.store import manifest

    if earlier and not options.code:
        raise UserError("\n".join([*planned.earlier(plan, earlier), "nothing was run"]))
    store.open()
    if options.code == "rerun":
        edited.put_away(earlier, store)
        plan = plans.make(expansion, store, machine)
    if not options.quiet:
        print("\n".join(planned.summary(plan, store)), flush=True)
    keep(grid, store, options)
    manifest.write(grid, expansion, store, *manifest.known(store, expansion.steps))
    schedule = drive(
        expansion.steps,
        store,
        machine,
        resume=command,
        seconds=plan.seconds,
        quiet=options.quiet,
    )
    manifest.write(grid, expansion, store, schedule.status, schedule.reasons)
    tally = schedule.tally()
    if schedule.open() or tally["interrupted"]:
        print(f"interrupted: {tally['done']} steps are done. Go on with: {command}", flush=True)
        return 3
    report(store, grid.name)
    return _close(schedule, time.monotonic() - began, options.quiet)


def keep(grid: Any, store: Any, options: argparse.Namespace) -> None:
    """The grid as it was run, with what `--set` changed and whole paths, beside its results."""
    folder = store.root / "grids" / grid.name
    folder.mkdir(parents=True, exist_ok=True)
    changed = "".join(f" --set {shlex.quote(each)}" for each in options.set)
    head = f"# {options.grid}{changed}\n"
    (folder / "grid.yaml").write_text(head + grid.text, encoding="utf-8")


def report(store: Any, name: str) -> None:
    """Write the tables in every format and print them."""
    from results import render, tables
    from results import report as reports

    paths = reports.write(store.root, name)
    for table in tables.build(store.root, name):
        print(render.terminal(table))
    print(f"report: {os.path.relpath(paths[0])}", flush=True)


def _close(schedule: Any, seconds: float, quiet: bool) -> int:
    """Say what went wrong, each kind apart; the exit code."""
    from harness.run.progress import duration

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
    return 1 if tally["failed"] or tally["blocked"] else 0
