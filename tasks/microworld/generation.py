"""Rows for generation and language modelling: stories and summaries, questions, blanks, last words.

A story is played on a `State`, and its summary is what the state says at the end. Every maker takes
a dial and returns a group of twins, as those of `superglue` do; `units` names the texts that must
not recur. No constant text comes near the references: they hold few words but names and things,
and what has happened decides how they put it.
"""

import re
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from tasks.microworld.lexicon import DAYS, Cast, capital, pick
from tasks.microworld.passages import Dial, around, passage
from tasks.microworld.scenes import FACTS, FAMILIES, GIVING, GOING, journey, mood, places
from tasks.microworld.world import State

Row = dict[str, Any]
RATIOS = ("0.1", "0.2", "0.3", "0.4", "0.5")


def tokens(text: str) -> str:
    """Lower-case words and punctuation marks with spaces between them."""
    return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))


class Story:
    """Events played on a state, and the sentences that tell them.

    At level 2 things are found, at level 3 also given away, at level 4 also left behind, and
    people go on with what they have.
    """

    def __init__(self, cast: Cast, people: int, things: int, level: int):
        self.rng, self.state, self.told, self.level = cast.rng, State(), [], level
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
        if held and self.level > 2 and rng.random() < 0.6:
            thing = pick(rng, held)
            person = state.holder[thing]
            if self.level > 3 and rng.random() < 0.3:
                state.leave(person, thing)
                self.told.append(f"{person} left {thing} there.")
                return
            other = pick(rng, [p for p in self.people if p != person])
            state.give(person, other, thing)
            self.told.append(GIVING[0].format(a=person, b=other).replace("X", thing))
            return
        if self.level > 3:
            self.go(pick(rng, self.people))

    def run(self, steps: int) -> str:
        """Play until `steps` events have been tried and every thing has been found."""
        while steps > 0 or self.untouched:
            self.step()
            steps -= 1
        return " ".join(self.told)

    def fate(self, thing: str) -> str:
        """What became of a thing, in a headline's words: "Mara keeps red cup in hall"."""
        state = self.state
        holder = state.holder.get(thing)
        noun, room = bare(thing), bare(state.at[holder or thing])
        if holder is None:
            return f"{capital(noun)} lies in {room}"
        if thing in state.last:
            return f"{holder} got {noun} from {state.last[thing]} in {room}"
        return f"{holder} keeps {noun} in {room}"


def bare(phrase: str) -> str:
    """A noun phrase without its article."""
    return phrase.removeprefix("the ")


def cnndm(cast: Cast, dial: Dial) -> list[Row]:
    """A story of two or three people and two things; the highlights tell what became of them."""
    story = Story(cast, 2 + (cast.rng.random() < 0.3), 2, dial.level)
    article = _told(cast, story.run(4 + int(cast.rng.random() * 4)), dial)
    ordered = sorted(story.things, key=article.index)
    return [
        {
            "article": article,
            "highlights": "\n".join(f"{story.fate(thing)} ." for thing in ordered),
        }
    ]


def xsum(cast: Cast, dial: Dial) -> list[Row]:
    """A story around one thing; the summary is one sentence."""
    story = Story(cast, 2 + (cast.rng.random() < 0.5), 1, dial.level)
    document = _told(cast, story.run(3 + int(cast.rng.random() * 4)), dial)
    return [{"document": document, "summary": f"{story.fate(story.things[0])}."}]


def _told(cast: Cast, story: str, dial: Dial) -> str:
    """The story before as many moods of others as the dial's distance says."""
    return " ".join([story, *(mood(cast).sentence for _ in range(dial.distance))])


_DEALS = tuple(sentence.removesuffix(".") for sentence in GIVING)


def gigaword(cast: Cast, dial: Dial) -> list[Row]:
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


