"""SQuAD question generation: the question that an answer in a passage answers (Du et al., 2017).

    {"id": "56be4db0acb8001400a502ec", "title": "Super_Bowl_50", "context": "Super Bowl 50 was ...
     champion Denver Broncos defeated the ...", "question": "Which NFL team represented the AFC?",
     "answers": {"text": ["Denver Broncos"], "answer_start": [177]}}

    Super Bowl 50 was ... champion Denver Broncos defeated the ...
        Question: [MASK] Answer: Denver Broncos
    -> Which NFL team represented the AFC?

A passage that is too long loses words at whichever end is farther from the answer, so that a
window around the answer stays. (The GLM code starts its window half a window before the answer's
first occurrence; ours is centred on the marked occurrence and never wider than the room.) A
question with several distinct answers, as SQuAD's dev set has, is asked once for each.
"""

from collections.abc import Mapping
from typing import Any

from tasks.generation import bleu, caption, rouge
from tasks.generation.text_repair import spaced
from tasks.source.faults import identity, require, shape, texts, visible
from tasks.source.files import BadRow
from tasks.source.formats import squad
from tasks.spec import Blank, Generate, How, OnHub, Part, Question, Row, Task, Text

WORDS = "ptb-lower"


def ask(row: Row, how: How) -> list[Question]:
    """One question for each distinct answer."""
    answers = dict(reversed(list(zip(row["answers"]["text"], row["answers"]["answer_start"]))))
    distinct = list(dict.fromkeys(row["answers"]["text"]))
    wanted = spaced(row.get("question", ""))
    given = (wanted,) if wanted else ()
    return [
        Generate(
            row["id"] if len(distinct) == 1 else f"{row['id']}#{number}",
            text(row["context"], answer, answers[answer]),
            given,
            given,
        )
        for number, answer in enumerate(distinct, start=1)
    ]


def text(context: str, answer: str, start: int) -> Text:
    """The question's text. What comes before the answer may be cut at its start, what comes after
    at its end: the longer one first, since they are on different sides."""
    left, right = whole_words(context, start, start + len(answer))
    before, middle, after = context[:left], context[left:right], context[right:]
    parts = [
        Part(" " + spaced(before), cut="start"),
        Part(" " + spaced(middle)),
        Part(" " + spaced(after), cut="end", side="b"),
        Part(" Question:", side="b"),
        Blank(side="b"),
        Part(" Answer:", side="b"),
        Part(" " + spaced(answer), side="b"),
    ]
    return tuple(part for part in parts if isinstance(part, Blank) or part.text.strip())


def whole_words(context: str, start: int, end: int) -> tuple[int, int]:
    """The span widened to white space on both sides, so that no word is tokenised in two halves."""
    while start > 0 and not context[start - 1].isspace():
        start -= 1
    while end < len(context) and not context[end].isspace():
        end += 1
    return start, end


def rows(record: Mapping[str, Any]) -> list[Row]:
    """SQuAD's JSON, the hub's columns, or {"passage", "answer", "question"}; raises `BadRow`.

    A flat record without `answer_start` gets its answer's first occurrence.
    """
    row: dict[str, Any] = {"id": identity(record, "id"), "title": str(record.get("title", ""))}
    row["context"] = record.get("context", record.get("passage"))
    require(texts(row, "context"))
    if "question" in record:
        row["question"] = record["question"]
    given = record.get("answers")
    if isinstance(given, Mapping):
        row["answers"] = {name: list(given.get(name, ())) for name in ("text", "answer_start")}
    elif isinstance(given, list) and all(isinstance(one, Mapping) for one in given):
        row["answers"] = {
            name: [one.get(name) for one in given] for name in ("text", "answer_start")
        }
    elif isinstance(record.get("answer"), str):
        start = record.get("answer_start", row["context"].find(record["answer"]))
        row["answers"] = {"text": [record["answer"]], "answer_start": [start]}
    else:
        raise BadRow("field 'answers' is missing or not in SQuAD's layout")
    return [row]


def check(row: Row) -> str | None:
    fault = texts(row, "context", *(("question",) if "question" in row else ()))
    fault = fault or shape(row, answers=dict)
    answers, starts = (row.get("answers", {}).get(name, []) for name in ("text", "answer_start"))
    if fault or not answers or len(answers) != len(starts):
        return fault or "field 'answers' is empty or its lists differ in length"
    for answer, start in zip(answers, starts):
        if not isinstance(answer, str) or not visible(answer):
            return f"answer is no text: {answer!r}"
        if isinstance(start, bool) or not isinstance(start, int):
            return f"answer_start is no index: {start!r}"
        if start < 0 or row["context"][start : start + len(answer)] != answer:
            return f"span is not in its text: {answer[:40]!r} is not at character {start}"
    return None


def _names(*bases: str) -> tuple[tuple[str, ...], ...]:
    return tuple((base + end,) for end in (".json", ".jsonl") for base in bases)


SQUAD_QG = Task(
    name="squad_qg",
    title="SQuAD question generation",
    group="generation",
    folder="squad_qg",
    ask=ask,
    levels=(2, 3, 4),
    metrics=(bleu.tokenised_bleu("bleu4", WORDS), caption.meteor(), caption.rouge_l()),
    styles=("seq2seq",),
    check=check,
    names={
        "train": _names("train", "squad-train-v1.1", "train-v1.1"),
        "dev": _names("dev", "val", "dev-v1.1"),
        "test": _names("test"),
    },
    read=squad,
    rows=rows,
    label="question",
    # The hub has SQuAD's own two splits; the test set of Du et al. is a part of its train split.
    hub=OnHub(
        "rajpurkar/squad",
        "plain_text",
        "7b6d24c440a36b6815f21b70d25016731768db1f",
        rows,
        {"train": "train", "dev": "validation"},
    ),
    counts={"dev": 10_570},
    profiles={
        "sacrebleu": (bleu.sacre_bleu("bleu4"), bleu.sacre_bleu("bleu4-lc", lower=True)),
        "rouge-score": rouge.rouges(),
        "unilm": (bleu.tokenised_bleu("bleu4", "squad", lower=True),),
    },
)
