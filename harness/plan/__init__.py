"""What would be done, what it would cost, and why a step would run again."""

import sys
from types import ModuleType

from harness import python  # `plan` itself would hide this package's module of that name


class _Callable(ModuleType):
    """`harness.plan(grid)` works although this package has the same name."""

    __call__ = staticmethod(python.plan)


sys.modules[__name__].__class__ = _Callable
