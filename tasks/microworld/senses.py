"""Words with two senses, each sense with three contexts that show which one is meant.

The contexts of a sense share no telling word, so two sentences of one sense overlap no more than
two sentences of different senses: whether the senses agree cannot be read off a bag of words.
"""

from dataclasses import dataclass

from tasks.microworld.lexicon import OPENINGS, Cast, pick

SENSES: dict[str, tuple[tuple[str, str, str], tuple[str, str, str]]] = {
    "bank": (("P sat on the bank of the river.", "P fished from the muddy bank.",
              "P pulled the boat onto the bank."),
             ("P put all the money in the bank.", "P got a loan from the bank.",
              "P opened an account at the bank.")),
    "bat": (("P saw a bat fly out of the cave.", "P heard the wings of a bat at night.",
             "P found a hungry bat under the roof."),
            ("P hit the ball with a bat.", "P swung a wooden bat.",
             "P bought a bat for the next game.")),
    "ring": (("P wore a ring on one finger.", "P gave a golden ring to a bride.",
              "P lost a ring with a diamond."),
             ("P stepped into the ring to box.", "P won a fight in the ring.",
              "P heard the crowd around the ring.")),
    "nail": (("P hit the nail with a hammer.", "P hung the picture on a nail.",
              "P pulled a rusty nail out of the wood."),
             ("P cut a nail on the left thumb.", "P painted every nail pink for the party.",
              "P broke a nail of one toe.")),
    "trunk": (("P saw the elephant lift its trunk.", "P gave water to the trunk of the beast.",
               "P felt the soft grey trunk at the zoo."),
              ("P packed the clothes into a trunk.", "P locked the trunk with a key.",
               "P carried a trunk up to the attic.")),
    "match": (("P lit the candle with a match.", "P burned one finger on a match.",
               "P kept a dry match for the stove."),
              ("P won the tennis match.", "P scored a goal in the match.",
               "P lost the match to a good team.")),
    "seal": (("P watched a seal swim in the sea.", "P threw some fish to the seal.",
              "P heard the bark of a seal on the ice."),
             ("P broke the seal of the letter.", "P pressed a seal into warm wax.",
              "P saw the seal of a king on the paper.")),
    "palm": (("P climbed the palm on the beach.", "P planted a palm in hot sand.",
              "P picked a nut from the palm."),
             ("P held a coin in one palm.", "P wrote a number on one palm.",
              "P felt a cut across the palm.")),
    "pen": (("P wrote a letter with a pen.", "P filled the pen with ink.",
             "P signed the paper with a new pen."),
            ("P kept the pigs in a pen.", "P fed the sheep in the pen.",
             "P built a fence around the pen.")),
    "mouse": (("P saw a mouse eat the cheese.", "P set a trap for the mouse.",
               "P watched the cat chase a mouse."),
              ("P clicked the mouse twice.", "P plugged the mouse into the computer.",
               "P moved the mouse across the screen.")),
    "star": (("P saw a bright star in the night sky.", "P pointed the telescope at a star.",
              "P found the north star above the clouds."),
             ("P met a famous star of film.", "P asked the star to sing on stage.",
              "P took a photo of the rich star.")),
    "crane": (("P watched a crane build its nest.", "P saw the feathers of a crane.",
               "P counted the eggs of the crane."),
              ("P lifted the steel beam with a crane.", "P drove the crane at the building site.",
               "P moved concrete with a tall crane.")),
    "club": (("P joined a chess club.", "P met all members of the club.",
              "P became the president of a club."),
             ("P hit the golf ball with a club.", "P swung a heavy club at the thief.",
              "P carved a club out of oak.")),
    "note": (("P left a note on the door.", "P read the short note twice.",
              "P wrote a note to the teacher."),
             ("P sang a high note.", "P played the wrong note on the piano.",
              "P heard a low note from the flute.")),
    "scale": (("P stood on the scale to check the weight.", "P put flour on the kitchen scale.",
               "P read ten pounds on the scale."),
              ("P scraped a scale off the fish.", "P touched a green scale of the snake.",
               "P found a scale of a dragon.")),
    "bow": (("P shot an arrow with a bow.", "P went to hunt deer with a bow.",
             "P aimed the bow at the target."),
            ("P tied the ribbon into a bow.", "P wore a silk bow in long hair.",
             "P put a bow on the birthday present.")),
    "board": (("P cut the board with a saw.", "P nailed a board over the window.",
               "P laid one more board on the deck."),
              ("P spoke to the board of the firm.", "P asked the board to vote.",
               "P was chosen by the board as its head.")),
    "wave": (("P saw a big wave hit the ship.", "P rode a wave to the shore.",
              "P fell off the surf into a wave."),
             ("P said goodbye with a wave.", "P gave a friendly wave from the train.",
              "P answered the hello with a wave.")),
    "plane": (("P flew to the city by plane.", "P boarded the plane at the airport.",
               "P saw a plane land in fog."),
              ("P drew a line on the plane.", "P proved that two points lie in one plane.",
               "P learned about the plane in geometry.")),
    "jam": (("P spread jam on the bread.", "P cooked jam from sweet berries.",
             "P ate a spoon of jam."),
            ("P was stuck in a traffic jam.", "P came late because of a jam on the road.",
             "P waited in a jam with hundreds of cars.")),
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
