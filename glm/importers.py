"""The released GLM checkpoints and their Hugging Face form, in and out.

Both hold one flat dict of tensors with the original's names; the Hugging Face classes put `glm.`
before each. Linear weights are (out, in) in both, as here, so names are all that changes.
"""

import re
from collections.abc import Mapping

from torch import Tensor

# Our name -> the original's. `{i}` is the layer.
NAMES = {
    "word.weight": "word_embeddings.weight",
    "position.weight": "transformer.position_embeddings.weight",
    "inner.weight": "transformer.block_position_embeddings.weight",
    "norm": "transformer.final_layernorm",
    "blocks.{i}.attention_norm": "transformer.layers.{i}.input_layernorm",
    "blocks.{i}.fused": "transformer.layers.{i}.attention.query_key_value",
    "blocks.{i}.merge": "transformer.layers.{i}.attention.dense",
    "blocks.{i}.mlp_norm": "transformer.layers.{i}.post_attention_layernorm",
    "blocks.{i}.up": "transformer.layers.{i}.mlp.dense_h_to_4h",
    "blocks.{i}.down": "transformer.layers.{i}.mlp.dense_4h_to_h",
}


def original_name(name: str) -> str:
    """The original's name of our parameter `name`."""
    layer = re.match(r"blocks\.(\d+)\.", name)
    general = name if layer is None else name.replace(layer.group(1), "{i}", 1)
    stem, _, last = general.rpartition(".")
    found = NAMES.get(general) or f"{NAMES[stem]}.{last}"
    return found if layer is None else found.replace("{i}", layer.group(1))


def from_original(state: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The original's tensors under our `names`."""
    return {name: state[original_name(name)] for name in names}
