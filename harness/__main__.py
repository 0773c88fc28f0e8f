"""All about a grid but running it: tables, explanations, what would run again, what there is."""

import argparse
import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence

from harness.errors import UserError
from harness.export import export
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.grid.json_schema import json_schema
from harness.grid.listing import listing
from harness.grid.schema import Grid
from harness.plan.why import find, why
from harness.run.command import SET, ended, report
from harness.store import manifest
from harness.store.store import Store
from results.explanation import explain
from tasks.errors import nearest

Answer = Callable[[argparse.Namespace], int]  # from the options to the exit code
LISTED = (
    *("systems", "tasks", "styles", "scales", "recipes"),
    *("settings", "metrics", "tables", "objectives"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question; returns the exit code, as `harness.run.command` has them."""
    options = _parser().parse_args(argv)
    return ended(lambda: options.answer(options), options.store or "store")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, answer: Callable[[argparse.Namespace], int], help: str, grid: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(answer=answer)
        if grid:
            added.add_argument("grid", help="the grid's YAML file")
            added.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=SET)
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
    listed = command("list", _list, "What a grid may name, a line each.", grid=False)
    listed.add_argument("kind", nargs="?", choices=LISTED, help="of these only")
    out = command(
        "export", _export, "A pretrained or finetuned model as a folder for others.", grid=False
    )
    out.add_argument("step", help="its folder, or its name in the store")
    out.add_argument("out", help="a folder that is not there yet")
    verify = command("verify", _verify, "Read every result in a store and check it.", grid=False)
    verify.add_argument("root", nargs="?", help="the store (default: store)")
    verify.add_argument("--quarantine", action="store_true", help="move what is damaged out")
    serve = command("serve", _serve, "Watch a store in a browser, while it is run.", grid=False)
    serve.add_argument("root", nargs="?", help="the store (default: store)")
    serve.add_argument("--port", type=int, default=0, help="of 127.0.0.1 (default: a free one)")
    return parser


def _loaded(options: argparse.Namespace, *, to_run: bool = False) -> tuple[Grid, Store]:
    grid = grids.load(options.grid, options.set, to_run=to_run)
    return grid, Store(grids.machine(grid, store=options.store).store)


def _table(options: argparse.Namespace) -> int:
    grid, store = _loaded(options)
    if not _ran(grid, store, options):
        grid, store = _loaded(options, to_run=True)
        expansion = expand(grid)
        store.open()
        manifest.write(grid, expansion, store, *manifest.known(store, expansion.steps))
    report(store, grid.name)
    return 0


def _explain(options: argparse.Namespace) -> int:
    grid, store = _loaded(options)
    _ran(grid, store, options)
    print(explain(store.root, grid.name, options.table, options.row, options.column), end="")
    return 0


def _ran(grid: Grid, store: Store, options: argparse.Namespace) -> bool:
    """Whether this very grid was run in the store. Refuses when another one of its name was."""
    changed = manifest.stale(grid, store)
    if not changed:
        return changed is not None
    told = [f"  {name}: {_brief(there)} there, {_brief(now)} now" for name, there, now in changed]
    again = shlex.join(
        ["python", "-m", "harness.run", options.grid]
        + [word for each in options.set for word in ("--set", each)]
        + (["--store", options.store] if options.store else [])
    )
    raise UserError(
        "\n".join(
            [
                f"{store.root}/grids/{grid.name} is of another grid than {options.grid}:",
                *told[:5],
                *([f"  and {len(told) - 5} more"] if len(told) > 5 else []),
                f"run it, which repeats nothing that is done: {again}",
            ]
        )
    )


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def _why(options: argparse.Namespace) -> int:
    grid, store = _loaded(options, to_run=True)
    steps = expand(grid).steps
    found = find(steps, options.step)
    if not found:
        close = nearest(options.step, [f"{s.kind}/{s.name}" for s in steps.values()])
        raise UserError(f"the grid has no step {options.step!r}{close}")
    for step in found:
        print("\n".join(why(step, store)))
    return 0


def _list(options: argparse.Namespace) -> int:
    print(listing(options.kind), end="")
    return 0


def _schema(options: argparse.Namespace) -> int:
    text = json.dumps(json_schema(), indent=1) + "\n"
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text, end="")
    return 0


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    print(export(options.step, Path(options.out), Path(options.store or "store")))
    return 0


def _serve(options: argparse.Namespace) -> int:
    from harness.live.server import open_server

    store = _there(options)
    server, address = open_server(store.root, options.port)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's `&` would ignore it
    print(f"{store.root} at {address} until Ctrl-C", flush=True)
    with contextlib.suppress(KeyboardInterrupt), server:
        server.serve_forever()
    return 0


def _there(options: argparse.Namespace) -> Store:
    """The store that is named, which must be one."""
    store = Store(options.root or options.store or "store")
    if not (store.root / "store.json").exists():
        raise UserError(f"{store.root} is no store")
    return store


def _verify(options: argparse.Namespace) -> int:
    store = _there(options).open()
    folders, faults = store.folders(), store.verify()
    for each in faults:
        print(f"{each.folder.relative_to(store.root)}: {each.reason}")
        if options.quarantine:
            store.quarantine(each.folder, each.reason)
    print(f"{len(faults)} damaged of {len(folders)} results")
    return 4 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
