"""Everything about a grid but running it: `python -m harness table|explain|why|schema|verify`."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from harness.errors import StoreDamaged, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question; returns the exit code, as `harness.run.command` has them."""
    options = _parser().parse_args(argv)
    try:
        code = options.answer(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        from harness.run.command import unread

        return unread()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except StoreDamaged as error:
        print(error, file=sys.stderr)
        return 4


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, answer: Any, help: str, grid: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(answer=answer)
        if grid:
            added.add_argument("grid", help="the grid's YAML file")
            added.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
        added.add_argument("--store", help="where results are kept (default: machine.store)")
        return added

    command("table", _table, "Print a grid's tables, and write them in every format.")
    explain = command("explain", _explain, "Where one cell's number comes from.")
    for name in ("table", "row", "column"):
        explain.add_argument(name)
    why = command("why", _why, "Why a step would run again, field by field.")
    why.add_argument("step", help="its name, kind/name, folder or digest")
    schema = command("schema", _schema, "The JSON Schema of grids, for editors.", grid=False)
    schema.add_argument("out", nargs="?", help="a file to write (default: standard output)")
    verify = command("verify", _verify, "Read every result in a store and check it.", grid=False)
    verify.add_argument("root", nargs="?", help="the store (default: store)")
    verify.add_argument("--quarantine", action="store_true", help="move what is damaged out")
    return parser


def _loaded(options: argparse.Namespace) -> tuple[Any, Any]:
    from harness.grid import load as grids
    from harness.store.store import Store

    grid = grids.load(options.grid, options.set)
    return grid, Store(grids.machine(grid, store=options.store).store)


def _table(options: argparse.Namespace) -> int:
    from harness.run.command import report

    grid, store = _loaded(options)
    if not (store.root / "grids" / grid.name / "cells.json").exists():
        from harness.grid.expansion import expand
        from harness.store import manifest

        expansion = expand(grid)
        store.open()
        manifest.write(grid, expansion, store, *manifest.known(store, expansion.steps))
    report(store, grid.name)
    return 0


def _explain(options: argparse.Namespace) -> int:
    from results.explanation import explain

    grid, store = _loaded(options)
    print(explain(store.root, grid.name, options.table, options.row, options.column), end="")
    return 0


def _why(options: argparse.Namespace) -> int:
    from harness.grid.expansion import expand
    from harness.plan.why import find, why
    from tasks.errors import nearest

    grid, store = _loaded(options)
    steps = expand(grid).steps
    found = find(steps, options.step)
    if not found:
        close = nearest(options.step, [f"{s.kind}/{s.name}" for s in steps.values()])
        raise UserError(f"the grid has no step {options.step!r}{close}")
    for step in found:
        print("\n".join(why(step, store)))
    return 0


def _schema(options: argparse.Namespace) -> int:
    from harness.grid.json_schema import json_schema

    text = json.dumps(json_schema(), indent=1) + "\n"
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text, end="")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from harness.store.store import Store

    store = Store(options.root or options.store or "store")
    if not (store.root / "store.json").exists():
        raise UserError(f"{store.root} is no store")
    store.open()
    folders, faults = store.folders(), store.verify()
    for each in faults:
        print(f"{each.folder.relative_to(store.root)}: {each.reason}")
        if options.quarantine:
            store.quarantine(each.folder, each.reason)
    print(f"{len(faults)} damaged of {len(folders)} results")
    return 4 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
