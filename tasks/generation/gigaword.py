"""Gigaword: the headline of a news story's first sentence (Rush et al., 2015).

    {"id": "4", "document": "orders rose #.# percent in UNK , officials said -lrb- ap -rrb-",
     "summary": "us factory orders up #.# percent"}

    [MASK] Content: orders rose #.# percent in [UNK] , officials said ( ap )
    -> us factory orders up #.# percent

The corpus is tokenised and lower-cased, its digits are `#` and its rare words `UNK`. Brackets and
entities are undone and `UNK` becomes the vocabulary's own unknown word, as in the GLM code.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from tasks.generation import rouge, summary
from tasks.generation.text_repair import gigaword as plain
from tasks.source.faults import identity, shape, texts
from tasks.source.formats import pair_names, pairs
from tasks.spec import How, OnHub, Question, Row, Task

HEADLINE = rouge.Cleaning(repair="gigaword")


def ask(row: Row, how: How) -> list[Question]:
    """One question; the reference is the headline with `UNK` as `unk` on both sides of a metric."""
    target = plain(row["summary"]) if "summary" in row else ""
    references = tuple(row.get("references", (row["summary"],) if "summary" in row else ()))
    return [summary.question(row["id"], plain(row["document"]), target, references, how)]


def rows(record: Mapping[str, Any]) -> list[Row]:
    """A pair of lines, the hub's {"document", "summary"}, or {"text", "summaries": [...]}."""
    row: dict[str, Any] = {"id": identity(record, "id")}
    row["document"] = record.get("document", record.get("text"))
    several = record.get("summaries")
    if isinstance(several, list) and several:
        row |= {"summary": several[0], "references": several}
    elif "summary" in record:
        row["summary"] = record["summary"]
    return [row]


def check(row: Row) -> str | None:
    fault = texts(row, "document")
    if fault or "summary" not in row:
        return fault
    others = row.get("references", ())
    bad = [other for other in others if not isinstance(other, str) or not other.strip()]
    return texts(row, "summary") or ("field 'summaries' holds no text" if bad else shape(row))


# The hub converted this data set's loading script to files on a branch of its own; there is no
# commit to pin that anybody has published, so a grid that must not move gives `Hub.revisions`.
GIGAWORD = Task(
    name="gigaword",
    title="Gigaword",
    group="generation",
    folder="gigaword",
    ask=ask,
    metrics=rouge.rouges(HEADLINE),
    styles=("seq2seq",),
    takes={"profile": summary.PROFILE},
    check=check,
    names=pair_names("gigaword_test"),
    read=partial(pairs, source="document", target="summary"),
    rows=rows,
    label="summary",
    hub=OnHub("Harvard/gigaword", "", "refs/convert/parquet", rows),
    counts={"train": 3_803_957, "dev": 189_651, "test": 1_951},
    profiles=rouge.PROFILES,
    notes=summary.notes,
)
