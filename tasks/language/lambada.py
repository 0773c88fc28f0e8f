"""LAMBADA: the last word of a passage that needs the whole passage (Paperno et al., 2016).

    {"text": "Give me a minute to change and I'll meet you at the docks.\\" ... on my own, Shane"}

    context "... I can make it there on my own,"    target " Shane"

The target is the last word after white space, with the space before it; nothing is detokenised
and no word is ruled out, as in OpenAI's and the GLM code's evaluation. `unidirectional` reads the
passage left to right; `bidirectional` puts the context into Part A and asks for a blank after it.
"""

from collections.abc import Mapping
from typing import Any

from tasks.errors import UserError
from tasks.language.perplexity import EXACT, PPL
from tasks.source.faults import identity, texts
from tasks.source.formats import numbered
from tasks.spec import Continue, How, Question, Row, Task

MODES = ("unidirectional", "bidirectional")


def ask(row: Row, how: How) -> list[Question]:
    """One question; `how.mode` is "unidirectional" (default) or "bidirectional"."""
    context, last = row["text"].strip().rsplit(maxsplit=1)
    return [Continue(row["id"], " " + last, context.strip(), mode(how))]


def mode(how: How) -> str:
    """The mode of a language-modelling question, checked."""
    name = how.mode or MODES[0]
    if name not in MODES:
        raise UserError(f"mode: {name!r} is none of {', '.join(MODES)}")
    return name


def notes(how: How) -> str:
    return "" if how.mode else f"mode:{mode(how)}"


def rows(record: Mapping[str, Any]) -> list[Row]:
    return [{"id": identity(record, "id"), "text": record.get("text")}]


def check(row: Row) -> str | None:
    fault = texts(row, "text")
    return fault or (None if len(row["text"].split()) > 1 else "field 'text' is a single word")


LAMBADA = Task(
    name="lambada",
    title="LAMBADA",
    group="language",
    folder="lambada",
    ask=ask,
    levels=(2, 3, 4),
    metrics=(EXACT,),
    styles=("lm",),
    modes={"lm": MODES},
    check=check,
    names={
        "train": (("lambada_train.jsonl",), ("train.jsonl",)),
        "dev": (("lambada_val.jsonl",), ("lambada_dev.jsonl",), ("val.jsonl",)),
        "test": (("lambada_test.jsonl",), ("test.jsonl",)),
    },
    read=numbered,
    rows=rows,
    label="",
    profiles={"target-ppl": (PPL,)},
    notes=notes,
)
