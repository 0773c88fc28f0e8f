"""Causes and effects: the world's causal rules, and the pronoun schemas that follow from them.

`RULES[kind]` lists what can happen to a thing of that kind, as (causes, effects): `P` is a person,
`X` "the cup", `O` "the cup of Mara". All effects of a kind differ, so a cause has one effect and an
effect one cause. `PRONOUNS` are pairs as Winograd made them: the last word decides who is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.microworld.lexicon import COMPARISONS, MENTIONS, MOODS, Cast, capital, low, pick

RULES: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "fragile": (
        (("P dropped X on the hard floor.", "P hit X with a hammer."),
         ("O broke into pieces.", "O was broken.")),
        (("P left X in the snow.", "P put X on the ice."),
         ("O became very cold.", "O was cold.")),
        (("P washed X with soap.", "P cleaned X with care."),
         ("O looked bright and new.", "O was clean again.")),
        (("P forgot X in the dust for a year.", "P did not clean X for a year."),
         ("O was full of dust.", "O looked old and grey.")),
    ),
    "cloth": (
        (("P left X in the heavy rain.", "P dropped X into the river."),
         ("O became very wet.", "O was wet.")),
        (("P cut X with a knife.", "P pulled X over a sharp nail."),
         ("O had a big hole.", "O was torn.")),
        (("P dropped X into the mud.", "P used X to clean the floor."),
         ("O became very dirty.", "O had dark stains.")),
        (("P hung X in the wind.", "P put X near the stove."),
         ("O was dry again.", "O became dry and warm.")),
    ),
    "paper": (
        (("P threw X into the fire.", "P held X over a candle."),
         ("O burned at once.", "O turned into ash.")),
        (("P sent X by mail.", "P took X to the post office."),
         ("O arrived a week later.", "O came to a new home.")),
        (("P folded X ten times.", "P pressed X into a small pocket."),
         ("O became very small.", "O had many folds.")),
        (("P spilled tea on X.", "P dropped X into the soup."),
         ("O had a brown stain.", "O smelled of food.")),
    ),
    "food": (
        (("P was hungry and saw X.", "P wanted a snack and took X."),
         ("O was eaten at once.", "O was gone.")),
        (("P left X in the sun for weeks.", "P forgot X under the bed."),
         ("O went bad.", "O smelled terrible.")),
        (("P heated X for too long.", "P fell asleep and left X on the stove."),
         ("O was burned and black.", "O tasted of smoke.")),
        (("P cut X with a knife.", "P wanted to share X."),
         ("O lay there in two halves.", "O was in slices.")),
    ),
    "machine": (
        (("P took the battery out of X.", "P forgot to charge X."),
         ("O stopped.", "O did not start.")),
        (("P repaired X with new parts.", "P fixed X with a tool."),
         ("O worked well again.", "O started again.")),
        (("P pushed X too hard.", "P let X run all day."),
         ("O became very hot.", "O gave off smoke.")),
        (("P turned X up.", "P shook X."),
         ("O made a loud noise.", "O was very loud.")),
    ),
    "toy": (
        (("P threw X over the wall.", "P lost X in the forest."),
         ("O was gone for ever.", "Nobody found O.")),
        (("P stepped on X.", "P sat down on X."),
         ("O was flat.", "O was broken in two.")),
        (("P painted X with care.", "P gave X a new colour."),
         ("O looked new.", "O looked bright.")),
        (("P left X in the heavy rain.", "P washed X in the river."),
         ("O became very wet.", "O was wet.")),
    ),
    "animal": (
        (("P gave X no food.", "P forgot to feed X."),
         ("O was very hungry.", "O looked for food.")),
        (("P left the gate open for X.", "P did not tie up X."),
         ("O ran away.", "O left the farm.")),
        (("P made X run all day.", "P let X pull a heavy cart."),
         ("O was very tired.", "O fell asleep at once.")),
        (("P shouted at X.", "P made a loud noise near X."),
         ("O was afraid.", "O hid behind the house.")),
    ),
    "plant": (
        (("P gave X no water.", "P forgot to water X."),
         ("O was dry and brown.", "O died.")),
        (("P watered X every day.", "P gave X water and sun."),
         ("O grew very tall.", "O had many leaves.")),
        (("P cut down X.", "P cut X with a saw."),
         ("O fell to the ground.", "O was only wood now.")),
        (("P moved X into a dark room.", "P covered X with a black sheet."),
         ("O became pale.", "O had no sun.")),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """One rule applied to a thing: the texts of the cause and the effect, and whose thing it is."""

    cause: str
    effect: str
    owned: str


Rule = tuple[str, str]  # a cause and its effect, as templates


def rules(cast: Cast, kind: str, count: int = 2) -> list[Rule]:
    """`count` different rules of a kind, each in one of its wordings."""
    chosen = cast.rng.sample(RULES[kind], count)
    return [(pick(cast.rng, causes), pick(cast.rng, effects)) for causes, effects in chosen]


def happen(rule: Rule, actor: str, thing: str, owned: str) -> Happening:
    """A rule in words: the actor does it to `thing` ("the cup"), which is what the effect calls
    `owned` ("the cup of Mara")."""
    cause = rule[0].replace("X", thing).replace("P", actor)
    return Happening(cause, capital(rule[1].replace("O", owned)), owned)


def happenings(cast: Cast, person: str = "", count: int = 2) -> tuple[Happening, ...]:
    """`count` different rules applied to the same thing of the same person."""
    kind = cast.kind(tuple(RULES))
    person, thing = person or cast.person().name, f"the {cast.noun((kind,))}"
    chosen = rules(cast, kind, count)
    return tuple(happen(rule, person, thing, f"{thing} of {person}") for rule in chosen)


@dataclass(frozen=True)
class Case:
    """What a COPA row asks: two premises of the same words, and the two choices; premise k makes
    choice k right."""

    premises: tuple[str, str]
    choices: tuple[str, str]


def case(cast: Cast, level: int, question: str, between: list[str]) -> Case:
    """A case of a level; the sentences of `between` stand between its facts.

    1   one happens
    2   one happens, and nobody says that the other does
    3   both happen, to two people's two things
    4   both happen, to two things in two colours; whose they are has to be looked up
    """
    if level < 3:
        told, choices = _sides(happenings(cast), question)
        if level == 1:
            return Case(told, choices)
        unsaid = [f"Nobody says that {low(text)}" for text in told]
        pairs = [[told[0], unsaid[1]], [told[1], unsaid[0]]]
        if cast.rng.random() < 0.5:
            pairs = [pair[::-1] for pair in pairs]
    else:
        make = _crossed if level == 3 else _owned
        pairs, choices = make(cast, question)
    first, second = (" ".join([one, *between, *more]) for one, *more in pairs)
    return Case((first, second), choices)


Pair = tuple[str, str]


def _sides(happened: Sequence[Happening], question: str) -> tuple[Pair, Pair]:
    """(what is told, what is chosen from) of two happenings."""
    one, two = happened
    causes, effects = (one.cause, two.cause), (one.effect, two.effect)
    return (causes, effects) if question == "effect" else (effects, causes)


def _crossed(cast: Cast, question: str) -> tuple[list[list[str]], Pair]:
    """Two people, a thing of one kind each, and two rules; the twin exchanges the rules."""
    kind = cast.kind(tuple(RULES), 2)
    both, sides = rules(cast, kind), []
    for _ in range(2):
        person, thing = cast.person().name, f"the {cast.noun((kind,))}"
        happened = [happen(rule, person, thing, f"{thing} of {person}") for rule in both]
        sides.append(_sides(happened, question))
    (one, choices), (other, _) = sides
    pairs = [[one[0], other[1]], [one[1], other[0]]]
    if cast.rng.random() < 0.5:
        pairs = [pair[::-1] for pair in pairs]
    return pairs, choices


def _owned(cast: Cast, question: str) -> tuple[list[list[str]], Pair]:
    """Two owners of things in two colours and two rules; the twin exchanges the colours."""
    kind = cast.kind(tuple(RULES))
    both, noun, actor = rules(cast, kind), cast.noun((kind,)), cast.person().name
    owners, colours = [cast.person().name for _ in "ab"], [cast.colour() for _ in "ab"]
    # Causes name a thing by its colour, effects by its owner.
    things = [(f"the {c} {noun}", f"the {noun} of {o}") for c, o in zip(colours, owners)]
    asked, other = (_sides([happen(r, actor, *thing) for r in both], question) for thing in things)
    told = [asked[0][0], other[0][1]]
    orders = [1 if cast.rng.random() < 0.5 else -1 for _ in range(2)]
    pairs = []
    for turn in (1, -1):
        facts = [f"{o} owns a {c} {noun}." for o, c in zip(owners, colours[::turn])]
        pairs.append([*facts[:: orders[0]], *told[:: orders[1]]])
    return pairs, asked[1]


@dataclass(frozen=True)
class Schema:
    """A sentence with two parties `{x}` and `{y}`; `first` makes the pronoun mean x, `second` y."""

    text: str
    first: str
    second: str
    kinds: tuple[str, str] = ("", "")  # kinds of the two things; empty for two people


_SMALL = "toy paper food"
_VESSEL = "box"
PRONOUNS = (
    Schema("{x} did not fit in {y} because it was too", "big", "small", (_SMALL, _VESSEL)),
    Schema("{x} broke {y} because it was very", "heavy", "weak", ("machine", "fragile")),
    Schema("{p} could not see {x} behind {y} because it was too", "short", "tall",
           ("animal", "plant")),
    Schema("{p} poured the water from {x} into {y} until it was", "empty", "full",
           (_VESSEL, _VESSEL)),
    Schema("{x} fell through {y} because it was too", "heavy", "thin", ("machine", "cloth")),
    Schema("{p} could not hear {x} over {y} because it was too", "quiet", "loud",
           ("machine", "machine")),
    Schema("{x} ran faster than {y} because it was so", "young", "old", ("animal", "animal")),
    Schema("{x} could not lift {y} because {he} was too", "weak", "heavy"),
    Schema("{x} lent some money to {y} because {he} was very", "rich", "poor"),
    Schema("{x} asked {y} about the way because {he} was", "lost", "local"),
    Schema("{x} lost the race to {y} because {he} was so", "slow", "fast"),
    Schema("{x} thanked {y} for the meal because {he} had", "eaten", "cooked"),
    Schema("{x} could not wake {y} because {he} was too", "quiet", "sleepy"),
    Schema("{x} taught {y} to swim because as a swimmer {he} was", "good", "bad"),
    Schema("{x} carried {y} home because {he} was so", "strong", "tired"),
    Schema("{x} went to {y} for a cure because {he} was", "ill", "wise"),
)  # fmt: skip


_WITH = (
    "{x} met {y} in {r} because {he} was {m}.",
    "{x} asked {y} for help because {he} was {m}.",
    "{x} waited for {y} because {he} was {m}.",
    "{x} sang for {y} when {he} was {m}.",
)


@dataclass(frozen=True)
class Pronoun:
    """Two texts that end in a sentence with a pronoun: in the first it means x, in the second y.

    `follows` says which one the pronoun means, in words, as (text for x, text for y).
    """

    texts: tuple[str, str]
    x: str
    y: str
    pronouns: tuple[str, str]
    follows: tuple[str, str]


def pronoun(cast: Cast, level: int, between: list[str]) -> Pronoun:
    """A pronoun of a level, after the sentences of `between`.

    1   its gender decides
    2   a fact about one of the two decides
    3   what happened decides, as Winograd made them: the last word says who is meant
    4   a comparison through a third person decides
    """
    if level == 3:
        return _winograd(cast, between)
    rng = cast.rng
    she = rng.random() < 0.5
    x, y = cast.person(she).name, cast.person(she if level > 1 else not she).name
    slots = {"x": x, "y": y, "r": cast.room(), "m": (m := pick(rng, MOODS))}
    text, said = pick(rng, _WITH), ("he", "she")
    if level == 1:
        pronouns = (said[she], said[not she])
        texts = [" ".join([*between, text.format(**slots, he=he)]) for he in pronouns]
        return Pronoun((texts[0], texts[1]), x, y, pronouns, (f"{x} was {m}", f"{y} was {m}"))
    he = said[she]
    if level == 2:
        first, mention = rng.random() < 0.5, pick(rng, MENTIONS)
        heads = [[f"{one} is {m}.", mention.format(two)] for one, two in ((x, y), (y, x))]
        heads = [head if first else head[::-1] for head in heads]
        end = text.format(**slots, he=he)
        follows = (f"{x} is {m}", f"{y} is {m}")
    else:
        more, third = pick(rng, tuple(COMPARISONS)), cast.person().name
        turn = 1 if rng.random() < 0.5 else -1
        heads = [
            [f"{one} is {more} than {third}.", f"{third} is {more} than {two}."][::turn]
            for one, two in ((x, y), (y, x))
        ]
        end = text.format(**slots | {"m": f"the {more} one"}, he=he)
        follows = (f"{x} is {more} than {y}", f"{y} is {more} than {x}")
    texts = [" ".join([*head, *between, end]) for head in heads]
    return Pronoun((texts[0], texts[1]), x, y, (he, he), follows)


def _winograd(cast: Cast, between: list[str]) -> Pronoun:
    """One schema about two things or about two people of one gender."""
    rng, schema = cast.rng, pick(cast.rng, PRONOUNS)
    if schema.kinds[0]:
        x = cast.thing(tuple(schema.kinds[0].split()))
        y = cast.thing(tuple(schema.kinds[1].split()))
        pronoun = "it"
    else:
        she = rng.random() < 0.5
        x, y = cast.person(she).name, cast.person(she).name
        pronoun = "she" if she else "he"
    person = cast.person().name if "{p}" in schema.text else ""
    text = capital(schema.text.format(x=x, y=y, p=person, he=pronoun))
    texts = [" ".join([*between, f"{text} {end}."]) for end in (schema.first, schema.second)]
    follows = (f"{x} was {schema.first}", f"{y} was {schema.second}")
    return Pronoun((texts[0], texts[1]), x, y, (pronoun, pronoun), follows)
