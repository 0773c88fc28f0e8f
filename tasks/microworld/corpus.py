"""Documents about the world: the text that a model is pretrained on.

A document follows a few people through short pieces (a scene of any level and what follows from it,
a cause and its effect, a pronoun, a word with two senses, beliefs, a sentence of `grammar`) and may
end with exercises: rows like those of the tasks, of all their levels, about other people, written
out with their answers. So the corpus states every regularity that the tasks ask for, in the words
in which they ask. Document `i` is a pure function of (seed, part, i, attempt).
"""

from collections.abc import Callable
from functools import partial
from random import Random

from tasks.microworld import grammar, senses
from tasks.microworld.attitudes import beliefs
from tasks.microworld.causes import happenings, pronoun
from tasks.microworld.lexicon import (
    MOODS,
    OPENINGS,
    WEATHER,
    Cast,
    Pool,
    capital,
    low,
    pick,
)
from tasks.microworld.passages import LEVELS, Mixture
from tasks.microworld.scenes import FAMILIES, Ask, Family
from tasks.microworld.superglue import HAS, MAKERS, Row

YES_NO = {True: "Yes", False: "No"}
LABEL_WORDS = {
    "entailment": ("Yes", "true"),
    "contradiction": ("No", "false"),
    "not_entailment": ("No", "false"),
    "neutral": ("Maybe", "neither"),
}
SO = ("So", "In other words,", "This means that", "Now we know that")
# Exercises are crowded like the tasks' rows, and a little shorter.
EXERCISES = Mixture(distance=(0, 0, 1, 2, 3), distractors=(0, 0, 1, 2))
_SCENES = tuple(family for level in LEVELS for family in FAMILIES[level])


def answer_line(cast: Cast, ask: Ask) -> str:
    """A question about a scene with its answer, in one of the forms of the tasks' patterns."""
    rng, form = cast.rng, int(cast.rng.random() * 6)
    if form == 0:
        return f"Question: {capital(ask.wh)}? Answer: {capital(ask.answer)}."
    if form == 1:
        return f"{capital(ask.wh)}? {ask.cloze(ask.answer)}"
    subject = pick(rng, (ask.answer, ask.other))
    truth = subject == ask.answer
    if form == 2:
        return f"Question: {ask.says('yes_no', subject)}? Answer: {YES_NO[truth]}."
    if form == 3:
        question = ask.says("yes_no", subject)
        return f"Based on the previous passage, {question}? {YES_NO[truth]}."
    if form == 4:
        return f"Question: {capital(ask.wh)}? Is it {subject}? {YES_NO[truth]}."
    return f"{capital(ask.says('yes_no', subject))}? {YES_NO[truth]}, {low(ask.cloze(ask.answer))}"


def scene_piece(cast: Cast, family: Family) -> str:
    scene = family(cast)
    ask = pick(cast.rng, scene.asks)
    text, draw = scene.text(), cast.rng.random()
    if draw < 0.35:
        return f"{text} {pick(cast.rng, SO)} {ask.says('statement', ask.answer)}."
    if draw < 0.55:
        return f"{text} {capital(ask.last.format(ask.answer))}."
    if draw < 0.9:
        return f"{text} {answer_line(cast, ask)}"
    return text


def cause_piece(cast: Cast) -> str:
    rng, (one,) = cast.rng, happenings(cast, count=1)
    cause, effect = one.cause[:-1], one.effect[:-1]
    draw = rng.random()
    if draw < 0.35:
        return f"{cause}, so {low(effect)}."
    if draw < 0.7:
        return f"{effect} because {cause}."
    return f"{cause}. So {low(effect)}." if draw < 0.85 else f"Why? {effect}, because {cause}."


def pronoun_piece(cast: Cast) -> str:
    rng = cast.rng
    case, k = pronoun(cast, pick(rng, LEVELS), []), int(rng.random() * 2)
    who, text = (case.x, case.y)[k], case.texts[k]
    draw = rng.random()
    if draw < 0.4:
        return f"{text} The pronoun '*{case.pronouns[k]}*' refers to {who}."
    follows = capital(case.follows[k])
    if draw < 0.7:
        return f"{text} {follows}."
    subject, verb, rest = (
        follows.partition(" was ") if " was " in follows else follows.partition(" is ")
    )
    return f"{text} Who or what {verb.strip()} {rest}? {subject}."


def sense_piece(cast: Cast) -> str:
    rng = cast.rng
    same = rng.random() < 0.5
    one, other = senses.pair(cast, same)
    draw = rng.random()
    if draw < 0.3:
        tail = "has the same meaning" if same else "does not have the same meaning"
        return f"{one.sentence} {other.sentence} The word {one.word} {tail} in both sentences."
    return f"{one.sentence} {other.sentence}"


def belief_piece(cast: Cast) -> str:
    rng, held = cast.rng, beliefs(cast, pick(cast.rng, LEVELS))
    turn = int(rng.random() * 3)
    follows = {
        "entailment": ("It is true that {}.", "So {}."),
        "contradiction": ("It is false that {}.", "But it is not true that {}."),
        "neutral": ("Maybe {}.", "Nobody knows whether {}."),
    }
    return f"{held.text(turn)} {pick(rng, follows[held.label(turn)]).format(held.hypothesis)}"


