"""Text <-> tokens as each data set spells them: detokenisation, repair of word pieces, PTB words.

A model with a WordPiece vocabulary writes `the u . s . army ' s 3 , 000 men`; the references of a
data set say `the U.S. Army's 3,000 men`, or in Penn Treebank (PTB) tokens `the u.s. army 's 3,000
men`. Everything here is a pure function from text to text. A profile is a name in `REPAIRS`, and
the name is part of the signature of the metric that uses it, because every rule moves scores.
"""

import html
import re
from collections.abc import Callable
from itertools import count

SENTENCE_BREAKS = re.compile(r"(?i)\s*(?:\n|\[SEP\]|\[X_SEP\]|<S_SEP>|<q>)\s*")
BRACKETS = {
    "-lrb-": "(",
    "-rrb-": ")",
    "-lsb-": "[",
    "-rsb-": "]",
    "-lcb-": "{",
    "-rcb-": "}",
}

# Rules on text whose tokens are separated by single spaces: (pattern, replacement).
ELLIPSIS = (re.compile(r"(?<!\S)\. \. \.(?!\S)"), "...")
ANY_NUMBER = (re.compile(r"(?<=\d) ([.,]) (?=\d)"), r"\1")  # also glues `1 , 2009`
NUMBER = (re.compile(r"(?<=\d) (?:(\.) (?=\d)|(,) (?=\d{3}(?!\d)))"), r"\1\2")
CLITIC = (re.compile(r"(?<=\S) ' ?(s|m|d|ll|re|ve)(?!\S)"), r" '\1")
NEGATION = (re.compile(r"(?<!\S)([^\W\d_]*)n ' t(?!\S)"), r"\1 n't")
# A lone hyphen glues its neighbours together, unless punctuation follows it.
HYPHEN = (re.compile(r" ?(?<!\S)-(?!\S)(?: (?=\w))?"), "-")
ACRONYM = re.compile(r"(?<!\S)[A-Za-z](?: \. [A-Za-z])+ \.(?!\S)")
OPEN_ACRONYM = re.compile(r"(?<!\S)[A-Za-z](?: \. [A-Za-z])+(?= \.(?!\S))")
NAME_PREFIX = (re.compile(r"(?<!\S)(o|d|l) ' (?=\w)", re.IGNORECASE), r"\1'")
DECADE = (re.compile(r"(?<!\S)' (?=\d0s(?!\w))"), "'")


