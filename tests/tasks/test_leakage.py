"""Rows that occur in what was read are found to the last one, and no others are."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import TASKS
from tasks.leakage import SHARE, N, apart, document, index, telling
from tasks.microworld.write import Sizes, write
from tasks.source.folder import Folder
from tasks.source.rows import load

WORDS = [f"w{n}" for n in range(6)]  # few, so that phrases repeat
TEXT = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
ROWS = st.lists(st.fixed_dictionaries({"a": TEXT, "b": TEXT}), max_size=6)


def by_definition(row: dict[str, Any], text: str) -> bool:
    """Whether a row occurs in a document, by sets of n-grams."""
    every = [value.split() for name, value in row.items() if name != "id"]
    told = [words for words in every if len(words) > 1]
    told = told or [joined] if (joined := [w for words in every for w in words]) else told
    if not told:
        return False
    words = text.split()
    for unit in told:
        size = min(N, len(unit))
        there = {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}
        wanted = {tuple(unit[i : i + size]) for i in range(len(unit) - size + 1)}
        if len(wanted & there) < SHARE * len(wanted) - 1e-9:
            return False
    return True


@settings(max_examples=150, deadline=None)
@given(ROWS, st.lists(TEXT, max_size=6), st.integers(1, 200), st.data())
def test_what_is_found_is_what_the_definition_says(rows, texts, chunk, data):
    if rows and data.draw(st.booleans()):  # some rows are really there
        texts = [*texts, document(data.draw(st.sampled_from(rows)))]
    found = index(rows).search(texts, chunk)
    expected = [
        (n, next(d for d, text in enumerate(texts) if by_definition(row, text)))
        for n, row in enumerate(rows)
        if any(by_definition(row, text) for text in texts)
    ]
    assert [(each.row, each.document) for each in found] == expected


def prose(rng: random.Random, words: int) -> str:
    """Text that says nothing twice."""
    return " ".join(f"{rng.choice('bcdfgh')}{rng.randrange(10**6)}" for _ in range(words))


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_one_row_in_a_hundred_is_found_and_no_other(seed: int, words: int):
    rng = random.Random(seed)
    rows = [{"id": str(n), "p": prose(rng, words), "h": prose(rng, 3)} for n in range(300)]
    documents = [prose(rng, rng.randrange(200)) for _ in range(40)]
    leaked = sorted(rng.sample(range(300), 3))
    for n in leaked:  # in the middle of other text, in another order and layout
        at = rng.randrange(len(documents))
        whole = f"{rows[n]['h'].upper()}!\n\n“{rows[n]['p'].replace(' ', ', ')}”"
        documents[at] = f"{documents[at]} {whole} {prose(rng, 5)}"
    assert [each.row for each in index(rows).search(documents)] == leaked


def test_a_passage_without_its_question_is_no_row():
    passage, question = " ".join(f"p{n}" for n in range(60)), "q0 q1 q2 q3 q4 q5"
    rows = [{"id": "0", "passage": passage, "question": question, "label": True}]
    search = index(rows).search
    assert not search([passage, question])
    assert search([f"{passage}\n{question}"])
    assert search([f"{passage[:-4]} {question}"])  # most of it
    assert not search([f"{' '.join(passage.split()[:40])} {question}"])


@pytest.mark.parametrize(
    "changed",
    [
        "The CAT, sat on; the “mat” today!",
        "the cat sat\non the\tmat today",
        "ｔｈｅ cat sat on the mat — today",
        '{"text": "the cat sat on the mat today"}',
    ],
)
def test_layout_case_and_punctuation_hide_nothing(changed: str):
    assert index([{"id": "0", "text": "The cat sat on the mat today."}]).search([changed])


def test_a_row_is_told_by_what_it_asks():
    row = {
        "id": "a row",
        "title": "Of Places",
        "word": "place",
        "s": "My place!",
        "label": "not so",
    }
    assert telling(row, apart(TASKS["rte"])) == [b"my place"]
    assert telling({"id": "7", "word": "place", "other": "here"}) == [b"place here"]
    assert telling({"id": "7", "label": True}) == []
    assert index([]).search(["anything"]) == index([{"id": "7"}]).search(["anything"]) == []


def test_nothing_crosses_from_one_document_into_the_next():
    row = {"id": "0", "text": "a b c d e f"}
    assert not index([row]).search(["a b c", "d e f"])


# ---- the built-in world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write(path, seed=0, documents=1500, sizes=Sizes().scaled(0.25))
    return path


HERE = [name for name, task in TASKS.items() if "train" in task.names and name != "wikitext"]


@pytest.mark.parametrize("name", HERE)
def test_the_built_in_world_is_clean_and_what_is_put_in_is_found(world: Path, name: str):
    task, source = TASKS[name], Folder(str(world))
    split = "dev" if "dev" in task.names else "test"
    rows, train = load(task, split, source).rows, load(task, "train", source).rows
    with (world / "corpus/train.jsonl").open() as lines:
        corpus = [json.loads(line)["text"] for line in lines]
    look = index(rows, apart(task))
    read = [document(row) for row in train]
    assert not look.search(read) and not look.search(corpus)
    rng = random.Random(name)
    leaked = rng.sample(range(len(rows)), max(1, len(rows) // 100))
    # One answer of MultiRC's may stand in the passage, or in another one to the same question.
    alike = {each.row for each in look.search([document(rows[n]) for n in leaked])}
    assert alike >= set(leaked) and len(alike) <= 4 * len(leaked)
    for texts in (read, corpus):
        for n in leaked:
            texts.insert(rng.randrange(len(texts)), document(rows[n]))
        assert {each.row for each in look.search(texts)} == alike
