"""What decoding starts from: a source, and where its blanks stand."""

from dataclasses import dataclass

from glm.data.sequences import Sequence


@dataclass(frozen=True)
class Prompt:
    """A source (Part A) and where its blanks stand.

    `at` holds each blank's position, `starts` each blank's start token. With `grows` positions go
    on from `at` token by token (all layouts but "blank") and there is no inner position; otherwise
    the inner position counts from 1 (`counts`) or stays 1. `ends` are the blanks' own end tokens,
    where they are not the search's.
    """

    source: Sequence
    at: tuple[int, ...]
    starts: tuple[int, ...]
    grows: bool = False
    counts: bool = True
    ends: tuple[int, ...] = ()

    def place(self, blank: int, used: int, inside: int) -> tuple[int, int]:
        """(position, inner position) of token `inside` of a blank, `used` tokens into Part B."""
        if self.grows:
            return self.at[blank] + used, 0
        return self.at[blank], inside + 1 if self.counts else 1
