"""Prompts with examples, as text: which rows are shown, in which order, and how written."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import TASKS, shots
from tasks.errors import UserError
from tasks.spec import Blank, Cloze, Generate, How, Part, questions

TREE = {"premise": "Ann bought two hats.", "label": "not_entailment", "id": "0"}
ROWS = [
    {"premise": f"Ann has {n} hats.", "hypothesis": f"Ann has {n} hats", "label": y, "id": str(n)}
    for n, y in enumerate(["entailment", "not_entailment"] * 6)
]
RTE = TASKS["rte"]


def test_a_shot_is_its_question_with_the_right_answer_in_the_blank():
    (shot,) = shots.drawn(RTE, [{**TREE, "hypothesis": "Ann paid."}], How(), 1, 0)
    assert shot == '"Ann paid" ? No, "Ann bought two hats."'
    first = Cloze("1", (Blank(), Part(" is red.")), ("the hat", "a cat"), (1,))
    assert shots.filled(first) == "a cat is red."


def test_shots_stand_before_the_question_with_an_empty_line_between():
    (asked,) = questions(RTE, ROWS[0], How())
    assert isinstance(asked, Cloze)
    prompt = shots.prompted(asked, ("first", "second"))
    text = "".join("[MASK]" if isinstance(part, Blank) else part.text for part in prompt.text)
    assert text == 'first\n\nsecond\n\n"Ann has 0 hats" ?[MASK], "Ann has 0 hats."'
    assert (prompt.candidates, prompt.gold) == (asked.candidates, asked.gold)


@given(st.integers(0, 12), st.integers(0, 50))
def test_a_seed_draws_different_rows_and_their_order(count: int, seed: int):
    drawn = shots.drawn(RTE, ROWS, How(), count, seed)
    assert drawn == shots.drawn(RTE, ROWS, How(), count, seed)
    assert len(set(drawn)) == count
    # More shots are the same ones and others after them.
    assert drawn == shots.drawn(RTE, ROWS, How(), 12, seed)[:count]


def test_every_row_comes_first_about_as_often():
    first = Counter(shots.drawn(RTE, ROWS, How(), 1, seed)[0] for seed in range(1200))
    assert len(first) == 12 and min(first.values()) > 60


def test_a_row_without_an_answer_is_no_shot_and_too_few_are_said():
    unlabelled = [{k: v for k, v in row.items() if k != "label"} for row in ROWS[:10]]
    assert len(shots.drawn(RTE, unlabelled + ROWS[10:], How(), 2, 0)) == 2
    with pytest.raises(UserError, match="RTE: 3 shots were asked for, and 2 training rows"):
        shots.drawn(RTE, unlabelled + ROWS[10:], How(), 3, 0)


def test_a_question_without_a_blank_is_refused_and_not_left_out():
    with pytest.raises(UserError, match="question 7 is no cloze but a Generate"):
        shots.prompted(Generate("7", (Blank(),)), ("first",))


def test_a_task_that_trains_on_a_row_twice_shows_it_once():
    row = {"premise": "It rained.", "choice1": "Ann got wet.", "choice2": "Ann sang.", "id": "0",
           "question": "effect", "label": 0}  # fmt: skip
    (shot,) = shots.drawn(TASKS["copa"], [row], How(), 1, 0)
    assert shot == '"ann got wet" or "ann sang"? It rained, so ann got wet.'
    with pytest.raises(UserError, match="2 shots"):
        shots.drawn(TASKS["copa"], [row], How(), 2, 0)
