"""Where a result comes from: commit and uncommitted changes, versions, host, device, command."""

import getpass
import hashlib
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "ray", "datasets", "numpy", "tokenizers", "safetensors", "pyarrow", "pandas")


def of_the_run(argv: list[str] | None = None) -> dict[str, Any]:
    """What is the same for every step of one command. Imports none of the packages it names."""
    return {
        "command": list(argv if argv is not None else sys.argv),
        "folder": _folder(),
        "user": _user(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "code": code(Path(__file__).resolve().parents[2]),
    }


def of_the_step() -> dict[str, Any]:
    """What differs from step to step: host, process, processor, device."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "machine": platform.machine(),
        "device": device(),
        "finished": time.time(),
    }


def device() -> str:
    """The device's name, if torch is in use and sees one; else "cpu"."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "cpu"


def code(root: Path) -> dict[str, Any]:
    """The commit that runs, and a digest of what differs from it; empty outside a checkout."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    diff = _git(root, "diff", "HEAD") or ""
    dirty = hashlib.blake2b(diff.encode(), digest_size=8).hexdigest() if diff else None
    return {"commit": commit.strip(), "dirty": dirty}


def _git(root: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _folder() -> str:
    """Where the command was given; "" where that is no more."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
