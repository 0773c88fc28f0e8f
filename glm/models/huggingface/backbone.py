"""A Hugging Face model as a `Backbone`: its body read in its own way, its head as it computes it.

What a kind of model does differently (which mask, which cache, which stack reads what) is its way:
`encoder`, `decoder` and `encoder_decoder`. This module has what all of them share.

Shape suffixes: R positions read or rows that write, S sources, M targets, H hidden, V ids.
"""

from collections.abc import Callable, Iterator
from collections.abc import Sequence as List
from contextlib import contextmanager
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glm.data.sequences import Sequence
from glm.models.backbone import Cache
from tasks.errors import UserError

CHUNK = 1024  # targets whose logits exist at one time
UNBOUNDED = 1 << 20  # positions, where a model has no table of them
# The names under which modules keep a rate of dropout that is no `nn.Dropout`.
RATES = ("dropout", "attention_dropout", "attn_dropout", "activation_dropout", "dropout_prob",
         "dropout_rate", "hidden_dropout")  # fmt: skip


# A model of the library's: its kinds share no type that has what is read of them.
Network = Any


class Way(Protocol):
    """How a kind of model reads sequences and writes."""

    def read(self, network: Network, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order."""
        ...

    def prefill(self, network: Network, sources: List[Sequence], pad: int) -> Cache: ...

    def step(
        self, network: Network, cache: Any, tokens_R: Tensor, position_R: Tensor
    ) -> Tensor: ...


class HuggingFace(nn.Module):
    """`network` (a `transformers` model with a language-modelling head) read in its `way`.

    `name` and `revision` are what it was loaded as. `positions` is how long a text may be.
    `headless` says that the checkpoint came without a head: it can be finetuned as a classifier
    and nothing else.
    """

    def __init__(
        self, network: Network, way: Way, name: str, revision: str, positions: int, headless: bool
    ):
        super().__init__()
        self.network = network
        self.way = way
        self.name, self.revision, self.headless = name, revision, headless
        self.positions = self.rows = positions

    @property
    def hidden(self) -> int:
        """The size of a hidden state."""
        return self.network.config.hidden_size

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.network.dtype

    def described(self) -> dict[str, Any]:
        """What was loaded, and from where."""
        kind = self.network.config.model_type
        return {"checkpoint": self.name, "revision": self.revision, "model_type": kind}

    def read(self, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order."""
        return self.way.read(self.network, sequences, pad)

    def prefill(self, sources: List[Sequence], pad: int, writes: int) -> Cache:
        """Read the sources; the library's caches grow by themselves, whatever `writes` is."""
        return self.way.prefill(self.network, sources, pad)

    def step(self, cache: Any, tokens_R: Tensor, position_R: Tensor, inner_R: Tensor) -> Tensor:
        """hidden_RH of one more token per row, which joins the cache."""
        return self.way.step(self.network, cache, tokens_R, position_R)

    def logits(self, hidden_RH: Tensor) -> Tensor:
        """What the model's own head makes of hidden states."""
        if self.headless:
            raise UserError(
                f"{self.name} has no language-modelling head: it can be finetuned as a classifier "
                "(style: classifier), and nothing else can be asked of it"
            )
        with _in_place_of_the_body(self.network, hidden_RH[None]) as inputs:
            return self.network(**inputs).logits[0]

    def cross_entropy(
        self,
        hidden_MH: Tensor,
        target_M: Tensor,
        weight_M: Tensor,
        *,
        vocabulary: int,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        """The sum of weight * -log p(target) in nats, logits of a chunk of targets at a time."""

        def chunk(hidden_CH: Tensor, target_C: Tensor, weight_C: Tensor) -> Tensor:
            logits_CV = self.logits(hidden_CH)[:, :vocabulary]
            exact = torch.promote_types(logits_CV.dtype, torch.float32)
            each_C = F.cross_entropy(
                logits_CV.to(exact), target_C, reduction="none", label_smoothing=label_smoothing
            )
            return (each_C * weight_C).sum()

        total = hidden_MH.new_zeros((), dtype=torch.float32)
        for at in range(0, len(target_M), CHUNK):
            part = slice(at, at + CHUNK)
            given = (hidden_MH[part], target_M[part], weight_M[part])
            alone = len(target_M) <= CHUNK or not torch.is_grad_enabled()
            total = total + (
                chunk(*given) if alone else checkpoint(chunk, *given, use_reentrant=False)
            )
        return total

    def lengthened(self, positions: int, seed: int) -> "HuggingFace":
        """Refused: a checkpoint's room is what it was trained with."""
        raise UserError(
            f"{self.name} has room for {self.positions} positions and this task asks for "
            f"{positions}: set finetune.max_length to {self.positions} or less"
        )

    def set_dropout(self, dropout: float) -> None:
        """Use finetuning's own rate wherever the checkpoint has any dropout."""
        for module in self.network.modules():
            if type(module) is nn.Dropout and module.p:
                module.p = dropout
            for name in RATES:
                if isinstance(rate := getattr(module, name, None), float) and rate:
                    setattr(module, name, dropout)


@contextmanager
def _in_place_of_the_body(network: Network, hidden_1RH: Tensor) -> Iterator[dict[str, Any]]:
    """Within, `network(**inputs)` is its head alone: its body's answer is `hidden_1RH`.

    Families wire their heads differently (a transform, a scale, a bias, a cap on logits). So the
    model's own code computes them, and only the module below the head is passed over.
    """
    from transformers.modeling_outputs import (
        BaseModelOutputWithPastAndCrossAttentions,
        Seq2SeqModelOutput,
    )

    body = network.base_model
    one = torch.zeros((1, 1), dtype=torch.long, device=hidden_1RH.device)
    inputs: dict[str, Any] = {"input_ids": one}
    output: Any = BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden_1RH)
    if network.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = one
        if body is network:  # T5's stacks hang directly on the model with the head
            body = network.get_decoder()
            inputs["encoder_outputs"] = (hidden_1RH[:, :1],)
        else:
            output = Seq2SeqModelOutput(last_hidden_state=hidden_1RH)
    forward: Callable[..., Any] = body.forward
    body.forward = lambda *_, **__: output
    try:
        yield inputs
    finally:
        body.forward = forward
