"""How a decoder reads: what several texts begin with is read once, and so are many texts in a row.

Candidates of one question share their source. Where the model can be told who sees whom, they
become the branches of one row, each seeing the source and itself, in training as in evaluation:

    source   ann lee met bob .        everybody's past
    branch   Ann flew home            | bob flew home

Other models (sliding windows, linear biases) read one text a row.
"""

from collections.abc import Iterator
from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glm.data.sequences import Sequence, lay, sequence
from glm.models.attention import visible
from glm.models.huggingface.backbone import Network
from glm.models.huggingface.cache import Rows
from glm.models.transformer import tensors

# Families that take a mask of who sees whom and each token's position.
SHARED = ("gpt2", "gpt_neox", "llama", "qwen2", "qwen3")
LONGEST = 4096  # tokens of a source and its branches together
WORTH = 2  # branches and source are read together if they share at least one token in two


@dataclass(frozen=True)
class Decoder:
    """`share`: texts share rows, and their beginnings."""

    share: bool

    @staticmethod
    def of(network: Network) -> "Decoder":
        """The way of a causal language model."""
        config = network.config
        layers = set(getattr(config, "layer_types", None) or ("full_attention",))
        plain = layers == {"full_attention"} and config._attn_implementation == "sdpa"
        return Decoder(plain and config.model_type in SHARED)

    def read(self, network: Network, sequences: List[Sequence], pad: int) -> Tensor:
        """hidden_RH at the reads of all sequences, in their order."""
        if self.share:
            batch = tensors(lay(list(trees(sequences)), pad), network.device)
            seen = visible(batch.document_BT, batch.branch_BT)
            # Branch 0 is what the others begin with, and no less causal than they are.
            past = torch.ones(seen.shape[-2:], dtype=torch.bool, device=seen.device).tril()
            inputs = {"attention_mask": seen & past, "position_ids": batch.position_BT.long()}
        else:
            batch = tensors(lay(sequences, pad, share=False), network.device)
            inputs = {"attention_mask": (batch.document_BT >= 0).long()}
        hidden_BTH = network.base_model(
            input_ids=batch.tokens_BT.long(), use_cache=False, **inputs
        ).last_hidden_state
        return hidden_BTH.flatten(0, 1)[batch.index_M]

    def prefill(self, network: Network, sources: List[Sequence], pad: int) -> Rows:
        """Read the sources, padded on their left."""
        width = max(map(len, sources))
        tokens_ST, mask_ST, position_ST = (np.zeros((len(sources), width), int) for _ in range(3))
        tokens_ST[:] = pad
        for s, source in enumerate(sources):
            tokens_ST[s, width - len(source) :] = source.tokens_L
            position_ST[s, width - len(source) :] = source.position_L
            mask_ST[s, width - len(source) :] = 1
        tokens, mask, position = (
            torch.as_tensor(x, device=network.device) for x in (tokens_ST, mask_ST, position_ST)
        )
        if not width:
            return Rows(None, {"mask": mask}, len(sources))
        past = network.base_model(
            input_ids=tokens, attention_mask=mask, position_ids=position, use_cache=True
        ).past_key_values
        return Rows(past, {"mask": mask}, len(sources))

    def step(self, network: Network, cache: Rows, tokens_R: Tensor, position_R: Tensor) -> Tensor:
        """hidden_RH of one more token per row, which joins the cache."""
        mask = cache.by_row["mask"]
        cache.by_row["mask"] = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
        output = network.base_model(
            input_ids=tokens_R[:, None],
            attention_mask=cache.by_row["mask"],
            position_ids=position_R[:, None],
            past_key_values=cache.past,
            use_cache=True,
        )
        cache.past = output.past_key_values
        return output.last_hidden_state[:, 0]


def trees(sequences: List[Sequence]) -> Iterator[Sequence]:
    """Neighbours that begin alike as one sequence each: what they share, then their own ends.

    The reads come in the order of the sequences.
    """
    group: list[Sequence] = []
    shared = total = 0
    for each in sequences:
        common = _alike(group[0].tokens_L[:shared], each.tokens_L) if group else 0
        joined = total + len(each) - shared
        if group and WORTH * common >= len(each) and joined <= LONGEST:
            shared, total = common, joined
        else:
            if group:
                yield _tree(group, shared)
            group, shared, total = [], len(each), len(each)
        group.append(each)
    if group:
        yield _tree(group, shared)


def _alike(one_L: np.ndarray, other_L: np.ndarray) -> int:
    """How many tokens both begin with."""
    length = min(len(one_L), len(other_L))
    different = np.flatnonzero(one_L[:length] != other_L[:length])
    return int(different[0]) if len(different) else length


def _tree(group: list[Sequence], shared: int) -> Sequence:
    if len(group) == 1:
        return group[0]
    tokens = [group[0].tokens_L[:shared]]
    position = [group[0].position_L[:shared]]
    branch = [np.zeros(shared, int)]
    reads, at = [], shared
    for number, each in enumerate(group, 1):
        tokens.append(each.tokens_L[shared:])
        position.append(each.position_L[shared:])
        branch.append(np.full(len(each) - shared, number))
        reads.append(np.where(each.read_R < shared, each.read_R, each.read_R - shared + at))
        at += len(each) - shared
    tokens_L = np.concatenate(tokens)
    targets = np.concatenate([each.target_R for each in group])
    return sequence(
        tokens_L,
        np.concatenate(position),
        np.zeros(len(tokens_L), int),
        np.concatenate(branch),
        np.concatenate(reads),
        targets,
    )
