"""Reading the world's sentences back into a state, and judging statements against it.

This is the oracle's grammar. It knows only the surface of the text: nothing of how a row was made.
"""

import re
from collections.abc import Callable
from typing import Any

from tasks.microworld.causes import RULES
from tasks.microworld.lexicon import COMPARISONS, DAYS, KINDS, MENTIONS, MOODS, OPENINGS
from tasks.microworld.world import State

NAME = r"([A-Z]\w+(?: [A-Z]\w+)*)"
THING = r"([Tt]he \w+ \w+)"
PLACE = r"(the \w+(?: of [A-Z]\w+ [A-Z]\w+)?|the \w+ \w+)"
MORE = "(" + "|".join([*COMPARISONS, *COMPARISONS.values()]) + ")"
_LESS = {less: more for more, less in COMPARISONS.items()}


def _fact(pattern: str, act: Callable[..., Any]):
    phrases = {"N": NAME, "T": THING, "R": PLACE}
    return re.compile(re.sub(r"\b[NTR]\b", lambda m: phrases[m[0]], pattern)), act


def _compare(state: State, one: str, word: str, other: str) -> None:
    if word in _LESS:
        one, word, other = other, _LESS[word], one
    state.more.add((word, one, other))


def _visit(state: State, person: str, town: str, day: str) -> None:
    state.visit[person, town] = DAYS.index(day)


def _pronoun(state: State, _: str, room: str) -> None:
    state.go(next(reversed(state.at)), room)  # the person who moved last


def _nothing(state: State, *_: str) -> None:
    """A sentence of which nothing follows."""


_GO = "(?:went|walked|ran|hurried) to"
_SPOKEN = "|".join(mention.replace("{}.", "(?:a )?[\\w ]+") for mention in MENTIONS)
FACTS = (
    _fact(f"First, N {_GO} R", State.go),
    _fact(f"Then, (he|she) {_GO} R", _pronoun),
    _fact(f"N {_GO} R", State.go),
    _fact("N (?:gave|sold|sent|handed) T to N", lambda s, a, x, b: s.give(a, b, x)),
    _fact("N (?:took|got|bought) T from N", lambda s, b, x, a: s.give(a, b, x)),
    _fact("N found T", State.hold),
    _fact("N left T there", State.leave),
    _fact("T is in (T|R)", lambda s, x, place, *_: s.go(x, place)),
    _fact(f"N is {MORE} than N", _compare),
    _fact(r"N owns a (\w+) (\w+)", lambda s, p, c, n: s.colour.update({(p, n): c})),
    _fact(r"N is a (\w+) in N", lambda s, p, j, t: s.job.update({p: (j, t)})),
    _fact(r"N visited N on (\w+)", _visit),
    _fact(f"N is ({'|'.join(MOODS)})", lambda s, p, m: s.mood.update({p: m})),
    _fact(f"(?:(?:{'|'.join(OPENINGS)}), )?N was (?:{'|'.join(MOODS)})", _nothing),
    _fact(_SPOKEN, _nothing),
    _fact("Nobody says that .*", _nothing),
)


# ---- causes and effects


def _rules() -> list[tuple[re.Pattern[str], int]]:
    """(pattern, rule) of every cause and effect; a cause knows its thing, an effect its owner."""
    found = []
    for kind, listed in RULES.items():
        noun = f"(?P<noun>{'|'.join(KINDS[kind])})"
        parts = {
            "X": rf"the (?:(?P<colour>\w+) )?{noun}",
            "P": rf"(?P<owner>{NAME[1:-1]})",
            "O": rf"[Tt]he {noun} of (?P<owner>{NAME[1:-1]})",
        }
        for number, rule in enumerate(listed):
            for template in (*rule[0], *rule[1]):
                body = re.escape(template.removesuffix("."))
                body = re.sub(r"\b[XPO]\b", lambda m, p=parts: p[m[0]], body)
                if body.startswith("Nobody"):
                    body = f"[Nn]{body[1:]}"
                found.append((re.compile(body), number))
    return found


_RULES = _rules()


