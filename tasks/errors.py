"""What is the user's to mend, and how to say it."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A message with place and remedy, printed without a traceback; the exit code is 2."""


class Absent(Exception):
    """A metric cannot be computed, and why; it is then shown as absent, never as a number."""


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that a device or the host ran out of memory (torch is not imported)."""
    # Torch's and Ray's by name: neither is here.
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean `x`?" with the nearest known names, or what there is when few."""
    known = [str(each) for each in known]
    few = f"; there are {', '.join(known)}" if 0 < len(known) <= 12 else ""
    return meant(name, known) or few


def meant(name: str, known: Iterable[str]) -> str:
    """ "; did you mean `x` or `y`?" with the nearest known names; "" where none is near."""
    known = [str(each) for each in known]
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    close = close or [each for each in known if name.lower() in each.lower()][:2]
    return "; did you mean " + " or ".join(f"`{each}`" for each in close) + "?" if close else ""
