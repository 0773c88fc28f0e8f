"""How a model wants to be asked: where what it is given stands, and what it can be asked at all.

A layout says how a source and what fills its blanks are written:

    blank    GLM: the source is Part A; an answer starts at the blank's position
    prefix   UniLM, prefix LM: the same, but positions simply go on, without inner ones
    causal   GPT: as prefix, but nothing is seen ahead, the source included
    pair     T5, BART: the source goes to an encoder and Part B to a decoder that counts from 0

               blank                prefix               causal
    position   0 1 2 3 4 | 2 2 2    0 1 2 3 4 | 5 6 7    0 1 2 3 4 | 5 6 7
    inner      0 0 0 0 0 | 1 2 3    0 0 0 0 0 | 0 0 0    0 0 0 0 0 | 0 0 0
    branch     0 0 0 0 0 | 1 1 1    0 0 0 0 0 | 1 1 1    1 1 1 1 1 | 1 1 1

Apart from the objectives and from what asks them, so that both can import it without torch.
"""

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from glm.data.special import Special

Kind = Literal["blank", "prefix", "causal", "pair"]
Blanks = Literal["shown", "spans", "rewritten", "left out"]
Ask = Literal[
    "one blank",
    "many blanks",
    "continuation",
    "completion",
    "masked tokens",
    "pseudo-likelihood",
    "likelihood bound",
    "masked target",
    "vector",
]


class Source(Protocol):
    """What is given: its token ids, and the index of each of its blanks."""

    @property
    def tokens(self) -> tuple[int, ...]: ...

    @property
    def blanks(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Layout:
    """How sources and answers are written for a model, and what its pretraining lets it answer.

    `inner=False`: the second position is 1 on all of Part B (Figure 4's ablation). `sentinels`:
    blank k is marked by sentinel k, not by one shared [MASK]. `far`: the position of all of
    Part B when it is not the blank's (the original's sentinel flag: one past the last position).

    `blanks` says how a checkpoint from elsewhere knows blanks (its source has one [MASK] or
    sentinel each, "shown", in our own):

    spans       T5: answers stand between sentinels, <extra_id_0> paris <extra_id_1>
    rewritten   BART: all of the text is written anew behind a start token, up to the answer and on
                from it, to the end token
    left out    GPT-2: the source shows nothing; what is written continues it

    `opening` are ids that come first in Part B, before a start token. `sides`: inner positions in
    Part A tell the two sides of a question apart (BERT's token types).

    `serves` names what the model can be asked: to write what one blank holds, or what many hold;
    to continue a text as it stands; to complete a text whose blank is not shown; to say which token
    a mask hides, or all of a text's tokens in turn, or any share of them, which bounds a text's
    likelihood; to write an answer each of whose tokens is predicted in place of a mask; for a
    vector of the whole.
    """

    kind: Kind = "blank"
    inner: bool = True
    sentinels: bool = False
    far: int | None = None
    serves: tuple[Ask, ...] = ("one blank", "many blanks", "continuation", "vector")
    blanks: Blanks = "shown"
    opening: tuple[int, ...] = ()
    sides: bool = False

    def __post_init__(self) -> None:
        kinds = ("blank", "prefix", "causal", "pair")
        if self.kind not in kinds:
            raise ValueError(f"layout kind is {self.kind!r}; it must be one of {', '.join(kinds)}")

    def mask(self, special: Special, blank: int) -> int:
        """The token that stands for blank number `blank` in the source."""
        numbered = self.sentinels or self.blanks == "spans"
        return special.sentinel_masks[blank] if numbered else special.mask

    def start(self, special: Special, blank: int) -> int:
        """The token that opens the answer to blank number `blank`."""
        numbered = self.far is not None or self.blanks == "spans"
        return special.sentinel_starts[blank] if numbered else special.start

    def end(self, special: Special, blank: int) -> int:
        """The token that ends the answer to blank number `blank`."""
        return special.sentinel_starts[blank + 1] if self.blanks == "spans" else special.end

    def before(self, source: Source, special: Special) -> tuple[int, ...]:
        """What Part B begins with, before the first token of the answer to a source's one blank."""
        begin = (*self.opening, self.start(special, 0))
        if self.blanks != "rewritten":
            return begin
        return (*begin, *source.tokens[len(special.opens) : source.blanks[0]])

    def after(self, source: Source, special: Special) -> int:
        """The token that comes after the answer to a source's one blank."""
        rest = source.tokens[source.blanks[0] + 1 :] if self.blanks == "rewritten" else ()
        return rest[0] if rest and rest != special.closes else self.end(special, 0)

    def whole(self, source: Source, special: Special) -> tuple[int, ...]:
        """Part B where a source without blanks is only to be understood: what it is read after.

        BART is given the source there a second time and read where all of it has been seen; the
        others are read at the token that a text is begun with.
        """
        begin = (*self.writing.opening, self.writing.start(special, 0))
        if self.blanks != "rewritten":
            return begin
        text = source.tokens[len(special.opens) :]
        ends = len(special.closes) if text[-len(special.closes) :] == special.closes else 0
        return (*begin, *text[: len(text) - ends])

    def answer(
        self, source: Source, blank: int, length: int, used: int = 0
    ) -> tuple[list[int], list[int]]:
        """(positions, inner positions) of `length` tokens of Part B that fill `blank`; `used`
        tokens of Part B come before them (they matter where positions simply go on)."""
        if self.kind == "pair":
            return list(range(used, used + length)), [0] * length
        if self.kind != "blank":
            start = len(source.tokens) + used
            return list(range(start, start + length)), [0] * length
        at = source.blanks[blank] if self.far is None else self.far
        return [at] * length, list(range(1, length + 1)) if self.inner else [1] * length

    @property
    def goes_on(self) -> bool:
        """Whether an answer's positions come on top of its source's."""
        return self.kind in ("prefix", "causal")

    @property
    def writing(self) -> "Layout":
        """The layout for writing one answer to a whole text, where that is not filling a blank."""
        if self.kind != "pair":
            return self
        opening = () if self.blanks == "spans" else self.opening
        return replace(self, blanks="left out", opening=opening)

    @property
    def source_branch(self) -> int:
        """The branch of a source's tokens (see `glm.data.example`)."""
        return 1 if self.kind == "causal" else 0


BLANK, PREFIX, CAUSAL = Layout(), Layout("prefix"), Layout("causal")
