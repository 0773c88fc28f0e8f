"""Scenes: a few facts in plain sentences, the twin with two parts exchanged, and what to ask.

From level 2 on a scene and its twin hold the same words the same number of times, and every
question has opposite answers in the two. So whoever answers from the bag of words is right half of
the time:

    text   Mara gave the red cup to Tomo Aldby.      who has the red cup now   -> Tomo Aldby
    twin   Tomo Aldby gave the red cup to Mara.                                -> Mara

`FAMILIES` has them by level: how much has to be put together to answer.

    1 lexical    what goes with what: the twin has other words, and the world's rules say what
                 follows from them
                 Mara left the coat in the heavy rain.
    2 recall     one fact, found by a name; the other candidate is only spoken of
                 Mara found the red cup. Everybody spoke of Tomo.
    3 binding    two facts of one kind; the twin exchanges their parts
                 Mara is a nurse in Mill Bay. Tomo is a cook in Mill Bay.
    4 two steps  a box in a room, a thing with its owner, one above another above a third, what
                 came first, which day was earlier
                 The red cup is in the grey chest. The grey chest is in the hall. ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.microworld.causes import happenings
from tasks.microworld.lexicon import (
    COMPARISONS,
    DAYS,
    MENTIONS,
    MOODS,
    OPENINGS,
    Cast,
    capital,
    low,
    pick,
)


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
    kind: str  # of its facts: a name in FACTS
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


def mixed(cast: Cast, *sentences: str) -> tuple[str, ...]:
    """Sentences in any order: who goes by what is named first is right half of the time."""
    return tuple(cast.rng.sample(sentences, len(sentences)))


# ---- single facts, which stand around a scene: as what distracts, and as what keeps apart


@dataclass(frozen=True)
class Fact:
    """One sentence about people and things that occur nowhere else, and the names in it."""

    sentence: str
    people: tuple[str, ...] = ()


def found(cast: Cast) -> Fact:
    name = cast.person().name
    return Fact(f"{name} found {cast.thing()}.", (name,))


def moved(cast: Cast) -> Fact:
    name = cast.person().name
    return Fact(f"{name} {pick(cast.rng, GOING)} {cast.room()}.", (name,))


def employed(cast: Cast) -> Fact:
    name, town = cast.person().name, cast.town()
    return Fact(f"{name} is a {cast.job()} in {town}.", (name, town))


def owned(cast: Cast) -> Fact:
    name = cast.person().name
    return Fact(f"{name} owns a {cast.colour()} {cast.noun()}.", (name,))


def lying(cast: Cast) -> Fact:
    return Fact(f"{capital(cast.thing())} is in {cast.room()}.")


def above(cast: Cast) -> Fact:
    one, other = cast.person().name, cast.person().name
    return Fact(f"{one} is {pick(cast.rng, tuple(COMPARISONS))} than {other}.", (one, other))


def visited(cast: Cast) -> Fact:
    name, town = cast.person().name, cast.town()
    return Fact(f"{name} visited {town} on {pick(cast.rng, DAYS)}.", (name, town))


def given(cast: Cast) -> Fact:
    one, other = cast.person().name, cast.person().name
    sentence = pick(cast.rng, GIVING).replace("X", cast.thing())
    return Fact(sentence.format(a=one, b=other), (one, other))


def happened(cast: Cast) -> Fact:
    name = cast.person().name
    return Fact(happenings(cast, name, 1)[0].cause, (name,))


FACTS: Mapping[str, Callable[[Cast], Fact]] = {
    "happened": happened,
    "found": found,
    "moved": moved,
    "employed": employed,
    "owned": owned,
    "lying": lying,
    "above": above,
    "visited": visited,
    "given": given,
}


def mood(cast: Cast) -> Fact:
    """Somebody's mood, of which nothing follows."""
    rng, name = cast.rng, cast.person().name
    opening = f"{pick(rng, OPENINGS)}, " if rng.random() < 0.4 else ""
    return Fact(f"{opening}{name} was {pick(rng, MOODS)}.", (name,))


def aside(cast: Cast, kind: str) -> Fact:
    """A sentence beside the point: a mood, or a fact that is not of this kind."""
    if cast.rng.random() < 0.5:
        return mood(cast)
    return FACTS[pick(cast.rng, tuple(name for name in FACTS if name != kind))](cast)