def apply(text: str, *rules: tuple[re.Pattern[str], str]) -> str:
    """`text` after each rule in turn, spaces collapsed."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def spaced(text: str) -> str:
    """One space between tokens, nothing else."""
    return " ".join(text.split())


def close_up(match: re.Match[str]) -> str:
    """A match without its spaces."""
    return match.group().replace(" ", "")


def paired_quotes(text: str) -> str:
    """Double quotes that stand alone, opening and closing in turn, as PTB writes them."""
    marks = count()
    return re.sub(r'(?<!\S)"(?!\S)', lambda _: "''" if next(marks) % 2 else "``", text)


def cnndm(text: str) -> str:
    """Word pieces -> PTB tokens, as the older summarization pipeline does before it counts n-grams.

    `don ' t cost $ 3 , 000 " now "` -> ``do n't cost $ 3,000 `` now ''``. The rules are UniLM's,
    with acronyms in lower case too (GLM's change, since its text is lower-cased).
    """
    text = ACRONYM.sub(close_up, apply(text, ELLIPSIS, ANY_NUMBER, NEGATION, CLITIC))
    return apply(paired_quotes(text), HYPHEN)


def squad(text: str) -> str:
    """Word pieces -> tokens, as UniLM's question generation does: numbers, hyphens, acronyms.

    An acronym keeps its last period apart (`u.s .`) and clitics stay split, which costs matches
    against PTB-tokenised references; `question_words` is the repair without these two faults.
    """
    return apply(OPEN_ACRONYM.sub(close_up, apply(text, ANY_NUMBER)), HYPHEN)


def yahoo_reference(text: str) -> str:
    """Word pieces -> the tokens of the Yahoo files, by the fixed list of the GLM code."""
    text = apply(
        text,
        ELLIPSIS,
        (re.compile(r"(?<!\S)- -(?!\S)"), "--"),
        (re.compile(r"(?<!\S)` `(?!\S)"), "``"),
        (re.compile(r"(?<!\S)' '(?!\S)"), "''"),
        (re.compile(r"(?<=\w) ' t(?!\S)"), "'t"),
        CLITIC,
    )
    return ACRONYM.sub(close_up, text)


def yahoo(text: str) -> str:
    """`yahoo_reference` plus what its list forgets: numbers (`20 , 000`) and the unknown word."""
    text = re.sub(r"\[UNK\]|<unk>|(?<!\S)_ ?unk(?!\S)", "_UNK", text, flags=re.IGNORECASE)
    return apply(yahoo_reference(text), NUMBER)


def gigaword(text: str) -> str:
    """Gigaword's spelling -> plain text: brackets, entities, `UNK` -> `[UNK]`. Digits stay `#`."""
    text = html.unescape(text)
    for code, sign in BRACKETS.items():
        text = re.sub(rf"(?<!\S){code}(?!\S)", sign, text, flags=re.IGNORECASE)
    return spaced(re.sub(r"(?<!\S)(?:UNK|<unk>)(?!\S)", "[UNK]", text))


def gigaword_words(text: str) -> str:
    """A headline as ROUGE reads it: brackets and entities undone, every unknown word `unk`."""
    return gigaword(text).replace("[UNK]", "unk")


def treebank_to_text(text: str) -> str:
    """PTB tokens (the UniLM layout of CNN/DailyMail) -> running text, sentence marks removed."""
    text = re.sub(r"<S_SEP>", " ", text)
    for code, sign in BRACKETS.items():
        text = re.sub(rf"(?<!\S){code}(?!\S)", sign, text, flags=re.IGNORECASE)
    text = re.sub(r"(?<!\S)`(?!\S) ?", "'", text)
    text = re.sub(r"(?<=[\w.]) (n't|'(?:s|m|d|ll|re|ve))(?!\S)", r"\1", text, flags=re.IGNORECASE)
    text = re.sub(r" ([.,;:?!%)\]}])(?!\S)", r"\1", text)
    text = re.sub(r"``\s?|\s?''(?!\S)", '"', text)
    return spaced(re.sub(r"(?<!\S)([(\[{$#]) ", r"\1", text))


def question_words(text: str) -> str:
    """A question as its metrics read it: lower-cased PTB tokens separated by spaces.

    Written text, word pieces and text that is tokenised already all end in the same tokens, so
    the hypothesis and the reference go through the same function.
    """
    text = apply(text.lower(), ELLIPSIS, NUMBER, NEGATION, NAME_PREFIX, DECADE, CLITIC, HYPHEN)
    return treebank(paired_quotes(ACRONYM.sub(close_up, text)))


TREEBANK = (
    (re.compile(r"(^|[ (\[{<])(?:[\"“]|''(?=\w))|(?<!\S)``"), r"\1 `` "),
    (re.compile(r"[\"”]|''"), " '' "),
    (re.compile(r"[‘’]"), "'"),
    (re.compile(r"\.\.\.|…"), " ... "),
    (re.compile(r"--|—"), " -- "),
    (re.compile(r"[;@#$£€%&?!()\[\]{}<>]"), r" \g<0> "),
    (re.compile(r"[:,](?!\d)|(?<!\d)[:,]"), r" \g<0> "),
    (re.compile(r"(?<=[^.\s])(?<![.\s]\w)\.(?=\s*['\")\]}?! ]*$)"), " . "),
    (re.compile(r"(?i)(?<=[a-z])n't\b"), " n't"),
    (re.compile(r"(?i)(?<=\w)'(s|m|d|ll|re|ve)(?!\w)"), r" '\1"),
    (re.compile(r"(?<=\w)'(?!\w)"), " '"),
    (re.compile(r"(?<!\S)'(?=[^\W\d])(?!(?:s|m|d|ll|re|ve)(?!\w))"), " ' "),
    (re.compile(r"(?i)\b(can)(not)\b"), r"\1 \2"),
)


def treebank(text: str) -> str:
    """PTB tokens, separated by spaces, of one sentence (Penn Treebank conventions, own rules)."""
    ended = re.search(r"(?<!\S)[A-Za-z](?:\.[A-Za-z])+\.$", text.rstrip())
    if ended:  # a final acronym keeps its period
        return f"{apply(text.rstrip()[: ended.start()], *TREEBANK)} {ended.group()}".strip()
    return apply(text, *TREEBANK)


ABBREVIATION = re.compile(
    r"(?i)(?:^|\s)(?:mr|mrs|ms|dr|st|vs|jr|sr|prof|rev|gen|gov|sen|rep|lt|sgt|col|no|inc|co|corp|ltd|"
    r"[a-z](?:\.[a-z])*)\s?$"
)


def sentences(text: str) -> list[str]:
    """The sentences of a summary: its lines (or parts between separators) if it has several.

    Otherwise by rule: after `.`, `?` or `!` and closing quotes, except after an abbreviation.
    """
    parts = [part for part in SENTENCE_BREAKS.split(text.strip()) if part.strip()]
    if len(parts) > 1 or SENTENCE_BREAKS.search(text.strip()):
        return parts
    text = ACRONYM.sub(close_up, apply(text, ELLIPSIS, NUMBER))
    found, start = [], 0
    for match in re.finditer(r"[.?!]+(?: ?(?:''|[\"'”’)]))*(?:\s+|$)", text):
        if match.group().strip() == "." and ABBREVIATION.search(text[start : match.start()]):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    return [part for part in [*found, text[start:].strip()] if part]


def with_period(sentence: str) -> str:
    """The sentence with a final period where it has no end mark (See et al., 2017)."""
    sentence = spaced(sentence)
    return sentence if not sentence or sentence[-1] in ".!?'\")`”’" else f"{sentence} ."


REPAIRS: dict[str, Callable[[str], str]] = {
    "": spaced,
    "cnndm": cnndm,
    "squad": squad,
    "yahoo": yahoo,
    "yahoo-reference": yahoo_reference,
    "gigaword": gigaword_words,
    "ptb-lower": question_words,
}
