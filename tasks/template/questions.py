"""A template as a value: rows from records, and questions from rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.generation.text_repair import spaced
from tasks.source.faults import identity, texts, visible
from tasks.source.files import BadRow
from tasks.spec import Blank, Classify, Cloze, Generate, How, Part, Question, Row, Text
from tasks.wording import bare, uncapitalised, write

FILTERS: Mapping[str, Callable[[str], str]] = {
    "bare": bare,
    "uncapitalised": uncapitalised,
    "spaced": spaced,
}
CANDIDATE = "candidate"  # its name in a classifier's template


@dataclass(frozen=True)
class Hole:
    """A field's place in a template: what is done to its text, and which end may be cut."""

    name: str
    filters: tuple[str, ...] = ()
    cut: str = "end"

    def text(self, row: Row) -> str:
        """What stands there for a row."""
        text = row[self.name]
        for name in self.filters:
            text = FILTERS[name](text)
        return text


# The sides of a template, one or two, each of fixed texts, holes and blanks.
Sides = tuple[tuple[str | Hole | Blank, ...], ...]


@dataclass(frozen=True)
class Source:
    """The record's field behind a name, and the words that stand for its values, if it has such."""

    name: str
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A checked template. A row has the fields under their names, and what else is asked for under
    the record's own: its label, candidates and group."""

    kind: str  # classification | choice | generation
    fields: Mapping[str, Source]
    cloze: Sides
    label: str  # the record's field
    classifier: Sides = ()
    labels: tuple[Any, ...] = ()  # the label's values, in the order of the candidates
    words: tuple[str, ...] = ()  # the verbalizer
    candidates: str | tuple[Sides, ...] = ()  # a field that holds them, or each of them
    reduce: str = "sum"
    id: str = "id"
    group: str = ""
    digest: str = ""  # of all that decides the wording

    def rows(self, record: Mapping[str, Any]) -> list[Row]:
        """A record's row; raises `BadRow`."""
        row: dict[str, Any] = {"id": identity(record, self.id)}
        if self.group:
            row[self.group] = identity(record, self.group)
        kept = [self.label, *([self.candidates] if isinstance(self.candidates, str) else [])]
        row |= {name: record[name] for name in kept if name in record}
        for name, source in self.fields.items():
            if source.name not in record:
                raise BadRow(f"field '{source.name}' is missing")
            value = record[source.name]
            if source.words and str(value) not in source.words:
                known = ", ".join(source.words)
                raise BadRow(f"'{source.name}' outside its set: {value!r} is none of {known}")
            row[name] = source.words[str(value)] if source.words else value
        return [row]

    def check(self, row: Row) -> str | None:
        """The row's fault, or None."""
        named = [name for name, source in self.fields.items() if not source.words]
        if fault := texts(row, *named):
            return fault
        if self.kind == "generation":
            return texts(row, self.label) if self.label in row else None
        if isinstance(self.candidates, str):
            listed = row.get(self.candidates)
            if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
                return f"field '{self.candidates}' is no list of texts"
        choices = self.choices(row)
        if len(set(choices)) < max(len(choices), 2) or not all(map(visible, choices)):
            return f"candidates that are empty, equal or fewer than two: {', '.join(choices)}"
        values = self.values(choices)
        if self.label in row and not _places(row[self.label], values):
            known = ", ".join(map(repr, values))
            return f"label outside its set: {row[self.label]!r} is none of {known}"
        return None

    def choices(self, row: Row) -> tuple[str, ...]:
        """The candidates of a row."""
        if self.kind == "classification":
            return self.words or tuple(map(str, self.labels))
        if isinstance(self.candidates, str):
            return tuple(each.strip() for each in row[self.candidates])
        parts = (_rendered(sides, row) for sides in self.candidates)
        return tuple("".join(p.text for p in ps if isinstance(p, Part)).strip() for ps in parts)

    def values(self, choices: Sequence[str]) -> tuple[Any, ...]:
        """What the label is for each of the candidates, where no names are given their numbers."""
        return self.labels or tuple(range(len(choices)))

    def ask(self, row: Row, how: How) -> list[Question]:
        """One question."""
        text = _rendered(self.cloze, row)
        if self.kind == "generation":
            wanted = (row[self.label],) if self.label in row else ()
            return [Generate(row["id"], text, tuple(map(spaced, wanted)), wanted)]
        choices = self.choices(row)
        gold = _places(row[self.label], self.values(choices)) if self.label in row else ()
        group = row[self.group] if self.group else ""
        if how.style == "classifier":
            return [self._classified(row, choices, gold, group)]
        single = self.kind == "classification"
        return [Cloze(row["id"], text, choices, gold, single, self.reduce, group=group)]

    def _classified(
        self, row: Row, choices: tuple[str, ...], gold: tuple[int, ...], group: str
    ) -> Classify:
        if self.kind == "classification":
            text, names = _rendered(self.classifier, row, apart=True), tuple(map(str, self.labels))
            return Classify(row["id"], (text,), len(names), names, gold, group)
        filled = ({**row, CANDIDATE: choice} for choice in choices)
        inputs = tuple(_rendered(self.classifier, each, apart=True) for each in filled)
        return Classify(row["id"], inputs, labels=choices, gold=gold, group=group)

    def cluster(self, row: Row) -> str:
        """The row's group, or the row itself."""
        return row[self.group or "id"]

    def notes(self, how: How) -> str:
        """For the signature: the wording."""
        return f"template:{self.digest}"


def _places(value: object, among: Sequence[object]) -> tuple[int, ...]:
    """Where a value stands, types counted (1 is not True); nothing where it does not.

    >>> _places(True, (False, True, 1))
    (1,)
    """
    return tuple(i for i, one in enumerate(among) if type(one) is type(value) and one == value)


def _rendered(sides: Sides, row: Row, *, apart: bool = False) -> Text:
    """A template's text for a row; `apart`: a separator will stand between the sides."""
    text: Text = ()
    for side, pieces in zip("ab", sides):
        filled = [Part(p.text(row), p.cut) if isinstance(p, Hole) else p for p in pieces]
        if side == "b" and not apart and not isinstance(filled[0], Blank):
            filled.insert(0, " ")
        text += write(*filled, side=side)
    return text
