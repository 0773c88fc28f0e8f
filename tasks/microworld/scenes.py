"""Scenes: a few facts in plain sentences, the twin with two parts exchanged, and what to ask.

A scene and its twin hold the same words the same number of times, and every question has opposite
answers in the two. So whoever answers from the bag of words is right half of the time:

    text   Mara gave the red cup to Tomo Aldby.      who has the red cup now   -> Tomo Aldby
    twin   Tomo Aldby gave the red cup to Mara.                                -> Mara
"""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.microworld.lexicon import DAYS, Cast, capital, pick


@dataclass(frozen=True)
class Ask:
    """One question about a scene; `{}` is the answer's place, `{o}` the other candidate's.

    `answer` is right in the text and `other` in the twin. `last` ends with the answer; `query` is
    a statement that names neither candidate, for a blank.
    """

    wh: str
    yes_no: str
    statement: str
    last: str
    answer: str
    other: str
    query: str = ""
    person: bool = True  # the answer is a name

    def swap(self) -> "Ask":
        return Ask(*(self.wh, self.yes_no, self.statement, self.last, self.other, self.answer),
                   query=self.query, person=self.person)  # fmt: skip

    def says(self, form: str, subject: str) -> str:
        """A form ("yes_no", "statement") filled with one of the two candidates."""
        other = self.other if subject == self.answer else self.answer
        return getattr(self, form).format(subject, o=other)

    def cloze(self, blank: str) -> str:
        """A true statement with `blank` in the answer's place."""
        return capital((self.query or self.statement).format(blank)) + "."


@dataclass(frozen=True)
class Scene:
    """Sentences with two exchangeable slots `{a}` and `{b}`, and the questions about them."""

    sentences: tuple[str, ...]
    a: str
    b: str
    asks: tuple[Ask, ...]
    people: tuple[str, ...] = ()  # all names in the scene, towns too

    def text(self, twin: bool = False) -> str:
        a, b = (self.b, self.a) if twin else (self.a, self.b)
        return " ".join(capital(s.format(a=a, b=b)) for s in self.sentences)


GIVING = (
    "{a} gave X to {b}.",
    "{a} sold X to {b}.",
    "{a} sent X to {b}.",
    "{a} handed X to {b}.",
    "{b} took X from {a}.",
    "{b} got X from {a}.",
    "{b} bought X from {a}.",
)
GOING = ("went to", "walked to", "ran to", "hurried to")


def transfer(cast: Cast) -> Scene:
    """A thing changes hands."""
    rng, thing = cast.rng, cast.thing()
    a, b = cast.person().name, cast.person().name
    sentence = pick(rng, GIVING).replace("X", thing)
    ask = Ask(f"who has {thing} now", f"does {{}} have {thing} now", f"{{}} has {thing}",
              f"{thing} now belongs to {{}}", b, a)  # fmt: skip
    got = Ask(f"who got {thing}", f"did {{}} get {thing} from {{o}}",
              f"{{}} got {thing} from {{o}}", f"the one who got {thing} is {{}}", b, a,
              query=f"{{}} got {thing}")  # fmt: skip
    return Scene((sentence,), a, b, (ask, got) if "got" not in sentence else (ask,), (a, b))


def places(cast: Cast) -> Scene:
    """Two people go to two places of one town."""
    rng, town = cast.rng, cast.town()
    a, b = cast.person().name, cast.person().name
    r, s = f"{cast.room()} of {town}", f"{cast.room()} of {town}"
    verb = pick(rng, GOING)
    asks = tuple(
        Ask(f"who is in {room} now", f"is {{}} in {room} now", f"{{}} is in {room}",
            f"the person in {room} is {{}}", yes, no)
        for room, yes, no in ((r, a, b), (s, b, a))
    )  # fmt: skip
    return Scene((f"{{a}} {verb} {r}.", f"{{b}} {verb} {s}."), a, b, asks, (a, b, town))


def journey(cast: Cast) -> Scene:
    """One person goes to one room and then to another."""
    rng, person = cast.rng, cast.person()
    r, s = cast.room(), cast.room()
    verb = pick(rng, GOING)
    name = person.name
    ask = Ask(f"where is {name} now", f"is {name} in {{}} now", f"{name} is in {{}}",
              f"now {name} is in {{}}", s, r, person=False)  # fmt: skip
    sentences = (f"First, {name} {verb} {{a}}.", f"Then, {person.pronoun} {verb} {{b}}.")
    return Scene(sentences, r, s, (ask,), (name,))


