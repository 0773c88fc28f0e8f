"""Passages: a scene among other sentences, as far from its question and as crowded as asked.

Koko found the pink doll. Mara gave the red cup to Tomo. On a cold day, Vevi was sad.
^ a distractor of 1       ^ the scene                    ^ a distance of 1
"""

from dataclasses import dataclass
from random import Random

from tasks.errors import UserError
from tasks.microworld.lexicon import Cast, pick
from tasks.microworld.scenes import FACTS, Family, Scene, aside

LEVELS = (1, 2, 3, 4)  # lexical, recall, binding, two steps
MOST = {"distance": 8, "distractors": 4}  # a split has no names and things for more


@dataclass(frozen=True)
class Dial:
    """How hard a row is beside its level.

    `distance` is how many sentences stand between the facts and the end of their passage,
    `distractors` how many facts of the same kind, about others, stand around them.
    """

    level: int = 3
    distance: int = 0
    distractors: int = 0


@dataclass(frozen=True)
class Mixture:
    """What a file is mixed of: groups take the levels in turn, and draw the rest uniformly.

    A task without a level leaves it out of the turn.
    """

    levels: tuple[int, ...] = LEVELS
    distance: tuple[int, ...] = (0, 1, 2, 3)
    distractors: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            if not all(0 <= number <= most for number in getattr(self, name)):
                raise UserError(f"{name} {getattr(self, name)}: each must be 0 to {most}.")
        if not set(self.levels) <= set(LEVELS):
            raise UserError(f"levels {self.levels}: each must be one of {LEVELS}.")

    def draw(self, rng: Random, turn: int, levels: tuple[int, ...]) -> Dial:
        """The dial of group number `turn` of a task that has these levels."""
        both = [level for level in self.levels if level in levels] or levels
        level = both[turn % len(both)]
        return Dial(level, pick(rng, self.distance), pick(rng, self.distractors))


@dataclass(frozen=True)
class Passage:
    """The texts of the scene and of its twin, and all names in them."""

    scene: Scene
    text: str
    twin: str
    people: tuple[str, ...]


def passage(cast: Cast, family: Family, dial: Dial) -> Passage:
    """A scene of the family among other sentences, which are the same in the twin."""
    scene = family(cast)
    before, after, people = around(cast, scene.kind, dial)
    text, twin = (" ".join([*before, scene.text(t), *after]) for t in (False, True))
    return Passage(scene, text, twin, (*scene.people, *people))


def around(cast: Cast, kind: str, dial: Dial) -> tuple[list[str], list[str], tuple[str, ...]]:
    """What stands before and after a scene of a kind, and the names in it."""
    rng = cast.rng
    before, after = [], [aside(cast, kind) for _ in range(dial.distance)]
    for _ in range(dial.distractors):
        (before if rng.random() < 0.5 else after).append(FACTS[kind](cast))
    rng.shuffle(after)
    people = tuple(name for fact in (*before, *after) for name in fact.people)
    return [f.sentence for f in before], [f.sentence for f in after], people
