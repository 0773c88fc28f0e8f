"""How it runs: grids, plans, the store, steps and their executors.

result = harness.run("ablations/quick.yaml")    # or a mapping with the same keys
result.tables["table1"], result.scores, result.predictions      # pandas frames
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.errors import StoreDamaged as StoreDamaged
    from harness.errors import UserError as UserError
    from harness.python import plan as plan
    from harness.python import run as run
    from harness.python import tables as tables

__all__ = ["StoreDamaged", "UserError", "plan", "run", "tables"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"harness has no {name!r}")
    place = "harness.errors" if name in ("StoreDamaged", "UserError") else "harness.python"
    return getattr(import_module(place), name)
