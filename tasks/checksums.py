"""Whether a finished folder of a store can be trusted: it is what its name says, and unchanged.

A folder `{kind}/{name}-{digest}` says in `spec.json` which step it is of, and in `checksums.json`
what every other file was when the step ended. Whoever reads a result asks here first.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from tasks.atomic import read_json

FORMAT = 1  # of checksums.json and the other files that a store writes itself


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


def sealed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`facts` with a checksum of themselves, for a file that lies in no step's folder."""
    return {**facts, "checksum": _seal(facts)}


def intact(read: object) -> TypeGuard[dict[str, Any]]:
    """Whether what was read of a file is what `sealed` made for it."""
    if not isinstance(read, dict):
        return False
    facts = {name: value for name, value in read.items() if name != "checksum"}
    return read.get("checksum") == _seal(facts)


def _seal(facts: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(facts))  # as a reader has them
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=16).hexdigest()


_verified: dict[str, tuple[Any, ...]] = {}  # files read in full by this process, as they were then


def fault(folder: Path, *, small: int | None = None, only: Iterable[str] = ()) -> str | None:
    """Why a finished folder cannot be trusted, or None.

    Files of more than `small` bytes are only looked at from outside (there, and of the right size).
    With `only`, just these files count, and the folder's being what it says. Within a process a
    file is read again only when its time or size has changed.
    """
    listed = read_json(folder / "checksums.json")
    if not isinstance(listed, dict) or not isinstance(listed.get("files"), dict):
        return "checksums.json is missing or not readable"
    if listed.get("format") != FORMAT:
        return f"written in format {listed.get('format')}, this version reads {FORMAT}"
    files = listed["files"]
    for name in ("spec.json", *only) if only else dict.fromkeys(["spec.json", *files]):
        reason = _changed(folder, name, files.get(name), small)
        if reason:
            return reason
    return _another(folder)


def _changed(folder: Path, name: str, noted: Any, small: int | None) -> str | None:
    """Why one file is not as it was noted."""
    try:
        size, digest = noted
        seen = os.stat(folder / name)
    except (TypeError, ValueError):
        return f"checksums.json says nothing that can be read of {name!r}"
    except OSError:
        return f"{name} is missing"
    if seen.st_size != size:
        return f"{name} has {seen.st_size} bytes, was written with {size}"
    if small is not None and size > small:
        return None
    key, mark = str(folder / name), (seen.st_mtime_ns, seen.st_ino, size, digest)
    if _verified.get(key) != mark:
        if blake2b(folder / name) != digest:
            return f"{name} does not match its checksum"
        _verified[key] = mark
    return None


def _another(folder: Path) -> str | None:
    """Why the folder's own word on what it is does not fit where it lies."""
    said = read_json(folder / "spec.json")
    said = said if isinstance(said, dict) else {}
    where = (folder.parent.name, folder.name.rsplit("-", 1)[-1])
    if (said.get("kind"), said.get("digest")) != where:
        return f"holds {said.get('kind')} {said.get('digest')}, not what its name says"
    return None
