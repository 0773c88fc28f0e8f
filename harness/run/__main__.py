"""`python -m harness.run grid.yaml`."""

import sys

from harness.run.command import main

if __name__ == "__main__":
    sys.exit(main())
