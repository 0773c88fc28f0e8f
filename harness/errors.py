"""What can go wrong with a step, as types: the executor decides by type what happens next.

UserError     the user can mend it: printed without a traceback, exit code 2 before any compute
Interrupted   the step was asked to stop and has written a checkpoint: resumable, exit code 3
Lost          a process that worked on the step is gone: tried again, from its last checkpoint
Diverged      the loss is no number any more: deterministic, not retried, `diverged@step`
OutOfMemory   one retry with half the micro-batch and the same effective batch
TimeLimit     the step ran past its limit: its stack is on record, it is not retried
StoreDamaged  the store cannot be used as it is: exit code 4
"""

import errno
import shutil
from pathlib import Path

from glm.training.session import Diverged, Interrupted
from tasks.errors import UserError, out_of_memory

__all__ = [
    "Diverged",
    "Interrupted",
    "Lost",
    "OutOfMemory",
    "StoreDamaged",
    "TimeLimit",
    "UserError",
]


class Lost(Exception):
    """A process that the step had started ended without a word: it is tried again."""


class OutOfMemory(Exception):
    """Memory ran out on the device or the host; the message names the peak, if it is known."""


class TimeLimit(BaseException):
    """The step ran past its time limit. It is raised wherever the step is just then, so that no
    `except Exception` on its way, ours or a library's, may take it for a fault of its own."""


class StoreDamaged(Exception):
    """The store is damaged or locked in a way that only its owner can mend."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that a device or the host ran out of memory."""
    if isinstance(error, OutOfMemory) or out_of_memory(error):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )


def disk_full(error: BaseException, root: Path) -> str | None:
    """The message for a full disk or quota below `root`, or None when `error` is something else."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            break
        # Rust and C++ writers (safetensors, arrow) hide errno in their text.
        if "No space left on device" in str(cause) or "os error 28" in str(cause):
            break
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    try:
        free = shutil.disk_usage(root).free / 2**20
        left = f"{free:,.0f} MiB left"
    except OSError:
        left = "none left"
    return f"no space left at {root} ({left}): free some there and run the same command again"
