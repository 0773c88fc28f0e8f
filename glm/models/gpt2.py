"""A causal Transformer of ours as GPT-2, which it equals: pre-LN, one table of positions, tied.

Linear weights of GPT-2 are (in, out); ours are (out, in). The rows of the fused product are in the
same order, all Q, all K, all V.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glm.data.tokenizer import Tokenizer
from glm.models.shape import Shape
from glm.models.transformer import EPSILON, Transformer

if TYPE_CHECKING:
    from transformers import GPT2Config, PreTrainedTokenizerFast

ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu": "gelu"}  # ours -> the library's
TABLES = {"word": "wte", "position": "wpe"}
NORMS = {"attention_norm": "ln_1", "mlp_norm": "ln_2"}
PRODUCTS = {"fused": "attn.c_attn", "merge": "attn.c_proj", "up": "mlp.c_fc", "down": "mlp.c_proj"}


def config(shape: Shape, tokenizer: Tokenizer) -> "GPT2Config":
    """The library's configuration of a model of this shape."""
    from transformers import GPT2Config

    special = tokenizer.special
    return GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=shape.rows,
        n_embd=shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function=ACTIVATIONS[shape.activation],
        resid_pdrop=shape.dropout,
        embd_pdrop=shape.dropout,
        attn_pdrop=shape.attention_dropout,
        layer_norm_epsilon=EPSILON,
        bos_token_id=special.cls,
        eos_token_id=special.eos,
        pad_token_id=special.pad,
    )


def state(model: Transformer) -> dict[str, Tensor]:
    """The weights under GPT-2's names."""
    found = {
        f"transformer.{theirs}.weight": getattr(model, ours).weight
        for ours, theirs in TABLES.items()
    }
    found |= {f"transformer.ln_f.{name}": p for name, p in model.norm.named_parameters()}
    for i, block in enumerate(model.blocks):
        for ours, theirs in NORMS.items():
            for name, parameter in getattr(block, ours).named_parameters():
                found[f"transformer.h.{i}.{theirs}.{name}"] = parameter
        for ours, theirs in PRODUCTS.items():
            product = getattr(block, ours)
            found[f"transformer.h.{i}.{theirs}.weight"] = product.weight.T
            found[f"transformer.h.{i}.{theirs}.bias"] = product.bias
    return found | {"lm_head.weight": model.word.weight}


def write(folder: str | Path, model: Transformer, tokenizer: Tokenizer) -> None:
    """A folder that `transformers` loads with its Auto classes: weights, configuration, tokenizer.

    The tokenizer puts [CLS] before a text, as the model has seen it. Raises `ValueError` for a
    model with two tables of positions, which GPT-2 has not.
    """
    from transformers import GPT2LMHeadModel

    if model.shape.inner:
        raise ValueError("GPT-2 has one table of positions; this model has two")
    network = GPT2LMHeadModel(config(model.shape, tokenizer))
    with torch.no_grad():
        network.load_state_dict(state(model))
    network.save_pretrained(folder)
    _fast(tokenizer).save_pretrained(folder)


def _fast(tokenizer: Tokenizer) -> "PreTrainedTokenizerFast":
    import tokenizers
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    special, ours = tokenizer.special, tokenizer.model
    copy = tokenizers.Tokenizer.from_str(ours.to_str())
    named = {
        name: copy.id_to_token(i)
        for name, i in (
            ("bos_token", special.cls),
            ("eos_token", special.eos),
            ("pad_token", special.pad),
            ("unk_token", special.unk),
            ("mask_token", special.mask),
        )
    }
    first = named["bos_token"]
    copy.post_processor = processors.TemplateProcessing(
        single=f"{first} $A", pair=f"{first} $A $B", special_tokens=[(first, special.cls)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=copy, **named)
