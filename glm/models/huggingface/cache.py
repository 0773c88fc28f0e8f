"""The library's own cache of keys and values, one row per beam, as beam search moves it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Rows:
    """`past` is the library's cache, None before the first token; `by_row` are tensors that belong
    to the rows (masks, the encoder's states). Rows are S * `beams`, a source's next to each other.
    """

    past: Any
    by_row: dict[str, Tensor]
    sources: int
    beams: int = 1

    def reorder(self, origin_SK: Tensor) -> None:
        """From now on beam k of source s continues what beam `origin_SK[s, k]` has written."""
        source_S1 = torch.arange(len(origin_SK), device=origin_SK.device)[:, None]
        self._take((source_S1 * self.beams + origin_SK).flatten())
        self.beams = origin_SK.shape[1]

    def keep(self, sources_S: Tensor) -> None:
        """Go on with these sources only."""
        beam_K = torch.arange(self.beams, device=sources_S.device)
        self._take((sources_S[:, None] * self.beams + beam_K).flatten())
        self.sources = len(sources_S)

    def _take(self, rows_R: Tensor) -> None:
        if len(rows_R):
            if self.past is not None:
                self.past.reorder_cache(rows_R)
            self.by_row = {name: tensor[rows_R] for name, tensor in self.by_row.items()}
