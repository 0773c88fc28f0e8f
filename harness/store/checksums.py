"""Checksums of a folder's files, and whether a folder can be trusted by them."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

FORMAT = 1  # of checksums.json and the other files that the store writes itself


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the whole new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(as_json(value))
    beside.replace(path)


def as_json(value: Any) -> str:
    """JSON with a line for each key, or each item: readable, and quick to write."""
    if isinstance(value, dict) and value:
        lines = [f" {json.dumps(key)}: {_line(value[key])}" for key in sorted(value)]
        return "{\n" + ",\n".join(lines) + "\n}\n"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f" {_line(each)}" for each in value) + "\n]\n"
    return _line(value) + "\n"


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def read_json(path: Path) -> Any:
    """The file's value, or None where it is missing or no JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def checksums(folder: Path) -> dict[str, list[Any]]:
    """Size and blake2b of every file below `folder`, by its path there."""
    found: dict[str, list[Any]] = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            where = os.path.relpath(path, folder)
            if where != "checksums.json":
                found[where] = [os.path.getsize(path), blake2b(path)]
    return dict(sorted(found.items()))


def blake2b(path: str | Path) -> str:
    """The file's digest: 32 hexadecimal digits."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


_verified: dict[str, tuple[Any, ...]] = {}  # what this process has read in full, and as it was then


def fault(folder: Path, *, small: int | None = None) -> str | None:
    """Why a finished folder cannot be trusted, or None.

    Files of more than `small` bytes are only looked at from outside (there, and of the right size).
    Within a process a folder is read again only when a file's time or size has changed.
    """
    listed = read_json(folder / "checksums.json")
    if not isinstance(listed, dict) or not isinstance(listed.get("files"), dict):
        return "checksums.json is missing or not readable"
    if listed.get("format") != FORMAT:
        return f"written in format {listed.get('format')}, this version reads {FORMAT}"
    marks: list[Any] = [listed]
    for name, (size, _) in listed["files"].items():
        try:
            seen = os.stat(folder / name)
        except OSError:
            return f"{name} is missing"
        if seen.st_size != size:
            return f"{name} has {seen.st_size} bytes, was written with {size}"
        marks.append((seen.st_mtime_ns, seen.st_ino))
    key, mark = str(folder), (small, *map(repr, marks))
    if _verified.get(key) == mark or _verified.get(key) == (None, *mark[1:]):
        return None
    for name, (size, digest) in listed["files"].items():
        if (small is None or size <= small) and blake2b(folder / name) != digest:
            return f"{name} does not match its checksum"
    _verified[key] = mark
    return None
