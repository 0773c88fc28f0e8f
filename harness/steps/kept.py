"""What a training keeps beside its result, and how a step of its own takes that over."""

import os
import shutil
from pathlib import Path

WEIGHTS = "weights"  # the folder of a finetuned model, its head among its tensors


def link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the file system has no links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