# ---- level 1: a cause, and which effect it has


def outcome(cast: Cast) -> Scene:
    """Something is done to a thing; the twin does something else to it."""
    one, other = happenings(cast)
    yes, no = (low(h.effect.removesuffix(".")) for h in (one, other))
    wh = f"what happened to {one.owned}"
    ask = Ask(wh, "is it true that {}", "{}", "{}", yes, no, person=False)
    return Scene(("{a}",), one.cause, other.cause, (ask,), "happened")


# ---- level 2: one fact, and a mention of the other candidate


def _recall(
    cast: Cast,
    fact: str,
    phrase: str,
    a: str,
    b: str,
    *,
    asks: tuple[Ask, ...],
    kind: str,
    people: tuple[str, ...],
) -> Scene:
    """A fact with `{a}`, and `phrase`, which holds `{b}`, spoken of before or after it."""
    told = [fact, pick(cast.rng, MENTIONS).format(phrase)]
    if cast.rng.random() < 0.5:
        told.reverse()
    return Scene(tuple(told), a, b, asks, kind, people)


def finder(cast: Cast) -> Scene:
    """Who found a thing has it."""
    thing, a, b = cast.thing(), cast.person().name, cast.person().name
    ask = Ask(f"who has {thing} now", f"does {{}} have {thing} now", f"{{}} has {thing}",
              f"{thing} now belongs to {{}}", a, b)  # fmt: skip
    return _recall(cast, f"{{a}} found {thing}.", "{b}", a, b,
                   asks=(ask,), kind="found", people=(a, b))  # fmt: skip


def guest(cast: Cast) -> Scene:
    """Who visited a town on a day."""
    town, day, a, b = cast.town(), pick(cast.rng, DAYS), cast.person().name, cast.person().name
    asks, people = (_visit(town, day, a, b),), (a, b, town)
    return _recall(cast, f"{{a}} visited {town} on {day}.", "{b}", a, b,
                   asks=asks, kind="visited", people=people)  # fmt: skip


def _visit(town: str, day: str, yes: str, no: str) -> Ask:
    return Ask(f"who visited {town} on {day}", f"did {{}} visit {town} on {day}",
               f"{{}} visited {town} on {day}", f"the guest in {town} on {day} was {{}}",
               yes, no)  # fmt: skip


def whereabouts(cast: Cast) -> Scene:
    """Where somebody went."""
    name, r, s = cast.person().name, cast.room(), cast.room()
    ask = _where(name, r, s)
    return _recall(cast, f"{name} {pick(cast.rng, GOING)} {{a}}.", "{b}", r, s,
                   asks=(ask,), kind="moved", people=(name,))  # fmt: skip


def _where(name: str, yes: str, no: str) -> Ask:
    return Ask(f"where is {name} now", f"is {name} in {{}} now", f"{name} is in {{}}",
               f"now {name} is in {{}}", yes, no, person=False)  # fmt: skip


def job(cast: Cast) -> Scene:
    """What somebody works as."""
    name, town, c, d = cast.person().name, cast.town(), cast.job(), cast.job()
    return _recall(cast, f"{name} is a {{a}} in {town}.", "a {b}", c, d,
                   asks=(_job(name, c, d),), kind="employed", people=(name, town))  # fmt: skip


def _job(name: str, yes: str, no: str) -> Ask:
    return Ask(f"what is the job of {name}", f"is {name} a {{}}", f"{name} is a {{}}",
               f"{name} works as a {{}}", yes, no, person=False)  # fmt: skip


def colour(cast: Cast) -> Scene:
    """What colour somebody's thing has."""
    name, noun, c, d = cast.person().name, cast.noun(), cast.colour(), cast.colour()
    return _recall(cast, f"{name} owns a {{a}} {noun}.", f"a {{b}} {noun}", c, d,
                   asks=(_colour(name, noun, c, d),), kind="owned", people=(name,))  # fmt: skip


def _colour(name: str, noun: str, yes: str, no: str) -> Ask:
    return Ask(f"what colour is the {noun} of {name}", f"is the {noun} of {name} {{}}",
               f"the {noun} of {name} is {{}}", f"the colour of the {noun} of {name} is {{}}",
               yes, no, person=False)  # fmt: skip


