"""Cross attention: what a decoder's positions see of what an encoder read.

Shape suffixes: B rows, A columns of the encoder, C columns of the decoder, H hidden, N heads,
D head size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glm.models.attention import barrier, matmul, sdpa
from glm.models.shape import Shape
from glm.models.transformer import EPSILON


class Crossing(nn.Module):
    """x + attention of LN(x) to what the encoder made: between a block's attention and its MLP."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.heads = shape.heads
        self.dropout = shape.dropout
        self.norm = nn.LayerNorm(shape.hidden, EPSILON)
        self.query = nn.Linear(shape.hidden, shape.hidden)
        self.given = nn.Linear(shape.hidden, 2 * shape.hidden)  # rows: all K, all V
        self.merge = nn.Linear(shape.hidden, shape.hidden)

    def queries(self, x_BCH: Tensor) -> Tensor:
        """(B, N, C, D)."""
        return self.query(self.norm(x_BCH)).unflatten(2, (self.heads, -1)).transpose(1, 2)

    def keys_and_values(self, seen_BAH: Tensor) -> tuple[Tensor, Tensor]:
        """Of the encoder's states, (B, N, A, D) each."""
        k, v = self.given(seen_BAH).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return k, v

    def join(self, x_BCH: Tensor, attended_BNCD: Tensor) -> Tensor:
        """x and what each head of each position attended to."""
        merged_BCH = self.merge(attended_BNCD.transpose(1, 2).flatten(2))
        return x_BCH + F.dropout(merged_BCH, self.dropout, self.training)


@dataclass(frozen=True)
class Mask:
    """`given` is what `attend` takes as its mask; `seeing_B1C1` says which queries see anything."""

    given: Tensor
    seeing_B1C1: Tensor
    attend: Callable[[Tensor, Tensor, Tensor, Any, float], Tensor]


def mask(document_BC: Tensor, document_BA: Tensor, dtype: torch.dtype, backend: str) -> Mask:
    """Each position of the decoder sees all that the encoder read of its document.

    `backend` is that of the decoder's self-attention (`glm.models.attention.BACKENDS`). Where a
    query's document has nothing to read, and on padding, it sees everything instead and comes to
    nothing in `crossed`: no softmax runs over nothing.
    """
    mine_BCA = (document_BC[:, :, None] == document_BA[:, None]) & (document_BC >= 0)[:, :, None]
    seeing_B1C1 = mine_BCA.any(2)[:, None, :, None]
    visible_B1CA = mine_BCA[:, None] | ~seeing_B1C1
    if backend == "matmul":
        return Mask(barrier(visible_B1CA, dtype), seeing_B1C1, matmul)
    return Mask(visible_B1CA, seeing_B1C1, sdpa)


def crossed(q_BNCD: Tensor, k_BNAD: Tensor, v_BNAD: Tensor, mask: Mask, dropout: float) -> Tensor:
    """What each position of the decoder attends to; zeros where its document has nothing."""
    if not k_BNAD.shape[2]:
        return torch.zeros_like(q_BNCD)
    return mask.attend(q_BNCD, k_BNAD, v_BNAD, mask.given, dropout) * mask.seeing_B1C1
