"""Tiny models of other families with random weights, and tokenizers over a handful of words.

Weights are scaled up, so that probabilities are far from uniform and mistakes are seen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from glm.data.tokenizer import Tokenizer
from glm.models.huggingface.checkpoint import Loaded, load
from glm.models.importers import original_name
from glm.models.shape import Shape
from glm.models.transformer import Transformer, build

WORDS = "ann lee met bob flew home the cat sat on mat a dog ran far away yes no . , ?".split()
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
T5 = {"d_model": 32, "num_layers": 2, "num_heads": 4, "d_ff": 64, "d_kv": 8}
BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
}


@dataclass(frozen=True)
class Family:
    """A model type, what its configuration adds, and which tokenizer it has."""

    name: str
    config: str
    settings: dict[str, Any]
    vocabulary: str  # bert | roberta | gpt2 | llama | t5 | bart


ENCODERS = [
    Family("bert", "BertConfig", SMALL, "bert"),
    Family("roberta", "RobertaConfig", {**SMALL, "type_vocab_size": 1}, "roberta"),
    Family(
        "roberta-prelayernorm",
        "RobertaPreLayerNormConfig",
        {**SMALL, "type_vocab_size": 1},
        "roberta",
    ),
    Family(
        "distilbert",
        "DistilBertConfig",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
        "bert",
    ),
    Family("electra", "ElectraConfig", {**SMALL, "embedding_size": 16}, "bert"),
    Family(
        "deberta-v2",
        "DebertaV2Config",
        {
            **SMALL,
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "pos_att_type": ["c2p", "p2c"],
            "share_att_key": True,
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
        "bert",
    ),
    Family(
        "modernbert",
        "ModernBertConfig",
        {**SMALL, "global_attn_every_n_layers": 2, "local_attention": 8},
        "bert",
    ),
]
DECODERS = [
    Family("gpt2", "GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
           "gpt2"),
    Family("gpt_neox", "GPTNeoXConfig", SMALL, "gpt2"),
    Family("llama", "LlamaConfig", {**SMALL, "num_key_value_heads": 2}, "llama"),
    Family("qwen2", "Qwen2Config", {**SMALL, "num_key_value_heads": 2}, "gpt2"),
    Family("qwen3", "Qwen3Config", {**SMALL, "num_key_value_heads": 2, "head_dim": 8}, "gpt2"),
    Family(
        "mistral",
        "MistralConfig",
        {**SMALL, "num_key_value_heads": 2, "sliding_window": 4},
        "llama",
    ),
]  # fmt: skip
# Its logits come from below its body, which no backbone foresees.
ODD = Family(
    "opt",
    "OPTConfig",
    {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "ffn_dim": 64,
        "max_position_embeddings": 64,
        "word_embed_proj_dim": 32,
    },
    "llama",
)
PAIRS = [Family("t5", "T5Config", T5, "t5"), Family("bart", "BartConfig", BART, "bart")]


def vocabulary(kind: str) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """A tokenizer of the family's form, and the names of its special tokens."""
    if kind == "bert":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        made = _words(special, "[UNK]")
        ids = {token: made.token_to_id(token) for token in special}
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
                 "sep_token": "[SEP]", "mask_token": "[MASK]"}  # fmt: skip
        return made, names
    if kind == "t5":
        made = _words(["<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in range(5))], "<unk>")
        made.post_processor = processors.TemplateProcessing(
            single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
        )
        return made, {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return _byte_level(kind)


def _words(special: list[str], unknown: str) -> tokenizers.Tokenizer:
    pieces = {token: i for i, token in enumerate([*special, *WORDS])}
    made = tokenizers.Tokenizer(models.WordLevel(pieces, unk_token=unknown))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=False)
    made.add_special_tokens(special)
    return made


def _byte_level(kind: str) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if kind != "gpt2" else []
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = {token: i for i, token in enumerate([*special, *alphabet])}
    merges = []
    for word in [f"Ġ{w}" for w in WORDS if w.isalpha()] + [w for w in WORDS if w.isalpha()]:
        at = word[0]
        for letter in word[1:]:
            if at + letter not in pieces:
                pieces[at + letter] = len(pieces)
                merges.append((at, letter))
            at += letter
    made = tokenizers.Tokenizer(models.BPE(vocab=pieces, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if kind == "gpt2":
        made.add_special_tokens(["<|endoftext|>"])
        return made, {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}
    made.add_special_tokens(special)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    if kind == "llama":
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
        )
        return made, names
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    mask = tokenizers.AddedToken("<mask>", lstrip=True, special=True)
    made.add_special_tokens([mask])
    return made, {**names, "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}


def write(family: Family, folder: Path, seed: int = 0) -> Path:
    """A checkpoint as `save_pretrained` leaves it: configuration, weights, tokenizer."""
    import transformers

    made, names = vocabulary(family.vocabulary)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names)
    ids = {
        f"{name}_token_id": getattr(fast, f"{name}_token_id")
        for name in ("pad", "bos", "eos", "cls", "sep")
    }
    if family.vocabulary == "gpt2":
        ids["pad_token_id"] = None
    if family.vocabulary == "t5":
        ids |= {"decoder_start_token_id": 0}
    if family.vocabulary == "bart":
        ids |= {"decoder_start_token_id": 2, "forced_bos_token_id": None,
                "forced_eos_token_id": None}  # fmt: skip
    size = -(-len(fast) // 8) * 8
    config = getattr(transformers, family.config)(vocab_size=size, **family.settings, **ids)
    auto = {
        "t5": transformers.AutoModelForSeq2SeqLM,
        "bart": transformers.AutoModelForSeq2SeqLM,
    }.get(family.name)
    if auto is None:
        masked = family in ENCODERS
        auto = transformers.AutoModelForMaskedLM if masked else transformers.AutoModelForCausalLM
    torch.manual_seed(seed)
    network = auto.from_config(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    network.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def opened(family: Family, folder: Path) -> Loaded:
    """The family's checkpoint, written into `folder` and loaded as a backbone."""
    return load(write(family, folder))


def released(folder: Path, tokenizer: Tokenizer) -> Transformer:
    """Random weights in the authors' layout, as a training run of theirs leaves them."""
    model = build(Shape(2, 64, 1, 128, positions=64, dropout=0.0, attention_dropout=0.0), 3).eval()
    state = {original_name(name): tensor for name, tensor in model.state_dict().items()}
    (folder / "100").mkdir(parents=True)
    (folder / "latest_checkpointed_iteration.txt").write_text("100\n")
    torch.save({"module": state}, folder / "100/mp_rank_00_model_states.pt")
    vocabulary = tokenizer.model.get_vocab()
    kept = sorted((i, piece) for piece, i in vocabulary.items() if not piece.startswith("<|"))
    (folder / "vocab.txt").write_text("\n".join(piece for _, piece in kept) + "\n")
    return model
