"""Row -> Question -> Answer: the three forms that text takes on its way through a task.

A `Row` is one checked record of a data set, in the official field names. A task turns it into
`Question`s, which hold text only; a model on the other side turns each into an `Answer`, which is
what `predictions.parquet` keeps and what metrics read. Nothing here knows a tokenizer.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tasks.source.files import Line, jsonl
from tasks.sums import COMBINATIONS, Rows, total

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """A piece of a question's text. Parts are joined and tokenised as one text.

    Joining the parts' texts gives natural prose, with the spaces that they carry; only a blank and
    a candidate come without the space before them, which a byte-level vocabulary adds itself.
    `cut` says which end may be shortened when the question is too long ("end" or "start"); an
    empty `cut` means never, and "whole" that the part is there whole or not at all: such parts go
    before anything is shortened, the first of them first. `side` is "a" or "b": a classifier puts
    a separator between the sides, a cloze question does not, and truncation shortens the side with
    more shortenable tokens.
    `mark` numbers, from 1, the words that a classifier looks at beside the whole (WiC, WSC).
    """

    text: str
    cut: str = ""
    side: str = "a"
    mark: int = 0  # 0: none


@dataclass(frozen=True)
class Blank:
    """A blank to be filled: one [MASK] in Part A. Never cut off."""

    side: str = "a"


Text = tuple[Part | Blank, ...]


@dataclass(frozen=True)
class Cloze:
    """One blank and the candidates that may fill it.

    `gold` holds the indices of the right candidates (empty for an unlabelled row; several only in
    evaluation, e.g. ReCoRD). With `verbalizer` every candidate is a single token, read from one
    logit; otherwise a candidate scores the `reduce` ("sum" or "mean") of the log-probabilities of
    its tokens and of the end token.

    With `loss="generate"` there is one candidate, and the question is whether the model would write
    just that: the answer's `choice` is 0 if every token of the candidate and the end token is the
    model's first choice given the ones before, otherwise 1, "something else" (WSC's mode `generate`
    has gold 1 for a False row).
    """

    id: str
    text: Text
    candidates: tuple[str, ...]
    gold: tuple[int, ...] = ()
    verbalizer: bool = False
    reduce: str = "sum"
    loss: str = "choice"  # cross-entropy over candidates; "mix": plus gold's NLL; "generate": NLL
    group: str = ""  # answers of one group are scored together (MultiRC's question)
    references: tuple[str, ...] = ()  # gold answers as text, where a metric compares strings


@dataclass(frozen=True)
class Classify:
    """Inputs to be classified from [CLS]: one input and `classes` logits, or one logit per input.

    Where a task is about words in context (WiC, WSC), the parts that hold them are marked.
    """

    id: str
    inputs: tuple[Text, ...]
    classes: int = 1  # logits per input; 1 with several inputs: the softmax runs over inputs
    labels: tuple[str, ...] = ()  # names of the classes (or of the inputs), as in the official file
    gold: tuple[int, ...] = ()
    group: str = ""
    references: tuple[str, ...] = ()

    @property
    def marks(self) -> int:
        """How many marked words an input has."""
        parts = (part for text in self.inputs for part in text if isinstance(part, Part))
        return max((part.mark for part in parts), default=0)


@dataclass(frozen=True)
class Generate:
    """Blanks to be written out, left to right: a summary or question (one), infilling (many).

    `targets` has one text per blank (empty when unlabelled). `template` is the document with one
    "{}" per blank when the answer is the completed document; empty when it is the blank's text.
    """

    id: str
    text: Text
    targets: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    template: str = ""


@dataclass(frozen=True)
class Continue:
    """Text scored by teacher forcing: a held-out document, or a last word given its passage.

    `context` is given, `target` is scored. A document to be scored whole has an empty context and
    its text as target, and is cut into overlapping windows by the model's side.
    """

    id: str
    target: str
    context: str = ""
    mode: str = "unidirectional"  # or "bidirectional": the context sits in Part A


@dataclass(frozen=True)
class Compare:
    """Whole texts, of which a model finds one likelier than the others by its own likelihood."""

    id: str
    texts: tuple[str, ...]
    gold: tuple[int, ...] = ()
    group: str = ""


Question = Cloze | Classify | Generate | Continue | Compare


@dataclass(frozen=True)
class Answer:
    """What a model said to one question: one row of `predictions.parquet`.

    `scores` are per candidate (or class), higher is better; `choice` indexes `candidates`. `text`
    is what a generating model wrote. `values` holds sums that a metric divides (a document's
    negative log-likelihood in nats, its scored tokens and bytes).
    """

    id: str
    group: str = ""
    candidates: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    choice: int | None = None
    gold: tuple[int, ...] = ()
    text: str | None = None
    references: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """A number with a signature, as a function of sums over answers.

    `statistics` gives every answer's row; it returns None where an answer cannot be measured (it is
    unlabelled or was not given), or raises `Absent` with the reason. `combine` names what turns the
    summed rows into the value (`tasks.sums.COMBINATIONS`). A metric of somebody else's program that
    has no such form has a `whole` instead.
    """

    name: str
    signature: str  # everything that changes the number, e.g. "acc|version:1"
    statistics: Callable[[Sequence[Answer]], Rows | None] | None = None
    combine: str = "ratio"
    unit: str = "fraction"  # "fraction" is shown times 100; "ppl", "bits" as they are
    higher_is_better: bool = True
    whole: Callable[[Sequence[Answer]], float | None] | None = None
    # The expected rows under uniform guessing, where a row depends on more than its own answer.
    guessed: Callable[[Sequence[Answer]], Rows] | None = None

    def compute(self, answers: Sequence[Answer]) -> float | None:
        """The value over all answers, in 0..1 unless `unit` says otherwise; None where undefined.

        Raises `Absent` with the reason where one is known.
        """
        if not answers:
            return None
        if self.whole is not None:
            return self.whole(answers)
        rows = self.statistics(answers) if self.statistics else None
        return None if rows is None else self.value(rows)

    def value(self, rows: Rows) -> float | None:
        """The value that rows of statistics add up to; None where it is undefined."""
        value = float(COMBINATIONS[self.combine](total(rows)))
        return None if math.isnan(value) else value


@dataclass(frozen=True)
class How:
    """How a task is asked. Everything here changes scores and belongs to a cell's signature."""

    style: str = "cloze"  # cloze | classifier | seq2seq | infill | lm | likelihood
    train: bool = False  # training questions differ from evaluation's (ReCoRD, COPA, WSC)
    pattern: int = 0
    mode: str = ""  # WSC: rank | generate | classify; LM: unidirectional | bidirectional
    seed: int = 42  # for what a task samples (ReCoRD's wrong candidates), per row
    options: Mapping[str, Any] = field(default_factory=dict)  # e.g. {"ratio": 0.3}
    shots: int = 0  # training rows, answered, before every question (`tasks.shots`)


