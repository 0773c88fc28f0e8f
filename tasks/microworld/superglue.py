"""Rows of the eight SuperGLUE tasks in the official field names, in groups of twins.

Every maker takes a dial and returns a group: a few rows that hold the same words (from level 2 on,
but for WSC's level 3) and have different answers. `idx` is given by the writer, with the group and
the level, and the writer removes the labels from test rows (`unlabelled`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from tasks.microworld import attitudes, causes, senses
from tasks.microworld.lexicon import Cast, capital, pick
from tasks.microworld.passages import LEVELS, Dial, around, passage
from tasks.microworld.scenes import FAMILIES, WITH_PEOPLE, Ask, Fact, aside, mood

Row = dict[str, Any]


def boolq(cast: Cast, dial: Dial) -> list[Row]:
    rng = cast.rng
    told = passage(cast, pick(rng, FAMILIES[dial.level]), dial)
    ask = pick(rng, told.scene.asks)
    subject = pick(rng, (ask.answer, ask.other))
    question, truth = ask.says("yes_no", subject), subject == ask.answer
    return [
        {"question": question, "passage": text, "label": truth ^ twin}
        for text, twin in ((told.text, False), (told.twin, True))
    ]


def rte(cast: Cast, dial: Dial) -> list[Row]:
    rng = cast.rng
    told = passage(cast, pick(rng, FAMILIES[dial.level]), dial)
    ask = pick(rng, told.scene.asks)
    subject = pick(rng, (ask.answer, ask.other))
    hypothesis = capital(ask.says("statement", subject)) + "."
    labels = ["entailment", "not_entailment"][:: 1 if subject == ask.answer else -1]
    return [
        {"premise": text, "hypothesis": hypothesis, "label": label}
        for text, label in zip((told.text, told.twin), labels)
    ]


def cb(cast: Cast, dial: Dial) -> list[Row]:
    held = attitudes.beliefs(cast, dial.level)
    after = [aside(cast, "lying").sentence for _ in range(dial.distance)]
    return [
        {
            "premise": " ".join([held.text(turn), *after]),
            "hypothesis": held.hypothesis,
            "label": held.label(turn),
        }
        for turn in range(3)
    ]


def copa(cast: Cast, dial: Dial) -> list[Row]:
    rng, question = cast.rng, pick(cast.rng, ("cause", "effect"))
    distance = dial.distance if dial.level > 1 else 0  # one sentence and what comes of it
    between = [aside(cast, "owned").sentence for _ in range(distance)]
    case = causes.case(cast, dial.level, question, between)
    order = (0, 1) if rng.random() < 0.5 else (1, 0)
    return [
        {
            "premise": case.premises[right],
            "choice1": case.choices[order[0]],
            "choice2": case.choices[order[1]],
            "question": question,
            "label": order.index(right),
        }
        for right in (0, 1)
    ]


def wic(cast: Cast, dial: Dial) -> list[Row]:
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


def wsc(cast: Cast, dial: Dial) -> list[Row]:
    between = [mood(cast).sentence for _ in range(dial.distance)]
    case = causes.pronoun(cast, dial.level, between)
    asked = int(cast.rng.random() * 2)
    phrase = (case.x, case.y)[asked]
    rows = []
    for meant, (text, pronoun) in enumerate(zip(case.texts, case.pronouns)):
        words = text.split()
        last = text.rindex(". ", 0, -1) + 2 if ". " in text else 0  # where its sentence begins
        start = text.lower().index(phrase.lower(), last)
        target = {
            "span1_index": len(text[:start].split()),
            "span1_text": text[start : start + len(phrase)],
            "span2_index": words.index(pronoun, len(text[:last].split())),
            "span2_text": pronoun,
        }
        rows.append({"text": text, "target": target, "label": meant == asked})
    return rows


def _answers(cast: Cast, ask: Ask) -> list[Row]:
    """Two to four answers, half of them right: a short and a long form of either candidate."""
    rng = cast.rng
    forms = ["short", "long"] if rng.random() < 0.7 else [pick(rng, ("short", "long"))]
    if ask.statement == "{}":  # its short form is its long one
        forms = ["long"]
    rows = []
    for who in (ask.answer, ask.other):
        for form in forms:
            text = who if form == "short" else capital(ask.says("statement", who))
            rows.append({"text": text, "label": int(who == ask.answer)})
    rng.shuffle(rows)
    return rows


def multirc(cast: Cast, dial: Dial) -> list[Row]:
    """Two scenes of a level, a question about each; both are exchanged in the twin."""
    rng = cast.rng
    families = FAMILIES[dial.level]
    chosen = rng.sample(families, 2) if len(families) > 1 else families * 2
    scenes = [family(cast) for family in chosen]
    asked = [(ask, _answers(cast, ask)) for ask in (pick(rng, s.asks) for s in scenes)]
    before, after, _ = around(cast, scenes[0].kind, dial)
    rows = []
    for twin in (False, True):
        text = " ".join([*before, *(scene.text(twin) for scene in scenes), *after])
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


def record(cast: Cast, dial: Dial) -> list[Row]:
    rng = cast.rng
    if dial.level == 1:
        return _person_or_town(cast)
    told = passage(cast, pick(rng, WITH_PEOPLE[dial.level]), dial)
    ask = pick(rng, [ask for ask in told.scene.asks if ask.person])
    mark: Fact = aside(cast, told.scene.kind)
    names = sorted({*told.people, *mark.people})
    return [
        _cloze(f"{text}\n@highlight\n{mark.sentence}", names, ask.cloze("@placeholder"), answer)
        for text, answer in ((told.text, ask.answer), (told.twin, ask.other))
    ]


def _person_or_town(cast: Cast) -> list[Row]:
    """One person, one town and two queries: which of the two a query wants, its words say."""
    name, town, job = cast.person().name, cast.town(), cast.job()
    text = f"{name} is a {job} in {town}."
    return [
        _cloze(text, sorted((name, town)), query, answer)
        for query, answer in (
            (f"@placeholder is a {job} in {town}.", name),
            (f"{name} is a {job} in @placeholder.", town),
        )
    ]


def _cloze(passage: str, names: list[str], query: str, answer: str) -> Row:
    """A row of ReCoRD: every place of every name is an entity."""
    entities = [
        {"start": s["start"], "end": s["end"]} for name in names for s in spans(passage, name)
    ]
    entities.sort(key=lambda e: e["start"])
    return {
        "source": "Microworld",
        "passage": {"text": passage, "entities": entities},
        "qas": [{"query": query, "answers": spans(passage, answer)}],
    }


MAKERS: dict[str, Callable[[Cast, Dial], list[Row]]] = {
    "CB": cb,
    "COPA": copa,
    "RTE": rte,
    "WiC": wic,
    "WSC": wsc,
    "MultiRC": multirc,
    "BoolQ": boolq,
    "ReCoRD": record,
}
# WiC has no other: a sense is what a word goes with.
HAS: dict[str, tuple[int, ...]] = {name: (1,) if name == "WiC" else LEVELS for name in MAKERS}


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
