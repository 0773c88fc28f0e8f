r"""ReCoRD: which entity of a news passage belongs into a gap of a query?

    {"idx": 0, "passage": {"text": "Ann Lee met Bob in Paris.\n@highlight\nBob likes tea",
                           "entities": [{"start": 0, "end": 6}, {"start": 12, "end": 14}, ...]},
     "qas": [{"idx": 0, "query": "After the meeting @placeholder flew home to Paris",
              "answers": [{"start": 0, "end": 6, "text": "Ann Lee"}]}]}

    Ann Lee met Bob in Paris.
    - Bob likes tea After the meeting [MASK] flew home to Paris          Ann Lee | Bob | Paris

A row is one query (id PASSAGE-QUERY). Evaluation scores all distinct entities, in sorted order;
training has one question per right answer, with at most nine wrong entities drawn for it.
"""

import random
import re
from collections.abc import Mapping
from typing import Any

from tasks.blind import swapped
from tasks.metrics import RECORD as RECORD_METRICS
from tasks.metrics import RECORD_ASCII
from tasks.source.faults import identity, require, shape, texts, visible
from tasks.spec import Classify, Cloze, How, Part, Question, Row, Task, Text
from tasks.superglue.official import on_hub
from tasks.wording import BLANK, cut, require_pattern, write

PLACEHOLDER = "@placeholder"
MOST_CANDIDATES = 10  # in training


def ask(row: Row, how: How) -> list[Question]:
    """One question; in training one per right answer that has a wrong entity beside it."""
    require_pattern("ReCoRD", how, RECORD.patterns)
    put = _classified if how.style == "classifier" else _cloze
    if not how.train:
        entities, answers = tuple(row["entities"]), row.get("answers", ())
        gold = tuple(index for index, entity in enumerate(entities) if entity in answers)
        return [put(row, row["id"], entities, gold)]
    questions: list[Question] = []
    for index, answer in enumerate(row["answers"]):
        wrong = [entity for entity in row["entities"] if entity not in row["answers"]]
        # A string seeds by its SHA-512: the draw depends on the row alone, not on the file's order.
        random.Random(f"{how.seed}/{row['id']}/{index}").shuffle(wrong)
        candidates = (answer, *wrong[: MOST_CANDIDATES - 1])
        if wrong:
            questions.append(put(row, f"{row['id']}-{index}", candidates, (0,)))
    return questions


def _passage(row: Row) -> Part:
    return cut(row["passage"].replace("@highlight\n", "- "))


def _cloze(row: Row, id: str, candidates: tuple[str, ...], gold: tuple[int, ...]) -> Cloze:
    """Only the passage may be shortened. Of two placeholders the first is the gap."""
    before, _, after = row["query"].partition(PLACEHOLDER)
    text = write(_passage(row), " " + before.rstrip(), BLANK, after)
    references = tuple(row.get("answers", ()))
    return Cloze(id, text, candidates, gold, group=row["id"], references=references)


def _classified(row: Row, id: str, candidates: tuple[str, ...], gold: tuple[int, ...]) -> Classify:
    """One logit per entity, each read at the end of the query."""
    a = write(_passage(row))
    inputs = tuple(a + write(row["query"], f" {one}", side="b") for one in candidates)
    references = tuple(row.get("answers", ()))
    return Classify(
        id, inputs, labels=candidates, gold=gold, group=row["id"], references=references
    )


def rows(record: Mapping[str, Any]) -> list[Row]:
    """A passage of the official file -> a row per query. Raises `BadRow`."""
    require(shape(record, passage=dict, qas=list))
    passage, first = record["passage"], identity(record)
    require(shape(passage, text=str, entities=list))
    entities = sorted({_span(passage["text"], entity) for entity in passage["entities"]})
    found: list[Row] = []
    for query in record["qas"]:
        require(None if isinstance(query, dict) else f"a query is no object: {query!r}")
        row = {"id": f"{first}-{identity(query)}", "passage": passage["text"]}
        row |= {"query": query.get("query"), "entities": entities}
        if "answers" in query:
            require(shape(query, answers=list))
            spans = {_span(passage["text"], answer) for answer in query["answers"]}
            row["answers"] = sorted(spans)
        found.append(row)
    require(None if found else "a passage without queries")
    return found


