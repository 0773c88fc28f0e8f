"""A source's keys and values, computed once whatever the number of beams that read them.

A source never changes while its answer grows, so its keys and values are never copied per beam: the
queries of all beams of a source attend to the same cache in one product. Only the short cache of
Part B is reordered when beams change places, and finished sources leave the batch.

Shape suffixes: S sources, K beams, R = S * K rows, N heads, T positions of the longest source,
D head size, H hidden.
"""

from collections.abc import Sequence as List
from dataclasses import dataclass, field

import torch

from glm.attention import BACKENDS
from glm.model import Block, Transformer, tensors
from glm.sequences import Sequence, lay


@dataclass(frozen=True)
class Prompt:
    """A source (Part A) and where its blanks stand.

    `at` holds each blank's position and `starts` each blank's start token. With `grows` positions
    go on from `at` token by token (prefix and causal layouts) and there is no inner position;
    otherwise the inner position counts from 1 (`counts`) or stays 1.
    """

    source: Sequence
    at: tuple[int, ...]
    starts: tuple[int, ...]
    grows: bool = False
    counts: bool = True

    def place(self, blank: int, used: int, inside: int) -> tuple[int, int]:
        """(position, inner position) of token `inside` of a blank, `used` tokens into Part B."""
        if self.grows:
            return self.at[blank] + used, 0
        return self.at[blank], inside + 1 if self.counts else 1


@dataclass
class Cache:
    """Keys and values of every layer: Part A per source, Part B per row; changed in place."""

    a_keys: list[torch.Tensor]  # (S, N, T, D) each
    a_values: list[torch.Tensor]
    hidden_S11T: torch.Tensor  # True where a source has padding
    beams: int
    b_keys: list[torch.Tensor] = field(default_factory=list)  # (R, N, room, D) each
    b_values: list[torch.Tensor] = field(default_factory=list)
    used: int = 0

    def reorder(self, origin_R: torch.Tensor) -> None:
        """Row r continues what row `origin_R[r]` has written."""
        if torch.equal(origin_R, torch.arange(len(origin_R), device=origin_R.device)):
            return
        for cache in (self.b_keys, self.b_values):
            for layer in cache:
                layer[:, :, : self.used] = layer[origin_R, :, : self.used]

    def keep(self, sources_S: torch.Tensor) -> None:
        """Go on with these sources only."""
        beams = torch.arange(self.beams, device=sources_S.device)
        rows_R = (sources_S[:, None] * self.beams + beams).flatten()
        self.hidden_S11T = self.hidden_S11T[sources_S]
        self.a_keys = [layer[sources_S] for layer in self.a_keys]
        self.a_values = [layer[sources_S] for layer in self.a_values]
        self.b_keys = [layer[rows_R] for layer in self.b_keys]
        self.b_values = [layer[rows_R] for layer in self.b_values]


def blocks(model: Transformer) -> list[Block]:
    """The layers, typed."""
    return [block for block in model.blocks if isinstance(block, Block)]


def prefill(model: Transformer, sources: List[Sequence], pad: int, beams: int, room: int) -> Cache:
    """Read the sources and keep their keys and values, with `room` for tokens of Part B."""
    device = model.word.weight.device
    batch = tensors(lay(sources, pad, share=False), device)
    x_STH = model.embed(batch.tokens_BT, batch.position_BT, batch.inner_BT)
    backend = BACKENDS["sdpa"]
    visible = backend.prepare(batch.document_BT, batch.branch_BT, model.precision(x_STH))
    cache = Cache([], [], (batch.document_BT < 0)[:, None, None, :], beams)
    for number, block in enumerate(blocks(model)):
        q, k, v = block.qkv(x_STH)
        cache.a_keys.append(k.contiguous())
        cache.a_values.append(v.contiguous())
        if number + 1 < len(model.blocks):  # nobody reads what the last layer makes of the source
            x_STH = block.finish(x_STH, backend.attend(q, k, v, visible, 0.0))
        shape = (len(sources) * beams, k.shape[1], room, k.shape[3])
        cache.b_keys.append(k.new_empty(shape))
        cache.b_values.append(k.new_empty(shape))
    return cache


def step(
    model: Transformer,
    cache: Cache,
    tokens_R: torch.Tensor,
    position_R: torch.Tensor,
    inner_R: torch.Tensor,
) -> torch.Tensor:
    """hidden_RH of one more token per row, whose keys and values join the cache."""
    x_R1H = model.embed(tokens_R[:, None], position_R[:, None], inner_R[:, None])
    at = cache.used
    cache.used += 1
    for number, block in enumerate(blocks(model)):
        q, k, v = block.qkv(x_R1H)
        cache.b_keys[number][:, :, at] = k[:, :, 0]
        cache.b_values[number][:, :, at] = v[:, :, 0]
        x_R1H = block.finish(x_R1H, _attend(cache, number, q))
    return model.norm(x_R1H)[:, 0]


def _attend(cache: Cache, number: int, q_RN1D: torch.Tensor) -> torch.Tensor:
    """One softmax over the shared source and the row's own Part B."""
    a_k, a_v = cache.a_keys[number], cache.a_values[number]
    b_k = cache.b_keys[number][:, :, : cache.used]
    b_v = cache.b_values[number][:, :, : cache.used]
    R, N, _, D = q_RN1D.shape
    S, K, T = len(a_k), cache.beams, a_k.shape[2]
    q_RN1D = q_RN1D * D**-0.5
    q_SNKD = q_RN1D.view(S, K, N, D).transpose(1, 2)
    a_SNKT = (q_SNKD @ a_k.transpose(-1, -2)).masked_fill(cache.hidden_S11T, -torch.inf)
    a_RN1T = a_SNKT.transpose(1, 2).reshape(R, N, 1, T)
    weights = torch.cat([a_RN1T, q_RN1D @ b_k.transpose(-1, -2)], -1).softmax(-1)
    a_SNKT = weights[..., :T].reshape(S, K, N, T).transpose(1, 2)
    from_a = (a_SNKT @ a_v).transpose(1, 2).reshape(R, N, 1, D)
    return from_a + weights[..., T:] @ b_v
