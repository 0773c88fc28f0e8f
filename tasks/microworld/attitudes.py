"""What people know, doubt and get wrong: the embedded clauses behind the CB task.

Mara knows that the red cup is in the hall.        so it is             entailment
Tomo wrongly thinks that the doll is in the barn.  so it is not         contradiction
Lira hopes that the map is in the park.            nobody knows         neutral
"""

from dataclasses import dataclass

from tasks.microworld.lexicon import Cast, pick

ENTAILED = ("knows that", "is right that", "saw that", "proved that")
DENIED = ("wrongly thinks that", "falsely says that", "only pretends that", "was never right that")
OPEN = ("hopes that", "guesses that", "asks whether", "cannot say whether")
ATTITUDES = {"entailment": ENTAILED, "contradiction": DENIED, "neutral": OPEN}
LABELS = tuple(ATTITUDES)


@dataclass(frozen=True)
class Beliefs:
    """Three people with three attitudes to three clauses; rotated attitudes give two twins."""

    people: tuple[str, ...]
    attitudes: tuple[str, ...]  # one per label, in the order of LABELS
    clauses: tuple[str, ...]

    def text(self, turn: int) -> str:
        """Clause k gets attitude (k + turn) % 3."""
        return " ".join(f"{self.people[k]} {self.said(k, turn)}." for k in range(3))

    def said(self, clause: int, turn: int) -> str:
        """An attitude and its clause: "knows that the red cup is in the hall"."""
        return f"{self.attitudes[(clause + turn) % 3]} {self.clauses[clause]}"

    def label(self, clause: int, turn: int) -> str:
        return LABELS[(clause + turn) % 3]


def beliefs(cast: Cast) -> Beliefs:
    rng = cast.rng
    people = tuple(cast.person(words=1 if rng.random() < 0.6 else None).name for _ in range(3))
    attitudes = tuple(pick(rng, ATTITUDES[label]) for label in LABELS)
    clauses = tuple(f"{cast.thing()} is in {cast.room()}" for _ in range(3))
    return Beliefs(people, attitudes, clauses)
