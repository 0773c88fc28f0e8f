"""Beam search beside Hugging Face `generate`, on one GPT-2 with the same weights.

    python -m bench.decoding          # fp32 and bf16, one thread, a few minutes
    python -m bench.decoding --quick  # three rounds

6 layers, hidden 384, 6 heads, vocabulary 30,592; 8 sources of 300 tokens, 32 new tokens, 5 beams,
no end token, so that both write as much. Our model in its causal layout is a GPT-2: the peer is
`GPT2LMHeadModel` with our weights copied in, so the best sequences can be compared token by token
(in fp32; in bf16 any two orders of summation part). Shown is how many times more tokens per CPU
second ours writes: least, median and greatest over the rounds.
"""

import argparse
from typing import Any

from bench.measure import interleaved, load, one_thread

SOURCES, LENGTH, NEW, BEAMS = 8, 300, 32, 5
CLAIM = 3.5
SHARPER = 4.0  # times the initial deviation: a model that has something to prefer


def models() -> tuple[Any, Any]:
    """Our model and Hugging Face's with its weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from glm.models.transformer import Shape, build

    shape = Shape(6, 384, 6, 30592, inner=False, dropout=0.0, attention_dropout=0.0)
    ours = build(shape, seed=0).eval()
    with torch.no_grad():
        ours.word.weight.mul_(SHARPER)
    config = GPT2Config(
        vocab_size=30592, n_positions=512, n_embd=384, n_layer=6, n_head=6,
        activation_function="gelu_new", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    theirs = GPT2LMHeadModel(config).eval()
    names = {
        "attention_norm": "ln_1", "fused": "attn.c_attn", "merge": "attn.c_proj",
        "mlp_norm": "ln_2", "up": "mlp.c_fc", "down": "mlp.c_proj",
    }  # fmt: skip
    state: dict[str, Any] = {
        "transformer.wte.weight": ours.word.weight,
        "lm_head.weight": ours.word.weight,
    }
    state["transformer.wpe.weight"] = ours.position.weight
    state["transformer.ln_f.weight"], state["transformer.ln_f.bias"] = ours.norm.parameters()
    for i, block in enumerate(ours.blocks):
        for mine, other in names.items():
            layer = block.get_submodule(mine)
            # Hugging Face keeps GPT-2's linear weights as (in, out).
            weight = layer.weight.T if layer.weight.ndim == 2 else layer.weight
            state[f"transformer.h.{i}.{other}.weight"] = weight
            state[f"transformer.h.{i}.{other}.bias"] = layer.bias
    theirs.load_state_dict({name: value.detach().clone() for name, value in state.items()})
    return ours, theirs


def writers(ours, theirs):
    """Two functions that write the best sequences of the same sources."""
    import torch

    from glm.data.sequences import sequence
    from glm.generation.beam import Search, beam
    from glm.generation.prompt import Prompt

    ids_ST = torch.randint(1000, 30000, (SOURCES, LENGTH), generator=torch.manual_seed(0))
    prompts = []
    for row in ids_ST.tolist():
        zeros, ones = [0] * (LENGTH - 1), [1] * (LENGTH - 1)
        source = sequence(row[:-1], range(LENGTH - 1), zeros, ones)
        prompts.append(Prompt(source, (LENGTH - 1,), (row[-1],), grows=True))
    search = Search(end=-1, vocabulary=30592, max_length=NEW, beams=BEAMS, length_penalty=1.0)

    @torch.inference_mode()
    def write_ours():
        return [list(found.tokens) for found in beam(ours, prompts, search)]

    @torch.inference_mode()
    def write_theirs():
        written = theirs.generate(
            ids_ST, attention_mask=torch.ones_like(ids_ST), num_beams=BEAMS, max_new_tokens=NEW,
            do_sample=False, length_penalty=1.0, early_stopping="never", pad_token_id=0,
        )  # fmt: skip
        return written[:, LENGTH:].tolist()

    return write_ours, write_theirs


def main() -> int:
    """Print the table; exit code 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds")
    rounds = 3 if parser.parse_args().quick else 5
    one_thread()
    import torch

    from glm.training.allocator import tune_allocator

    tune_allocator()
    torch.set_num_threads(1)
    ours, theirs = models()
    held = True
    print(f"load {load()}")
    print("type   least  median greatest   claim   tokens/CPU s   same best sequences")
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        ours, theirs = ours.to(dtype), theirs.to(dtype)
        write_ours, write_theirs = writers(ours, theirs)
        same = sum(a == b for a, b in zip(write_ours(), write_theirs(), strict=True))
        times = interleaved({"ours": write_ours, "theirs": write_theirs}, rounds, warmup=0)
        ratio = times.ratio("ours", "theirs")
        held &= ratio.median >= CLAIM and (same == SOURCES or name == "bf16")
        spread = f"{ratio.low:7.2f} {ratio.median:7.2f} {ratio.high:7.2f}"
        rate = times.rate("ours", SOURCES * NEW).median
        print(f"{name:5} {spread}  {CLAIM:6.1f}   {rate:8.0f}       {same} of {SOURCES}")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
