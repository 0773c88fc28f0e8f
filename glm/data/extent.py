"""What a forward pass goes over, counted: what its FLOPs follow from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """Sums over the rows of a pass, padding included.

    `positions` and `squares` are of one stack that reads whole rows. Where a pass is divided
    between an encoder and a decoder, `read` and `written` are their positions; `crossings` counts
    the pairs of a written position and a read one of the same row.
    """

    positions: float
    squares: float
    read: float = 0.0
    read_squares: float = 0.0
    written: float = 0.0
    written_squares: float = 0.0
    crossings: float = 0.0

    @staticmethod
    def of(rows: int, width: int, read: int, written: int) -> "Extent":
        """So many rows, all of them `width` wide, Part A `read` and Part B `written`."""
        return Extent(
            rows * width,
            rows * width**2,
            rows * read,
            rows * read**2,
            rows * written,
            rows * written**2,
            rows * read * written,
        )
