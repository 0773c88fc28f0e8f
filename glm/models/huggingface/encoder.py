"""How an encoder reads: many documents in a row where it can be told so, else one a row."""

from collections.abc import Sequence as List
from dataclasses import dataclass
from typing import NoReturn

from torch import Tensor

from glm.data.sequences import Sequence, lay
from glm.models.attention import visible
from glm.models.huggingface.backbone import Network
from glm.models.transformer import tensors
from tasks.errors import UserError

# Families that take a mask of who sees whom and each token's position. The others read one document
# a row: their positions are relative (DeBERTa) or some layers see a window only (ModernBERT).
SHARED = ("bert", "distilbert", "electra", "roberta", "roberta-prelayernorm")
# These count positions from the one after the padding id.
AFTER_PADDING = ("roberta", "roberta-prelayernorm")


@dataclass(frozen=True)
class Encoder:
    """`share`: documents share rows. `sides`: the inner position is the token's type."""

    share: bool
    sides: bool
    first: int = 0  # the number of the first position

    @staticmethod
    def of(network: Network) -> "Encoder":
        """The way of a masked language model."""
        config = network.config
        share = config.model_type in SHARED and config._attn_implementation == "sdpa"
        first = config.pad_token_id + 1 if config.model_type in AFTER_PADDING else 0
        return Encoder(share, getattr(config, "type_vocab_size", 0) > 1, first)

    def read(self, network: Network, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order."""
        batch = tensors(lay(sequences, pad, share=self.share), network.device)
        inputs: dict[str, Tensor] = {"input_ids": batch.tokens_BT.long()}
        if self.share:
            inputs["attention_mask"] = visible(batch.document_BT, batch.branch_BT)
            inputs["position_ids"] = batch.position_BT.long() + self.first
        else:
            inputs["attention_mask"] = (batch.document_BT >= 0).long()
        if self.sides:
            inputs["token_type_ids"] = batch.inner_BT.long()
        hidden_BTH = network.base_model(**inputs).last_hidden_state
        return hidden_BTH.flatten(0, 1)[batch.index_M]

    def prefill(self, network: Network, sources: List[Sequence], pad: int) -> NoReturn:
        """Refused: an encoder fills masks and does not write."""
        raise UserError("an encoder cannot write a text: it fills masks whose number is known")

    def step(
        self, network: Network, cache: object, tokens_R: Tensor, position_R: Tensor
    ) -> NoReturn:
        """Refused, as `prefill` is."""
        return self.prefill(network, [], 0)
