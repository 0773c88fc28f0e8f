"""Words with two senses, each sense with three contexts that show which one is meant.

The six contexts of a word share "the" and no other word, so two sentences of one sense overlap
exactly as two of different senses do: whether they agree cannot be read off a bag of words.
"""

from dataclasses import dataclass

from tasks.microworld.lexicon import OPENINGS, Cast, pick

SENSES: dict[str, tuple[tuple[str, str, str], tuple[str, str, str]]] = {
    "bank": (("P sat on the bank of that river.", "P fished from the muddy bank.",
              "P pulled a boat onto the bank."),
             ("P put all money in the bank.", "P got two loans at the bank.",
              "P asked the bank for credit.")),
    "bat": (("P saw the bat leave its cave.", "P heard the wings of one bat.",
             "P fed some insects to the bat."),
            ("P hit balls with the bat.", "P swung the wooden bat.",
             "P bought the bat for another game.")),
    "ring": (("P wore the ring on one finger.", "P gave the golden ring to a bride.",
              "P lost the ring with its diamond."),
             ("P left the ring after boxing.", "P won many fights in the ring.",
              "P heard crowds around the ring.")),
    "nail": (("P hit the nail with a hammer.", "P hung pictures on the nail.",
              "P pulled the rusty nail from old wood."),
             ("P cut the nail of one thumb.", "P painted the nail pink for parties.",
              "P broke the nail at her left toe.")),
    "trunk": (("P saw the elephant lift its trunk.", "P gave water to the trunk.",
               "P felt the soft trunk at a zoo."),
              ("P packed clothes into the trunk.", "P locked the trunk with keys.",
               "P carried the heavy trunk up some stairs.")),
    "match": (("P lit the candle with a match.", "P burned one finger on the match.",
               "P kept the dry match for stoves."),
              ("P won the tennis match.", "P scored two goals in the match.",
               "P lost the match to good players.")),
    "seal": (("P watched the seal swim.", "P threw some fish to the seal.",
              "P heard a seal bark on the ice."),
             ("P broke the seal of that letter.", "P pressed the seal into warm wax.",
              "P saw the royal seal under his contract.")),
    "palm": (("P climbed the palm on a beach.", "P planted the palm in hot sand.",
              "P picked nuts from the palm."),
             ("P held coins inside the palm.", "P wrote one number over the palm.",
              "P felt cuts across the palm.")),
    "pen": (("P wrote letters with the pen.", "P filled the pen up again.",
             "P signed a paper using the pen."),
            ("P kept pigs in the pen.", "P fed the sheep inside their pen.",
             "P built one fence around the pen.")),
    "mouse": (("P saw the mouse eat cheese.", "P set a trap for the mouse.",
               "P watched cats chase the mouse."),
              ("P clicked the mouse twice.", "P plugged the mouse into her computer.",
               "P used the mouse with one screen.")),
    "star": (("P saw the star at night.", "P pointed a telescope towards the star.",
              "P found the north star above some clouds."),
             ("P met the famous star of film.", "P asked the star to sing.",
              "P took one photo with the rich star.")),
    "crane": (("P watched the crane build its nest.", "P saw feathers of the crane.",
               "P counted the eggs under one crane."),
              ("P lifted a steel beam with the crane.", "P drove the crane at building sites.",
               "P moved concrete using the tall crane.")),
    "club": (("P joined the chess club.", "P met all members of the club.",
              "P became president in the club."),
             ("P hit golf balls with the club.", "P swung the heavy club at a thief.",
              "P carved the club out from oak.")),
    "note": (("P left the note on a door.", "P read the short note twice.",
              "P wrote the note for his teacher."),
             ("P sang the high note.", "P played the wrong note at one piano.",
              "P heard the low note from some flute.")),
    "scale": (("P checked her weight on the scale.", "P put flour onto the scale.",
               "P read ten pounds from the scale."),
              ("P scraped the scale off a fish.", "P touched the green scale of some snake.",
               "P found the scale under one dragon.")),
    "bow": (("P shot arrows with the bow.", "P hunted deer using the bow.",
             "P aimed the bow at a target."),
            ("P tied the ribbon into one bow.", "P wore the silk bow over long hair.",
             "P put the bow on birthday presents.")),
    "board": (("P cut the board with a saw.", "P nailed the board over one window.",
               "P laid the board on that deck."),
              ("P spoke to the board of directors.", "P asked the board for votes.",
               "P was chosen by the board.")),
    "wave": (("P saw the wave hit a ship.", "P rode the wave to shore.",
              "P fell off his surf into the wave."),
             ("P said goodbye with the wave.", "P gave the friendly wave from one train.",
              "P answered hello by the same wave.")),
    "plane": (("P flew home by the plane.", "P boarded the plane at an airport.",
               "P saw the plane land."),
              ("P drew one line on the plane.", "P proved that two points lie in the plane.",
               "P learned about the plane from geometry.")),
    "jam": (("P spread the jam on bread.", "P cooked the jam from sweet berries.",
             "P ate one spoon of the jam."),
            ("P was stuck in the traffic jam.", "P came late because cars made the jam.",
             "P waited for the jam behind buses.")),
}  # fmt: skip


@dataclass(frozen=True)
class Usage:
    """A word in a context: the sentence and the character span of the word."""

    word: str
    sense: int
    sentence: str
    start: int
    end: int


def usage(cast: Cast, word: str, sense: int, context: int) -> Usage:
    """A sentence about a new person that uses `word` in one of its senses."""
    text = SENSES[word][sense][context].replace("P", cast.person().name, 1)
    if cast.rng.random() < 0.5:
        text = f"{pick(cast.rng, OPENINGS)}, {text}"
    for start in (i for i in range(len(text)) if text.startswith(f" {word}", i)):
        end = start + 1 + len(word)
        if not text[end].isalpha():
            return Usage(word, sense, text, start + 1, end)
    raise ValueError(f"no {word!r} in {text!r}")


def pair(cast: Cast, same: bool, word: str = "") -> tuple[Usage, Usage]:
    """Two usages of one word, in the same sense (and different contexts) or in different senses."""
    rng = cast.rng
    word = word or pick(rng, tuple(SENSES))
    sense = int(rng.random() * 2)
    if same:
        one, two = rng.sample(range(3), 2)
        return usage(cast, word, sense, one), usage(cast, word, sense, two)
    one, two = int(rng.random() * 3), int(rng.random() * 3)
    return usage(cast, word, sense, one), usage(cast, word, 1 - sense, two)