def happened(state: State, sentence: str) -> set[tuple[str, str, int]]:
    """The (noun, owner, rule) of which a sentence is a cause or an effect; no other sentence has
    any. A thing that is called by its colour belongs to its owner, another one to who acts."""
    events = set()
    for pattern, number in _RULES:
        if match := pattern.fullmatch(sentence):
            parts = match.groupdict()
            noun, owner = parts["noun"], parts["owner"]
            if parts.get("colour"):
                hue = parts["colour"]
                owner = next(p for (p, n), c in state.colour.items() if (n, c) == (noun, hue))
            events.add((noun, owner, number))
    return events


def sentences(text: str) -> list[str]:
    """The sentences of a text without their full stops."""
    return [s.removesuffix(".") for s in re.split(r"(?<=\.)\s+", text.strip()) if s]


def read(text: str) -> State:
    """The state after all sentences of a passage; raises `ValueError` at one not understood."""
    state = State()
    for sentence in sentences(text):
        for pattern, act in FACTS:
            if match := pattern.fullmatch(sentence):
                act(state, *map(_low, filter(None, match.groups())))
                break
        else:
            events = happened(state, sentence)
            if not events:
                raise ValueError(f"not understood: {sentence!r}")
            state.events |= events
    return state


def _low(words: str) -> str:
    return "the " + words[4:] if words.startswith("The ") else words


def _more(state: State, one: str, word: str, other: str) -> bool:
    if word in _LESS:
        return state.exceeds(_LESS[word], other, one)
    return state.exceeds(word, one, other)


def _visited(state: State, one: str, town: str, word: str, other: str) -> bool:
    days = state.visit[one, town], state.visit[other, town]
    return days[0] < days[1] if word == "before" else days[0] > days[1]


def _came(state: State, person: str, town: str, word: str) -> bool:
    days = {p: day for (p, t), day in state.visit.items() if t == town}
    return days.get(person) == (min if word == "first" else max)(days.values())


def _got(state: State, person: str, thing: str, giver: str | None = None) -> bool:
    return any(r[:2] == (person, thing) and giver in (None, r[2]) for r in state.received)


def _employed(state: State, person: str, job: str, town: str | None = None) -> bool:
    found = state.job.get(person, ("", ""))
    return found[0] == job and town in (None, found[1])


def _keeps(state: State, person: str, noun: str, room: str) -> bool:
    thing = f"the {noun.lower()}"
    return state.holder.get(thing) == person and state.place(person) == f"the {room}"


def _was_given(state: State, person: str, noun: str, giver: str, room: str) -> bool:
    return _keeps(state, person, noun, room) and state.last.get(f"the {noun}") == giver


def _lies(state: State, noun: str, room: str) -> bool:
    thing = f"the {noun.lower()}"
    return thing not in state.holder and state.place(thing) == f"the {room}"


def _one_of(state: State, word: str, one: str, two: str, person: str) -> bool:
    other = {one: two, two: one}.get(person)
    return other is not None and _more(state, person, word, other)


STATEMENTS = (
    _fact(r"N keeps (\w+ \w+) in (\w+)", _keeps),
    _fact(r"N got (\w+ \w+) from N in (\w+)", _was_given),
    _fact(r"(\w+ \w+) lies in (\w+)", _lies),
    _fact(f"[Tt]he {MORE} one of N and N is N", _one_of),
    _fact("N has T", lambda s, p, x: s.keeper(x) == p),
    _fact(r"N visited N on (\w+)", lambda s, p, t, d: s.visit.get((p, t)) == DAYS.index(d)),
    _fact("N got T from N", _got),
    _fact("N got T", _got),
    _fact("N is in R", lambda s, p, r: s.place(p) == r),
    _fact("T is in R", lambda s, x, r: s.place(x) == r),
    _fact(f"N is {MORE} than N", _more),
    _fact(r"[Tt]he (\w+) of N is (\w+)", lambda s, n, p, c: s.colour.get((p, n)) == c),
    _fact(r"N owns the (\w+) (\w+)", lambda s, p, c, n: s.colour.get((p, n)) == c),
    _fact(r"N is a (\w+) in N", _employed),
    _fact(r"N is a (\w+)", _employed),
    _fact("N visited N (before|after) N", _visited),
    _fact("N came to N (first|last)", _came),
)

