"""An encoder-decoder of the same blocks: one stack reads Part A, the other writes Part B.

It eats the very batches that the one Transformer eats. What is branch 0 goes to the encoder; every
other branch goes to the decoder, whose positions see their own past in it and all that the encoder
made of their document:

    encoder   x1 x2 [M] x4 [M]         sees itself from both sides
    decoder   [S] x3 [S] x5 x6         sees its past, and the encoder's states by cross attention

So it learns whatever the one Transformer learns, and candidates that are branches of one question
share an encoding. The token table is one for both stacks and the output layer; position tables are
each stack's own.

Shape suffixes: B rows, T positions of a batch, A columns of the encoder, C columns of the decoder,
H hidden, N heads, D head size, S sources, R rows that write, M targets, V rows of the token table.
"""

from collections.abc import Sequence as List
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glm.data.sequences import Sequence, lay
from glm.models.attention import BACKENDS, choose
from glm.models.cross_attention import Crossing, crossed, mask
from glm.models.kv_cache import KeyValueCache, PairCache
from glm.models.shape import Shape
from glm.models.transformer import (
    EPSILON,
    Block,
    Tensors,
    Transformer,
    draw,
    keep,
    tensors,
)


class Decoder(nn.Module):
    """All of the decoder but the token table, which is the encoder's."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.position = nn.Embedding(shape.rows, shape.hidden)
        self.inner = nn.Embedding(shape.rows, shape.hidden) if shape.inner else None
        blocks = nn.ModuleList(Block(shape) for _ in range(shape.decoder))
        crossings = nn.ModuleList(Crossing(shape) for _ in range(shape.decoder))
        self.blocks, self.crossings = cast(List[Block], blocks), cast(List[Crossing], crossings)
        self.norm = nn.LayerNorm(shape.hidden, EPSILON)


@dataclass(frozen=True)
class Divided:
    """A batch in two: what the encoder reads, what the decoder writes, and where a batch's columns
    are in both laid side by side."""

    read: Tensors
    written: Tensors
    column_BT: Tensor


def divide(batch: Tensors) -> Divided:
    """Part A and Part B of every row, each at the beginning of a grid of its own.

    In every row Part A comes first and padding last (see `glm.data.example`).
    """
    real_BT = batch.document_BT >= 0
    first_BT, later_BT = real_BT & (batch.branch_BT == 0), batch.branch_BT > 0
    names = ("tokens_BT", "position_BT", "inner_BT", "branch_BT")

    A, width = batch.read, real_BT.shape[1]
    document_BA = batch.document_BT.masked_fill(~first_BT, -1)[:, :A]
    grids = {name: getattr(batch, name)[:, :A] for name in names}
    grids["branch_BT"] = torch.zeros_like(document_BA)
    read = replace(batch, **grids, document_BT=document_BA)

    size_B1 = first_BT.sum(1, keepdim=True)
    from_BC = size_B1 + torch.arange(batch.written, device=size_B1.device)
    beyond_BC = from_BC >= size_B1 + later_BT.sum(1, keepdim=True)
    from_BC = from_BC.clamp(max=width - 1)
    grids = {name: getattr(batch, name).gather(1, from_BC) for name in names}
    document_BC = batch.document_BT.gather(1, from_BC).masked_fill(beyond_BC, -1)
    grids["branch_BT"] = grids["branch_BT"].masked_fill(beyond_BC, 0)
    written = replace(batch, **grids, document_BT=document_BC)

    column_T = torch.arange(width, device=size_B1.device)
    column_BT = torch.where(column_T < size_B1, column_T, A + column_T - size_B1)
    return Divided(read, written, column_BT.clamp(max=A + batch.written - 1))


class EncoderDecoder(nn.Module):
    """A Transformer that reads, and a decoder that writes about what was read."""

    def __init__(self, shape: Shape):
        """Parameters hold what torch puts there: see `build`."""
        super().__init__()
        self.shape = shape
        self.encoder = Transformer(shape)
        self.decoder = Decoder(shape)

    def embed(self, tokens_BC: Tensor, position_BC: Tensor, inner_BC: Tensor) -> Tensor:
        """The input of the decoder's first block, (B, C, H)."""
        x_BCH = self.encoder.word(tokens_BC) + self.decoder.position(position_BC)
        if self.decoder.inner is not None:
            x_BCH = x_BCH + self.decoder.inner(inner_BC)
        return F.dropout(x_BCH, self.shape.dropout, self.training)

    def forward(self, batch: Tensors, backend: str = "") -> Tensor:
        """hidden_BTH: the encoder's last states in Part A, the decoder's in Part B.

        `backend` as in `glm.models.transformer.Transformer.forward`, for self-attention.
        """
        both = divide(batch)
        seen_BAH = self.encoder(both.read, backend)
        states_BXH = seen_BAH
        if batch.written:
            written_BCH = self._write(both.written, both.read.document_BT, seen_BAH, backend)
            states_BXH = torch.cat([seen_BAH, written_BCH], 1)
        elif torch.is_grad_enabled():
            # Nothing is written, and still every weight has a gradient: data-parallel processes
            # wait for the gradients of one another.
            unused = sum(weights.sum() for weights in self.decoder.parameters())
            states_BXH = states_BXH + 0.0 * unused
        index_BTH = both.column_BT[:, :, None].expand(-1, -1, states_BXH.shape[2])
        return states_BXH.gather(1, index_BTH)

    def _write(
        self, written: Tensors, document_BA: Tensor, seen_BAH: Tensor, backend: str
    ) -> Tensor:
        """The decoder's last states, (B, C, H)."""
        x_BCH = self.embed(written.tokens_BT, written.position_BT, written.inner_BT)
        dropout = self.shape.attention_dropout if self.training else 0.0
        dtype, device = self.encoder.precision(x_BCH), x_BCH.device.type
        name = backend or choose(device, dtype, torch.is_grad_enabled(), x_BCH.shape[1], dropout)
        own = BACKENDS[name].prepare(written.document_BT, written.branch_BT, dtype)
        across = mask(written.document_BT, document_BA, dtype, name)
        for block, cross in zip(self.decoder.blocks, self.decoder.crossings, strict=True):
            attended = BACKENDS[name].attend(*block.qkv(x_BCH), own, dropout)
            x_BCH = block.join(x_BCH, attended)
            keys_and_values = cross.keys_and_values(seen_BAH)
            attended = crossed(cross.queries(x_BCH), *keys_and_values, across, dropout)
            x_BCH = block.think(cross.join(x_BCH, attended))
        return self.decoder.norm(x_BCH)

    def logits(self, hidden_MH: Tensor) -> Tensor:
        """Scores of all V rows of the token table, padding rows included."""
        return self.encoder.logits(hidden_MH)

    def cross_entropy(
        self,
        hidden_MH: Tensor,
        target_M: Tensor,
        weight_M: Tensor,
        *,
        vocabulary: int,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        """The sum of weight * -log p(target), without keeping logits."""
        return self.encoder.cross_entropy(
            hidden_MH, target_M, weight_M, vocabulary=vocabulary, label_smoothing=label_smoothing
        )

    # What a `glm.models.backbone.Backbone` has besides.

    @property
    def hidden(self) -> int:
        """The size of a hidden state."""
        return self.shape.hidden

    @property
    def positions(self) -> int:
        """The largest length of a source, and of what is written about it."""
        return self.shape.positions

    @property
    def rows(self) -> int:
        """Rows of each position table."""
        return self.shape.rows

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.encoder.dtype

    def described(self) -> dict[str, Any]:
        """The shape's fields."""
        return asdict(self.shape)

    def read(self, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order."""
        batch = tensors(lay(sequences, pad), self.device)
        hidden_BTH = self(batch)
        return hidden_BTH.reshape(-1, hidden_BTH.shape[-1])[batch.index_M]

    def prefill(self, sources: List[Sequence], pad: int, writes: int) -> PairCache:
        """Encode Part A once, whatever the number of beams, and read what opens Part B."""
        both = divide(tensors(lay(sources, pad, share=False), self.device))
        seen_SAH, written = self.encoder(both.read), both.written
        x_SCH = self.embed(written.tokens_BT, written.position_BT, written.inner_BT)
        S, C, _ = x_SCH.shape
        visible = BACKENDS["sdpa"].prepare(
            written.document_BT, written.branch_BT, self.encoder.precision(x_SCH)
        )
        across = mask(
            written.document_BT, both.read.document_BT, self.encoder.precision(x_SCH), "sdpa"
        )
        hidden_SKX = torch.ones(S, 1, C + writes, dtype=torch.bool, device=self.device)
        hidden_SKX[:, :, :C] = (written.document_BT < 0)[:, None]
        cache = PairCache(KeyValueCache([], [], hidden_SKX, C), [], [], both.read.document_BT < 0)
        for block, cross in zip(self.decoder.blocks, self.decoder.crossings, strict=True):
            q, k, v = block.qkv(x_SCH)
            cache.written.add_source(k, v)
            keys_and_values = cross.keys_and_values(seen_SAH)
            cache.add_source(*keys_and_values)
            if C:
                x_SCH = block.join(x_SCH, BACKENDS["sdpa"].attend(q, k, v, visible, 0.0))
                attended = crossed(cross.queries(x_SCH), *keys_and_values, across, 0.0)
                x_SCH = block.think(cross.join(x_SCH, attended))
        return cache

    def step(
        self, cache: PairCache, tokens_R: Tensor, position_R: Tensor, inner_R: Tensor
    ) -> Tensor:
        """hidden_RH of one more token per row, whose keys and values join the cache."""
        x_R1H = self.embed(tokens_R[:, None], position_R[:, None], inner_R[:, None])
        cache.written.open_step()
        layers = zip(self.decoder.blocks, self.decoder.crossings, strict=True)
        for number, (block, cross) in enumerate(layers):
            x_R1H = block.join(x_R1H, cache.written.attend(number, *block.qkv(x_R1H)))
            x_R1H = cross.join(x_R1H, cache.attend(number, cross.queries(x_R1H)))
            x_R1H = block.think(x_R1H)
        return self.decoder.norm(x_R1H)[:, 0]

    def lengthened(self, positions: int, seed: int) -> "EncoderDecoder":
        """The model for longer inputs: its position tables go on with fresh rows."""
        longer = build(replace(self.shape, positions=positions), seed, self.device)
        keep(longer, self, positions)
        return longer

    def set_dropout(self, dropout: float) -> None:
        """Use finetuning's own dropout; attention's only where pretraining had any."""
        self.encoder.set_dropout(dropout)
        self.shape = self.encoder.shape
        for layer in (*self.decoder.blocks, *self.decoder.crossings):
            layer.dropout = dropout


def build(shape: Shape, seed: int, device: torch.device | str = "cpu") -> EncoderDecoder:
    """A new model on `device`, initialised from `seed` as `glm.models.transformer.initialise` does,
    in fp32. A layer of the decoder adds to its residual stream three times."""
    with torch.device("meta"):
        bare = EncoderDecoder(shape)
    model = bare.to_empty(device=device)
    generator = torch.Generator().manual_seed(seed)
    draw(model.encoder, shape.deviation, 2 * shape.layers, generator)
    draw(model.decoder, shape.deviation, 3 * shape.decoder, generator)
    return model
