"""What is wrong with a file's rows, and the report that says so once for the whole file."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.source.files import BadRow

SAMPLES = 5
LINES_SHOWN = 40
MOST = 100_000  # faults of a file: beyond that it is another file, and they fill the memory
KINDS_SHOWN = 20
# Characters. No field that is asked about comes near the first, no document near the second.
LONGEST_TEXT = 250_000
LONGEST_DOCUMENT = 1_000_000
LONGEST_ID = 200
UNSEEN = frozenset("Zs Zl Zp Cc Cf Cn Co Cs Mn".split())  # categories of Unicode


@dataclass(frozen=True)
class Fault:
    """One bad row: where it is, what it is called, what is wrong, how it begins."""

    line: int
    id: str  # the row's id, or "" where it cannot be read
    sentence: str  # "kind: details"; faults are counted by kind
    sample: str

    @property
    def name(self) -> str:
        """What a list of skipped rows calls it."""
        return self.id or f"line {self.line}"


def report(name: str, faults: Sequence[Fault], rows: int) -> str:
    """The report of one file: counts by kind, line numbers and the first five samples."""
    kinds = Counter(shown(fault.sentence.partition(":")[0]) for fault in faults)
    places = [str(line) for line in dict.fromkeys(fault.line for fault in faults)]
    more = len(places) - LINES_SHOWN
    text = [f"{name}: {len(faults)} bad rows beside {rows} good ones."]
    text += [f"  {count} x {kind}" for kind, count in kinds.most_common(KINDS_SHOWN)]
    text += ["  lines " + ", ".join(places[:LINES_SHOWN]) + (f" and {more} more" * (more > 0))]
    for fault in faults[:SAMPLES]:
        called = f" (id {shown(fault.id)})" if fault.id else ""
        text += [f"  line {fault.line}{called}: {shown(fault.sentence, 200)}"]
        text += [f"    {shown(fault.sample)}"] if fault.sample else []
    text += ["  Mend the file, or leave these rows out with on_bad_row: skip."]
    return "\n".join(text)


def shown(sample: str, width: int = 96) -> str:
    """A text on one line, cut, with what a terminal would obey (escapes, bells) made visible."""
    plain = "".join(c if c.isprintable() else "\\" + f"x{ord(c):02x}" for c in sample[: width + 1])
    return plain if len(plain) <= width else plain[: width - 3] + "..."


# ---- what a task's `check` and `rows` are made of


def shape(row: Mapping[str, Any], **types: type) -> str | None:
    """The first field that is missing, of another type, or too long; None if all are well.

    >>> shape({"premise": "It rained.", "label": "0"}, premise=str, label=int)
    "field 'label' is of another type: str, not int"
    """
    for name, kind in types.items():
        if name not in row:
            return f"field '{name}' is missing"
        value = row[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return f"field '{name}' is of another type: {type(value).__name__}, not {kind.__name__}"
        if isinstance(value, str) and len(value) > LONGEST_DOCUMENT:
            return _too_long(name, value, LONGEST_DOCUMENT)
    return None


def texts(row: Mapping[str, Any], *names: str, longest: int = LONGEST_TEXT) -> str | None:
    """The first of the fields that is not a string with something to be seen in it, or too long."""
    if fault := shape(row, **dict.fromkeys(names, str)):
        return fault
    for name in names:
        if not visible(row[name]):
            return f"field '{name}' is empty: there is nothing to be seen in it"
        if len(row[name]) > longest:
            return _too_long(name, row[name], longest)
    return None


def _too_long(name: str, text: str, longest: int) -> str:
    return f"field '{name}' is too long: {len(text)} characters, at most {longest}"


def visible(text: str) -> bool:
    """Whether a text has a character to be seen: white space, control and format characters (zero
    width ones among them) and marks on no letter are nothing to a tokenizer.

    >>> visible("\u200b \ufeff"), visible("a\u200b")
    (False, True)
    """
    return any(unicodedata.category(letter) not in UNSEEN for letter in text)


def label(row: Mapping[str, Any], allowed: Collection[Any]) -> str | None:
    """The fault of a label that is there but outside its set; types count (1 is not True)."""
    if "label" not in row:
        return None
    value = row["label"]
    if any(type(value) is type(one) and value == one for one in allowed):
        return None
    return f"label outside its set: {value!r} is none of {', '.join(map(repr, allowed))}"


def require(fault: str | None) -> None:
    """Raises `BadRow` where there is a fault."""
    if fault:
        raise BadRow(fault)


def identity(record: Mapping[str, Any], name: str = "idx") -> str:
    """A record's official index as an id; raises `BadRow` where it is missing or no index."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise BadRow(f"field '{name}' is missing or no index: {value!r}")
    text = str(value)
    if len(text) > LONGEST_ID:
        raise BadRow(f"field '{name}' is too long for an index: {len(text)} characters")
    return text


def kept(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The record's id and the named fields, where it has them: the plain case of `Task.rows`."""
    return {"id": identity(record)} | {name: record[name] for name in names if name in record}
