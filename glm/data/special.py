"""The ids that mean something to an objective rather than to a reader.

Kept apart from the tokenizer, so that building a batch imports numpy and nothing else.
"""

from dataclasses import dataclass, replace

MULTIPLE = 128  # of which the token table's rows are one


@dataclass(frozen=True)
class Special:
    """Token ids of one vocabulary, under the names of the paper and of BERT.

    `eos` ends a document (and pads, in every vocabulary of the original: `pad == eos` is allowed
    everywhere). `start` and `end` are the paper's [START] and [END] around a span. `gmask` and
    `smask` are the task masks, absent in the Wikipedia and BookCorpus models. `sentinel_masks[i]`
    and `sentinel_starts[i]` belong to the span written i-th in Part B. `size` counts the real ids,
    `padded` the rows of the embedding table. `sentence_end` lists the ids that close a sentence.

    `opening`, `between` and `closing` are the ids before, between the sides of and after a text,
    where they are not [CLS], [SEP] and `eos`: RoBERTa parts sides by two ids, GPT-2 opens by none.
    """

    pad: int
    eos: int
    cls: int
    sep: int
    mask: int
    unk: int
    start: int
    end: int
    gmask: int | None = None
    smask: int | None = None
    sentinel_masks: tuple[int, ...] = ()
    sentinel_starts: tuple[int, ...] = ()
    size: int = 0
    padded: int = 0
    sentence_end: tuple[int, ...] = ()
    opening: tuple[int, ...] | None = None
    between: tuple[int, ...] | None = None
    closing: tuple[int, ...] | None = None

    @property
    def opens(self) -> tuple[int, ...]:
        """The ids before a text."""
        return (self.cls,) if self.opening is None else self.opening

    @property
    def parts(self) -> tuple[int, ...]:
        """The ids between the two sides of a text."""
        return (self.sep,) if self.between is None else self.between

    @property
    def closes(self) -> tuple[int, ...]:
        """The ids after a text."""
        return (self.eos,) if self.closing is None else self.closing


def table_rows(ids: int, sentinels: int = 0) -> int:
    """Rows of the token table for so many ids, and so many pairs of sentinels beside them."""
    ids += 2 * max(sentinels - 1, 0)
    return -(-ids // MULTIPLE) * MULTIPLE


def with_sentinels(special: Special, pairs: int) -> Special:
    """`special` with `pairs` sentinel masks and start tokens (the original: one per position; none
    leaves it as it is).

    Pair 0 is [MASK] and [START]; the others take ids after the real ones, mask and start in turn,
    and the table grows with them.
    """
    if not pairs:
        return special
    size = special.size + 2 * (pairs - 1)
    new = range(special.size, size, 2)
    return replace(
        special,
        sentinel_masks=(special.mask, *new),
        sentinel_starts=(special.start, *(id + 1 for id in new)),
        size=size,
        padded=table_rows(size),
    )
