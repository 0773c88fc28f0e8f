"""Prompts with examples: rows of the training split, answered, before the question (Brown et al.,
2020, section 2).

    "A dog sleeps" ? No, "Ann bought two hats."
                                                    <- an empty line
    "Ann paid" ? [MASK], "Ann bought two hats."

A seed draws the rows and their order, the same for every question. A shot is in a prompt whole or
not at all: where there is no room for all of them, those farthest from the question are left out,
and the question itself is cut only once none is left.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from tasks.errors import UserError
from tasks.spec import Blank, Cloze, How, Part, Question, Row, Task, questions

SEPARATOR = "\n\n"
MOST = 64
WHOLE = "whole"  # the `Part.cut` of a shot


def drawn(task: Task, rows: Sequence[Row], how: How, count: int, seed: int) -> tuple[str, ...]:
    """The text of `count` answered training questions, in the order drawn.

    A row gives one question at most, as training asks it. Raises `UserError` where too few rows
    have an answer.
    """
    order = list(range(len(rows)))
    random.Random(f"shots/{seed}").shuffle(order)
    found: list[str] = []
    for i in order:
        if len(found) == count:
            break
        asked = (q for q in questions(task, rows[i], replace(how, train=True)))
        answered = next((q for q in asked if isinstance(q, Cloze) and q.gold), None)
        found += [filled(answered)] if answered is not None else []
    if len(found) < count:
        raise UserError(
            f"{task.title}: {count} shots were asked for, and {len(found)} training rows have an "
            "answer"
        )
    return tuple(found)


def filled(question: Cloze) -> str:
    """A question as text, with its right candidate in the blank."""
    text = ""
    for part in question.text:
        if isinstance(part, Blank):
            text = f"{text.rstrip()} {question.candidates[question.gold[0]].strip()}"
        else:
            text += part.text
    return text.strip()


def prompted(question: Question, shots: Sequence[str]) -> Cloze:
    """The question after its shots, each of which is a part that is there whole or not at all.

    Raises `UserError` for a question that has no blank with candidates.
    """
    if not isinstance(question, Cloze):
        raise UserError(
            f"question {question.id} is no cloze but a {type(question).__name__}, and shots come "
            "before a blank with candidates: leave out `shots`, or ask the task as a cloze"
        )
    before = tuple(Part(shot + SEPARATOR, cut=WHOLE) for shot in shots)
    return replace(question, text=before + question.text)
