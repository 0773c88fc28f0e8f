"""The oracle: the right answer to every row, computed from what its text says.

It reads a row as the official files have it (labels or not), builds the world's state from the
passage, or looks up the world's rules of causes and senses, and answers. It shares no code path
with the makers of rows, so that a label that is wrong is found.
"""

import re
from typing import Any

from tasks.microworld import reading
from tasks.microworld.attitudes import ATTITUDES
from tasks.microworld.causes import PRONOUNS
from tasks.microworld.lexicon import OPENINGS, is_she
from tasks.microworld.senses import SENSES

Row = dict[str, Any]


def cb(row: Row) -> str:
    """The attitude to the hypothesis, or to where the box is in which its thing lies."""
    told = reading.sentences(row["premise"])
    thing, _, room = row["hypothesis"].partition(" is in ")
    wanted = {row["hypothesis"]}
    for sentence in told:
        holder = re.fullmatch(f"{reading.THING} is in (the \\w+ \\w+)", sentence)
        if holder and holder[1].lower() == thing:
            wanted.add(f"{holder[2]} is in {room}")
    for sentence in told:
        for label, attitudes in ATTITUDES.items():
            for attitude in attitudes:
                who, found, clause = sentence.partition(f" {attitude} ")
                if found and clause in wanted and re.fullmatch(reading.NAME, who):
                    return label
    raise ValueError(f"nobody speaks of it: {row['hypothesis']!r}")


def copa(row: Row) -> int:
    state = reading.read(row["premise"])
    right = [i for i in (0, 1) if reading.holds(state, row[f"choice{i + 1}"])]
    if len(right) != 1:
        raise ValueError(f"{len(right)} choices follow from {row['premise']!r}")
    return right[0]


def rte(row: Row) -> str:
    true = reading.holds(reading.read(row["premise"]), row["hypothesis"])
    return "entailment" if true else "not_entailment"


def _sense(word: str, sentence: str) -> int:
    for sense, contexts in enumerate(SENSES[word]):
        for context in contexts:
            pattern = re.escape(context).replace("P", f"(?:(?:{'|'.join(OPENINGS)}), )?N", 1)
            if re.fullmatch(pattern.replace("N", reading.NAME, 1), sentence):
                return sense
    raise ValueError(f"no sense of {word!r}: {sentence!r}")


def wic(row: Row) -> bool:
    for n in "12":
        marked = row[f"sentence{n}"][row[f"start{n}"] : row[f"end{n}"]]
        if marked != row["word"]:
            raise ValueError(f"marks {marked!r}, not {row['word']!r}")
    return _sense(row["word"], row["sentence1"]) == _sense(row["word"], row["sentence2"])


def wsc(row: Row) -> bool:
    *told, last = reading.sentences(row["text"])
    meant = _winograd(f"{last}.") or _with(told, last)
    return meant == row["target"]["span1_text"]


_PHRASE = rf"({reading.NAME[1:-1]}|[Tt]he \w+ \w+)"


def _winograd(sentence: str) -> str | None:
    """Who is meant in a sentence of one of the schemas."""
    for schema in PRONOUNS:
        body = schema.text.format(x="#", y="@", p="%", he="(?:he|she)")
        body = re.sub("[#@%]",
                      lambda m: _PHRASE.replace("(", f"(?P<{'xyp'['#@%'.index(m[0])]}>", 1),
                      body)  # fmt: skip
        match = re.fullmatch(rf"{body} ({schema.first}|{schema.second})\.", sentence)
        if match:
            return match["x"] if match.groups()[-1] == schema.first else match["y"]
    return None


