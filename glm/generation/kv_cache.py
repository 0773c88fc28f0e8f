"""A source's keys and values, computed once whatever the number of beams that read them.

A source never changes while its answer grows, so its keys and values are never copied per beam: the
queries of all beams of a source attend to the same cache in one product. What the beams write goes
behind the source, K entries per step, and stays where it is: when beams change places only a table
moves that says which entries a beam's own past is made of. Finished sources leave the batch.

Shape suffixes: S sources, K beams, R = S * K rows, N heads, T positions of the longest source,
X = T + K * steps entries of the cache, D head size, H hidden.
"""

from collections.abc import Sequence as List
from dataclasses import dataclass

import torch

from glm.adaptation.sequences import Sequence, lay
from glm.models.attention import BACKENDS
from glm.models.transformer import Block, Transformer, tensors


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
    """Keys and values of every layer, changed in place.

    Entries 0..T of a source are Part A; what its beams write in a step are the next entries.
    `hidden_SKX` is True where a beam does not see an entry: padding, and other beams' pasts. A
    cache begins with one beam; `reorder` makes more.
    """

    keys: list[torch.Tensor]  # (S, N, D, X) each: as the product with few queries reads them best
    values: list[torch.Tensor]  # (S, N, X, D) each
    hidden_SKX: torch.Tensor
    used: int  # entries in use

    def reorder(self, origin_SK: torch.Tensor) -> None:
        """From now on beam k of source s continues what beam `origin_SK[s, k]` has written."""
        source_S1 = torch.arange(len(origin_SK), device=origin_SK.device)[:, None]
        self.hidden_SKX = self.hidden_SKX[source_S1, origin_SK]

    def keep(self, sources_S: torch.Tensor) -> None:
        """Go on with these sources only."""
        self.hidden_SKX = self.hidden_SKX[sources_S]
        self.keys = [layer[sources_S] for layer in self.keys]
        self.values = [layer[sources_S] for layer in self.values]


def blocks(model: Transformer) -> list[Block]:
    """The layers, typed."""
    return [block for block in model.blocks if isinstance(block, Block)]


def prefill(model: Transformer, sources: List[Sequence], pad: int, room: int) -> Cache:
    """Read the sources and keep their keys and values, with `room` for entries of Part B."""
    device = model.word.weight.device
    batch = tensors(lay(sources, pad, share=False), device)
    x_STH = model.embed(batch.tokens_BT, batch.position_BT, batch.inner_BT)
    backend = BACKENDS["sdpa"]
    visible = backend.prepare(batch.document_BT, batch.branch_BT, model.precision(x_STH))
    S, T = batch.tokens_BT.shape
    hidden_SKX = torch.ones(S, 1, T + room, dtype=torch.bool, device=device)
    hidden_SKX[:, :, :T] = (batch.document_BT < 0)[:, None]
    cache = Cache([], [], hidden_SKX, T)
    layers = blocks(model)
    for number, block in enumerate(layers):
        q, k, v = block.qkv(x_STH)
        N, D, X = k.shape[1], k.shape[3], hidden_SKX.shape[2]
        cache.keys.append(k.new_empty(S, N, D, X))
        cache.keys[-1][..., :T] = k.transpose(-1, -2)
        cache.values.append(v.new_empty(S, N, X, D))
        cache.values[-1][:, :, :T] = v
        if number + 1 < len(layers):  # nobody reads what the last layer makes of the source
            x_STH = block.finish(x_STH, backend.attend(q, k, v, visible, 0.0))
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
    S, K, _ = cache.hidden_SKX.shape
    beam_K = torch.arange(K, device=tokens_R.device)
    cache.hidden_SKX[:, beam_K, cache.used + beam_K] = False
    new = slice(cache.used, cache.used + K)
    cache.used += K
    hidden_S1KX = cache.hidden_SKX[:, None, :, : cache.used]
    for number, block in enumerate(blocks(model)):
        q, k, v = (x.view(S, K, *x.shape[1::2]).transpose(1, 2) for x in block.qkv(x_R1H))
        keys, values = cache.keys[number], cache.values[number]
        keys[..., new], values[:, :, new] = k.transpose(-1, -2), v
        scores_SNKX = (q * q.shape[-1] ** -0.5) @ keys[..., : cache.used]
        weights_SNKX = scores_SNKX.masked_fill_(hidden_S1KX, -torch.inf).softmax(-1)
        attended_SNKD = weights_SNKX @ values[:, :, : cache.used]
        x_R1H = block.finish(x_R1H, attended_SNKD.transpose(1, 2).flatten(0, 1)[:, :, None])
    return model.norm(x_R1H)[:, 0]
