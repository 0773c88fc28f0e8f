"""A training step of ours beside Hugging Face's: forward, backward, clipping and AdamW.

    python -m bench.training            # one thread, a few minutes
    python -m bench.training --profile  # where our step's time goes (wall time: a quiet machine)

6 layers, hidden 384, 6 heads, 8 rows of 512 positions, vocabulary 30,522, no dropout, one batch of
random tokens. The peers are `BertForMaskedLM` (in bf16 autocast, its best setting on a CPU, and in
fp32) and `GPT2LMHeadModel`, with SDPA, the erf GELU, the fused AdamW and the tuned allocator, which
all variants share. A blank-infilling row is cut so that Part A and Part B together fill 512
positions. Shown is how many times more positions per CPU second ours does: least, median and
greatest over the rounds.

The goals against fp32 hold for CPUs with AMX, whose bf16 products are some 9 times faster than fp32
ones. Elsewhere (2.2 times with AVX-512 BF16) they are shown and not required.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.measure import Times, interleaved, load, one_thread

ROWS, WIDTH, WORDS = 8, 512, 30522
LAYERS, HIDDEN, HEADS = 6, 384, 6
TEXT = 464  # raw tokens of a blank-infilling row: with some 25 spans, at most 512 positions

# (name, ours, peer, at least)
CLAIMS = (
    ("BlankInfilling", "ours infilling bf16", "bert bf16", 1.8),
    ("BlankInfilling", "ours infilling bf16", "bert fp32", 4.5),
    ("MaskedLM", "ours masked bf16", "bert bf16", 1.8),
    ("MaskedLM", "ours masked bf16", "bert fp32", 4.5),
    ("Causal", "ours causal bf16", "gpt2 bf16", 1.1),
)


def special():
    """BERT's special ids, as `glm.data.tokenizer.bert` finds them."""
    from glm.data.special import Special

    return Special(pad=0, eos=0, cls=101, sep=102, mask=103, unk=100, start=30522, end=30523,
                   size=30524, padded=30592)  # fmt: skip


def batch(objective, length: int):
    """One batch of `objective` over random words, padded to the common width, and its positions."""
    import numpy as np

    from glm.data.example import padded
    from glm.models.transformer import tensors

    rng = np.random.default_rng(0)
    text = rng.integers(1000, WORDS, (ROWS, length), dtype=np.int32)
    text[:, 0], text[:, -1] = special().cls, special().eos
    made = padded(objective(text, rng, special()), WIDTH, pad=special().pad)
    if made.width != WIDTH:
        raise ValueError(f"{objective}: {made.width} positions; shorten the rows below {length}")
    return tensors(made), made.positions


def step(model, loss: Callable[[], Any], bf16: bool) -> Callable[[], None]:
    """A whole training step: the loss, its gradients, clipping and AdamW."""
    import torch

    from glm.training.optim import adamw, clip, set_rate

    optimiser = adamw(model)
    set_rate(optimiser, 1e-4)

    def run() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = loss()
        value.backward()
        clip(model, 1.0)
        optimiser.step()

    return run


def ours(objective, length: int, inner: bool) -> tuple[Callable[[], None], int]:
    """Our step in bf16 and the positions that it processes."""
    from glm.models.transformer import Shape, build, loss

    shape = Shape(LAYERS, HIDDEN, HEADS, 30592, WIDTH, inner, "gelu", 0.0, 0.0)
    model = build(shape, seed=0).train()
    given, positions = batch(objective, length)
    vocabulary = special().size
    return step(model, lambda: loss(model, given, vocabulary=vocabulary), True), positions


def bert(bf16: bool) -> Callable[[], None]:
    """Hugging Face's BERT with a masked-word loss."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORDS, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    model = BertForMaskedLM(config).train()
    words = torch.randint(1000, WORDS, (ROWS, WIDTH))
    labels = torch.where(torch.rand(ROWS, WIDTH) < 0.15, words, -100)
    return step(model, lambda: model(input_ids=words, labels=labels).loss, bf16)


def gpt2(bf16: bool) -> Callable[[], None]:
    """Hugging Face's GPT-2; with its own tanh GELU in place of the erf one it is slower."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=WORDS, n_positions=WIDTH, n_embd=HIDDEN, n_layer=LAYERS, n_head=HEADS,
        activation_function="gelu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        use_cache=False, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    model = GPT2LMHeadModel(config).train()
    words = torch.randint(1000, WORDS, (ROWS, WIDTH))
    return step(model, lambda: model(input_ids=words, labels=words).loss, bf16)


def variants() -> tuple[dict[str, Callable[[], None]], dict[str, int]]:
    """Every variant's step, and the real positions in one."""
    from glm.objectives.blank_infilling import BlankInfilling
    from glm.objectives.causal import Causal
    from glm.objectives.masked_lm import MaskedLM

    steps: dict[str, Callable[[], None]] = {}
    positions: dict[str, int] = dict.fromkeys(("bert bf16", "bert fp32", "gpt2 bf16"), ROWS * WIDTH)
    for name, objective, length, inner in (
        ("ours infilling bf16", BlankInfilling(), TEXT, True),
        ("ours masked bf16", MaskedLM(), WIDTH, False),
        ("ours causal bf16", Causal(), WIDTH, False),
    ):
        steps[name], positions[name] = ours(objective, length, inner)
    steps |= {"bert bf16": bert(True), "bert fp32": bert(False), "gpt2 bf16": gpt2(True)}
    return steps, positions


def amx() -> bool:
    """Whether this CPU has bf16 matrix units."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def report(times: Times, positions: dict[str, int]) -> bool:
    """Print rates and ratios; True if every claim holds at its median."""
    print(f"load {load()}\npositions per CPU second, one thread (min median max)")
    for name, count in positions.items():
        print(f"  {name:22}{times.rate(name, count)}")
    print("ratios (min median max), goal")
    good = True
    for name, mine, peer, goal in CLAIMS:
        ratio, share = times.ratio(mine, peer), positions[mine] / positions[peer]
        shown = SimpleNamespace(**{k: getattr(ratio, k) * share for k in ("low", "median", "high")})
        required = "fp32" not in peer or amx()
        good &= shown.median >= goal or not required
        verdict = "" if shown.median >= goal else "   BELOW" if required else "   (with AMX)"
        print(f"  {name:16}{peer:12}{shown.low:6.2f} {shown.median:.2f} {shown.high:.2f}"
              f"   >= {goal}{verdict}")  # fmt: skip
    return good


def profile(run: Callable[[], None]) -> None:
    """The operators of one step, by their own time."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as recorded

    for _ in range(2):
        run()
    with recorded(activities=[ProfilerActivity.CPU]) as record:
        run()
    print(record.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="time only variants whose name has this word")
    parser.add_argument("--profile", action="store_true", help="where our steps' time goes")
    given = parser.parse_args()
    one_thread()
    from glm.training.allocator import tune_allocator

    tune_allocator()
    steps, positions = variants()
    steps = {name: run for name, run in steps.items() if given.only in name}
    positions = {name: positions[name] for name in steps}
    if given.profile:
        for name, run in steps.items():
            print(name)
            profile(run)
        return 0
    times = interleaved(steps, rounds=given.rounds)
    if given.only:
        for name in steps:
            print(f"{name:22}{times.of(name)} s  {times.rate(name, positions[name])} positions/s")
        return 0
    return 0 if report(times, positions) else 1


if __name__ == "__main__":
    raise SystemExit(main())
