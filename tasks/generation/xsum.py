"""XSum: the one-sentence introduction of a BBC article (Narayan et al., 2018).

{"id": "34268361", "document": "The owners said their planned £3m development ... jobs.\\n...",
 "summary": "Proposals for an indoor water park have been approved by councillors."}

[MASK] Content: The owners said their planned £3m development ... jobs. ...
-> Proposals for an indoor water park have been approved by councillors.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from tasks.generation import rouge, summary
from tasks.generation.text_repair import spaced
from tasks.source.faults import identity, texts
from tasks.source.formats import pair_names, pairs
from tasks.spec import How, OnHub, Question, Row, Task


def ask(row: Row, how: How) -> list[Question]:
    """One question; the article's lines become one text."""
    target = row.get("summary", "")
    references = (target,) if target else ()
    return [summary.question(row["id"], spaced(row["document"]), spaced(target), references, how)]


def rows(record: Mapping[str, Any]) -> list[Row]:
    """The hub's fields; the id is the number of the BBC's page."""
    fields = {name: record[name] for name in ("document", "summary") if name in record}
    return [{"id": identity(record, "id")} | fields]


def check(row: Row) -> str | None:
    return texts(row, "document", *(("summary",) if "summary" in row else ()))


XSUM = Task(
    name="xsum",
    title="XSum",
    group="generation",
    folder="xsum",
    ask=ask,
    levels=(2, 3, 4),
    metrics=rouge.rouges(),
    styles=("seq2seq",),
    takes={"profile": summary.PROFILE},
    check=check,
    names=pair_names("xsum_test1000"),
    read=partial(pairs, source="document", target="summary"),
    rows=rows,
    label="summary",
    hub=OnHub("EdinburghNLP/xsum", "", "7d4d486c2f8ef850b1a11aead99b894ff3dd7da9", rows),
    counts={"train": 204_045, "dev": 11_332, "test": 11_334},
    profiles=rouge.PROFILES,
    notes=summary.notes,
)