def inside(cast: Cast) -> Scene:
    """A thing is in a container, the container is in a room; another thing is elsewhere."""
    x, z, box = cast.thing(), cast.thing(), cast.thing(("box",))
    r, s = cast.room(), cast.room()
    sentences = (f"{x} is in {box}.", f"{box} is in {{a}}.", f"{z} is in {{b}}.")
    if cast.rng.random() < 0.5:
        sentences = (sentences[2], *sentences[:2])
    asks = tuple(
        Ask(f"where is {thing}", f"is {thing} in {{}}", f"{thing} is in {{}}",
            f"{thing} can be found in {{}}", yes, no, person=False)
        for thing, yes, no in ((x, r, s), (z, s, r))
    )  # fmt: skip
    return Scene(sentences, r, s, asks)


COMPARISONS = {"older": "younger", "taller": "shorter", "faster": "slower", "richer": "poorer"}


def compare(cast: Cast) -> Scene:
    """One person is older (taller, ...) than another, sometimes through a third."""
    rng = cast.rng
    a, b = cast.person().name, cast.person().name
    more, less = pick(rng, tuple(COMPARISONS.items()))
    word = pick(rng, (more, less))
    sentences = (f"{{a}} is {more} than {{b}}.",)
    people = (a, b)
    if rng.random() < 0.4:
        c = cast.person().name
        sentences = (f"{{a}} is {more} than {c}.", f"{c} is {more} than {{b}}.")
        people = (a, b, c)
    yes, no = (a, b) if word == more else (b, a)
    ask = Ask(f"who is {word} , {a} or {b}".replace(" ,", ","), f"is {{}} {word} than {{o}}",
              f"{{}} is {word} than {{o}}", f"the {word} one is {{}}", yes, no,
              query=f"the {word} one is {{}}")  # fmt: skip
    return Scene(sentences, a, b, (ask,), people)


def colours(cast: Cast) -> Scene:
    """Two people own things of one kind in two colours."""
    noun, p, q = cast.noun(), cast.person().name, cast.person().name
    c, d = cast.colour(), cast.colour()
    what = Ask(f"what colour is the {noun} of {p}", f"is the {noun} of {p} {{}}",
               f"the {noun} of {p} is {{}}", f"the colour of the {noun} of {p} is {{}}",
               c, d, person=False)  # fmt: skip
    who = Ask(f"who owns the {c} {noun}", f"does {{}} own the {c} {noun}",
              f"{{}} owns the {c} {noun}", f"the owner of the {c} {noun} is {{}}",
              p, q)  # fmt: skip
    sentences = (f"{p} owns a {{a}} {noun}.", f"{q} owns a {{b}} {noun}.")
    return Scene(sentences, c, d, (what, who), (p, q))


def jobs(cast: Cast) -> Scene:
    """Two people have two jobs in one town."""
    p, q, town = cast.person().name, cast.person().name, cast.town()
    c, d = cast.job(), cast.job()
    what = Ask(f"what is the job of {p}", f"is {p} a {{}}", f"{p} is a {{}}",
               f"{p} works as a {{}}", c, d, person=False)  # fmt: skip
    who = Ask(f"who is a {c} in {town}", f"is {{}} a {c} in {town}", f"{{}} is a {c} in {town}",
              f"the {c} in {town} is {{}}", p, q)  # fmt: skip
    sentences = (f"{p} is a {{a}} in {town}.", f"{q} is a {{b}} in {town}.")
    return Scene(sentences, c, d, (what, who), (p, q, town))


def days(cast: Cast) -> Scene:
    """Two people visit a town on two days of one week."""
    rng, town = cast.rng, cast.town()
    p, q = cast.person().name, cast.person().name
    i, j = sorted(rng.sample(range(7), 2))
    word = pick(rng, ("before", "after"))
    yes, no = (p, q) if word == "before" else (q, p)
    place = "first" if word == "before" else "last"
    ask = Ask(f"who came to {town} {place}", f"did {{}} visit {town} {word} {{o}}",
              f"{{}} visited {town} {word} {{o}}", f"the {place} guest in {town} was {{}}",
              yes, no, query=f"{{}} came to {town} {place}")  # fmt: skip
    sentences = (f"{p} visited {town} on {{a}}.", f"{q} visited {town} on {{b}}.")
    if rng.random() < 0.5:
        sentences = sentences[::-1]
    return Scene(sentences, DAYS[i], DAYS[j], (ask,), (p, q, town))


FAMILIES: dict[str, Callable[[Cast], Scene]] = {
    "transfer": transfer,
    "places": places,
    "journey": journey,
    "inside": inside,
    "compare": compare,
    "colours": colours,
    "jobs": jobs,
    "days": days,
}
# Families whose questions name a thing or a town, and whose answers are names.
WITH_PEOPLE = tuple(name for name in FAMILIES if name not in ("journey", "inside", "compare"))


def two(cast: Cast, first: tuple[str, ...] = tuple(FAMILIES)) -> tuple[Scene, Scene]:
    """Two scenes of different families; the first is one of `first`."""
    rng = cast.rng
    one = pick(rng, first)
    other = pick(rng, tuple(name for name in FAMILIES if name != one))
    return FAMILIES[one](cast), FAMILIES[other](cast)
