"""Rows of the eight SuperGLUE tasks in the official field names, in groups of twins.

Every maker returns a few rows that hold the same words and have different answers. `idx` is given
by the writer, and the writer removes the labels from test rows (`unlabelled`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from tasks.microworld import attitudes, senses
from tasks.microworld.causes import happenings, pronoun
from tasks.microworld.lexicon import Cast, capital, pick
from tasks.microworld.scenes import WITH_PEOPLE, Ask, Scene, two

Row = dict[str, Any]


def _passages(cast: Cast, one: Scene, other: Scene) -> tuple[str, str]:
    """The text of two scenes and its twin, where the first scene's twin takes its place."""
    first = cast.rng.random() < 0.5
    pair = []
    for twin in (False, True):
        parts = (one.text(twin), other.text())
        pair.append(" ".join(parts if first else parts[::-1]))
    return pair[0], pair[1]


def boolq(cast: Cast) -> list[Row]:
    rng, (one, other) = cast.rng, two(cast)
    ask = pick(rng, one.asks)
    question = ask.says("yes_no", pick(rng, (ask.answer, ask.other)))
    truth = question == ask.says("yes_no", ask.answer)
    texts = _passages(cast, one, other)
    return [
        {"question": question, "passage": text, "label": truth == (text == texts[0])}
        for text in texts
    ]


def rte(cast: Cast) -> list[Row]:
    rng, (one, other) = cast.rng, two(cast)
    ask = pick(rng, one.asks)
    subject = pick(rng, (ask.answer, ask.other))
    hypothesis = capital(ask.says("statement", subject)) + "."
    labels = ["entailment", "not_entailment"][:: 1 if subject == ask.answer else -1]
    return [
        {"premise": text, "hypothesis": hypothesis, "label": label}
        for text, label in zip(_passages(cast, one, other), labels)
    ]


def cb(cast: Cast) -> list[Row]:
    held = attitudes.beliefs(cast)
    clause = int(cast.rng.random() * 3)
    return [
        {
            "premise": held.text(turn),
            "hypothesis": held.clauses[clause],
            "label": held.label(clause, turn),
        }
        for turn in range(3)
    ]


def copa(cast: Cast) -> list[Row]:
    rng, (one, two_) = cast.rng, happenings(cast)
    question = pick(rng, ("cause", "effect"))
    premises, choices = ("cause", "effect") if question == "effect" else ("effect", "cause")
    pair = (one, two_) if rng.random() < 0.5 else (two_, one)
    return [
        {
            "premise": getattr(pair[label], premises),
            "choice1": getattr(pair[0], choices),
            "choice2": getattr(pair[1], choices),
            "question": question,
            "label": label,
        }
        for label in (0, 1)
    ]


def wic(cast: Cast) -> list[Row]:
    word = pick(cast.rng, tuple(senses.SENSES))
    rows = []
    for same in (True, False):
        one, other = senses.pair(cast, same, word)
        rows.append(
            {
                "word": word,
                "sentence1": one.sentence,
                "sentence2": other.sentence,
                "start1": one.start,
                "end1": one.end,
                "start2": other.start,
                "end2": other.end,
                "label": same,
                "version": 1.1,
            }
        )
    return rows


def wsc(cast: Cast) -> list[Row]:
    case = pronoun(cast)
    party = cast.rng.random() < 0.5
    rows = []
    for second in (False, True):
        text = case.sentence(second)
        phrase = case.y if party else case.x
        start = text.lower().index(phrase.lower())
        span = text[start : start + len(phrase)]
        target = {
            "span1_index": len(text[:start].split()),
            "span1_text": span,
            "span2_index": text.split().index(case.pronoun),
            "span2_text": case.pronoun,
        }
        rows.append({"text": text, "target": target, "label": second == party})
    return rows


def _answers(cast: Cast, ask: Ask) -> list[Row]:
    """Two to four answers, half of them right: a short and a long form of either candidate."""
    rng = cast.rng
    forms = ["short", "long"] if rng.random() < 0.7 else [pick(rng, ("short", "long"))]
    rows = []
    for who in (ask.answer, ask.other):
        for form in forms:
            text = who if form == "short" else capital(ask.says("statement", who))
            rows.append({"text": text, "label": int(who == ask.answer)})
    rng.shuffle(rows)
    return rows


