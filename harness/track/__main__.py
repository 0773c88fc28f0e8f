"""`python -m harness.track STORE GRID TRACKER`: tell a tracker of a grid, as far as it was run.

With `--follow` it goes on until its input ends, which is how a run keeps one beside itself.
"""

import argparse
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.track import sinks
from harness.track.follow import follow

EVERY = 2.0  # seconds between two looks at the files


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.track", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("grid", help="its name")
    parser.add_argument("tracker", choices=tuple(sinks.SINKS))
    parser.add_argument("--follow", action="store_true", help="until the input ends")
    options = parser.parse_args(argv)
    folder = options.store.absolute() / "grids" / options.grid
    reason = sinks.missing(options.tracker)
    if not (folder / "run.json").is_file():
        reason = f"no grid {options.grid!r} was run in {options.store}"
    if reason:
        print(reason, file=sys.stderr)
        return 2
    sink = sinks.SINKS[options.tracker](folder / options.tracker, options.grid)
    wait = _ended if options.follow else lambda: True
    follow(options.store.absolute(), options.grid, options.tracker, sink, wait)
    return 0


def _ended() -> bool:
    """Whether the input has ended; waits for it for a while."""
    ready, _, _ = select.select([sys.stdin], [], [], EVERY)
    return bool(ready) and not sys.stdin.buffer.read(1)


if __name__ == "__main__":
    sys.exit(main())
