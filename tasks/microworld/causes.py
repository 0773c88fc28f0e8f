"""Causes and effects: the world's causal rules, and the pronoun schemas that follow from them.

`RULES[kind]` lists what can happen to a thing of that kind, as (causes, effects): `P` is a person,
`X` "the cup", `O` "the cup of Mara". All effects of a kind differ, so a cause has one effect and an
effect one cause. `PRONOUNS` are pairs as Winograd made them: the last word decides who is meant.
"""

from dataclasses import dataclass

from tasks.microworld.lexicon import Cast, capital, pick

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
    """One rule applied to one thing of one person: index, the texts of the cause and the effect."""

    rule: int
    cause: str
    effect: str


def happenings(cast: Cast, count: int = 2) -> tuple[Happening, ...]:
    """`count` different rules applied to the same thing of the same person."""
    rng = cast.rng
    kind = pick(rng, tuple(RULES))
    person, noun = cast.person().name, cast.noun((kind,))
    chosen = rng.sample(range(len(RULES[kind])), count)
    out = []
    for rule in chosen:
        causes, effects = RULES[kind][rule]
        cause = pick(rng, causes).replace("X", f"the {noun}").replace("P", person)
        effect = pick(rng, effects).replace("O", f"the {noun} of {person}")
        out.append(Happening(rule, cause, capital(effect)))
    return tuple(out)


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


@dataclass(frozen=True)
class Pronoun:
    """A schema with its parties filled in; the sentence is `text + " " + special + "."`."""

    text: str
    x: str
    y: str
    pronoun: str
    first: str
    second: str

    def sentence(self, second: bool) -> str:
        return f"{self.text} {self.second if second else self.first}."


def pronoun(cast: Cast) -> Pronoun:
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
    return Pronoun(text, x, y, pronoun, schema.first, schema.second)