def multirc(cast: Cast) -> list[Row]:
    one, other = two(cast)
    first = cast.rng.random() < 0.5
    asked = [(ask, _answers(cast, ask)) for ask in (pick(cast.rng, s.asks) for s in (one, other))]
    rows = []
    for twin in (False, True):
        text = " ".join((one.text(twin), other.text(twin))[:: 1 if first else -1])
        questions = [
            {
                "question": capital(ask.wh) + "?",
                "answers": [{**a, "label": a["label"] ^ twin} for a in answers],
            }
            for ask, answers in asked
        ]
        rows.append({"version": 1.1, "passage": {"text": text, "questions": questions}})
    return rows


def spans(text: str, name: str) -> list[Row]:
    """Where a name stands in a text, ends inclusive as in the official ReCoRD files."""
    found, start = [], text.find(name)
    while start >= 0:
        found.append({"start": start, "end": start + len(name) - 1, "text": name})
        start = text.find(name, start + len(name))
    return found


def record(cast: Cast) -> list[Row]:
    rng, (one, other) = cast.rng, two(cast, WITH_PEOPLE)
    asks = [ask for ask in one.asks if ask.person]
    ask = pick(rng, asks)
    bullets = [pick(rng, other.asks)]
    rows = []
    for text, twin in zip(_passages(cast, one, other), (False, True)):
        marks = "".join(f"\n@highlight\n{b.cloze(b.answer)}" for b in bullets)
        passage = text + marks
        names = sorted(set(one.people + other.people))
        entities = [
            {"start": s["start"], "end": s["end"]} for name in names for s in spans(passage, name)
        ]
        entities.sort(key=lambda e: e["start"])
        answer = ask.other if twin else ask.answer
        query = {"query": ask.cloze("@placeholder"), "answers": spans(passage, answer)}
        rows.append(
            {
                "source": "Microworld",
                "passage": {"text": passage, "entities": entities},
                "qas": [query],
            }
        )
    return rows


MAKERS: dict[str, Callable[[Cast], list[Row]]] = {
    "CB": cb,
    "COPA": copa,
    "RTE": rte,
    "WiC": wic,
    "WSC": wsc,
    "MultiRC": multirc,
    "BoolQ": boolq,
    "ReCoRD": record,
}


def number(task: str, rows: list[Row]) -> Iterator[Row]:
    """The rows with the official `idx` fields, nested ones included."""
    questions = answers = 0
    for idx, row in enumerate(rows):
        if task == "MultiRC":
            for question in row["passage"]["questions"]:
                question["idx"], questions = questions, questions + 1
                for answer in question["answers"]:
                    answer["idx"], answers = answers, answers + 1
        if task == "ReCoRD":
            for query in row["qas"]:
                query["idx"], questions = questions, questions + 1
        yield {**row, "idx": idx}


def unlabelled(task: str, row: Row) -> Row:
    """The row as an official test file has it: without labels and answers."""
    row = {key: value for key, value in row.items() if key != "label"}
    if task == "MultiRC":
        questions = [
            {**q, "answers": [{"text": a["text"], "idx": a["idx"]} for a in q["answers"]]}
            for q in row["passage"]["questions"]
        ]
        row["passage"] = {**row["passage"], "questions": questions}
    if task == "ReCoRD":
        row["qas"] = [{"query": q["query"], "idx": q["idx"]} for q in row["qas"]]
    return row


def units(task: str, row: Row) -> list[str]:
    """The passages and questions of a row: the texts that must occur nowhere else."""
    if task == "MultiRC":
        passage = row["passage"]
        return [passage["text"], *(q["question"] for q in passage["questions"])]
    if task == "ReCoRD":
        bodies = row["passage"]["text"].split("\n@highlight\n")
        return [*bodies, *(q["query"] for q in row["qas"])]
    fields = {
        "CB": ("premise", "hypothesis"),
        "COPA": ("premise",),
        "RTE": ("premise", "hypothesis"),
        "WiC": ("sentence1", "sentence2"),
        "WSC": ("text",),
        "BoolQ": ("passage", "question"),
    }
    return [row[field] for field in fields[task]]
