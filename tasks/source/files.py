"""Files as their publishers wrote them: plain, .xz or .gz, a line at a time, with line numbers.

A fault in one line (broken JSON, bad UTF-8, NUL, an endless line) is a value, so that a report can
count them all. Damage to the file itself (missing, cut short, unreadable, a small file that unpacks
without end) is a `UserError` at once. No more than a line is in memory.
"""

import gzip
import hashlib
import io
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from tasks.errors import UserError

SUFFIXES = ("", ".xz", ".gz")
# No data set here comes near these; what does is an accident or an attack, and fills the memory.
LONGEST_LINE = 8 * 2**20  # bytes
LARGEST_JSON = 64 * 2**20  # bytes of a file that is one JSON value,
MOST_SIGNS = 4_000_000  # and commas and brackets in it: an empty list takes thirty times its text
MOST_PACKED = 200  # how much smaller than its text a file may be,
LARGEST_UNPACKED = 64 * 2**20  # if that has more bytes than these
DEEPEST = 32  # levels of a record
AT_ONCE = 2**18  # bytes that are unpacked at a time


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
def opened(path: Path) -> Iterator[BufferedReader]:
    """Opens a file by its suffix for reading bytes; damage becomes a `UserError` with the path."""
    try:
        with _open(path) as stream:
            yield stream
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path}: the compressed file is damaged or cut short ({error}). Fetch it again."
        ) from None
    except MemoryError:
        raise UserError(f"{path}: there is not the memory to unpack this file.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None


def _open(path: Path) -> BufferedReader:
    if path.suffix == ".xz":
        return BufferedReader(_Unpacked(path, lzma.open(path, "rb")), AT_ONCE)
    if path.suffix == ".gz":
        return BufferedReader(_Unpacked(path, gzip.open(path, "rb")), AT_ONCE)
    return open(path, "rb")


class _Unpacked(io.RawIOBase):
    """What a compressed file holds, as long as that is not many times its size."""

    def __init__(self, path: Path, packed: IO[bytes] | gzip.GzipFile) -> None:
        self.path, self.packed, self.unpacked = path, packed, 0
        self.most = max(LARGEST_UNPACKED, MOST_PACKED * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Raises `UserError` for what no text is: an attack, or an accident."""
        view = memoryview(buffer)
        piece = self.packed.read(len(view))
        view[: len(piece)] = piece
        self.unpacked += len(piece)
        if self.unpacked > self.most:
            raise UserError(
                f"{self.path}: unpacks to more than {MOST_PACKED} times its size, as no text does. "
                f"Unpack it yourself if it is meant so."
            )
        return len(piece)

    def close(self) -> None:
        self.packed.close()
        super().close()


def text_lines(path: Path) -> Iterator[Line]:
    """The lines of a text file as records {"text": line}, line ends removed, blank lines kept."""
    for number, (raw, length) in enumerate(_lines(path), start=1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")  # some editors write a byte order mark
        raw = raw.rstrip(b"\r\n")
        sample = raw[:100].decode("utf-8", "replace")
        if length > LONGEST_LINE:
            fault = f"line too long: {length} bytes, at most {LONGEST_LINE}"
            yield Line(number, None, fault, sample)
            continue
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Line(number, None, f"not UTF-8: byte {error.start + 1}", sample)
            continue
        if "\x00" in text:
            yield Line(number, None, "NUL character", sample)
        else:
            yield Line(number, {"text": text}, sample=text[:100])


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """The beginning of every line, all of it up to the longest there may be, and its length."""
    with opened(path) as stream:
        while raw := stream.readline(LONGEST_LINE + 1):
            length, rest = len(raw), raw
            while not rest.endswith(b"\n") and (rest := stream.readline(LONGEST_LINE)):
                length += len(rest)
            yield raw, length


def whole_json(path: Path) -> Any:
    """A file that is one JSON value. Raises `BadRow` where it is none, or too large to be read."""
    with opened(path) as stream:
        content = stream.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise BadRow(
            f"too large: more than {LARGEST_JSON:,} bytes; write its records as JSON lines"
        )
    # A bound on its values before any of them is made; those inside a text count as well.
    signs = sum(content.count(sign) for sign in (b",", b"[", b"{"))
    if signs > MOST_SIGNS:
        raise BadRow(
            f"too large: {signs:,} commas and opening brackets, in its texts too, at most "
            f"{MOST_SIGNS:,}; write its records as JSON lines"
        )
    return _value(content)


def jsonl(paths: Sequence[Path]) -> Iterator[Line]:
    """The records of a JSON Lines file (one object a line); blank lines are passed over."""
    for line in text_lines(paths[0]):
        if line.record is None:
            yield line
        elif text := line.record["text"].strip():
            yield _parsed(line, text)


def _parsed(line: Line, text: str) -> Line:
    try:
        record = _value(text)
        if not isinstance(record, dict):
            raise BadRow(f"not a JSON object: {type(record).__name__}")
    except BadRow as error:
        return Line(line.number, None, str(error), line.sample)
    return Line(line.number, record, sample=line.sample)


def _value(text: str | bytes) -> Any:
    """The value of a JSON text; raises `BadRow`."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadRow(f"not JSON: {error.msg} at column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise BadRow(f"not UTF-8: byte {error.start + 1}") from None
    except RecursionError:
        raise BadRow("not JSON: nested too deeply") from None
    except ValueError:
        raise BadRow("not JSON: a number too long") from None


def _no_constant(name: str) -> NoReturn:
    raise BadRow(f"not JSON: {name} is no number")


def require_clean(record: object) -> None:
    """Raises `BadRow` for what no tokenizer and no file takes, wherever it stands in a record: NUL,
    half of a surrogate pair, nesting without end."""
    level = [record]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _require_text(value)
            elif isinstance(value, Mapping):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list | tuple):
                below += value
        if not below:
            return
        level = below
    raise BadRow(f"nested too deeply: more than {DEEPEST} levels")


def _require_text(text: str) -> None:
    if "\x00" in text:
        raise BadRow("NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadRow("broken Unicode: half of a surrogate pair") from None


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
