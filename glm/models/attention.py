"""Who sees whom, and the ways to compute it.

One rule serves every objective. Position q sees position k when both lie in one document and k is
context (branch 0) or an earlier or the same position of q's own branch:

    document[q] == document[k] and (branch[k] == 0 or (branch[k] == branch[q] and k <= q))

BERT is all branch 0, GPT all branch 1, GLM's Part A is branch 0 and its Part B branch 1 (GLM,
section 2.1); candidates that share a passage are branches 1, 2, ... Padding has document -1 and so
sees padding only: every position sees itself at least, and no softmax runs over nothing.

The rule is boolean in every backend: a hidden score becomes -inf, whatever its size (never a large
negative number), so no score however large leaks from Part B to Part A.

Shape suffixes: B rows, N heads, T positions (Q queries, K keys), D head size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


def sees(document_q, branch_q, q, document_k, branch_k, k):
    """The attention rule, elementwise on integer tensors that broadcast; returns booleans."""
    return (document_q == document_k) & ((branch_k == 0) | ((branch_k == branch_q) & (k <= q)))


def visible(document_BT: Tensor, branch_BT: Tensor) -> Tensor:
    """The rule for whole rows: visible_B1TT, axis 2 the queries and axis 3 the keys."""
    position_T = torch.arange(document_BT.shape[1], device=document_BT.device)
    visible_BTT = sees(
        document_BT[:, :, None],
        branch_BT[:, :, None],
        position_T[:, None],
        document_BT[:, None, :],
        branch_BT[:, None, :],
        position_T[None, :],
    )
    return visible_BTT[:, None]


def sdpa(q_BNQD: Tensor, k_BNKD: Tensor, v_BNKD: Tensor, visible: Tensor, dropout: float) -> Tensor:
    """torch's fused attention; `visible` is boolean and broadcasts to (B, N, Q, K)."""
    return F.scaled_dot_product_attention(
        q_BNQD, k_BNKD, v_BNKD, attn_mask=visible, dropout_p=dropout
    )


def barrier(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """`visible` as what `matmul` adds to scores of `dtype`: 0 where visible, -inf where hidden.

    A finite score plus -inf is -inf, as if it were overwritten; adding is several times faster on a
    CPU and needs no work in the backward pass.
    """
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill_(
        ~visible, -torch.inf
    )


def matmul(
    q_BNQD: Tensor, k_BNKD: Tensor, v_BNKD: Tensor, barrier: Tensor, dropout: float
) -> Tensor:
    """Two matrix products with a softmax between them; `barrier` broadcasts to (B, N, Q, K).

    The fastest training path on CPUs with bf16 matrix units, where torch's fused backward falls
    behind. The softmax sums in fp32 for bf16 scores too.
    """
    scores_BNQK = (q_BNQD * q_BNQD.shape[-1] ** -0.5) @ k_BNKD.transpose(-1, -2)
    weights_BNQK = scores_BNQK.add_(barrier).softmax(-1)
    if dropout:
        weights_BNQK = F.dropout(weights_BNQK, dropout)
    return weights_BNQK @ v_BNKD


def block_mask(document_BT: Tensor, branch_BT: Tensor) -> "BlockMask":
    """The rule as FlexAttention's block mask, which skips blocks that hide everything."""
    B, T = document_BT.shape
    mask = _compiled_flex()[1](rule(document_BT, branch_BT), B, None, T, T, document_BT.device)
    return mask


def rule(document_BT: Tensor, branch_BT: Tensor) -> Callable[..., Tensor]:
    """The rule as FlexAttention wants it: a function of the indices (b, head, q, k)."""

    def mask_mod(b, head, q, k):
        return sees(document_BT[b, q], branch_BT[b, q], q, document_BT[b, k], branch_BT[b, k], k)

    return mask_mod


def flex(
    q_BNTD: Tensor, k_BNTD: Tensor, v_BNTD: Tensor, mask: "BlockMask | None", dropout: float
) -> Tensor:
    """FlexAttention, compiled. CUDA only: torch 2.13 has no CPU backward for it, nor dropout."""
    if dropout:
        raise ValueError(f"FlexAttention has no attention dropout; got {dropout}, use sdpa")
    return _compiled_flex()[0](q_BNTD, k_BNTD, v_BNTD, block_mask=mask)


@cache
def _compiled_flex():
    # Compiled once per process and only when asked for: importing it costs seconds.
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    return torch.compile(flex_attention), torch.compile(create_block_mask)


@dataclass(frozen=True)
class Backend:
    """A way to compute attention: `prepare` runs once per batch, `attend` once per layer.

    `prepare` makes the mask from (document_BT, branch_BT, dtype of the scores), `attend` takes
    (q, k, v, mask, dropout of the weights) and returns what each query attended to.
    """

    prepare: Callable[[Tensor, Tensor, torch.dtype], Any]
    attend: Callable[[Tensor, Tensor, Tensor, Any, float], Tensor]
    devices: tuple[str, ...] = ("cpu", "cuda")


BACKENDS = {
    "matmul": Backend(lambda document, branch, d: barrier(visible(document, branch), d), matmul),
    "sdpa": Backend(lambda document, branch, d: visible(document, branch), sdpa),
    "flex": Backend(lambda document, branch, d: block_mask(document, branch), flex, ("cuda",)),
}


def choose(device: str, dtype: torch.dtype, training: bool, length: int, dropout: float) -> str:
    """The backend that measures fastest for these settings.

    `device` is "cpu" or "cuda", `dtype` that of the matrix products (bf16 under autocast),
    `training` says that gradients will be taken, `length` is T, `dropout` is on the weights.

    On CPUs in bf16 the two products train 1.7 to 2.4 (T = 512) and 3.1 to 4.3 (T = 128) times
    faster than SDPA, with and without AMX; in fp32 they are level at short lengths and lose at
    long ones; without gradients SDPA wins in fp32, and in bf16 where there is AMX. On CUDA
    FlexAttention skips hidden blocks, which pays from a few blocks of 128 up.
    """
    if device == "cuda":
        return "flex" if training and not dropout and length >= 256 else "sdpa"
    if not training:
        return "sdpa"
    # SDPA on CPU has no fused kernel with dropout.
    if dropout or dtype == torch.bfloat16 or length <= 192:
        return "matmul"
    return "sdpa"