def filler(cast: Cast) -> str:
    rng = cast.rng
    if cast.regulars and rng.random() < 0.7:
        return f"{pick(rng, OPENINGS)}, {pick(rng, cast.regulars).name} was {pick(rng, MOODS)}."
    return pick(rng, WEATHER)


# How often a document takes a piece that is not a scene.
PIECES: tuple[tuple[Callable[[Cast], str], float], ...] = (
    (cause_piece, 0.28),
    (pronoun_piece, 0.2),
    (sense_piece, 0.17),
    (belief_piece, 0.17),
    (grammar.sentence, 0.18),
)


def piece(cast: Cast, families: list[Family]) -> str:
    """One piece of a document; scene families already told are left out."""
    draw = cast.rng.random()
    if draw < 0.55 and families:
        return scene_piece(cast, families.pop())
    draw = cast.rng.random()
    for make, share in PIECES:
        draw -= share
        if draw < 0:
            return make(cast)
    return filler(cast)


def exercise(cast: Cast, task: str) -> str:
    """A labelled row of a task, written out as text with its answer."""
    dial = EXERCISES.draw(cast.rng, int(cast.rng.random() * len(LEVELS)), HAS[task])
    row = pick(cast.rng, MAKERS[task](cast, dial))
    return RENDER[task](cast.rng, row)


def _pair(rng: Random, row: Row, options: str = "True or False?") -> str:
    premise, hypothesis = row["premise"], row["hypothesis"].rstrip(".")
    yes, true = LABEL_WORDS[row["label"]]
    if rng.random() < 0.7:
        return f'"{hypothesis}"? {yes}, "{premise}"'
    return f"{premise} question: {hypothesis} {options} answer: {true}"


def _boolq(rng: Random, row: Row) -> str:
    p, q, label = row["passage"], row["question"], YES_NO[row["label"]]
    if rng.random() < 0.6:
        return f"{p} Question: {q}? Answer: {label}."
    return f"Based on the following passage {q}? {label}. {p}"


def _copa(rng: Random, row: Row) -> str:
    one, two = (low(row[key])[:-1] for key in ("choice1", "choice2"))
    word = " because" if row["question"] == "cause" else ", so"
    chosen = (one, two)[row["label"]]
    return f'"{one}" or "{two}"? {row["premise"][:-1]}{word} {chosen}.'


def _wic(rng: Random, row: Row) -> str:
    one, two, word, label = row["sentence1"], row["sentence2"], row["word"], YES_NO[row["label"]]
    if rng.random() < 0.6:
        return f'"{one}" / "{two}" Similar sense of "{word}"? {label}.'
    return f"{one} {two} Does {word} have the same meaning in both sentences? {label}"


def _wsc(rng: Random, row: Row) -> str:
    text, target = row["text"], row["target"]
    words, at = text.split(), target["span2_index"]
    words[at] = f"*{words[at]}*"
    who = low(target["span1_text"])
    end = f"refers to {who}." if row["label"] else f"does not refer to {who}."
    return f"{' '.join(words)} The pronoun '*{target['span2_text']}*' {end}"


def _multirc(rng: Random, row: Row) -> str:
    question = pick(rng, row["passage"]["questions"])
    answer = pick(rng, question["answers"])
    text, q, label = row["passage"]["text"], question["question"], YES_NO[answer["label"] == 1]
    if rng.random() < 0.7:
        return f"{text} Question: {q} Is it {answer['text'].rstrip('.')}? {label}."
    return f'{text} Question: {q} Is the correct answer "{answer["text"]}"? {label}.'


def _record(rng: Random, row: Row) -> str:
    query = row["qas"][0]
    filled = query["query"].replace("@placeholder", query["answers"][0]["text"])
    return f"{row['passage']['text'].replace('@highlight', '- ').replace(chr(10), ' ')} {filled}"


RENDER: dict[str, Callable[[Random, Row], str]] = {
    "CB": partial(_pair, options="true, false or neither?"),
    "RTE": _pair,
    "BoolQ": _boolq,
    "COPA": _copa,
    "WiC": _wic,
    "WSC": _wsc,
    "MultiRC": _multirc,
    "ReCoRD": _record,
}
_TASKS = tuple(RENDER)


def document(seed: int, part: str, index: int, words: Pool, attempt: int = 0) -> dict[str, str]:
    """Document `index` of a part ("train" or "heldout"): id, title and text of about 100 words."""
    rng = Random(f"{seed}/{part}/{index}/{attempt}")
    cast = Cast(rng, words)
    cast.regulars = [cast.person() for _ in range(2 + int(rng.random() * 2))]
    families = rng.sample(_SCENES, 6)
    pieces = []
    exercises = pick(rng, (0, 0, 1, 1, 2))
    for _ in range(3 - exercises // 2 + int(rng.random() * 2)):
        cast.turn()
        pieces.append(piece(cast, families))
        if rng.random() < 0.15:
            pieces.append(filler(cast))
    paragraphs = [" ".join(pieces[:3]), " ".join(pieces[3:])]
    for _ in range(exercises):
        paragraphs.append(exercise(Cast(rng, words), pick(rng, _TASKS)))
    text = "\n".join(paragraph for paragraph in paragraphs if paragraph)
    return {"id": f"{part}-{index}", "title": cast.regulars[0].name, "text": text}