# ---- level 3: two facts, their parts exchanged in the twin


def transfer(cast: Cast) -> Scene:
    """A thing changes hands."""
    rng, thing = cast.rng, cast.thing()
    a, b = cast.person().name, cast.person().name
    # Whoever is named first gives as often as gets.
    deals = GIVING[:4] if rng.random() < 0.5 else GIVING[4:]
    sentence = pick(rng, deals).replace("X", thing)
    ask = Ask(f"who has {thing} now", f"does {{}} have {thing} now", f"{{}} has {thing}",
              f"{thing} now belongs to {{}}", b, a)  # fmt: skip
    got = Ask(f"who got {thing}", f"did {{}} get {thing} from {{o}}",
              f"{{}} got {thing} from {{o}}", f"the one who got {thing} is {{}}", b, a,
              query=f"{{}} got {thing}")  # fmt: skip
    asks = (ask, got) if "got" not in sentence else (ask,)
    return Scene((sentence,), a, b, asks, "given", (a, b))


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
    sentences = mixed(cast, f"{{a}} {verb} {r}.", f"{{b}} {verb} {s}.")
    return Scene(sentences, a, b, asks, "moved", (a, b, town))


def rooms(cast: Cast) -> Scene:
    """Two things lie in two rooms."""
    x, z, r, s = cast.thing(), cast.thing(), cast.room(), cast.room()
    asks = (_lies(x, r, s), _lies(z, s, r))
    return Scene(mixed(cast, f"{x} is in {{a}}.", f"{z} is in {{b}}."), r, s, asks, "lying")


def _lies(thing: str, yes: str, no: str) -> Ask:
    return Ask(f"where is {thing}", f"is {thing} in {{}}", f"{thing} is in {{}}",
               f"{thing} can be found in {{}}", yes, no, person=False)  # fmt: skip


def compare(cast: Cast) -> Scene:
    """One person is older (taller, ...) than another."""
    a, b = cast.person().name, cast.person().name
    more, less = pick(cast.rng, tuple(COMPARISONS.items()))
    return Scene((f"{{a}} is {more} than {{b}}.",), a, b,
                 (_which(cast, a, b, more, less),), "above", (a, b))  # fmt: skip


def _which(cast: Cast, a: str, b: str, more: str, less: str) -> Ask:
    word = pick(cast.rng, (more, less))
    yes, no = (a, b) if word == more else (b, a)
    one = f"the {word} one of {a} and {b}"
    return Ask(f"who is {word}, {a} or {b}", f"is {{}} {word} than {{o}}",
               f"{{}} is {word} than {{o}}", f"{one} is {{}}", yes, no,
               query=f"{one} is {{}}")  # fmt: skip


def colours(cast: Cast) -> Scene:
    """Two people own things of one kind in two colours."""
    noun, p, q = cast.noun(), cast.person().name, cast.person().name
    c, d = cast.colour(), cast.colour()
    who = Ask(f"who owns the {c} {noun}", f"does {{}} own the {c} {noun}",
              f"{{}} owns the {c} {noun}", f"the owner of the {c} {noun} is {{}}",
              p, q)  # fmt: skip
    sentences = mixed(cast, f"{p} owns a {{a}} {noun}.", f"{q} owns a {{b}} {noun}.")
    return Scene(sentences, c, d, (_colour(p, noun, c, d), who), "owned", (p, q))


def jobs(cast: Cast) -> Scene:
    """Two people have two jobs in one town."""
    p, q, town = cast.person().name, cast.person().name, cast.town()
    c, d = cast.job(), cast.job()
    who = Ask(f"who is a {c} in {town}", f"is {{}} a {c} in {town}", f"{{}} is a {c} in {town}",
              f"the {c} in {town} is {{}}", p, q)  # fmt: skip
    sentences = mixed(cast, f"{p} is a {{a}} in {town}.", f"{q} is a {{b}} in {town}.")
    return Scene(sentences, c, d, (_job(p, c, d), who), "employed", (p, q, town))


def guests(cast: Cast) -> Scene:
    """Two people visit a town on two days."""
    town, p, q = cast.town(), cast.person().name, cast.person().name
    i, j = cast.rng.sample(range(7), 2)
    asks = (_visit(town, DAYS[i], p, q), _visit(town, DAYS[j], q, p))
    sentences = mixed(cast, f"{p} visited {town} on {{a}}.", f"{q} visited {town} on {{b}}.")
    return Scene(sentences, DAYS[i], DAYS[j], asks, "visited", (p, q, town))


