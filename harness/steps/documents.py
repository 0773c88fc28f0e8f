"""Documents from a corpus's files: text, jsonl, parquet or an archive, plain or compressed.

A damaged file or line is the user's error, with the place; nothing is passed over in silence.
"""

import tarfile
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Self

from harness.steps import columns
from tasks.errors import UserError
from tasks.source import files, hub
from tasks.source.faults import shown

LONGEST = files.LONGEST_LINE  # bytes of a document, whatever file it is in
FORMATS = {".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".tar": "tar"}


Unit = Literal["line", "paragraph", "file"]  # what a document of a text file is


def read(
    path: Path, format: str = "auto", field: str = "text", unit: Unit = "line"
) -> Iterator[str]:
    """The documents of one file, none of them empty.

    `format` is text (a document a `unit`), jsonl or parquet (a document in the field or column
    `field`), tar (a document per .txt member), or auto, which goes by the name. `.xz` and `.gz` are
    opened on the way.
    """
    if format == "auto":
        format = by_name(path)
    readers = {"parquet": _parquet, "jsonl": jsonl, "tar": _tar}
    documents = TEXT[unit](path) if format == "text" else readers[format](path, field)
    return (document for document in documents if document.strip())


def by_name(path: Path) -> str:
    """The format that a file's name says."""
    stem = Path(path.name.removesuffix(".xz").removesuffix(".gz"))
    return FORMATS.get(stem.suffix, "text")


def jsonl(path: Path, field: str) -> Iterator[str]:
    """The texts in a field of the objects of a JSON Lines file."""
    for line in files.jsonl([path]):
        document = _whole(path, line).get(field)
        if not isinstance(document, str):
            raise UserError(f"{path}:{line.number}: no JSON object with text in {field!r}")
        yield document


def _lines(path: Path) -> Iterator[str]:
    for line in files.text_lines(path):
        yield _whole(path, line)["text"].strip()


def _paragraphs(path: Path) -> Iterator[str]:
    """What stands between empty lines, its own lines kept apart."""
    for full, lines in groupby(_lines(path), bool):
        if full:
            yield _within(path, lines)


def _file(path: Path) -> Iterator[str]:
    yield _within(path, _lines(path))


def _within(path: Path, lines: Iterator[str]) -> str:
    """Lines as one document, which must not be larger than any document is."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > LONGEST:
            raise UserError(
                f"{path}: a document of more than {LONGEST:,} characters: is `documents` meant to "
                "be line or paragraph?"
            )
        kept.append(line)
    return "\n".join(kept).strip()


TEXT: Mapping[Unit, Callable[[Path], Iterator[str]]] = {
    "line": _lines,
    "paragraph": _paragraphs,
    "file": _file,
}


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
