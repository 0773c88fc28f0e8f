"""Held-out perplexity ("BookWiki" in the GLM paper): documents kept out of pretraining.

    {"id": "h17", "title": "The blue house", "text": "Ann Lee lives in the blue house. She ..."}

    target "Ann Lee lives in the blue house. She ..."    (no context: the document is scored whole)

The model's side cuts a document into overlapping windows. `bidirectional` shows it the window's
leading part from both sides.
"""

from collections.abc import Mapping
from typing import Any

from tasks.language.lambada import MODES, mode, notes
from tasks.language.perplexity import BPB, PPL, REFERENCE_PPL
from tasks.source.faults import LONGEST_DOCUMENT, identity, texts
from tasks.source.formats import numbered
from tasks.spec import Continue, How, Question, Row, Task


def ask(row: Row, how: How) -> list[Question]:
    """One question: the document as it stands."""
    return [Continue(row["id"], row["text"], mode=mode(how))]


def rows(record: Mapping[str, Any]) -> list[Row]:
    title = str(record.get("title") or "")
    return [{"id": identity(record, "id"), "title": title, "text": record.get("text")}]


def check(row: Row) -> str | None:
    return texts(row, "text", longest=LONGEST_DOCUMENT)


HELDOUT = Task(
    name="heldout",
    title="Held-out documents",
    group="language",
    folder="corpus",
    ask=ask,
    metrics=(PPL, BPB),
    styles=("lm",),
    modes={"lm": MODES},
    check=check,
    names={"dev": (("heldout.jsonl",),), "test": (("heldout.jsonl",),)},
    read=numbered,
    rows=rows,
    label="",
    profiles={"reference": (REFERENCE_PPL, BPB)},
    notes=notes,
)
