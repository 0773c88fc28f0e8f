"""MultiRC: is this answer to a question about a passage right? (A question has several answers.)

    {"idx": 0, "passage": {"text": "Ann has a cat. It is red.", "questions": [{"idx": 0, "question":
     "What color is the cat?", "answers": [{"idx": 0, "text": "Red", "label": 1},
                                           {"idx": 1, "text": "Blue", "label": 0}]}]}}

    Ann has a cat. It is red. Question: What color is the cat? Is it Red? [MASK].          No | Yes

A row is one answer (id PASSAGE-QUESTION-ANSWER); answers to one question form a group.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.blind import swapped
from tasks.metrics import EXACT_GROUPS, F1A
from tasks.source.faults import identity, label, require, shape, texts
from tasks.spec import Cloze, How, Question, Row, Task, Text
from tasks.superglue.official import hub_label, on_hub
from tasks.wording import BLANK, bare, cut, gold, pair, require_pattern, write

GROUP = "question_id"
LABELS = (0, 1)
VERBALIZERS = ("No", "Yes")
TRUTH = ("False", "True")  # pattern 3


def ask(row: Row, how: How) -> list[Question]:
    """One question per answer; patterns 0 to 4."""
    require_pattern("MultiRC", how, MULTIRC.patterns)
    group = row[GROUP]
    if how.style == "classifier":
        b = write(row["question"], " answer: ", row["answer"], side="b")
        return [replace(pair(row, write(cut(row["passage"])), b, LABELS), group=group)]
    text = _patterns(bare(row["passage"]), bare(row["question"]), row["answer"])[how.pattern]
    words = TRUTH if how.pattern == 3 else VERBALIZERS
    return [Cloze(row["id"], text, words, gold(row, LABELS), verbalizer=True, group=group)]


def _patterns(passage: str, q: str, a: str) -> tuple[Text, ...]:
    """Only the passage may be shortened: a question cut off asks something else."""
    p = cut(passage)
    previous = f". Based on the previous passage, {q}?"
    return (
        write(p, f". Question: {q}? Is it {a}?", BLANK, "."),
        write(p, f'. Question: {q}? Is the correct answer "{a}"?', BLANK, "."),
        write(p, f'{previous} Is "{a}" a correct answer?', BLANK, "."),
        write(p, f" {q}- [", BLANK, f"] {a}"),
        write(p, f". Question: {q}? {a}?", BLANK, "."),
    )


def rows(record: Mapping[str, Any]) -> list[Row]:
    """A passage of the official file -> a row per answer. Raises `BadRow`."""
    require(shape(record, passage=dict))
    passage, first = record["passage"], identity(record)
    require(shape(passage, text=str, questions=list))
    found: list[Row] = []
    for question in passage["questions"]:
        require(
            None if isinstance(question, dict) else "a question is no object: " + repr(question)
        )
        require(shape(question, question=str, answers=list))
        question_id = f"{first}-{identity(question)}"
        for answer in question["answers"]:
            require(None if isinstance(answer, dict) else "an answer is no object: " + repr(answer))
            row = {"id": f"{question_id}-{identity(answer)}", GROUP: question_id}
            row |= {"passage": passage["text"], "question": question["question"]}
            row |= {"answer": answer["text"]} if "text" in answer else {}
            found.append(row | ({"label": answer["label"]} if "label" in answer else {}))
    require(None if found else "a passage without questions and answers")
    return found


def hub_rows(record: Mapping[str, Any]) -> list[Row]:
    """The hub has a record per answer already."""
    require(shape(record, idx=dict, paragraph=str, question=str, answer=str))
    idx = record["idx"]
    question_id = f"{identity(idx, 'paragraph')}-{identity(idx, 'question')}"
    row = {"id": f"{question_id}-{identity(idx, 'answer')}", GROUP: question_id}
    row |= {"passage": record["paragraph"]}
    row |= {"question": record["question"], "answer": record["answer"]}
    return [row | hub_label(record, LABELS)]


def check(row: Row) -> str | None:
    """The row's fault, or None. Some official answers are empty: they are answers."""
    return texts(row, "passage", "question") or shape(row, answer=str) or label(row, LABELS)


MULTIRC = Task(
    "multirc",
    "MultiRC",
    group="superglue",
    folder="superglue/MultiRC",
    ask=ask,
    metrics=(F1A, EXACT_GROUPS),
    levels=(1, 2, 3, 4),
    check=check,
    patterns=5,
    rows=rows,
    grouped_by=GROUP,
    hub=on_hub("multirc", hub_rows),
    counts={"train": 27243, "dev": 4848, "test": 9693},
    cluster=lambda row: row.get("twin", row["question_id"].rpartition("-")[0]),  # the passage
    withhold=swapped("passage"),
)
