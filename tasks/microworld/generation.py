"""Rows for generation and language modelling: stories and summaries, questions, blanks, last words.

A story is played on a `State`, and its summary is what the state says at the end. Every maker
returns a group of twins, as those of `superglue` do; `units` names the texts that must not recur.
"""

import re
from collections.abc import Callable
from random import Random
from typing import Any

from tasks.microworld.lexicon import DAYS, Cast, capital, pick
from tasks.microworld.scenes import FAMILIES, GIVING, GOING, two
from tasks.microworld.world import State

Row = dict[str, Any]
RATIOS = ("0.1", "0.2", "0.3", "0.4", "0.5")


def tokens(text: str) -> str:
    """Lower-case words and punctuation marks with spaces between them."""
    return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))


class Story:
    """Events played on a state, and the sentences that tell them."""

    def __init__(self, cast: Cast, people: int, things: int):
        self.rng, self.state, self.told = cast.rng, State(), []
        self.people = [cast.person().name for _ in range(people)]
        self.things = [cast.thing() for _ in range(things)]
        self.rooms = [cast.room() for _ in range(people + 2)]
        self.untouched = list(self.things)
        for person in self.people:
            self.go(person)

    def go(self, person: str) -> None:
        here = self.state.at.get(person)
        room = pick(self.rng, [room for room in self.rooms if room != here])
        self.state.go(person, room)
        self.told.append(f"{person} {pick(self.rng, GOING)} {room}.")

    def step(self) -> None:
        """One more event: a thing is found, left or given, or somebody goes somewhere."""
        rng, state = self.rng, self.state
        if self.untouched and rng.random() < 0.5:
            person, thing = pick(rng, self.people), self.untouched.pop()
            state.hold(person, thing)
            self.told.append(f"{person} found {thing}.")
            return
        held = sorted(state.holder)
        if held and rng.random() < 0.6:
            thing = pick(rng, held)
            person = state.holder[thing]
            if rng.random() < 0.3:
                state.leave(person, thing)
                self.told.append(f"{person} left {thing} there.")
                return
            other = pick(rng, [p for p in self.people if p != person])
            state.give(person, other, thing)
            self.told.append(GIVING[0].format(a=person, b=other).replace("X", thing))
            return
        self.go(pick(rng, self.people))

    def run(self, steps: int) -> str:
        """Play until `steps` events have happened and every thing has been found."""
        while steps > 0 or self.untouched:
            self.step()
            steps -= 1
        return " ".join(self.told)


def fate(state: State, thing: str) -> str:
    """Where a thing ended: "Mara has the red cup in the hall", or "the red cup is in the hall"."""
    holder = state.holder.get(thing)
    if holder:
        return f"{holder} has {thing} in {state.at[holder]}"
    return f"{thing} is in {state.at[thing]}"


def cnndm(cast: Cast) -> list[Row]:
    """A story of two or three people and two things; the highlights tell what became of them."""
    story = Story(cast, 2 + (cast.rng.random() < 0.3), 2)
    article = story.run(4 + int(cast.rng.random() * 4))
    return [{"article": article, "highlights": highlights(story.state, story.things, article)}]


def highlights(state: State, things: list[str], article: str) -> str:
    """One line for each thing, in the order in which the article names them."""
    ordered = sorted(things, key=article.index)
    return "\n".join(f"{capital(fate(state, thing))} ." for thing in ordered)


def xsum(cast: Cast) -> list[Row]:
    """A story around one thing; the summary is one sentence."""
    story = Story(cast, 2 + (cast.rng.random() < 0.5), 1)
    document = story.run(3 + int(cast.rng.random() * 4))
    return [{"document": document, "summary": capital(fate(story.state, story.things[0])) + "."}]


_DEALS = tuple(sentence.removesuffix(".") for sentence in GIVING)


def gigaword(cast: Cast) -> list[Row]:
    """A long first sentence and its headline, both tokenised and in lower case."""
    rng, thing = cast.rng, cast.thing()
    a, b = cast.person().name, cast.person().name
    deal = pick(rng, _DEALS).replace("X", thing)
    first = "a" if deal.startswith("{a}") else "b"
    deal = deal.replace(f"{{{first}}}", f"{{{first}}}, a {cast.job()} from {cast.town()},", 1)
    where, day = f"in {cast.room()}", f"on {pick(rng, DAYS)}"
    tail = f"{where} {day}" if rng.random() < 0.5 else f"{day} {where}"
    noun = thing.removeprefix("the ")
    return [
        {
            "document": tokens(f"{deal} {tail}.".format(a=x, b=y)),
            "summary": f"{y} gets {noun} from {x}".lower(),
        }
        for x, y in ((a, b), (b, a))
    ]


def squad_qg(cast: Cast) -> list[Row]:
    """A passage, a question about it and the answer's first place in it."""
    one, other = two(cast)
    ask, first = pick(cast.rng, one.asks), cast.rng.random() < 0.5
    rows = []
    for twin in (False, True):
        context = " ".join((one.text(twin), other.text())[:: 1 if first else -1])
        answer = ask.other if twin else ask.answer
        match = re.search(rf"\b{re.escape(answer)}\b", context)
        if match is None:
            raise ValueError(f"{answer!r} is not in {context!r}")
        place = {"text": answer, "answer_start": match.start()}
        question = capital(ask.wh) + "?"
        rows.append({"context": context, "question": question, "answers": [place]})
    return rows


def yahoo(cast: Cast) -> list[str]:
    """A question and its answer as one tokenised line of at most 60 words."""
    while True:
        one, other = two(Cast(cast.rng, cast.words))
        ask = pick(cast.rng, one.asks)
        end = capital(ask.last.format(ask.answer))
        line = tokens(f"{ask.wh}? {one.text()} {other.text()} {end}.")
        if len(line.split()) <= 60:
            return [line]


def blanked(line: str, ratio: str, rng: Random) -> str:
    """The line with floor(ratio * n) random words taken out; a run of them is one <blank>."""
    words = line.split()
    count = max(1, int(len(words) * float(ratio) + 1e-9))
    hidden, out = set(rng.sample(range(len(words)), count)), []
    for index, word in enumerate(words):
        if index not in hidden:
            out.append(word)
        elif index - 1 not in hidden:
            out.append("<blank>")
    return " ".join(out)


def lambada(cast: Cast) -> list[Row]:
    """A passage whose last word only the earlier sentences tell; all names have one word."""
    cast.name_words = 1
    rng = cast.rng
    families = [name for name in FAMILIES if name != "places"]
    one, *others = (FAMILIES[name](cast) for name in rng.sample(families, 3))
    ask, at = pick(rng, one.asks), int(rng.random() * 3)
    rows = []
    for twin in (False, True):
        texts = [other.text() for other in others]
        texts.insert(at, one.text(twin))
        last = ask.last.format(ask.other if twin else ask.answer)
        rows.append({"text": f"{' '.join(texts)} {capital(last)}"})
    return rows


MAKERS: dict[str, Callable[[Cast], list[Any]]] = {
    "cnndm": cnndm,
    "xsum": xsum,
    "gigaword": gigaword,
    "squad_qg": squad_qg,
    "yahoo": yahoo,
    "lambada": lambada,
}


def units(task: str, row: Any) -> list[str]:
    """The texts of a row that must occur nowhere else."""
    if task == "yahoo":
        return [row]
    if task == "squad_qg":
        return [row["context"], row["question"]]
    return list(row.values())
