"""Documents from a corpus's files: text, jsonl, parquet or an archive, plain or compressed.

A damaged file or line is the user's error, with the place; nothing is passed over in silence.
"""

import tarfile
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, Self

from harness.steps import columns
from tasks.errors import UserError
from tasks.source import files, hub
from tasks.source.faults import shown

LONGEST = files.LONGEST_LINE  # bytes of a document, whatever file it is in
FORMATS = {".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".tar": "tar"}


def read(path: Path, format: str = "auto", field: str = "text") -> Iterator[str]:
    """The documents of one file, none of them empty.

    `format` is text (a document a line), jsonl or parquet (a document in the field or column
    `field`), tar (a document per .txt member), or auto, which goes by the name. `.xz` and `.gz` are
    opened on the way.
    """
    if format == "auto":
        stem = Path(path.name.removesuffix(".xz").removesuffix(".gz"))
        format = FORMATS.get(stem.suffix, "text")
    readers = {"parquet": _parquet, "jsonl": jsonl, "tar": _tar, "text": _lines}
    documents = readers[format](path, field)
    return (document for document in documents if document.strip())


def jsonl(path: Path, field: str) -> Iterator[str]:
    """The texts in a field of the objects of a JSON Lines file."""
    for line in files.jsonl([path]):
        document = _whole(path, line).get(field)
        if not isinstance(document, str):
            raise UserError(f"{path}:{line.number}: no JSON object with text in {field!r}")
        yield document


def _lines(path: Path, field: str) -> Iterator[str]:
    for line in files.text_lines(path):
        yield _whole(path, line)["text"].strip()


def _whole(path: Path, line: files.Line) -> Mapping[str, Any]:
    fault = line.fault
    if line.record is not None:
        try:
            files.require_clean(line.record)
            return line.record
        except files.BadRow as error:
            fault = str(error)
    raise UserError(f"{path}:{line.number}: {fault}: {line.sample[:80]!r}")


def _parquet(path: Path, field: str) -> Iterator[str]:
    try:
        for row, text in enumerate(columns.texts(path, field), start=1):
            if text and len(text) > LONGEST:
                raise UserError(f"{path}: row {row} is too long: more than {LONGEST} characters")
            yield text or ""
    except columns.Unreadable as error:
        raise UserError(f"{path}: cannot be read as parquet: {shown(str(error), 200)}") from None


def _tar(path: Path, field: str) -> Iterator[str]:
    try:
        with files.opened(path) as packed, _archive(packed) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None and member.name.endswith(".txt"):
                    yield _text(path, member.name, stream.read(LONGEST + 1))
    except tarfile.TarError as error:
        raise UserError(f"{path}: cannot be read as an archive ({error})") from None


class _Member(tarfile.TarInfo):
    """A member whose name is no longer than a document: the library reads it whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.size > LONGEST and not member.isfile() and not member.isdir():
            raise tarfile.ReadError(f"a name of {member.size} bytes")
        return member


def _archive(packed: BufferedReader) -> tarfile.TarFile:
    return tarfile.open(fileobj=packed, mode="r|", tarinfo=_Member)


def _text(path: Path, member: str, content: bytes) -> str:
    if len(content) > LONGEST:
        raise UserError(f"{path}: {member[:80]} is too long: more than {LONGEST} bytes")
    return content.decode("utf-8", "replace")


def from_hub(name: str, revision: str, split: str, field: str) -> Iterator[str]:
    """The documents of a hub data set, "name" or "name:config", streamed.

    Raises `UserError` at once where it is neither reachable nor in the cache.
    """
    path, _, config = name.partition(":")
    for row in hub.stream(path, config, revision, split):
        if field not in row:
            raise UserError(f"{name}: rows have no {field!r} field, only {', '.join(row)}")
        yield row[field]
