"""The shape of a Transformer: what decides its parameters, its function and its costs.

Apart from the model, so that plans and specs need no torch.
"""

import math
from dataclasses import dataclass

from glm.data.extent import Extent
from glm.models.flops import forward_flops, pair_flops, parameter_count

DEVIATION = 0.02  # of the initial weights, as the paper has it for 1,024 units
ACTIVATIONS = {"gelu_tanh": "tanh", "gelu": "none"}  # our name -> torch's `approximate`


def following_width(times: float) -> float:
    """The initial deviation of a model whose width was divided by `times`: larger by its root.

    Sums over the width then begin as large as in the paper's models. With 0.02 at 64 units queries
    and keys begin so small that matching one word with another is not learned at all.
    """
    return round(DEVIATION * math.sqrt(times), 4)


@dataclass(frozen=True)
class Shape:
    """Everything that decides the parameters and the function they compute.

    `vocabulary` counts the rows of the token table, padded to a multiple of 128; 0 where it is left
    to a tokenizer, as in a spec. `positions` is the largest length; with `inner` positions both
    position tables have one row more than that, which is where sentinels put the first coordinate
    of Part B. The tanh GELU is the original's; the erf form is four times faster on a CPU in bf16.
    `deviation` is that of the initial weights.

    With `decoder` layers beside the `layers` it is an encoder-decoder
    (`glm.models.encoder_decoder`), whose stacks have position tables of their own.
    """

    layers: int
    hidden: int
    heads: int
    vocabulary: int = 0
    positions: int = 512
    inner: bool = True
    activation: str = "gelu_tanh"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    deviation: float = DEVIATION
    decoder: int = 0

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(
                f"{self.hidden} units for {self.heads} heads, which is no multiple of them"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}: choose from {list(ACTIVATIONS)}")

    @property
    def rows(self) -> int:
        """Rows of each position table."""
        return self.positions + 1 if self.inner else self.positions

    def parameters(self) -> int:
        """The number of parameters, from the shape alone."""
        sizes = (self.layers, self.hidden, self.vocabulary, self.positions)
        return parameter_count(*sizes, self.inner, self.decoder)

    def training_flops(self, extent: Extent, targets: float) -> float:
        """FLOPs of forward and backward, with logits at `targets`; backward is twice forward.

        Raises `ValueError` for an encoder-decoder where nothing says what either stack does.
        """
        if not self.decoder:
            sizes = (self.layers, self.hidden, self.vocabulary)
            return 3 * forward_flops(*sizes, extent.positions, extent.squares, targets)
        if extent.positions and not extent.read + extent.written:
            raise ValueError("an encoder-decoder, whose objective has no Part A and Part B")
        sizes = (self.layers, self.decoder, self.hidden, self.vocabulary)
        return 3 * pair_flops(*sizes, extent, targets)
