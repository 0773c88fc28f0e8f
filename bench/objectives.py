"""How fast every objective turns rows of text into a batch: `python -m bench.objectives`.

64 rows of 512 raw tokens, one core. Beside it, in turn in the same process, the masked language
model collator of Hugging Face `transformers` on the same rows (as numpy arrays, with the mask of
special tokens given, which is its fastest input), returning numpy and torch. A figure is millions
of raw tokens per CPU second; "x" is the ratio to the faster collator of the same round; each has
min, median and max over the rounds. The allocator is the one of our workers, for ours and theirs
(`glm.training.allocator`; `--plain-allocator` leaves it as installed). `--packed` fills rows with
documents of 40 to 200 tokens instead of one, which is more work.
"""

import argparse
from collections.abc import Callable

import numpy as np

from bench.measure import interleaved, load, one_thread
from glm.data.special import Special
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.objectives.denoising import Denoising
from glm.objectives.diffusion import MaskedDiffusion
from glm.objectives.gpt_bert import GPTBERT
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.mixture import Mixture
from glm.objectives.objective import Objective
from glm.objectives.prefix_lm import PrefixLM
from glm.objectives.span_corruption import SpanCorruption
from glm.objectives.spans import Document, Geometric, Poisson, Sentences
from glm.objectives.unilm import UniLM
from glm.training.allocator import tune_allocator

ROWS, LENGTH, VOCABULARY = 64, 512, 30522
SPECIAL = Special(
    pad=0, eos=0, cls=101, sep=102, mask=103, unk=100, start=30522, end=30523, gmask=30524,
    smask=30525, sentinel_masks=tuple(range(30526, 31548, 2)),
    sentinel_starts=tuple(range(30527, 31548, 2)), size=31548, padded=31616,
    sentence_end=(999, 1012, 1025, 1029),
)  # fmt: skip
SHORT, LONG = BlankInfilling(), BlankInfilling(Document())
OBJECTIVES: dict[str, Objective] = {
    "spans": SHORT,
    "spans, no shuffle": BlankInfilling(shuffle=False),
    "spans, sentinel masks": BlankInfilling(sentinels="masks"),
    "spans, full sentinels": BlankInfilling(sentinels="full"),
    "spans, like T5": BlankInfilling(shuffle=False, sentinels="full"),
    "spans, no inner positions": BlankInfilling(inner_positions=False),
    "document": LONG,
    "document, per batch": BlankInfilling(Document(per="batch")),
    "sentences": BlankInfilling(Sentences()),
    "mixture: GLM-Doc": Mixture(((1, SHORT), (1, LONG))),
    "mixture: GLM-Sent": Mixture(((1, SHORT), (1, BlankInfilling(Sentences())))),
    "masked LM, 80/10/10": MaskedLM(),
    "masked LM, Poisson, all [MASK]": MaskedLM(spans=Poisson(), masked=1.0, random=0.0),
    "masked LM, SpanBERT": MaskedLM(spans=Geometric(), together=True),
    "diffusion": MaskedDiffusion(),
    "GPT-BERT": GPTBERT(),
    "like MASS": BlankInfilling(Document(least=0.5, most=0.5, suffix=0.0)),
    "mixture: like UL2": Mixture(
        (
            (1, SHORT),
            (1, BlankInfilling(Poisson(mean=12.0, ratio=0.5))),
            (1, BlankInfilling(Document(least=0.01, most=0.5, suffix=1.0))),
        )
    ),
    "causal": Causal(),
    "prefix LM": PrefixLM(),
    "UniLM": UniLM(),
    "span corruption": SpanCorruption(),
    "denoising": Denoising(),
}


def text(packed: bool) -> np.ndarray:
    """Rows of random words; one token in twenty ends a sentence."""
    rng = np.random.default_rng(0)
    rows = rng.integers(1000, VOCABULARY, (ROWS, LENGTH)).astype(np.uint16)
    rows[rng.random(rows.shape) < 0.05] = 1012
    rows[:, 0] = SPECIAL.cls
    for row in rows if packed else ():
        at = int(rng.integers(40, 200))
        while at < LENGTH - 1:
            row[at - 1 : at + 1] = SPECIAL.eos, SPECIAL.cls
            at += int(rng.integers(40, 200))
    return rows


def collators(rows: np.ndarray) -> dict[str, Callable[[], object]]:
    """The peer, returning numpy and torch."""
    import tokenizers
    import transformers

    words = {f"w{i}": i for i in range(VOCABULARY)}
    for id, name in ((0, "[PAD]"), (100, "[UNK]"), (101, "[CLS]"), (102, "[SEP]"), (103, "[MASK]")):
        del words[f"w{id}"]
        words[name] = id
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    special = np.isin(rows, [SPECIAL.cls, SPECIAL.eos]).astype(np.int64)
    examples = [
        {"input_ids": row.astype(np.int64), "special_tokens_mask": mark}
        for row, mark in zip(rows, special, strict=True)
    ]

    def peer(kind: str) -> Callable[[], object]:
        collate = transformers.DataCollatorForLanguageModeling(tokenizer, return_tensors=kind)
        return lambda: collate([dict(example) for example in examples])

    return {"Hugging Face collator, numpy": peer("np"), "Hugging Face collator, torch": peer("pt")}


def main() -> None:
    """Measure and print one line per objective."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packed", action="store_true", help="several documents in a row")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plain-allocator", action="store_true", help="glibc's own thresholds")
    options = parser.parse_args()
    one_thread()
    if not options.plain_allocator:
        tune_allocator()
    rows = text(options.packed)
    rng = np.random.default_rng(0)
    peers = collators(rows)
    one_thread()  # again, for torch is imported now
    ours = {name: (lambda o=o: o(rows, rng, SPECIAL)) for name, o in OBJECTIVES.items()}
    calls = dict.fromkeys(ours, 12) | dict.fromkeys(peers, 2)
    print(f"{ROWS} x {LENGTH} raw tokens, load {load()}")
    times = interleaved(ours | peers, rounds=options.rounds, calls=calls)
    fastest = min(peers, key=lambda name: times.of(name).median)
    print(f"{'M raw tokens/s/core':34}{'min  median     max':>21}{'x min  median    max':>24}")
    for name in ours | peers:
        rate, ratio = times.rate(name, rows.size / 1e6), times.ratio(name, fastest)
        print(
            f"{name:34}{rate.low:6.1f}{rate.median:8.1f}{rate.high:8.1f}"
            f"{ratio.low:9.1f}{ratio.median:8.1f}{ratio.high:7.1f}"
        )
    print(f"load {load()}")


if __name__ == "__main__":
    main()
