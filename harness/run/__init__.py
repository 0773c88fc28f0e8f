"""How steps are run: in this process or on Ray, until the plan is done."""

import sys
from types import ModuleType

from harness.python import run


class _Callable(ModuleType):
    """`harness.run(grid)` works although this package has the same name."""

    __call__ = staticmethod(run)


sys.modules[__name__].__class__ = _Callable
