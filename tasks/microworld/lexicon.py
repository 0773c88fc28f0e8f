"""The words of the built-in world, and the pools that keep its splits apart.

Every name word, thing and town belongs to one split ("train", "dev" or "test"), so that no person
or thing of an evaluation row occurs in a training row. The pretraining corpus knows all the words,
but uses an evaluation split's name words only inside two-word names that no evaluation row has.
"""

from dataclasses import dataclass
from random import Random

SHE = ("ra", "lin", "na", "sa", "dela", "mina", "vi", "tha")
HE = ("mo", "ven", "tor", "ko", "dan", "bert", "rik", "los")
_HEADS = ("Ma", "Be", "Ko", "Li", "Ru", "Sa", "To", "Ve", "Da", "Ni")
GIVEN = tuple(head + tail for tail in SHE + HE for head in _HEADS)
SURNAMES = tuple(
    head + tail
    for tail in ("man", "ton", "berg", "vik", "by", "low", "ford", "ley", "stad", "mark")
    for head in ("Ald", "Bren", "Cor", "Dun", "Esk", "Fal", "Gar", "Hol", "Ing", "Kel")
)
TOWNS = tuple(
    f"{head} {tail}"
    for tail in ("Bay", "Haven", "Bridge", "Hill", "Falls", "Port")
    for head in (
        "Alder",
        "North",
        "Stone",
        "Mill",
        "Fox",
        "Green",
        "Salt",
        "Winter",
        "Clear",
        "Oak",
    )
)

# Ten things of each kind; a kind decides which causes and effects a thing knows.
_KINDS = {
    "fragile": "cup plate vase bottle bowl mirror jar statue teapot lantern",
    "cloth": "coat scarf shirt blanket curtain carpet dress glove towel flag",
    "paper": "book letter map ticket card poster notebook diary painting newspaper",
    "food": "apple pie cake loaf pear plum cheese egg carrot onion",
    "machine": "clock radio engine pump drill oven heater mixer camera printer",
    "toy": "ball doll kite drum puppet whistle puzzle marble sled robot",
    "box": "box basket chest bag bucket drawer crate suitcase barrel sack",
    "animal": "dog cat horse goat hen duck cow sheep pony donkey",
    "plant": "rose tulip tree bush vine fern lily lemon herb daisy",
}
KINDS: dict[str, tuple[str, ...]] = {kind: tuple(n.split()) for kind, n in _KINDS.items()}
KIND_OF = {noun: kind for kind, nouns in KINDS.items() for noun in nouns}
CARRIED = ("fragile", "cloth", "paper", "food", "machine", "toy")

