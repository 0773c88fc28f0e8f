"""A blind question is asked about another passage; all else of it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import TASKS
from tasks.blind import blinded
from tasks.errors import UserError
from tasks.microworld.write import Sizes, write
from tasks.source.folder import Folder
from tasks.source.rows import load
from tasks.spec import How, Row

PASSAGES = {
    "rte": "premise",
    "cb": "premise",
    "copa": "premise",
    "boolq": "passage",
    "multirc": "passage",
    "record": "passage",
    "wic": "sentence1",
    "wsc": "text",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The built-in world's files."""
    path = tmp_path_factory.mktemp("world")
    write(path, seed=0, documents=20, sizes=Sizes().scaled(0.05))
    return Folder(str(path))


def rte(premises: list[str]) -> list[Row]:
    """A row for every premise."""
    return [
        {"id": str(n), "premise": text, "hypothesis": f"h{n}", "label": "entailment"}
        for n, text in enumerate(premises)
    ]


@given(st.lists(st.text(min_size=1), unique=True, min_size=2, max_size=30), st.integers(0, 9))
def test_passages_are_permuted_and_none_stays_where_it_was(premises: list[str], seed: int):
    rows = rte(premises)
    blind = blinded(TASKS["rte"], rows, seed)
    assert sorted(row["premise"] for row in blind) == sorted(premises)
    for before, after in zip(rows, blind, strict=True):
        assert after["premise"] != before["premise"]
        assert {**after, "premise": before["premise"]} == before
    assert blinded(TASKS["rte"], rows, seed) == blind


@pytest.mark.parametrize("name", PASSAGES)
@pytest.mark.parametrize("train", [True, False])
def test_every_superglue_task_can_be_asked_blind(world: Folder, name: str, train: bool):
    task = TASKS[name]
    rows = load(task, "train", world).rows
    blind = blinded(task, rows, 0)
    texts = {task.cluster(row): row[PASSAGES[name]] for row in rows}
    kept = sum(row[PASSAGES[name]] == texts[task.cluster(row)] for row in blind)
    assert kept < len(rows) / 10  # the world may say one thing twice
    for style in ("cloze", "classifier"):
        how = How(style, train)
        asked = [question for row in rows for question in task.ask(row, how)]
        unseen = [question for row in blind for question in task.ask(row, how)]
        assert [q.id for q in unseen] == [q.id for q in asked]
        assert [q.gold for q in unseen] == [q.gold for q in asked]  # type: ignore[union-attr]
        if style == "cloze":
            assert [q.candidates for q in unseen] == [q.candidates for q in asked]  # type: ignore[union-attr]


def test_one_passage_alone_cannot_be_withheld():
    with pytest.raises(UserError, match="two passages at least"):
        blinded(TASKS["rte"], rte(["only"]), 0)
    with pytest.raises(UserError, match="no passage"):
        blinded(TASKS["gigaword"], [], 0)
