"""What finetuning, scoring and decoding ask of a pretrained model, wherever it comes from.

A finetuning style hands over `Sequence`s (tokens, positions, branches, and where they are to be
read) and gets hidden states back; it never sees rows, masks or layers. Our own Transformer is a
`Backbone`, and so is a checkpoint from elsewhere (`glm.models.huggingface`).

Shape suffixes: R positions read or rows that write, S sources, K beams, M targets, H hidden, V ids.
"""

from collections.abc import Iterator
from collections.abc import Sequence as List
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from glm.data.sequences import Sequence


class Cache(Protocol):
    """What sources and the answers to them have left behind, changed in place as beams move."""

    def reorder(self, origin_SK: Tensor) -> None:
        """From now on beam k of source s continues what beam `origin_SK[s, k]` has written."""
        ...

    def keep(self, sources_S: Tensor) -> None:
        """Go on with these sources only."""
        ...


class Backbone(Protocol):
    """A pretrained model; a `torch.nn.Module` besides."""

    training: bool

    @property
    def hidden(self) -> int:
        """The size of a hidden state."""
        ...

    @property
    def positions(self) -> int:
        """The largest length of a text, its answer's tokens included where positions go on."""
        ...

    @property
    def rows(self) -> int:
        """How many position numbers there are, 0 .. rows - 1, for a token of either part."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        ...

    def described(self) -> dict[str, Any]:
        """What the model is, as JSON: what is kept beside its weights."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...

    def train(self, mode: bool = True) -> "Backbone": ...

    def eval(self) -> "Backbone": ...

    def read(self, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order, however they share rows."""
        ...

    def logits(self, hidden_RH: Tensor, /) -> Tensor:
        """Scores of all rows of the output table, padding rows included."""
        ...

    def cross_entropy(
        self,
        hidden_MH: Tensor,
        target_M: Tensor,
        weight_M: Tensor,
        *,
        vocabulary: int,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        """The sum of weight * -log p(target) in nats, p over the first `vocabulary` ids."""
        ...

    def prefill(self, sources: List[Sequence], pad: int, writes: int) -> Cache:
        """Read the sources, one beam each, with space for `writes` tokens of all beams together."""
        ...

    def step(self, cache: Any, tokens_R: Tensor, position_R: Tensor, inner_R: Tensor) -> Tensor:
        """hidden_RH of one more token per row (R = S * K), which joins the cache: `prefill`'s."""
        ...

    def lengthened(self, positions: int, seed: int) -> "Backbone":
        """The model with room for `positions`; new rows of its tables are drawn from `seed`."""
        ...

    def set_dropout(self, dropout: float) -> None:
        """Use finetuning's own dropout; attention's only where pretraining had any."""
        ...


def together(model: Backbone, head: nn.Module | None) -> nn.ModuleList:
    """The model and a style's own layers as one module, for an optimizer and for clipping."""
    module = cast(nn.Module, model)  # a protocol cannot say so
    return nn.ModuleList([module] if head is None else [module, head])
