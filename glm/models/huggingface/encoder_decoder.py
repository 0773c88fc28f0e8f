"""How an encoder-decoder reads: Part A goes to the encoder, once, and every branch to the decoder.

    encoder   ann lee met bob . <extra_id_0> flew home </s>
    decoder   <pad> <extra_id_0> ann lee           branch 1
              <pad> <extra_id_0> bob               branch 2, over the same encoding

Shape suffixes: S sequences, A their longest Part A, R rows of the decoder, B the longest branch,
H hidden.
"""

from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from glm.data.sequences import Sequence
from glm.models.huggingface.backbone import Network
from glm.models.huggingface.cache import Rows


@dataclass(frozen=True)
class EncoderDecoder:
    """Both stacks, each with one text a row."""

    @staticmethod
    def of(network: Network) -> "EncoderDecoder":
        """The way of a sequence-to-sequence model."""
        return EncoderDecoder()

    def read(self, network: Network, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads, in their order: the decoder's, or the encoder's in Part A."""
        seen_SAH, mask_SA = self._encoded(network, sequences, pad)
        rows = [
            (s, np.flatnonzero(each.branch_L == branch))
            for s, each in enumerate(sequences)
            for branch in np.unique(each.branch_L[each.branch_L > 0])
        ]
        flat = [seen_SAH.flatten(0, 1)]
        place = {
            (s, int(column)): s * seen_SAH.shape[1] + at
            for s, each in enumerate(sequences)
            for at, column in enumerate(np.flatnonzero(each.branch_L == 0))
        }
        if rows:
            tokens_RB, mask_RB = _padded(
                [sequences[s].tokens_L[columns] for s, columns in rows], pad, network.device
            )
            owner_R = torch.tensor([s for s, _ in rows], device=network.device)
            written_RBH = network.get_decoder()(
                input_ids=tokens_RB,
                attention_mask=mask_RB,
                encoder_hidden_states=seen_SAH[owner_R],
                encoder_attention_mask=mask_SA[owner_R],
                use_cache=False,
            ).last_hidden_state
            base = len(flat[0])
            flat.append(written_RBH.flatten(0, 1))
            place |= {
                (s, int(column)): base + r * written_RBH.shape[1] + at
                for r, (s, columns) in enumerate(rows)
                for at, column in enumerate(columns)
            }
        index = [place[s, int(read)] for s, each in enumerate(sequences) for read in each.read_R]
        return torch.cat(flat)[torch.tensor(index, dtype=torch.long, device=network.device)]

    def prefill(self, network: Network, sources: List[Sequence], pad: int) -> Rows:
        """Encode Part A and read what opens Part B, equally long in all sources."""
        seen_SAH, mask_SA = self._encoded(network, sources, pad)
        openings = [each.tokens_L[each.branch_L > 0] for each in sources]
        if len({len(opening) for opening in openings}) > 1:
            raise ValueError("answers that open with different numbers of tokens in one batch")
        cache = Rows(None, {"states": seen_SAH, "mask": mask_SA}, len(sources))
        opening_ST = torch.as_tensor(np.stack(openings).astype(int), device=network.device)
        if opening_ST.shape[1]:
            self._decoded(network, cache, opening_ST)
        return cache

    def step(self, network: Network, cache: Rows, tokens_R: Tensor, position_R: Tensor) -> Tensor:
        """hidden_RH of one more token per row, which joins the cache."""
        return self._decoded(network, cache, tokens_R[:, None])[:, -1]

    def _encoded(
        self, network: Network, sequences: List[Sequence], pad: int
    ) -> tuple[Tensor, Tensor]:
        parts = [each.tokens_L[each.branch_L == 0] for each in sequences]
        tokens_SA, mask_SA = _padded(parts, pad, network.device)
        output = network.get_encoder()(input_ids=tokens_SA, attention_mask=mask_SA)
        return output.last_hidden_state, mask_SA

    def _decoded(self, network: Network, cache: Rows, tokens_RT: Tensor) -> Tensor:
        output = network.get_decoder()(
            input_ids=tokens_RT,
            encoder_hidden_states=cache.by_row["states"],
            encoder_attention_mask=cache.by_row["mask"],
            past_key_values=cache.past,
            use_cache=True,
        )
        cache.past = output.past_key_values
        return output.last_hidden_state


def _padded(rows: List[np.ndarray], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(tokens, 1 where they are no padding), padded on the right."""
    tokens = [torch.as_tensor(row.astype(int)) for row in rows]
    mask = [torch.ones(len(row), dtype=torch.long) for row in rows]
    padded = pad_sequence(tokens, batch_first=True, padding_value=pad)
    return padded.to(device), pad_sequence(mask, batch_first=True).to(device)
