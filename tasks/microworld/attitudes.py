"""What people know, doubt and get wrong: the embedded clauses behind the CB task.

Mara knows that the red cup is in the hall.        so it is             entailment
Tomo wrongly thinks that the doll is in the barn.  so it is not         contradiction
Lira hopes that the map is in the park.            nobody knows         neutral
"""

from dataclasses import dataclass

from tasks.microworld.lexicon import Cast, capital, pick

ENTAILED = ("knows that", "is right that", "saw that", "proved that")
DENIED = ("wrongly thinks that", "falsely says that", "only pretends that", "was never right that")
OPEN = ("hopes that", "guesses that", "asks whether", "cannot say whether")
ATTITUDES = {"entailment": ENTAILED, "contradiction": DENIED, "neutral": OPEN}
LABELS = tuple(ATTITUDES)
# Clauses about nothing that anybody asks for.
IDLE = ("it is late", "it is cold", "it is warm", "the sun is bright", "the wind is strong",
        "the street is empty", "the door is open")  # fmt: skip


@dataclass(frozen=True)
class Beliefs:
    """People with attitudes to clauses; rotated attitudes give three texts of the same words."""

    people: tuple[str, ...]
    attitudes: tuple[str, ...]  # one per label, in the order of LABELS
    clauses: tuple[str, ...]
    asked: int  # which clause the hypothesis is about
    hypothesis: str
    facts: tuple[str, ...] = ()  # sentences that nobody doubts, before the others

    def text(self, turn: int) -> str:
        """Clause k gets attitude (k + turn) % 3."""
        told = [f"{person} {self.said(k, turn)}." for k, person in enumerate(self.people)]
        return " ".join([*self.facts, *told])

    def said(self, clause: int, turn: int) -> str:
        """An attitude and its clause: "knows that the red cup is in the hall"."""
        return f"{self.attitudes[(clause + turn) % 3]} {self.clauses[clause]}"

    def label(self, turn: int) -> str:
        """What follows for the hypothesis."""
        return LABELS[(self.asked + turn) % 3]


def beliefs(cast: Cast, level: int) -> Beliefs:
    """Beliefs of a level.

    1   one clause and an attitude to it: the attitude's words decide
    2   one clause about a thing among two about nothing; its attitude has to be found
    3   three clauses about things
    4   three clauses about boxes, and what is asked about lies in one of them
    """
    rng = cast.rng
    count = 1 if level == 1 else 3
    people = tuple(cast.person(words=1 if rng.random() < 0.6 else None).name for _ in range(count))
    attitudes = tuple(pick(rng, ATTITUDES[label]) for label in LABELS)
    asked = int(rng.random() * count)
    if level < 4:
        clauses = [f"{cast.thing()} is in {cast.room()}" for _ in range(count)]
        if level == 2:
            idle = iter(rng.sample(IDLE, count))
            clauses = [c if k == asked else next(idle) for k, c in enumerate(clauses)]
        return Beliefs(people, attitudes, tuple(clauses), asked, clauses[asked])
    rooms, thing = [cast.room() for _ in people], cast.thing()
    # A split has few kinds of boxes: one clause is about another thing.
    holders = [cast.thing(("box",)) for _ in range(2)]
    holders.insert((asked + 1) % 3, cast.thing())
    clauses = [f"{holder} is in {room}" for holder, room in zip(holders, rooms)]
    facts = (f"{capital(thing)} is in {holders[asked]}.",)
    return Beliefs(people, attitudes, tuple(clauses), asked, f"{thing} is in {rooms[asked]}", facts)