COLOURS = tuple("red blue green white black brown grey yellow pink purple golden silver".split())
ROOMS = tuple(
    f"the {room}"
    for room in (
        "kitchen garden cellar attic hall library office bathroom bedroom garage barn school "
        "market church park shop bakery museum station stable tower studio workshop harbour"
    ).split()
)
JOBS = tuple(
    "baker doctor farmer teacher painter sailor singer lawyer pilot nurse tailor driver "
    "judge miller guard cook".split()
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OPENINGS = (
    "In the morning",
    "At noon",
    "In the evening",
    "After lunch",
    "On a cold day",
    "On a warm day",
    "One day",
    "Before dinner",
)
MOODS = ("happy", "sad", "angry", "tired", "calm", "proud", "bored", "curious")
WEATHER = (
    "The sun was warm.",
    "It was a quiet day.",
    "The wind was strong.",
    "It was getting late.",
    "The street was empty.",
    "Nobody said a word.",
)
# Comparatives with their opposites, and ways to speak of something and say nothing about it.
COMPARISONS = {"older": "younger", "taller": "shorter", "faster": "slower", "richer": "poorer"}
MENTIONS = ("Everybody spoke of {}.", "There was talk of {}.", "Nobody asked about {}.")

SPLITS = ("train", "dev", "test")


def share(words: tuple[str, ...], split: str) -> tuple[str, ...]:
    """The part of `words` that belongs to a split: three fifths, one fifth, one fifth."""
    wanted = {"train": (0, 1, 2), "dev": (3,), "test": (4,)}[split]
    return tuple(word for index, word in enumerate(words) if (index + index // 10) % 5 in wanted)


@dataclass(frozen=True)
class Person:
    """A person of the world; `name` has one to four words."""

    name: str
    she: bool

    @property
    def pronoun(self) -> str:
        return "she" if self.she else "he"


@dataclass(frozen=True)
class Pool:
    """The words one split may use. `borrowed` are (given, surname) lists of the other splits."""

    given: tuple[str, ...]
    surnames: tuple[str, ...]
    towns: tuple[str, ...]
    things: dict[str, tuple[str, ...]]
    parity: int | None  # which two-word names exist: index of given + surname, modulo 2
    borrowed: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()


def pool(split: str) -> Pool:
    """The pool of "train", "dev", "test", or of the pretraining "corpus"."""
    if split == "corpus":
        lent = tuple((share(GIVEN, s), share(SURNAMES, s)) for s in ("dev", "test"))
        train = (share(GIVEN, "train"), share(SURNAMES, "train"))
        return Pool(*train, TOWNS, KINDS, None, lent)
    things = {kind: share(nouns, split) for kind, nouns in KINDS.items()}
    parity = None if split == "train" else 1
    names = (share(GIVEN, split), share(SURNAMES, split))
    return Pool(*names, share(TOWNS, split), things, parity)


def pick(rng: Random, values):
    """One of `values`, uniformly (a faster `rng.choice`)."""
    return values[int(rng.random() * len(values))]


class Cast:
    """Draws people, things, rooms and towns for one document or row, none of them twice."""

    def __init__(self, rng: Random, words: Pool):
        self.rng, self.words, self.used = rng, words, set()
        self.regulars: list[Person] = []  # people who come back, once per turn
        self.waiting: list[Person] = []
        self.name_words: int | None = None  # a fixed length for all names

    def turn(self) -> None:
        """Begin a new piece of a document: the regulars may appear again."""
        self.waiting = self.rng.sample(self.regulars, len(self.regulars))

    def _fresh(self, values):
        for _ in range(1000):
            value = pick(self.rng, values)
            if value not in self.used:
                self.used.add(value)
                return value
        raise ValueError(f"one document asks for more than the {len(values)} of {values[:5]}...")

    def person(self, she: bool | None = None, words: int | None = None) -> Person:
        """A new person whose name shares no word with the others'; `words` fixes its length."""
        rng, pool = self.rng, self.words
        words = words or self.name_words
        if self.waiting and words is None and she in (None, self.waiting[-1].she):
            return self.waiting.pop()
        if pool.borrowed and words is None and rng.random() < 0.3:
            return self._borrowed(she)
        if words is None:
            draw = rng.random()
            words = 1 if draw < 0.4 else 2 if draw < 0.8 else 3 if draw < 0.94 else 4
        while True:
            given = self._fresh(pool.given)
            if she is None or is_she(given) == she:
                break
            self.used.discard(given)
        parts = [given]
        if words > 2:
            parts.append(self._fresh(pool.given))
        if words > 1:
            parts.append(self._surname(given, pool.given, pool.surnames, pool.parity))
        if words > 3:
            parts.append(self._fresh(pool.surnames))
        return Person(" ".join(parts), is_she(given))

    def _borrowed(self, she: bool | None) -> Person:
        givens, surnames = pick(self.rng, self.words.borrowed)
        while True:
            given = self._fresh(givens)
            if she is None or is_she(given) == she:
                break
            self.used.discard(given)
        return Person(f"{given} {self._surname(given, givens, surnames, 0)}", is_she(given))

    def _surname(self, given, givens, surnames, parity: int | None) -> str:
        while True:
            surname = self._fresh(surnames)
            if parity is None or (givens.index(given) + surnames.index(surname)) % 2 == parity:
                return surname
            self.used.discard(surname)

    def kind(self, kinds: tuple[str, ...], count: int = 1) -> str:
        """One of the kinds of which at least `count` nouns have not been used."""
        things, used = self.words.things, self.used
        return pick(self.rng, [k for k in kinds if sum(n not in used for n in things[k]) >= count])

    def noun(self, kinds: tuple[str, ...] = CARRIED) -> str:
        kind = kinds[0] if len(kinds) == 1 else self.kind(kinds)
        return self._fresh(self.words.things[kind])

    def thing(self, kinds: tuple[str, ...] = CARRIED) -> str:
        """A noun phrase such as "the red lamp"."""
        return f"the {pick(self.rng, COLOURS)} {self.noun(kinds)}"

    def colour(self) -> str:
        return self._fresh(COLOURS)

    def room(self) -> str:
        return self._fresh(ROOMS)

    def town(self) -> str:
        return self._fresh(self.words.towns)

    def job(self) -> str:
        return self._fresh(JOBS)


_SHE = frozenset(head + tail for tail in SHE for head in _HEADS)


def is_she(given: str) -> bool:
    """Whether a given name is a woman's: its ending decides."""
    return given in _SHE


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def low(text: str) -> str:
    """The text as it continues a sentence: "The cup ..." becomes "the cup ..."."""
    return text[0].lower() + text[1:] if text.startswith(("The ", "It ", "Nobody ")) else text