# Yes-no questions turned into statements, tried in order.
QUESTIONS = (
    ("does N have T now", r"\1 has \2"),
    ("did N get T from N", r"\1 got \2 from \3"),
    (r"does N own the (\w+) (\w+)", r"\1 owns the \2 \3"),
    ("did N visit N (before|after) N", r"\1 visited \2 \3 \4"),
    (r"did N visit N on (\w+)", r"\1 visited \2 on \3"),
    (r"is it true that (.*)", r"\1"),
    (r"is the (\w+) of N (\w+)", r"the \1 of \2 is \3"),
    (f"is N {MORE} than N", r"\1 is \2 than \3"),
    (r"is N (a \w+ in N)", r"\1 is \2"),
    (r"is N (a \w+)", r"\1 is \2"),
    ("is N in R(?: now)?", r"\1 is in \2"),
    ("is T in R", r"\1 is in \2"),
)

# Questions for a phrase; @ stands for the answer.
WH = (
    ("who has T now", r"@ has \1"),
    ("who got T", r"@ got \1"),
    ("who is in R now", r"@ is in \1"),
    ("where is N now", r"\1 is in @"),
    ("where is T", r"\1 is in @"),
    (f"who is {MORE}, N or N", r"@ is \1 than {\2|\3}"),
    (r"what colour is the (\w+) of N", r"the \1 of \2 is @"),
    (r"who owns the (\w+) (\w+)", r"@ owns the \1 \2"),
    ("what is the job of N", r"\1 is a @"),
    (r"who is a (\w+) in N", r"@ is a \1 in \2"),
    ("who came to N (first|last)", r"@ came to \1 \2"),
    (r"who visited N on (\w+)", r"@ visited \1 on \2"),
    (r"what happened to the \w+ of N", "@"),
)

# Last sentences of passages turned into statements.
LAST = (
    ("T now belongs to N", r"\2 has \1"),
    ("the one who got T is N", r"\2 got \1"),
    ("now N is in R", r"\1 is in \2"),
    ("T can be found in R", r"\1 is in \2"),
    (f"(the {MORE} one of N and N is N)", r"\1"),
    (r"the guest in N on (\w+) was N", r"\3 visited \1 on \2"),
    (r"the colour of the (\w+) of N is (\w+)", r"the \1 of \2 is \3"),
    (r"the owner of the (\w+) (\w+) is N", r"\3 owns the \1 \2"),
    (r"N works as a (\w+)", r"\1 is a \2"),
    (r"the (\w+) in N is N", r"\3 is a \1 in \2"),
    ("the (first|last) guest in N was N", r"\3 came to \2 \1"),
)


def concludes(state: State, sentence: str) -> bool:
    """Whether a passage's last sentence is true."""
    for opening in ("The ", "Now "):
        if sentence.startswith(opening):
            sentence = sentence[0].lower() + sentence[1:]
    return holds(state, _rewrite(sentence.removesuffix("."), LAST))


def _rewrite(text: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, statement in rules:
        match = _fact(pattern, read)[0].fullmatch(text)
        if match:
            return match.expand(statement)
    raise ValueError(f"not understood: {text!r}")


def holds(state: State, statement: str) -> bool:
    """Whether a statement is true; raises `ValueError` where it is not understood."""
    statement = statement.strip().removesuffix(".")
    for pattern, judge in STATEMENTS:
        if match := pattern.fullmatch(statement):
            return bool(judge(state, *map(_low, match.groups())))
    if events := happened(state, statement):
        return bool(events & state.events)
    raise ValueError(f"not understood: {statement!r}")


def yes(state: State, question: str) -> bool:
    """The answer to a yes-no question."""
    return holds(state, _rewrite(question, QUESTIONS))


def fits(state: State, question: str, answer: str) -> bool:
    """Whether a phrase, or a whole statement, answers a wh-question."""
    question = question[0].lower() + question[1:].removesuffix("?")
    statement = _rewrite(question, WH)
    if (answer.startswith(("the ", "The ")) and " is " in answer) or " " in answer:
        try:
            return holds(state, answer)
        except ValueError:
            pass
    if "{" in statement:  # the other one of two candidates
        head, pair = statement[:-1].split("{")
        other = next(name for name in pair.split("|") if name != answer)
        statement = head + other
    return holds(state, statement.replace("@", answer))
