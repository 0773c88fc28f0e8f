"""The one Transformer: a GPT-2-style pre-LN body that never knows which objective it serves.

Embeddings are the sum of the token's and of its two positions' (GLM, section 2.3); the output
layer is the token table again, without a bias. What differs between BERT, GPT, UniLM and GLM is in
the batch: its documents and branches decide attention (see glm/attention.py) and `index_M` says
where there are targets, the only places where logits are computed.

Shape suffixes: B rows, T positions, H hidden, N heads, D head size, M targets, V rows of the
token table (the vocabulary, padded).
"""

import math
from collections.abc import Sequence as List
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glm.data.example import parts
from glm.data.sequences import Sequence, lay
from glm.models.attention import BACKENDS, choose
from glm.models.cross_entropy import cross_entropy
from glm.models.kv_cache import KeyValueCache
from glm.models.shape import ACTIVATIONS, Shape

EPSILON = 1e-5  # of every layer norm
PIECE, FEW = 2048, 256  # rows of the token table at a time, where there are few hidden states


@dataclass(frozen=True)
class Tensors:
    """The torch twin of `glm.data.example.Batch`, on the model's device.

    `read` and `written` are the columns that Part A and Part B need where they are apart.
    """

    tokens_BT: Tensor
    position_BT: Tensor
    inner_BT: Tensor
    document_BT: Tensor
    branch_BT: Tensor
    index_M: Tensor
    target_M: Tensor
    weight_M: Tensor
    read: int
    written: int


def tensors(batch: Any, device: torch.device | str = "cpu") -> Tensors:
    """`batch` (a `glm.data.example.Batch`, or anything with its arrays) as tensors on `device`.

    On CUDA the copies go through pinned memory and do not wait for one another.
    """
    cuda = torch.device(device).type == "cuda"

    def move(array) -> Tensor:
        tensor = torch.as_tensor(array)
        return tensor.pin_memory().to(device, non_blocking=True) if cuda else tensor.to(device)

    names = [field.name for field in fields(Tensors) if field.name not in ("read", "written")]
    arrays = {name: move(getattr(batch, name)) for name in names}
    # Counted here, so that no model waits for a device to learn how wide its grids are.
    read, written = parts(np.asarray(batch.document_BT), np.asarray(batch.branch_BT))
    return Tensors(**arrays, read=read, written=written)