def squad_qg(cast: Cast, dial: Dial) -> list[Row]:
    """A passage, a question about it and the answer's place in it."""
    told = passage(cast, pick(cast.rng, FAMILIES[dial.level]), dial)
    ask = pick(cast.rng, told.scene.asks)
    rows = []
    for twin, context, answer in ((False, told.text, ask.answer), (True, told.twin, ask.other)):
        begin = context.index(told.scene.text(twin))
        match = re.compile(rf"\b{re.escape(answer)}\b", re.IGNORECASE).search(context, begin)
        if match is None:
            raise ValueError(f"{answer!r} is not in {context!r}")
        place = {"text": match[0], "answer_start": match.start()}
        question = capital(ask.wh) + "?"
        rows.append({"context": context, "question": question, "answers": [place]})
    return rows


def yahoo(cast: Cast, dial: Dial) -> list[str]:
    """A question and its answer as one tokenised line of at most 80 words, told twice over: what
    is blanked in one place can be read in another."""
    while True:
        cast = Cast(cast.rng, cast.words)
        cast.name_words = 1
        # Told again and in another order, "then" would not say after what.
        families = [family for family in FAMILIES[dial.level] if family is not journey]
        scene = pick(cast.rng, families)(cast)
        ask = pick(cast.rng, scene.asks)
        facts = [fact.removesuffix(".") for fact in scene.text().split(". ")]
        if len(facts) < 3:
            facts.append(FACTS[scene.kind](cast).sentence.removesuffix("."))
        again = [f"yes, {fact}" for fact in facts]
        cast.rng.shuffle(again)
        end = capital(ask.last.format(ask.answer))
        line = tokens(f"{ask.wh}? {'. '.join([*facts, *again, end])}.")
        if len(line.split()) <= 80:
            return [line]


def blanked(line: str, ratio: str, rng: Random) -> str:
    """The line with floor(ratio * n) random words taken out; a run of them is one <blank>.

    Of words that occur twice or more one always stays, as long as there are enough others: what
    is taken out follows from the rest.
    """
    words = line.split()
    count = max(1, int(len(words) * float(ratio) + 1e-9))
    left, order = Counter(words), rng.sample(range(len(words)), len(words))
    hidden: set[int] = set()
    for least in (2, 1):  # the last of its word only when nothing else is left
        for index in order:
            if len(hidden) < count and index not in hidden and left[words[index]] >= least:
                hidden.add(index)
                left[words[index]] -= 1
    out = []
    for index, word in enumerate(words):
        if index not in hidden:
            out.append(word)
        elif index - 1 not in hidden:
            out.append("<blank>")
    return " ".join(out)


def lambada(cast: Cast, dial: Dial) -> list[Row]:
    """A passage whose last word only the earlier sentences tell; all names have one word."""
    cast.name_words = 1
    families = [family for family in FAMILIES[dial.level] if family is not places]
    scene = pick(cast.rng, families)(cast)
    before, after, _ = around(cast, scene.kind, dial)
    ask, rows = pick(cast.rng, scene.asks), []
    for twin in (False, True):
        last = capital(ask.last.format(ask.other if twin else ask.answer))
        rows.append({"text": " ".join([*before, scene.text(twin), *after, last])})
    return rows


MAKERS: dict[str, Callable[[Cast, Dial], list[Any]]] = {
    "cnndm": cnndm,
    "xsum": xsum,
    "gigaword": gigaword,
    "squad_qg": squad_qg,
    "yahoo": yahoo,
    "lambada": lambada,
}
# A deal exchanges its two parties, and is nothing else; the others need a fact to speak of.
HAS: dict[str, tuple[int, ...]] = {
    name: (3,) if name == "gigaword" else (2, 3, 4) for name in MAKERS
}


def units(task: str, row: Any) -> list[str]:
    """The texts of a row that must occur nowhere else."""
    if task == "yahoo":
        return [row]
    if task == "squad_qg":
        return [row["context"], row["question"]]
    return [text for name, text in row.items() if name not in ("level", "twin")]