@dataclass(frozen=True)
class OnHub:
    """Where a task's rows are on the Hugging Face hub, pinned, and how one becomes rows of ours."""

    path: str  # "aps/super_glue"
    # "copa"; empty: the data set's only configuration; several: their rows in turn
    config: str | tuple[str, ...]
    revision: str  # a full commit hash
    rows: Callable[[Mapping[str, Any]], list[Row]]  # raises BadRow
    splits: Mapping[str, str] = field(
        default_factory=lambda: {"train": "train", "dev": "validation", "test": "test"}
    )


# File names a split may have, best first. A name is a tuple because some data sets keep a split in
# several files (sources and targets), which must all be there.
Names = Mapping[str, tuple[tuple[str, ...], ...]]
OFFICIAL_NAMES: Names = {
    "train": (("train.jsonl",),),
    "dev": (("val.jsonl",), ("dev.jsonl",)),
    "test": (("test.jsonl",),),
}


@dataclass(frozen=True)
class Task:
    """A task: how its files are read and checked, how a row is asked, how answers are measured."""

    name: str  # "copa"
    title: str  # "COPA"
    group: str  # "superglue" | "generation" | "language"
    folder: str  # where the official files lie below a source's root, e.g. "superglue/COPA"
    ask: Callable[[Row, How], list[Question]]
    metrics: tuple[Metric, ...]  # in the order the paper prints them
    styles: tuple[str, ...] = ("cloze", "classifier")
    check: Callable[[Row], str | None] = lambda row: None  # a row's fault as a sentence
    patterns: int = 1  # How.pattern is below this
    modes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # style -> its How.modes
    takes: Mapping[str, Any] = field(default_factory=dict)  # How.options -> the type of its value
    levels: tuple[int, ...] = ()  # of its rows in the built-in world, easiest first
    names: Names = field(default_factory=lambda: OFFICIAL_NAMES)
    read: Callable[[Sequence[Path]], Iterator[Line]] = jsonl  # a split's files -> records
    rows: Callable[[Mapping[str, Any]], list[Row]] | None = None  # record -> rows; raises BadRow
    label: str = "label"  # the field that train and dev rows must have; empty: none
    grouped_by: str = "id"  # the field that names what rows belong together (MultiRC's question)
    hub: OnHub | None = None
    counts: Mapping[str, int] = field(default_factory=dict)  # rows of the official splits
    # Metrics as somebody else computes them; a column names one as METRIC@PROFILE.
    profiles: Mapping[str, tuple[Metric, ...]] = field(default_factory=dict)
    guesses: Mapping[str, Callable[[Question], int]] = field(
        default_factory=dict
    )  # floors' choices
    # Rows of one cluster are about one text: they are not independent of each other.
    cluster: Callable[[Row], str] = lambda row: str(row.get("twin", row["id"]))
    notes: Callable[[How], str] = lambda how: ""  # what else changes scores, for the signature
    # A row asked about another one's passage, for the blind control (`tasks.blind`); None: not so.
    withhold: Callable[[Row, Row], Row] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Every option that a column may give, with the type of its value."""
        return {**self.takes, **({"level": Literal[self.levels]} if self.levels else {})}


def measures(task: Task) -> dict[str, Metric]:
    """Every metric that a column may name: the task's own, and those of its profiles.

    >>> list(measures(HELDOUT))
    ['ppl', 'bpb', 'ppl@reference', 'bpb@reference']
    """
    found = {metric.name: metric for metric in task.metrics}
    for profile, metrics in task.profiles.items():
        named = [replace(metric, name=f"{metric.name}@{profile}") for metric in metrics]
        found |= {metric.name: metric for metric in named}
    return found


def questions(task: Task, row: Row, how: How) -> list[Question]:
    """A row's questions, its twins' name as their group where the task has no other.

    With the option `level` only rows of that level are asked; training is on rows of all levels.
    """
    level = how.options.get("level")
    if level is not None and not how.train and row.get("level") != level:
        return []
    asked, twin = task.ask(row, how), row.get("twin")
    if twin is None:
        return asked
    return [
        replace(q, group=twin) if isinstance(q, Cloze | Classify) and not q.group else q
        for q in asked
    ]


def signature(task: Task, how: How, metric: Metric, style: str = "") -> str:
    """Everything that decides a cell's number, besides the model and the rows.

    `style` is the model's side of asking, where it has a name of its own (bert-cloze).

    >>> signature(COPA, How(), COPA.metrics[0])
    'acc|version:1|task:copa|style:cloze|pattern:0'
    """
    parts = [metric.signature, f"task:{task.name}", f"style:{style or how.style}"]
    if how.style == "cloze" and task.patterns > 1:
        parts.append(f"pattern:{how.pattern}")
    parts += [part for part in (how.mode and f"mode:{how.mode}", task.notes(how)) if part]
    parts += [f"{name}:{how.options[name]}" for name in sorted(how.options)]
    parts += [f"shots:{how.shots}|order:drawn"] if how.shots else []
    return "|".join(parts)