def _span(text: str, span: Any) -> str:
    """The text of a span; its `end` is its last character. Raises `BadRow`."""
    require(None if isinstance(span, dict) else f"a span is no object: {span!r}")
    require(shape(span, start=int, end=int))
    start, end = span["start"], span["end"] + 1
    found = text[start:end] if 0 <= start < end <= len(text) else ""
    require(None if visible(found) else f"span is not in its text: {span!r}")
    if span.get("text", found) != found:
        require(f"span is not in its text: {span['text']!r}, where the passage has {found!r}")
    return found


def hub_rows(record: Mapping[str, Any]) -> list[Row]:
    """The hub has a record per query already, and no answers in the test split."""
    require(shape(record, idx=dict, passage=str, entities=list, answers=list))
    idx = record["idx"]
    row = {"id": f"{identity(idx, 'passage')}-{identity(idx, 'query')}"}
    row |= {"passage": record["passage"], "query": record.get("query")}
    row |= {"entities": sorted(set(record["entities"]))}
    return [row | ({"answers": sorted(set(record["answers"]))} if record["answers"] else {})]


def check(row: Row) -> str | None:
    """The row's fault, or None."""
    if fault := texts(row, "passage", "query") or shape(row, entities=list):
        return fault
    if PLACEHOLDER not in row["query"]:
        return f"no placeholder: the query has no {PLACEHOLDER}"
    if not row["entities"]:
        return "no entities: the list is empty"
    if "answers" in row and not row["answers"]:
        return "no answers: the list is empty"
    unseen = [e for e in row["entities"] if not isinstance(e, str) or not visible(e)]
    if unseen:
        return f"an entity is no text: {unseen[0]!r}"
    absent = [e for e in (*row["entities"], *row.get("answers", ())) if e not in row["passage"]]
    return f"span is not in its text: {absent[0]!r}" if absent else None


def most_named(question: Question) -> int:
    """A floor's answer: the candidate that the passage names most often, of equals the first."""
    named = _named(question)
    return named.index(max(named))


def least_named(question: Question) -> int:
    """A floor's answer: the candidate that the passage names least often, of equals the first."""
    named = _named(question)
    return named.index(min(named))


def _named(question: Question) -> list[int]:
    """How often the passage names each candidate."""
    if isinstance(question, Classify):
        candidates, text = question.labels, _passage_of(question.inputs[0])
    elif isinstance(question, Cloze):
        candidates, text = question.candidates, _passage_of(question.text)
    else:
        raise TypeError(f"ReCoRD asks no {type(question).__name__}")
    return [len(re.findall(rf"(?<!\w){re.escape(one)}(?!\w)", text)) for one in candidates]


def _passage_of(text: Text) -> str:
    return "".join(part.text for part in text if isinstance(part, Part) and part.cut)


RECORD = Task(
    "record",
    "ReCoRD",
    group="superglue",
    folder="superglue/ReCoRD",
    ask=ask,
    levels=(1, 2, 3, 4),
    metrics=RECORD_METRICS,
    check=check,
    rows=rows,
    label="answers",
    hub=on_hub("record", hub_rows),
    counts={"train": 100730, "dev": 10000, "test": 10000},
    profiles={"reference": RECORD_ASCII},
    guesses={"most-named": most_named, "least-named": least_named},
    cluster=lambda row: row.get("twin", row["id"].rpartition("-")[0]),  # the passage
    notes=lambda how: f"wrong:9|seed:{how.seed}",
    withhold=swapped("passage"),
)
