"""Cross-entropy over the vocabulary without keeping the logits.

Logits are the largest tensor of a small model: at every position of a causal batch they outweigh
everything else. They are made here in chunks of targets, and the gradients of a chunk are taken
while it is at hand, in the forward pass; what is kept for the backward pass has the size of the
hidden states and of the token table. The softmax is in fp32 (fp64 for fp64), the matrix products
in autocast's type.

Shape suffixes: M targets, C targets of a chunk, H hidden, V rows of the token table.
"""

import torch
from torch import Tensor

CHUNK = 1024  # targets whose logits exist at one time


def cross_entropy(
    hidden_MH: Tensor,
    table_VH: Tensor,
    target_M: Tensor,
    weight_M: Tensor,
    *,
    vocabulary: int,
    label_smoothing: float = 0.0,
    chunk: int = CHUNK,
) -> Tensor:
    """The sum of weight * -log p(target), a scalar in nats; p is over the first `vocabulary` rows.

    With `label_smoothing` e the target distribution is (1 - e) on the target and e spread evenly
    over the `vocabulary` entries. Gradients reach `hidden_MH` and `table_VH`.
    """
    device = hidden_MH.device.type
    autocast = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if autocast else hidden_MH.dtype
    settings = (vocabulary, label_smoothing, chunk, dtype, torch.is_grad_enabled())
    return _CrossEntropy.apply(hidden_MH, table_VH, target_M, weight_M, settings)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden_MH, table_VH, target_M, weight_M, settings):
        vocabulary, smoothing, chunk, dtype, gradients = settings
        exact = torch.promote_types(hidden_MH.dtype, torch.float32)
        table = table_VH.to(dtype)
        total = torch.zeros((), dtype=exact, device=hidden_MH.device)
        d_hidden = torch.empty_like(hidden_MH if gradients else hidden_MH[:0])
        d_table = None
        for at in range(0, len(target_M), chunk):
            hidden_CH = hidden_MH[at : at + chunk].to(dtype)
            target_C1 = target_M[at : at + chunk, None]
            weight_C1 = weight_M[at : at + chunk, None].to(exact)
            with torch.autocast(hidden_MH.device.type, enabled=False):
                logits_CV = hidden_CH @ table.T
                logits_CV[:, vocabulary:] = -torch.inf
                log_CV = torch.log_softmax(logits_CV, -1, dtype=exact)
                each_C1 = -(1 - smoothing) * log_CV.gather(1, target_C1)
                if smoothing:
                    each_C1 -= smoothing * log_CV[:, :vocabulary].mean(-1, keepdim=True)
                total += (each_C1 * weight_C1).sum()
                if not gradients:
                    continue
                # d each / d logits = p - (1 - e) [target] - e / vocabulary
                slope_CV = log_CV.exp_()
                slope_CV.scatter_add_(1, target_C1, torch.full_like(each_C1, smoothing - 1))
                if smoothing:
                    slope_CV[:, :vocabulary] -= smoothing / vocabulary
                slope_CV = slope_CV.mul_(weight_C1).to(dtype)
                d_hidden[at : at + chunk] = slope_CV @ table
                piece_VH = (slope_CV.T @ hidden_CH).to(table_VH.dtype)
                d_table = piece_VH if d_table is None else d_table.add_(piece_VH)
        if gradients:
            ctx.save_for_backward(
                d_hidden, torch.zeros_like(table_VH) if d_table is None else d_table
            )
        return total

    @staticmethod
    def backward(ctx, scale):
        d_hidden, d_table = ctx.saved_tensors
        return d_hidden * scale, d_table * scale.to(d_table.dtype), None, None, None
