"""`python -m harness.run grid.yaml`."""

import shlex
import sys

from harness.run import signals

if __name__ == "__main__":
    # Before what takes a while to import.
    with signals.answered(shlex.join(["python", "-m", "harness.run", *sys.argv[1:]])):
        from harness.run.command import main

        sys.exit(main())
