"""YAML text -> plain values, and the place of every one of them. The one file on yaml.

Only the parser of PyYAML is used; values are made here, by YAML 1.2's rules: `no` is text, `1e-5`
is a number, a key occurs once, tags are refused (nothing can be constructed), and aliases may not
grow the document without bound.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LIMIT = 100_000  # values in one document, aliases unfolded
LARGEST = 4 * 2**20  # characters of a grid
DEPTH = 40
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
WORDS = {"null": None, "Null": None, "NULL": None, "~": None, "": None} | {
    word: value
    for value, name in ((True, "true"), (False, "false"))
    for word in (name, name.title(), name.upper())
}

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where something is written: a file's line and column (from 1), or an option."""

    source: str
    line: int = 0
    column: int = 0
    text: str = ""  # the line itself

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        shown = f"{self.place}: {self.message}"
        if self.place.text.strip():
            text = self.place.text.replace("\t", " ")
            shown += f"\n    {text}\n    {' ' * (self.place.column - 1)}^"
        return shown


@dataclass
class Document:
    """A document's value, the places of its keys and values, and what is wrong with it."""

    source: str
    value: Any = None
    keys: dict[Key, Place] = field(default_factory=dict)  # path -> where its key is written
    values: dict[Key, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Key, *, key: bool = False) -> Place:
        """The nearest known place of a path: itself, or what it would be inside of."""
        path = tuple(path)
        while path:
            for places in (self.keys, self.values) if key else (self.values, self.keys):
                if path in places:
                    return places[path]
            path = path[:-1]
        return self.values.get((), Place(self.source))

    def blame(self, path: Key, message: str, *, key: bool = False) -> None:
        """Record a problem at a path."""
        self.problems.append(Problem(self.place(path, key=key), message))

    def once(self, path: Key, message: str, *, key: bool = False) -> None:
        """Record a problem at a path unless one is recorded at its place already."""
        place = self.place(path, key=key)
        if not place.line or place not in [problem.place for problem in self.problems]:
            self.blame(path, message, key=key)


def opened(path: Path) -> Document:
    """The file's document. Syntax errors are problems of it, not exceptions."""
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST + 1).decode()
        if len(text) > LARGEST:
            raise OSError(f"more than {LARGEST:,} characters")
    except (OSError, UnicodeDecodeError) as error:
        document = Document(str(path))
        document.blame((), f"cannot be read: {error}")
        return document
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """The document in `text`."""
    document, lines = Document(source), text.splitlines()

    def place(mark: yaml.Mark) -> Place:
        line = lines[mark.line] if mark.line < len(lines) else ""
        return Place(source, mark.line + 1, mark.column + 1, line)

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = place(error.problem_mark) if error.problem_mark else Place(source)
        message = error.problem or "is no YAML"
        if "\\t" in message:
            message = "a tab indents here: YAML wants spaces"
        context = f" ({error.context})" if error.context else ""
        document.problems.append(Problem(where, message + context))
        return document
    except (yaml.YAMLError, RecursionError) as error:
        document.blame((), f"is no YAML: {str(error).splitlines()[0]}")
        return document
    if node is None:
        document.blame((), "is empty: a grid names at least its `tables`")
        return document
    _Reader(document, place).value(node, ())
    return document


class _Reader:
    """Makes values of parsed nodes, noting places and problems on the way."""

    def __init__(self, document: Document, place: Callable[[yaml.Mark], Place]) -> None:
        self.document, self.place, self.count = document, place, 0

    def value(self, node: yaml.Node, path: Key) -> object:
        document = self.document
        self.count += 1
        if self.count > LIMIT or len(path) > DEPTH:
            if self.count <= LIMIT + 1 or len(path) == DEPTH + 1:
                message = f"aliases unfold to more than {LIMIT:,} values, or nest without end"
                document.problems.append(Problem(self.place(node.start_mark), message))
            self.count = LIMIT + 2  # everything after this ends at once
            return None
        document.values[path] = self.place(node.start_mark)
        if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
            document.blame(path, f"the tag {node.tag!r} is refused: write plain values")
            made = None
        elif isinstance(node, yaml.MappingNode):
            made = self.mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            made = [self.value(each, (*path, i)) for i, each in enumerate(node.value)]
        elif isinstance(node, yaml.ScalarNode) and node.style is None:
            made = self.scalar(node.value, path)
        else:
            made = node.value
        if not path:
            document.value = made
        return made

    def mapping(self, node: yaml.MappingNode, path: Key) -> dict[str, object]:
        made: dict[str, object] = {}
        for key, each in node.value:
            where = self.place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.document.problems.append(Problem(where, "a key must be a word"))
                continue
            name = key.value
            if name in made:
                first = self.document.keys[(*path, name)]
                message = f"`{name}` is written twice (first in line {first.line})"
                self.document.problems.append(Problem(where, message))
                continue
            self.document.keys[(*path, name)] = where
            made[name] = self.value(each, (*path, name))
        return made

    def scalar(self, text: str, path: Key) -> object:
        if text in WORDS:
            return WORDS[text]
        if INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if ENDLESS.fullmatch(text):
            self.document.blame(path, f"{text} is no number that can be computed with")
            return None
        return float(text) if FLOAT.fullmatch(text) else text


def dumped(value: object) -> str:
    """A document's value as text that reads as the same value."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def override(document: Document, option: str) -> None:
    """Apply one `--set a.b=c`: the value is read as YAML, its place is the option itself."""
    name, equals, text = option.partition("=")
    path: Key = tuple(int(part) if part.isdigit() else part for part in name.split("."))
    source = f"--set {option}"
    if not equals or not all(str(part) for part in path):
        document.problems.append(Problem(Place(source), "write --set key=value"))
        return
    parsed = parse(text, source) if text.strip() else Document(source)
    document.problems += [Problem(Place(source), each.message) for each in parsed.problems]
    within = document.value
    for depth, part in enumerate(path[:-1]):
        if isinstance(within, list) and isinstance(part, int) and part < len(within):
            within = within[part]
        elif isinstance(within, dict):
            if within.get(str(part)) is None:
                within[str(part)] = {}
            within = within[str(part)]
        else:
            message = f"`{'.'.join(map(str, path[: depth + 1]))}` is not there to be set"
            document.problems.append(Problem(Place(source), message))
            return
    last = path[-1]
    if isinstance(within, list) and isinstance(last, int) and last < len(within):
        within[last] = parsed.value
    elif isinstance(within, dict):
        within[str(last)] = parsed.value
    else:
        message = f"`{name}` is not there to be set"
        document.problems.append(Problem(Place(source), message))
        return
    for places in (document.keys, document.values):
        for known in [known for known in places if known[: len(path)] == path]:
            del places[known]
    document.keys[path] = document.values[path] = Place(source)