class Block(nn.Module):
    """One pre-LN layer: x + attention(LN(x)), then x + MLP(LN(x)).

    The layer comes apart at the attention, so that decoding can attend over cached keys and values:
    `finish(x, attend(*qkv(x)))` is the whole of it, and `finish` is `join`, then `think`.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.heads = shape.heads
        self.dropout = shape.dropout
        self.approximate = ACTIVATIONS[shape.activation]
        self.attention_norm = nn.LayerNorm(shape.hidden, EPSILON)
        self.fused = nn.Linear(shape.hidden, 3 * shape.hidden)  # rows: all Q, all K, all V
        self.merge = nn.Linear(shape.hidden, shape.hidden)
        self.mlp_norm = nn.LayerNorm(shape.hidden, EPSILON)
        self.up = nn.Linear(shape.hidden, 4 * shape.hidden)
        self.down = nn.Linear(4 * shape.hidden, shape.hidden)

    def qkv(self, x_BTH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of each position, (B, N, T, D) each."""
        B, T, H = x_BTH.shape
        fused = self.fused(self.attention_norm(x_BTH))
        q, k, v = fused.view(B, T, 3, self.heads, H // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def finish(self, x_BTH: Tensor, attended_BNTD: Tensor) -> Tensor:
        """The rest of the layer, given what each head of each position attended to."""
        return self.think(self.join(x_BTH, attended_BNTD))

    def join(self, x_BTH: Tensor, attended_BNTD: Tensor) -> Tensor:
        """x + attention(LN(x)), given what each head of each position attended to."""
        merged_BTH = self.merge(attended_BNTD.transpose(1, 2).flatten(2))
        return x_BTH + F.dropout(merged_BTH, self.dropout, self.training)

    def think(self, x_BTH: Tensor) -> Tensor:
        """x + MLP(LN(x))."""
        inside = F.gelu(self.up(self.mlp_norm(x_BTH)), approximate=self.approximate)
        return x_BTH + F.dropout(self.down(inside), self.dropout, self.training)


class Transformer(nn.Module):
    """Embeddings, blocks, a final layer norm, and the tied output layer."""

    def __init__(self, shape: Shape):
        """Parameters hold what torch puts there: see `build` and `initialise`."""
        super().__init__()
        self.shape = shape
        self.word = nn.Embedding(shape.vocabulary, shape.hidden)
        self.position = nn.Embedding(shape.rows, shape.hidden)
        self.inner = nn.Embedding(shape.rows, shape.hidden) if shape.inner else None
        blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.blocks = cast(List[Block], blocks)
        self.norm = nn.LayerNorm(shape.hidden, EPSILON)

    def embed(self, tokens_BT: Tensor, position_BT: Tensor, inner_BT: Tensor) -> Tensor:
        """The input of the first block, (B, T, H)."""
        x_BTH = self.word(tokens_BT) + self.position(position_BT)
        if self.inner is not None:
            x_BTH = x_BTH + self.inner(inner_BT)
        return F.dropout(x_BTH, self.shape.dropout, self.training)

    def forward(self, batch: Tensors, backend: str = "") -> Tensor:
        """What the output layer reads, hidden_BTH, after the final layer norm.

        `backend` names a row of `glm.models.attention.BACKENDS`; empty takes the one that measures
        fastest. Attention dropout works only in training mode, as every dropout.
        """
        x_BTH = self.embed(batch.tokens_BT, batch.position_BT, batch.inner_BT)
        dropout = self.shape.attention_dropout if self.training else 0.0
        dtype = self.precision(x_BTH)
        name = backend or choose(
            x_BTH.device.type, dtype, torch.is_grad_enabled(), x_BTH.shape[1], dropout
        )
        mask = BACKENDS[name].prepare(batch.document_BT, batch.branch_BT, dtype)
        for block in self.blocks:
            q, k, v = block.qkv(x_BTH)
            x_BTH = block.finish(x_BTH, BACKENDS[name].attend(q, k, v, mask, dropout))
        return self.norm(x_BTH)

    def precision(self, x_BTH: Tensor) -> torch.dtype:
        """The type of matrix products with activations like these: autocast's, or their own."""
        device = x_BTH.device.type
        return (
            torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_BTH.dtype
        )

    def logits(self, hidden_MH: Tensor) -> Tensor:
        """Scores of all V rows of the token table, padding rows included, for any leading shape.

        In fp32 on a CPU few hidden states times a long table is a fifth faster in pieces of the
        table that stay in the cache.
        """
        table_VH = self.word.weight
        rows = hidden_MH.numel() // hidden_MH.shape[-1]
        if torch.is_grad_enabled() or table_VH.device.type != "cpu" or rows > FEW:
            return F.linear(hidden_MH, table_VH)
        if table_VH.dtype != torch.float32:
            return F.linear(hidden_MH, table_VH)
        return torch.cat([F.linear(hidden_MH, part_VH) for part_VH in table_VH.split(PIECE)], -1)

    def cross_entropy(
        self,
        hidden_MH: Tensor,
        target_M: Tensor,
        weight_M: Tensor,
        *,
        vocabulary: int,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        """The sum of weight * -log p(target), without keeping logits; see `cross_entropy`."""
        table_VH = self.word.weight
        settings = {"vocabulary": vocabulary, "label_smoothing": label_smoothing}
        return cross_entropy(hidden_MH, table_VH, target_M, weight_M, **settings)

    # What a `glm.models.backbone.Backbone` has besides.

    @property
    def hidden(self) -> int:
        """The size of a hidden state."""
        return self.shape.hidden

    @property
    def positions(self) -> int:
        """The largest length of a text."""
        return self.shape.positions

    @property
    def rows(self) -> int:
        """Rows of each position table."""
        return self.shape.rows

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.word.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.word.weight.dtype

    def described(self) -> dict[str, Any]:
        """The shape's fields."""
        return asdict(self.shape)

    def read(self, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order."""
        batch = tensors(lay(sequences, pad), self.device)
        hidden_BTH = self(batch)
        return hidden_BTH.reshape(-1, hidden_BTH.shape[-1])[batch.index_M]

    def prefill(self, sources: List[Sequence], pad: int, writes: int) -> KeyValueCache:
        """Read the sources and keep their keys and values, with space for `writes` more entries."""
        batch = tensors(lay(sources, pad, share=False), self.device)
        x_STH = self.embed(batch.tokens_BT, batch.position_BT, batch.inner_BT)
        backend = BACKENDS["sdpa"]
        visible = backend.prepare(batch.document_BT, batch.branch_BT, self.precision(x_STH))
        S, T = batch.tokens_BT.shape
        hidden_SKX = torch.ones(S, 1, T + writes, dtype=torch.bool, device=self.device)
        hidden_SKX[:, :, :T] = (batch.document_BT < 0)[:, None]
        cache = KeyValueCache([], [], hidden_SKX, T)
        for number, block in enumerate(self.blocks):
            q, k, v = block.qkv(x_STH)
            cache.add_source(k, v)
            if number + 1 < len(self.blocks):  # nobody reads what the last makes of the source
                x_STH = block.finish(x_STH, backend.attend(q, k, v, visible, 0.0))
        return cache

    def step(
        self, cache: KeyValueCache, tokens_R: Tensor, position_R: Tensor, inner_R: Tensor
    ) -> Tensor:
        """hidden_RH of one more token per row, whose keys and values join the cache."""
        x_R1H = self.embed(tokens_R[:, None], position_R[:, None], inner_R[:, None])
        cache.open_step()
        for number, block in enumerate(self.blocks):
            x_R1H = block.finish(x_R1H, cache.attend(number, *block.qkv(x_R1H)))
        return self.norm(x_R1H)[:, 0]

    def lengthened(self, positions: int, seed: int) -> "Transformer":
        """The model for longer inputs; see `lengthen`."""
        return lengthen(self, positions, seed)

    def set_dropout(self, dropout: float) -> None:
        """Use finetuning's own dropout; attention's only where pretraining had any."""
        attention = dropout if self.shape.attention_dropout else 0.0
        self.shape = replace(self.shape, dropout=dropout, attention_dropout=attention)
        for block in self.blocks:
            block.dropout = dropout


class Model(Protocol):
    """What has a loss: it reads a batch, and knows the probabilities of tokens."""

    def __call__(self, batch: Tensors) -> Tensor: ...

    def cross_entropy(
        self,
        hidden_MH: Tensor,
        target_M: Tensor,
        weight_M: Tensor,
        *,
        vocabulary: int,
        label_smoothing: float = 0.0,
    ) -> Tensor: ...


def loss(
    model: Model,
    batch: Tensors,
    *,
    vocabulary: int,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean cross-entropy of the targets in nats, weighted by `weight_M`: a scalar in fp32.

    Logits exist at `index_M` only, and not all at once. The `vocabulary` real entries compete;
    padding rows of the token table do not, and smoothing spreads its mass over real entries (the
    original spreads it over padding rows as well: pass `model.shape.vocabulary` for that). Without
    any weight it is zero.
    """
    hidden_MH = model(batch).flatten(0, 1)[batch.index_M]
    total = model.cross_entropy(
        hidden_MH,
        batch.target_M,
        batch.weight_M,
        vocabulary=vocabulary,
        label_smoothing=label_smoothing,
    )
    return total / batch.weight_M.sum().clamp(min=torch.finfo(torch.float32).tiny)


def initialise(model: Transformer, seed: int) -> Transformer:
    """Set every weight of `model`, in place, from `seed`: the same bits on every device.

    Weights and tables are N(0, d) with the shape's deviation d, the two projections back into the
    residual stream N(0, d / sqrt(2 * layers)), biases 0, layer norms 1 and 0.
    """
    generator = torch.Generator().manual_seed(seed)
    draw(model, model.shape.deviation, 2 * model.shape.layers, generator)
    return model


def draw(module: nn.Module, deviation: float, sums: int, generator: torch.Generator) -> None:
    """Weights of a stack that adds to its residual stream `sums` times, in place; see
    `initialise`."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim == 1:
                parameter.fill_(1.0)
            else:
                residual = name.endswith(("merge.weight", "down.weight"))
                drawn = torch.empty(parameter.shape, dtype=torch.float32)
                scaled = deviation / math.sqrt(sums) if residual else deviation
                drawn.normal_(0.0, scaled, generator=generator)
                parameter.copy_(drawn)


def build(shape: Shape, seed: int, device: torch.device | str = "cpu") -> Transformer:
    """A new model on `device`, initialised from `seed`, in fp32."""
    with torch.device("meta"):
        model = Transformer(shape)
    return initialise(model.to_empty(device=device), seed)


def lengthen(model: Transformer, positions: int, seed: int) -> Transformer:
    """`model` for longer inputs: its position tables are kept and continued with fresh rows.

    The original does the same when a finetuning task is longer than pretraining was.
    """
    longer = build(replace(model.shape, positions=positions), seed, model.word.weight.device)
    keep(longer, model, positions)
    return longer


def keep(longer: nn.Module, model: nn.Module, positions: int) -> None:
    """Copy the weights of `model` into `longer`, which has room for `positions`.

    Raises `ValueError` where that is less than the model has.
    """
    state = longer.state_dict()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.shape[0] > state[name].shape[0]:
                raise ValueError(f"{name} has {value.shape[0]} rows, more than {positions} allow")
            state[name][: value.shape[0]].copy_(value)
