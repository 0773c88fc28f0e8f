"""Documents from a corpus's files: text, jsonl, parquet or an archive, plain or compressed.

A damaged file or line is the user's error, with the place; nothing is passed over in silence.
"""

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.source import files, hub

AT_ONCE = 2048  # rows of a parquet file
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
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        if field not in file.schema_arrow.names:
            columns = ", ".join(file.schema_arrow.names)
            raise UserError(f"{path}: no column {field!r}, only {columns}")
        column = file.schema_arrow.field(field).type
        if not (pyarrow.types.is_string(column) or pyarrow.types.is_large_string(column)):
            raise UserError(f"{path}: the column {field!r} holds {column}, not text")
        for batch in file.iter_batches(AT_ONCE, columns=[field]):
            yield from (text or "" for text in batch.column(0).to_pylist())
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as parquet ({error})") from None


def _tar(path: Path, field: str) -> Iterator[str]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None and member.name.endswith(".txt"):
                    yield stream.read().decode("utf-8", "replace")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{path}: cannot be read as an archive ({error})") from None


def from_hub(name: str, revision: str, split: str, field: str) -> Iterator[str]:
    """The documents of a hub data set, "name" or "name:config", streamed.

    Raises `UserError` at once where it is neither reachable nor in the cache.
    """
    path, _, config = name.partition(":")
    for row in hub.stream(path, config, revision, split):
        if field not in row:
            raise UserError(f"{name}: rows have no {field!r} field, only {', '.join(row)}")
        yield row[field]
