"""Files that are there whole or not at all, and JSON as every package writes and reads it."""

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write a file so that a reader sees the old one or the whole new one.

    `lasting` is as in `put`.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    put(part, path, lasting=lasting)


def put(part: Path, path: Path, *, lasting: bool = False) -> None:
    """Let the finished file `part`, of the same folder, take the place of `path`.

    With `lasting` it is on the disk, and not only in its cache, before it does.
    """
    if lasting:
        with part.open("rb") as written:
            os.fsync(written.fileno())
    part.replace(path)


def as_umask_has_it(path: Path) -> None:
    """Give a file the mode of any new one there: some libraries make theirs for their owner
    alone."""
    probe = path.with_name(f".{path.name}.{os.getpid()}.mode")
    probe.touch()
    path.chmod(probe.stat().st_mode)
    probe.unlink()


def write_json(path: Path, value: object, *, lasting: bool = False) -> None:
    """Write a value as `as_json` has it, whole or not at all."""
    write(path, as_json(value).encode(), lasting=lasting)


def write_facts(path: Path, facts: object, *, ordered: bool = False) -> None:
    """Write what a step says of its result: indented, keys as they are given or in `ordered` form.

    Nobody reads it before the step's folder is whole.
    """
    path.write_text(json.dumps(facts, indent=1, sort_keys=ordered), encoding="utf-8")


def as_json(value: object) -> str:
    """JSON with a line for each key, or each item: readable, and quick to write."""
    if isinstance(value, dict) and value:
        lines = [f" {json.dumps(key)}: {_line(value[key])}" for key in sorted(value)]
        return "{\n" + ",\n".join(lines) + "\n}\n"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f" {_line(each)}" for each in value) + "\n]\n"
    return _line(value) + "\n"


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def read_json(path: Path) -> Any:
    """The file's value, or None where it is missing or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def read_object(path: Path) -> dict[str, Any]:
    """The file's JSON object; empty where it is missing, no JSON or something else."""
    found = read_json(path)
    return found if isinstance(found, dict) else {}