# ---- level 4: two steps


def journey(cast: Cast) -> Scene:
    """One person goes to one room and then to another."""
    rng, person = cast.rng, cast.person()
    r, s = cast.room(), cast.room()
    verb, name = pick(rng, GOING), person.name
    sentences = (f"First, {name} {verb} {{a}}.", f"Then, {person.pronoun} {verb} {{b}}.")
    return Scene(sentences, r, s, (_where(name, s, r),), "moved", (name,))


def inside(cast: Cast) -> Scene:
    """A thing is in a container, the container is in a room; another thing is elsewhere."""
    x, z, box = cast.thing(), cast.thing(), cast.thing(("box",))
    r, s = cast.room(), cast.room()
    sentences = mixed(cast, f"{x} is in {box}.", f"{box} is in {{a}}.", f"{z} is in {{b}}.")
    return Scene(sentences, r, s, (_lies(x, r, s),), "lying")


def carried(cast: Cast) -> Scene:
    """Two people with a thing each go to two rooms."""
    p, q, x, z = cast.person().name, cast.person().name, cast.thing(), cast.thing()
    r, s, verb = cast.room(), cast.room(), pick(cast.rng, GOING)
    found = mixed(cast, f"{p} found {x}.", f"{q} found {z}.")
    sentences = (*found, *mixed(cast, f"{p} {verb} {{a}}.", f"{q} {verb} {{b}}."))
    return Scene(sentences, r, s, (_lies(x, r, s), _lies(z, s, r)), "moved", (p, q))


def boxed(cast: Cast) -> Scene:
    """A thing is in a box, and the box is somebody's; somebody else has another thing."""
    a, b, x = cast.person().name, cast.person().name, cast.thing()
    box, z = cast.thing(("box",)), cast.thing()
    ask = Ask(f"who has {x} now", f"does {{}} have {x} now", f"{{}} has {x}",
              f"{x} now belongs to {{}}", a, b)  # fmt: skip
    sentences = mixed(cast, f"{x} is in {box}.", f"{{a}} found {box}.", f"{{b}} found {z}.")
    return Scene(sentences, a, b, (ask,), "found", (a, b))


def between(cast: Cast) -> Scene:
    """One person is older (taller, ...) than another through a third."""
    a, b, c = (cast.person().name for _ in range(3))
    more, less = pick(cast.rng, tuple(COMPARISONS.items()))
    sentences = mixed(cast, f"{{a}} is {more} than {c}.", f"{c} is {more} than {{b}}.")
    return Scene(sentences, a, b, (_which(cast, a, b, more, less),), "above", (a, b, c))


def days(cast: Cast) -> Scene:
    """Two people visit a town on two days of one week; which was earlier?"""
    rng, town = cast.rng, cast.town()
    p, q = cast.person().name, cast.person().name
    i, j = sorted(rng.sample(range(7), 2))
    word = pick(rng, ("before", "after"))
    yes, no = (p, q) if word == "before" else (q, p)
    place = "first" if word == "before" else "last"
    ask = Ask(f"who came to {town} {place}", f"did {{}} visit {town} {word} {{o}}",
              f"{{}} visited {town} {word} {{o}}", f"the {place} guest in {town} was {{}}",
              yes, no, query=f"{{}} came to {town} {place}")  # fmt: skip
    sentences = mixed(cast, f"{p} visited {town} on {{a}}.", f"{q} visited {town} on {{b}}.")
    return Scene(sentences, DAYS[i], DAYS[j], (ask,), "visited", (p, q, town))


Family = Callable[[Cast], Scene]
FAMILIES: Mapping[int, tuple[Family, ...]] = {
    1: (outcome,),
    2: (finder, guest, whereabouts, job, colour),
    3: (transfer, places, rooms, compare, colours, jobs, guests),
    4: (journey, inside, carried, boxed, between, days),
}
# Families whose questions name a thing or a town, and whose answers are names.
WITH_PEOPLE: Mapping[int, tuple[Family, ...]] = {
    2: (finder, guest),
    3: (transfer, places, colours, jobs, guests),
    4: (boxed, days),
}
