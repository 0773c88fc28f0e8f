"""Keep glibc from giving freed memory back to the kernel between training steps.

By default glibc maps every large tensor anew and unmaps it when it is freed, so each step touches
its pages for the first time: a third of a BERT step on CPU, an eighth of ours. With the thresholds
raised, freed memory stays with the process.
"""

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h


def tune_allocator() -> bool:
    """Raise the thresholds for this process; call it before the first large tensor.

    True if the C library took them. Elsewhere than on Linux with glibc, nothing happens. The price
    is resident memory: what was the peak stays.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version") or not hasattr(library, "mallopt"):
        return False
    settings = ((MMAP_THRESHOLD, 1 << 30), (TRIM_THRESHOLD, (1 << 31) - 1), (TOP_PAD, 256 << 20))
    taken = [library.mallopt(what, value) == 1 for what, value in settings]
    return all(taken)
