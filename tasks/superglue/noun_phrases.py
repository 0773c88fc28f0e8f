"""Noun phrases of a text, by rule: the negatives that WSC's rank mode compares with a span.

GLM's own negatives were never published. These come from a rule and not from a tagger, so that the
same text gives the same candidates on every machine, with nothing to download. A phrase is

1. a determiner, possessive or number word, then up to four open-class words: "the city councilmen",
   "many lies", "his book", "Ann's old red coat". It ends before a function word, punctuation, an
   adverb in -ly, or what looks like a verb (an irregular form from a list, or a word in -ed or -ing
   that does not directly follow the determiner);
2. or a run of capitalised words that is not merely the capital of a sentence's beginning: "Pete",
   "Mr. Bond", "New York".

Phrases joined by "and" give a third that spans both. Where a text has no such phrase besides the
span, its remaining open-class words stand in. A wrong boundary costs little: it makes a negative
that is easier to reject. `RULE` names the rule in a cell's signature and changes when it does.
"""

import re
from dataclasses import dataclass

RULE = "np-rule-1"

TOKEN = re.compile(
    r"(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|Prof)\.|['’]s\b|[^\W_]+(?:-[^\W_]+)*(?:['’](?!s\b)[^\W_]+)?|\S"
)
DETERMINERS = frozenset(
    """a an the this that these those my your his her its our their some any no every each either
    neither another both all many several few most much one two three four five six seven eight nine
    ten hundred thousand""".split()
)
PRONOUNS = frozenset(
    """i me mine you yours he him himself she hers herself it itself we us ours they them theirs
    themselves who whom whose which what someone somebody something anyone anything everyone
    everything nobody nothing there here myself yourself ourselves""".split()
)
PARTICLES = frozenset(
    """about above across after again against ago along also although always am among and are
    aren't around as at away back be became because become been before being behind below beneath
    beside besides between beyond but by came can can't cannot come could couldn't did didn't do
    does doesn't don't done down during even ever except far for from get gets go goes gone got had
    hadn't has hasn't have haven't how if in inside instead into is isn't just let lets like made
    make makes may maybe might more must near never nor not now of off often on once only onto or
    other out outside over past perhaps please put puts quite rather really say says see sees shall
    should shouldn't since so soon still than then though through throughout till to together too
    toward towards under unless until unlike up upon very was wasn't were weren't when whenever
    where wherever whether while why will with within without won't would wouldn't yes yet
    """.split()
)
# Past and third-person forms that no suffix gives away; regular ones end in -ed.
VERBS = frozenset(
    """ate beat began bent bit blew bought broke brought built burnt caught chose crept cut dealt
    drank drew drove fed fell felt fought found flew forgot forgave froze gave grew heard held
    hid hit hung hurt kept knew laid lay led left lent lit lost meant met paid ran rang read
    rode rose said sang sank sat saw sent set shook shot shut slept slid sold sought spent spoke
    spread stole stood struck stuck swam swept swore taught thought threw told took tore
    understood went woke won wore wrote knows thinks wants needs tells says asks gives takes
    keeps loves hates likes looks seems lives owns has know think want need tell ask give take
    keep love hate seem live own fit fits run runs sit sits stand stands
    """.split()
)
NOUNS = frozenset(
    """bullying building clothing evening family feeling hundred meeting morning painting speed
    spring string thing wedding""".split()
)
FUNCTION = DETERMINERS | PRONOUNS | PARTICLES
MOST_WORDS = 4


@dataclass(frozen=True)
class Phrase:
    """A stretch of a text."""

    text: str
    start: int
    end: int


def negatives(text: str, span: str, pronoun: tuple[int, int]) -> tuple[str, ...]:
    """The noun phrases of a text that a span may be compared with, in order of first mention.

    `span` is left out in all its mentions, with every phrase that holds it or is held by it, and so
    is what overlaps the `pronoun` (its start and end in the text). Distinct but for case; never
    empty.
    """
    found: dict[str, str] = {}
    for phrase in noun_phrases(text):
        apart = phrase.end <= pronoun[0] or phrase.start >= pronoun[1]
        if apart and not _overlap(phrase.text, span):
            found.setdefault(phrase.text.casefold(), phrase.text)
    if not found:
        words = (t for t in TOKEN.findall(text) if _open(t) and not _overlap(t, span))
        found = {word.casefold(): word for word in words}
    return tuple(found.values()) or (("someone",) if span.casefold() != "someone" else ("nobody",))


def _overlap(phrase: str, span: str) -> bool:
    """Whether one of two phrases holds the other's words, determiners aside."""
    a, b = (
        [t for t in map(str.casefold, TOKEN.findall(one)) if t not in DETERMINERS]
        or one.casefold().split()
        for one in (phrase, span)
    )
    short, long = sorted((a, b), key=len)
    width = len(short)
    return any(long[i : i + width] == short for i in range(len(long) - width + 1))


def noun_phrases(text: str) -> list[Phrase]:
    """All phrases of a text by the rule above, by position; they may overlap."""
    tokens = list(TOKEN.finditer(text))
    lower = {t.group() for t in tokens if t.group().islower()}
    spans: list[tuple[int, int]] = []  # token positions, end exclusive
    for i, token in enumerate(tokens):
        word = token.group()
        if word.casefold() in DETERMINERS or word in ("'s", "’s"):
            first, end = i, _phrase_end(tokens, i + 1)
            if word in ("'s", "’s"):  # a possessive continues the phrase before it
                first = next((s for s, e in reversed(spans) if e == i), i)
            if end > i + 1 and first < end and (first != i or word.casefold() in DETERMINERS):
                spans.append((first, end))
        elif _named(tokens, i, lower) and not (i and _named(tokens, i - 1, lower)):
            end = i + 1
            while end < len(tokens) and _named(tokens, end, lower):
                end += 1
            spans.append((i, end))
    spans += [
        (a, d) for a, b in spans for c, d in spans if c == b + 1 and tokens[b].group() == "and"
    ]
    bounds = sorted({(tokens[a].start(), tokens[b - 1].end()) for a, b in spans})
    return [Phrase(text[start:end], start, end) for start, end in bounds]


def _phrase_end(tokens: list[re.Match[str]], first: int) -> int:
    """Where the open-class words that begin at `first` end (exclusive)."""
    end = first
    while end < len(tokens) and end - first < MOST_WORDS and _open(tokens[end].group()):
        if end > first and _verbal(tokens[end].group()):
            break
        end += 1
    return end


def _open(word: str) -> bool:
    """Whether a token is a word of an open class (or an abbreviated title)."""
    return word[0].isalpha() and word.casefold() not in FUNCTION and word.casefold() not in VERBS


def _verbal(word: str) -> bool:
    suffixed = len(word) > 4 and word.islower() and word.endswith(("ed", "ing", "ly"))
    return suffixed and word not in NOUNS


def _named(tokens: list[re.Match[str]], i: int, lower: set[str]) -> bool:
    """Whether a token is a capitalised word, and not for beginning a sentence alone."""
    word = tokens[i].group()
    if not word[0].isupper() or word.casefold() in FUNCTION or word.casefold() in VERBS:
        return False
    begins = i == 0 or tokens[i - 1].group() in '.!?"“‘:'
    adverbial = len(word) > 5 and word.endswith(("ly", "ing"))  # "Luckily", but not "Emily"
    return not begins or (word.casefold() not in lower and not adverbial)
