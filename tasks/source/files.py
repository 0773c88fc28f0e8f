"""Files as their publishers wrote them: plain, .xz or .gz, a line at a time, with line numbers.

A fault in one line (broken JSON, bad UTF-8, NUL) is a value, so that a report can count them all.
Damage to the file itself (missing, cut short, unreadable) is a `UserError` at once.
"""

import gzip
import hashlib
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, NoReturn

from tasks.errors import UserError

SUFFIXES = ("", ".xz", ".gz")
LONGEST_LINE = 64 * 2**20  # bytes; a file of one endless line must not fill the memory
LONGEST_TEXT = 1_000_000  # characters; no field of any data set here comes near


class BadRow(Exception):
    """What is wrong with one record, as a sentence "kind: details", for the report."""


@dataclass(frozen=True)
class Line:
    """One record of a file, or the fault that keeps it from being one."""

    number: int  # from 1, as an editor counts
    record: Mapping[str, Any] | None
    fault: str = ""
    sample: str = ""  # the beginning of the line, for the report


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Opens a file by its suffix for reading bytes; damage becomes a `UserError` with the path."""
    try:
        with _open(path) as stream:
            yield stream
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path}: the compressed file is damaged or cut short ({error}). Fetch it again."
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return open(path, "rb")


def text_lines(path: Path) -> Iterator[Line]:
    """The lines of a text file as records {"text": line}, line ends removed, blank lines kept."""
    with opened(path) as stream:
        number = 0
        while raw := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                raise UserError(f"{path}: line {number} is longer than {LONGEST_LINE} bytes.")
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")  # some editors write a byte order mark
            raw = raw.rstrip(b"\r\n")
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                sample = raw[:100].decode("utf-8", "replace")
                yield Line(number, None, f"not UTF-8: byte {error.start + 1}", sample)
                continue
            if "\x00" in text:
                yield Line(number, None, "NUL character", text[:100])
            else:
                yield Line(number, {"text": text}, sample=text[:100])


def jsonl(paths: Sequence[Path]) -> Iterator[Line]:
    """The records of a JSON Lines file (one object a line); blank lines are passed over."""
    for line in text_lines(paths[0]):
        if line.record is None:
            yield line
        elif text := line.record["text"].strip():
            yield _parsed(line, text)


def _parsed(line: Line, text: str) -> Line:
    try:
        record = json.loads(text, parse_constant=_no_constant)
        if not isinstance(record, dict):
            raise BadRow(f"not a JSON object: {type(record).__name__}")
        if "\\u" in text:  # only an escape can hide what `text_lines` has not seen
            _require_clean(record)
    except json.JSONDecodeError as error:
        fault = f"not JSON: {error.msg} at column {error.colno}"
    except RecursionError:
        fault = "not JSON: nested too deeply"
    except (BadRow, ValueError) as error:  # ValueError: a number of thousands of digits
        fault = str(error) if isinstance(error, BadRow) else "not JSON: a number too long"
    else:
        return Line(line.number, record, sample=line.sample)
    return Line(line.number, None, fault, line.sample)


def _no_constant(name: str) -> NoReturn:
    raise BadRow(f"not JSON: {name} is no number")


def _require_clean(value: Any) -> None:
    """Refuses NUL and lone surrogates, which no tokenizer and no file takes."""
    if isinstance(value, str):
        if "\x00" in value:
            raise BadRow("NUL character")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise BadRow("broken Unicode: half of a surrogate pair")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _require_clean(key)
            _require_clean(inner)
    elif isinstance(value, list):
        for inner in value:
            _require_clean(inner)


def digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the files' bytes as stored, in order, in hex; names and dates do not count."""
    whole = hashlib.sha256()
    for path in paths:
        with opened_raw(path) as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


@contextmanager
def opened_raw(path: Path) -> Iterator[BufferedReader]:
    """Opens a file without decompressing it."""
    try:
        with open(path, "rb") as stream:
            yield stream
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None
