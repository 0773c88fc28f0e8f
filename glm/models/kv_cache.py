"""A source's keys and values, computed once whatever the number of beams that read them.

A source never changes while its answer grows, so its keys and values are never copied per beam: the
queries of all beams of a source attend to the same cache in one product. What the beams write goes
behind the source, K entries per step, and stays where it is: when beams change places only a table
moves that says which entries a beam's own past is made of. Finished sources leave the batch.

Shape suffixes: S sources, K beams, R = S * K rows, N heads, T positions of the longest source,
X = T + K * steps entries of the cache, D head size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class KeyValueCache:
    """Keys and values of every layer, changed in place.

    Entries 0..T of a source are Part A; what its beams write in a step are the next entries.
    `hidden_SKX` is True where a beam does not see an entry: padding, and other beams' pasts. A
    cache begins with one beam; `reorder` makes more.
    """

    keys: list[Tensor]  # (S, N, D, X) each: as the product with few queries reads them best
    values: list[Tensor]  # (S, N, X, D) each
    hidden_SKX: Tensor
    used: int  # entries in use

    def reorder(self, origin_SK: Tensor) -> None:
        """From now on beam k of source s continues what beam `origin_SK[s, k]` has written."""
        source_S1 = torch.arange(len(origin_SK), device=origin_SK.device)[:, None]
        self.hidden_SKX = self.hidden_SKX[source_S1, origin_SK]

    def keep(self, sources_S: Tensor) -> None:
        """Go on with these sources only."""
        self.hidden_SKX = self.hidden_SKX[sources_S]
        self.keys = [layer[sources_S] for layer in self.keys]
        self.values = [layer[sources_S] for layer in self.values]

    def add_source(self, k_SNTD: Tensor, v_SNTD: Tensor) -> None:
        """Keep one more layer's keys and values of the sources."""
        S, N, T, D = k_SNTD.shape
        X = self.hidden_SKX.shape[2]
        self.keys.append(k_SNTD.new_empty(S, N, D, X))
        self.keys[-1][..., :T] = k_SNTD.transpose(-1, -2)
        self.values.append(v_SNTD.new_empty(S, N, X, D))
        self.values[-1][:, :, :T] = v_SNTD

    def open_step(self) -> None:
        """Make the next K entries visible, each to the beam that writes it."""
        beam_K = torch.arange(self.hidden_SKX.shape[1], device=self.hidden_SKX.device)
        self.hidden_SKX[:, beam_K, self.used + beam_K] = False
        self.used += len(beam_K)

    def forget(self) -> None:
        """Take back the last step: nobody sees its entries, and the next step writes over them."""
        self.used -= self.hidden_SKX.shape[1]
        self.hidden_SKX[:, :, self.used :] = True

    def attend(self, layer: int, q_RN1D: Tensor, k_RN1D: Tensor, v_RN1D: Tensor) -> Tensor:
        """(R, N, 1, D): what the tokens of the open step attend to in `layer`, themselves too."""
        S, K, _ = self.hidden_SKX.shape
        q, k, v = (x.view(S, K, *x.shape[1::2]).transpose(1, 2) for x in (q_RN1D, k_RN1D, v_RN1D))
        new = slice(self.used - K, self.used)
        keys, values = self.keys[layer], self.values[layer]
        keys[..., new], values[:, :, new] = k.transpose(-1, -2), v
        scores_SNKX = (q * q.shape[-1] ** -0.5) @ keys[..., : self.used]
        hidden_S1KX = self.hidden_SKX[:, None, :, : self.used]
        weights_SNKX = scores_SNKX.masked_fill_(hidden_S1KX, -torch.inf).softmax(-1)
        attended_SNKD = weights_SNKX @ values[:, :, : self.used]
        return attended_SNKD.transpose(1, 2).flatten(0, 1)[:, :, None]


@dataclass
class PairCache:
    """An encoder-decoder's cache: what the beams have written, and the source's own keys and values
    for cross attention, once for all beams of a source."""

    written: KeyValueCache
    keys: list[Tensor]  # (S, N, D, T) each
    values: list[Tensor]  # (S, N, T, D) each
    hidden_ST: Tensor  # True where there is only padding

    def reorder(self, origin_SK: Tensor) -> None:
        """From now on beam k of source s continues what beam `origin_SK[s, k]` has written."""
        self.written.reorder(origin_SK)

    def keep(self, sources_S: Tensor) -> None:
        """Go on with these sources only."""
        self.written.keep(sources_S)
        self.keys = [layer[sources_S] for layer in self.keys]
        self.values = [layer[sources_S] for layer in self.values]
        self.hidden_ST = self.hidden_ST[sources_S]

    def add_source(self, k_SNTD: Tensor, v_SNTD: Tensor) -> None:
        """Keep one more layer's keys and values of the sources."""
        self.keys.append(k_SNTD.transpose(-1, -2).contiguous())
        self.values.append(v_SNTD.contiguous())

    def attend(self, layer: int, q_RN1D: Tensor) -> Tensor:
        """(R, N, 1, D): what the tokens of the open step attend to of their source in `layer`."""
        S, K, _ = self.written.hidden_SKX.shape
        q_SNKD = q_RN1D.view(S, K, *q_RN1D.shape[1::2]).transpose(1, 2)
        scores_SNKT = (q_SNKD * q_SNKD.shape[-1] ** -0.5) @ self.keys[layer]
        hidden_S11T = self.hidden_ST[:, None, None]
        # Where nothing was read, attention comes to nothing, as in `cross_attention.crossed`.
        weights_SNKT = scores_SNKT.masked_fill_(hidden_S11T, -torch.inf).softmax(-1)
        weights_SNKT = weights_SNKT.masked_fill_(hidden_S11T, 0.0)
        attended_SNKD = weights_SNKT @ self.values[layer]
        return attended_SNKD.transpose(1, 2).flatten(0, 1)[:, :, None]
