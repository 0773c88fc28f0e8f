"""The world's state: who holds what, who and what is where, and what else is so.

Events change the state one after the other. Stories (`generation`) are played on a state, the
oracle (`reading`) builds one from a passage's text, and questions are looked up in it.
"""

from dataclasses import dataclass, field


@dataclass
class State:
    """Facts at the present moment. Things are named by noun phrases such as "the red cup"."""

    holder: dict[str, str] = field(default_factory=dict)  # thing -> person
    last: dict[str, str] = field(default_factory=dict)  # thing -> who had it before
    received: set[tuple[str, str, str]] = field(default_factory=set)  # (person, thing, giver)
    at: dict[str, str] = field(default_factory=dict)  # person or thing -> room or container
    more: set[tuple[str, str, str]] = field(default_factory=set)  # ("older", person, person)
    colour: dict[tuple[str, str], str] = field(default_factory=dict)  # (person, noun) -> colour
    job: dict[str, tuple[str, str]] = field(default_factory=dict)  # person -> (job, town)
    mood: dict[str, str] = field(default_factory=dict)  # person -> mood
    # (noun, owner, number of the causal rule): what happened to the owner's thing
    events: set[tuple[str, str, int]] = field(default_factory=set)
    visit: dict[tuple[str, str], int] = field(default_factory=dict)  # (person, town) -> day

    def go(self, person: str, room: str) -> None:
        self.at[person] = room

    def hold(self, person: str, thing: str) -> None:
        self.holder[thing] = person
        self.at.pop(thing, None)
        self.last.pop(thing, None)

    def give(self, giver: str, taker: str, thing: str) -> None:
        self.hold(taker, thing)
        self.last[thing] = giver
        self.received.add((taker, thing, giver))

    def leave(self, person: str, thing: str) -> None:
        """The person leaves the thing in the room where they are."""
        self.holder.pop(thing, None)
        self.last.pop(thing, None)
        self.at[thing] = self.at[person]

    def keeper(self, thing: str) -> str | None:
        """Who has the thing, or what it lies in."""
        while thing not in self.holder and thing in self.at:
            thing = self.at[thing]
        return self.holder.get(thing)

    def place(self, name: str) -> str | None:
        """The room of a person or thing, through containers and holders."""
        seen = set()
        while name not in seen:
            seen.add(name)
            name = self.at.get(name) or self.holder.get(name) or name
        return name if seen - {name} else None

    def exceeds(self, word: str, one: str, other: str) -> bool:
        """Whether `one` is older (taller, ...) than `other`, by transitivity."""
        beaten, todo = set(), [one]
        while todo:
            person = todo.pop()
            new = {low for w, high, low in self.more if w == word and high == person} - beaten
            beaten |= new
            todo += new
        return other in beaten
