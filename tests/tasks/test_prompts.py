"""What is asked stays as it is: the golden holds every prompt of every task, part by part.

A prompt that changes on purpose changes the golden in the same commit:

    python -m tests.tasks.test_prompts

A part is ["a", "its text", "end"]: its side, its text, the end that may be cut, and its mark if it
has one; a blank is ["a"].
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.spec import Blank, Classify, Cloze, Compare, Continue, Generate, Question, Text
from tests.tasks.prompts import asked

GOLDEN = Path(__file__).parent.parent / "golden" / "prompts.json"
WANTED: dict[str, list[dict[str, Any]]] = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}


def parts(text: Text) -> list[list[str | int]]:
    return [
        [p.side] if isinstance(p, Blank) else [p.side, p.text, p.cut, *[p.mark] * bool(p.mark)]
        for p in text
    ]


def rendered(question: Question) -> dict[str, Any]:
    """A question as JSON."""
    match question:
        case Cloze():
            facts = {"text": parts(question.text), "candidates": list(question.candidates)}
            return facts | {"loss": question.loss, "gold": list(question.gold)}
        case Classify():
            facts = {"inputs": list(map(parts, question.inputs)), "labels": list(question.labels)}
            return facts | {"gold": list(question.gold)}
        case Generate():
            return {"text": parts(question.text), "targets": list(question.targets)}
        case Compare():
            return {"texts": list(question.texts), "gold": list(question.gold)}
        case Continue():
            return {"context": question.context, "target": question.target, "mode": question.mode}


FOUND = {name: [rendered(q) for q in questions] for name, questions in asked().items()}


def test_the_golden_holds_every_way_of_asking_and_no_other() -> None:
    assert list(FOUND) == list(WANTED)


@pytest.mark.parametrize("name", FOUND)
def test_prompts_are_the_goldens(name: str) -> None:
    assert FOUND[name] == WANTED[name]


def write() -> None:
    """Make the golden what is asked now: a question a line, so that a change reads well."""
    lines = [
        f" {json.dumps(name)}: [\n"
        + ",\n".join("  " + json.dumps(question, ensure_ascii=False) for question in questions)
        + ("\n ]" if questions else "]")
        for name, questions in FOUND.items()
    ]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
