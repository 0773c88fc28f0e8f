"""Minimal pairs: a sentence of the world and one that differs from it in a word and is not English.

    morphology        The goats of Mara are tired.      The goats of Mara is tired.
                      Tomo saw this goat in the hall.   Tomo saw these goat in the hall.
                      Mara saw herself in the mirror.   Mara saw himself in the mirror.
    syntax            Mara went to the hall.            Mara to went the hall.
                      Mara gave the cup to Tomo.        Mara gave the cup from Tomo.
                      Mara was angry with the cup.      The cup was angry with Mara.
    semantics         Nobody has ever seen the cup.     Mara has ever seen the cup.
    syntax_semantics  Mara says that Tomo saw himself.  Mara says that Tomo saw herself.

The good sentences are pieces of documents too, with other names, so that the corpus shows what is
right and never what is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.microworld.lexicon import MOODS, Cast, capital, pick
from tasks.microworld.scenes import FACTS, GIVING

Pair = tuple[str, str]  # good, bad
_COUNTED = ("animal", "plant", "fragile", "toy", "machine")
_SELF = ("himself", "herself")
_SAW = ("in the mirror", "in the water", "in the picture")


def plural(noun: str) -> str:
    """A noun's plural.

    >>> plural("daisy"), plural("dress"), plural("goat")
    ('daisies', 'dresses', 'goats')
    """
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun == "loaf":
        return "loaves"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _counted(cast: Cast) -> str:
    """A noun with two forms."""
    while (noun := cast.noun(_COUNTED)) == "sheep":
        pass
    return noun


def subject_verb(cast: Cast) -> Pair:
    """The verb agrees with the noun, and not with the owner beside it."""
    rng, noun = cast.rng, _counted(cast)
    many = rng.random() < 0.5
    subject = f"The {plural(noun) if many else noun} of {cast.person().name}"
    end = pick(rng, ("here", "there", "gone", "outside", "in the garden", "on the table"))
    good, bad = ("are", "is") if many else ("is", "are")
    return f"{subject} {good} {end}.", f"{subject} {bad} {end}."


def attractor(cast: Cast) -> Pair:
    """The verb agrees with its subject across a noun of the other number."""
    rng, noun, other = cast.rng, _counted(cast), _counted(cast)
    many = rng.random() < 0.5
    one, two = (plural(noun), other) if many else (noun, plural(other))
    good, bad = ("were", "was") if many else ("was", "were")
    start, end = f"The {one} near the {two}", pick(rng, ("lost", "found again", "old", "new"))
    return f"{start} {good} {end}.", f"{start} {bad} {end}."


def determiner(cast: Cast) -> Pair:
    """The determiner has the number of its noun."""
    rng, noun = cast.rng, _counted(cast)
    words = pick(rng, (("this", "these"), ("that", "those")))
    many = rng.random() < 0.5
    thing = plural(noun) if many else noun
    text = f"{cast.person().name} saw {{}} {thing} in {cast.room()}."
    return text.format(words[many]), text.format(words[not many])


def reflexive(cast: Cast) -> Pair:
    """A reflexive has the gender of its subject."""
    person = cast.person()
    text = f"{person.name} saw {{}} {pick(cast.rng, _SAW)}."
    return text.format(_SELF[person.she]), text.format(_SELF[not person.she])


def order(cast: Cast) -> Pair:
    """Two neighbouring words in the wrong order."""
    words = FACTS[pick(cast.rng, ("moved", "employed", "owned", "above", "visited"))](cast)
    good = words.sentence.removesuffix(".").split()
    # The first lower-case word is the verb; what follows it changes places with it.
    verb = next(k for k, word in enumerate(good) if word[0].islower())
    bad = [*good[:verb], good[verb + 1], good[verb], *good[verb + 2 :]]
    return f"{' '.join(good)}.", f"{' '.join(bad)}."


def direction(cast: Cast) -> Pair:
    """What changes hands goes to somebody, or comes from somebody: the verb says which."""
    deal = pick(cast.rng, GIVING)
    text = deal.replace("X", cast.thing()).format(a=cast.person().name, b=cast.person().name)
    right, wrong = (" to ", " from ") if " to " in deal else (" from ", " to ")
    return text, text.replace(right, wrong)


def feeling(cast: Cast) -> Pair:
    """Things have no moods."""
    name, thing = cast.person().name, cast.thing()
    mood = pick(cast.rng, [mood for mood in MOODS if mood != "calm"])
    return f"{name} was {mood} with {thing}.", f"{capital(thing)} was {mood} with {name}."


def ever(cast: Cast) -> Pair:
    """ "Ever" needs a negation."""
    verb = pick(cast.rng, ("seen", "touched", "sold", "liked"))
    rest = f"has ever {verb} {cast.thing()}."
    return f"Nobody {rest}", f"{cast.person().name} {rest}"


def domain(cast: Cast) -> Pair:
    """A reflexive belongs to the subject of its own clause."""
    she = cast.rng.random() < 0.5
    one, two = cast.person(not she).name, cast.person(she).name
    text = f"{one} {pick(cast.rng, ('says', 'knows'))} that {two} saw {{}} {pick(cast.rng, _SAW)}."
    return text.format(_SELF[she]), text.format(_SELF[not she])


@dataclass(frozen=True)
class Paradigm:
    """A maker of minimal pairs, and where it stands among BLiMP's fields and terms."""

    name: str
    field: str
    term: str
    make: Callable[[Cast], Pair]


_ALL = (
    Paradigm("subject_verb_agreement", "morphology", "subject_verb_agreement", subject_verb),
    Paradigm("distractor_agreement", "morphology", "subject_verb_agreement", attractor),
    Paradigm("determiner_noun_agreement", "morphology", "determiner_noun_agreement", determiner),
    Paradigm("anaphor_gender_agreement", "morphology", "anaphor_agreement", reflexive),
    Paradigm("word_order", "syntax", "word_order", order),
    Paradigm("transfer_direction", "syntax", "argument_structure", direction),
    Paradigm("animate_subject", "syntax", "s-selection", feeling),
    Paradigm("npi_ever", "semantics", "npi_licensing", ever),
    Paradigm("principle_A_domain", "syntax_semantics", "binding", domain),
)
PARADIGMS: Mapping[str, Paradigm] = {paradigm.name: paradigm for paradigm in _ALL}


def sentence(cast: Cast) -> str:
    """The good sentence of some paradigm: a piece of a document."""
    return pick(cast.rng, _ALL).make(cast)[0]


def row(cast: Cast, paradigm: Paradigm, number: int) -> dict[str, Any]:
    """A minimal pair in BLiMP's fields."""
    good, bad = paradigm.make(cast)
    return {
        "sentence_good": good,
        "sentence_bad": bad,
        "field": paradigm.field,
        "linguistics_term": paradigm.term,
        "UID": paradigm.name,
        "simple_LM_method": True,
        "one_prefix_method": False,
        "two_prefix_method": False,
        "lexically_identical": sorted(good.lower().split()) == sorted(bad.lower().split()),
        "pairID": str(number),
    }