def _with(told: list[str], last: str) -> str:
    """Who is meant in a sentence about two people: whom it fits of what was told before."""
    name = reading.NAME[1:-1]
    parties = rf"(?P<x>{name}) (?:met|asked|waited for|sang for) (?P<y>{name})"
    match = re.fullmatch(
        rf"{parties}(?: in the \w+| for help)? (?:because|when) (?P<he>he|she) was (?P<what>.+)",
        last,
    )
    if match is None:
        raise ValueError(f"no schema: {last!r}")
    state = reading.read(" ".join(f"{sentence}." for sentence in told))
    pair = [match["x"], match["y"]]
    right = [one for one in pair if is_she(one.split()[0]) == (match["he"] == "she")]
    if len(right) == 2 and match["what"].startswith("the "):
        word = match["what"].split()[1]
        right = [p for p, o in (pair, pair[::-1]) if state.exceeds(word, p, o)]
    elif len(right) == 2:
        right = [one for one in pair if state.mood.get(one) == match["what"]]
    if len(right) != 1:
        raise ValueError(f"{len(right)} can be meant: {last!r}")
    return right[0]


def boolq(row: Row) -> bool:
    return reading.yes(reading.read(row["passage"]), row["question"])


def multirc(row: Row) -> list[list[int]]:
    state = reading.read(row["passage"]["text"])
    return [
        [int(reading.fits(state, q["question"], a["text"])) for a in q["answers"]]
        for q in row["passage"]["questions"]
    ]


def record(row: Row) -> list[str]:
    """The distinct right entities of the first query."""
    text = row["passage"]["text"]
    state = reading.read(text.split("\n@highlight\n")[0])
    names = {text[e["start"] : e["end"] + 1] for e in row["passage"]["entities"]}
    query = row["qas"][0]["query"]
    right = set()
    for name in names:
        try:
            if reading.holds(state, query.replace("@placeholder", name)):
                right.add(name)
        except (KeyError, ValueError):  # a name of which the passage does not say it
            continue
    return sorted(right)


SUPERGLUE = {
    "CB": cb,
    "COPA": copa,
    "RTE": rte,
    "WiC": wic,
    "WSC": wsc,
    "MultiRC": multirc,
    "BoolQ": boolq,
    "ReCoRD": record,
}


def answer(task: str, row: Row) -> object:
    """The right label of a SuperGLUE row; for MultiRC a label per answer, for ReCoRD the names."""
    return SUPERGLUE[task](row)


def gold(task: str, row: Row) -> Any:
    """What the row itself says, in the form of `answer`."""
    if task == "MultiRC":
        return [[a["label"] for a in q["answers"]] for q in row["passage"]["questions"]]
    if task == "ReCoRD":
        return sorted({a["text"] for a in row["qas"][0]["answers"]})
    return row["label"]


def summary(text: str, lines: list[str]) -> bool:
    """Whether the lines are true at the end of a story and tell of every thing in it."""
    state = reading.read(text)
    found = set(re.findall(r"\w+ found (the \w+ \w+)\.", text))
    told = {t for line in lines for t in found if t.removeprefix("the ") in line.lower()}
    return told == found and all(reading.holds(state, line.rstrip(" .")) for line in lines)


_AWAY, _HOME = "gave|sold|sent|handed", "took|got|bought"


def headline(document: str) -> str:
    """The headline of a tokenised sentence in which a thing changes hands."""
    aside = r"(?: , a \w+ from \w+ \w+ ,)?"
    deal = rf"(.+?){aside} ({_AWAY}|{_HOME}) the (\w+ \w+) (?:to|from) (.+?){aside} (?:in|on) .+"
    match = re.fullmatch(deal, document)
    if match is None:
        raise ValueError(f"not understood: {document!r}")
    one, verb, thing, other = match.groups()
    giver, taker = (one, other) if verb in _AWAY.split("|") else (other, one)
    return f"{taker} gets {thing} from {giver}"


def last_word(text: str) -> str:
    """The one word that makes the passage's last sentence true."""
    *body, last = reading.sentences(text)
    state, stem = reading.read(" ".join(f"{s}." for s in body)), last.rsplit(" ", 1)[0]
    right = []
    for word in sorted({word for s in body for word in s.split()}):
        try:
            if reading.concludes(state, f"{stem} {word}"):
                right.append(word)
        except (ValueError, KeyError):  # not a word that may stand here
            continue
    if len(right) != 1:
        raise ValueError(f"{len(right)} words conclude {text!r}")
    return right[0]
