"""What is wrong with a file's rows, and the report that says so once for the whole file."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.source.files import LONGEST_TEXT, BadRow

SAMPLES = 5
LINES_SHOWN = 40


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
    kinds = Counter(fault.sentence.partition(":")[0] for fault in faults)
    places = [str(line) for line in dict.fromkeys(fault.line for fault in faults)]
    more = len(places) - LINES_SHOWN
    text = [f"{name}: {len(faults)} bad rows beside {rows} good ones."]
    text += [f"  {count} x {kind}" for kind, count in kinds.most_common()]
    text += ["  lines " + ", ".join(places[:LINES_SHOWN]) + (f" and {more} more" * (more > 0))]
    for fault in faults[:SAMPLES]:
        called = f" (id {fault.id})" if fault.id else ""
        text += [f"  line {fault.line}{called}: {fault.sentence}"]
        text += [f"    {_shown(fault.sample)}"] if fault.sample else []
    text += ["  Mend the file, or leave these rows out with on_bad_row: skip."]
    return "\n".join(text)


def _shown(sample: str, width: int = 96) -> str:
    """A sample on one line, with what a terminal would obey (escapes, bells) made visible."""
    plain = "".join(c if c.isprintable() else "\\" + f"x{ord(c):02x}" for c in sample)
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
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            return f"field '{name}' is too long: {len(value)} characters, at most {LONGEST_TEXT}"
    return None


def texts(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of the fields that is not a string with something in it."""
    fault = shape(row, **dict.fromkeys(names, str))
    empty = [name for name in names if not fault and not row[name].strip()]
    return fault or (f"field '{empty[0]}' is empty" if empty else None)


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
    return str(value)


def kept(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The record's id and the named fields, where it has them: the plain case of `Task.rows`."""
    return {"id": identity(record)} | {name: record[name] for name in names if name in record}
