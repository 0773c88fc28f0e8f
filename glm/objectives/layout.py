"""How a model wants to be asked: where what it is given stands, and what it can be asked at all.

A layout says how a source and what fills its blanks are written:

    blank    GLM: the source is Part A; an answer starts at the blank's position
    prefix   UniLM, prefix LM: the same, but positions simply go on, without inner ones
    causal   GPT: as prefix, but nothing is seen ahead, the source included

               blank                prefix               causal
    position   0 1 2 3 4 | 2 2 2    0 1 2 3 4 | 5 6 7    0 1 2 3 4 | 5 6 7
    inner      0 0 0 0 0 | 1 2 3    0 0 0 0 0 | 0 0 0    0 0 0 0 0 | 0 0 0
    branch     0 0 0 0 0 | 1 1 1    0 0 0 0 0 | 1 1 1    1 1 1 1 1 | 1 1 1

Apart from the objectives and from what asks them, so that both can import it without torch.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from glm.data.special import Special

Kind = Literal["blank", "prefix", "causal"]
Ask = Literal["one blank", "many blanks", "continuation", "masked tokens", "vector"]


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

    `serves` names what the model can be asked: to write what one blank holds, or what many hold;
    to continue a text as it stands; to say which token a mask hides; for a vector of the whole.
    """

    kind: Kind = "blank"
    inner: bool = True
    sentinels: bool = False
    far: int | None = None
    serves: tuple[Ask, ...] = ("one blank", "many blanks", "continuation", "vector")

    def __post_init__(self) -> None:
        if self.kind not in ("blank", "prefix", "causal"):
            raise ValueError(f"layout kind is {self.kind!r}; it must be blank, prefix or causal")

    def mask(self, special: Special, blank: int) -> int:
        """The token that stands for blank number `blank` in the source."""
        return special.sentinel_masks[blank] if self.sentinels else special.mask

    def start(self, special: Special, blank: int) -> int:
        """The token that opens the answer to blank number `blank`."""
        return special.start if self.far is None else special.sentinel_starts[blank]

    def answer(
        self, source: Source, blank: int, length: int, used: int = 0
    ) -> tuple[list[int], list[int]]:
        """(positions, inner positions) of `length` tokens of Part B that fill `blank`; `used`
        tokens of Part B come before them (they matter where positions simply go on)."""
        if self.kind != "blank":
            start = len(source.tokens) + used
            return list(range(start, start + length)), [0] * length
        at = source.blanks[blank] if self.far is None else self.far
        return [at] * length, list(range(1, length + 1)) if self.inner else [1] * length

    @property
    def source_branch(self) -> int:
        """The branch of a source's tokens (see `glm.data.example`)."""
        return 1 if self.kind == "causal" else 0


BLANK, PREFIX, CAUSAL = Layout(), Layout("prefix"), Layout("causal")
