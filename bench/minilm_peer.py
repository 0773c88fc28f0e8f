"""Plain `transformers` finetuning beside `ablations/minilm.yaml`: same rows, settings and seeds.

    python -m bench.minilm_peer CHECKPOINT DATA OUT            # every task under three seeds
    python -m bench.minilm_peer CHECKPOINT DATA OUT --tasks cb --seeds 1

CHECKPOINT is a folder that `AutoModel` reads, DATA holds `superglue/` in the official layout.
Nothing of the harness is used: rows are read, tokenised, padded and batched here, and the model is
the library's body under a fresh pooler and a fresh linear layer, as the harness's classifier has
them. OUT gets a line of JSON for each task and seed: the labels chosen, in file order, and seconds;
what it has already is not made again.
"""

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

LR, WARMUP, WEIGHT_DECAY, DROPOUT, LENGTH = 3e-5, 0.06, 0.01, 0.1, 128
SORTED = 8  # batches whose rows are sorted by length together, as `group_by_length` does
EVALUATED = 64  # rows of one forward pass without gradients

Row = dict[str, Any]
Span = tuple[int, int, int]  # 0 or 1 for the side, and the characters in its text


@dataclass(frozen=True)
class Example:
    """Pairs of texts, the spans that are looked at in each, and the right class or pair."""

    pairs: list[tuple[str, str]]
    spans: list[Span]
    gold: int


@dataclass(frozen=True)
class Task:
    """Where a task's rows are, how they are read, and how long it is trained."""

    train: str
    rows: int  # of the training file, from its beginning
    dev: int
    read: Callable[[Row, bool], list[Example]]
    classes: int  # 1: a logit for each pair
    epochs: int
    batch: int
    words: int = 0


def pair(first: str, second: str, labels: tuple) -> Callable[[Row, bool], list[Example]]:
    """Tasks about two texts in two fields."""

    def read(row: Row, training: bool) -> list[Example]:
        return [Example([(row[first], row[second])], [], labels.index(row["label"]))]

    return read


def copa(row: Row, training: bool) -> list[Example]:
    """A pair for each choice; in training also in the other order."""
    premise = row["premise"] + (" because" if row["question"] == "cause" else " so")
    pairs = [(premise, row["choice1"]), (premise, row["choice2"])]
    orders = [Example(pairs, [], row["label"])]
    return orders + [Example(pairs[::-1], [], 1 - row["label"])] * training


def wic(row: Row, training: bool) -> list[Example]:
    """The word before its first sentence, and its places in both."""
    ahead = f"{row['word']}: "
    first = (0, len(ahead) + row["start1"], len(ahead) + row["end1"])
    pairs = [(ahead + row["sentence1"], row["sentence2"])]
    return [Example(pairs, [first, (1, row["start2"], row["end2"])], int(row["label"]))]


def wsc(row: Row, training: bool) -> list[Example]:
    """The pronoun between stars, and the phrase where it stands in the text, or else by itself."""
    text, target = row["text"], row["target"]
    words = list(re.finditer(r"\S+", text))
    pronoun = re.compile(rf"\W*({re.escape(target['span2_text'])})(?!\w)", re.IGNORECASE)
    near = (target["span2_index"] + shift for shift in (0, 1, -1))
    places = (pronoun.match(text, words[i].start()) for i in near if 0 <= i < len(words))
    start, end = next(place.span(1) for place in places if place)
    starred = f"{text[:start]}*{text[start:end]}*{text[end:]}"
    phrase = target["span1_text"]
    there = re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", starred, re.IGNORECASE)
    span = (0, *there.span()) if there else (1, 0, len(phrase))
    spans = [(0, start + 1, end + 1), span]
    return [Example([(starred, phrase)], spans, int(row["label"]))]


RTE = ("entailment", "not_entailment")
CB = ("entailment", "contradiction", "neutral")
TASKS = {
    "cb": Task("CB/train", 250, 56, pair("premise", "hypothesis", CB), 3, 12, 16),
    "rte": Task("RTE/train", 2490, 277, pair("premise", "hypothesis", RTE), 2, 6, 32),
    "copa": Task("COPA/train", 400, 100, copa, 1, 4, 32),
    "wsc": Task("WSC/train", 554, 104, wsc, 2, 4, 32, words=2),
    "wic": Task("WiC/train", 600, 638, wic, 2, 4, 32, words=2),
    "boolq": Task(
        "BoolQ/train_1000_noofficialidx", 150, 300, pair("passage", "question", (False, True)),
        2, 4, 32,
    ),
}  # fmt: skip


class Classifier(nn.Module):
    """The library's body read at [CLS] and at the spans' tokens, and a fresh head."""

    def __init__(self, checkpoint: str, classes: int, words: int):
        super().__init__()
        from transformers import AutoModel

        self.body = AutoModel.from_pretrained(checkpoint, add_pooling_layer=False)
        hidden, deviation = self.body.config.hidden_size, self.body.config.initializer_range
        self.pool, self.out = nn.Linear(hidden, hidden), nn.Linear(hidden * (1 + words), classes)
        self.dropout = nn.Dropout(DROPOUT)
        for layer in (self.pool, self.out):
            nn.init.normal_(layer.weight, 0.0, deviation)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Any, words_NWT: Tensor) -> Tensor:
        """logits_NC; `words_NWT` averages each span's tokens."""
        hidden_NTH = self.body(**inputs).last_hidden_state
        seen = [torch.tanh(self.pool(hidden_NTH[:, 0]))]
        if words_NWT.shape[1]:
            seen.append((words_NWT.to(hidden_NTH.dtype) @ hidden_NTH).flatten(1))
        return self.out(self.dropout(torch.cat(seen, -1))).float()


def batch(examples: list[Example], tokenizer: Any) -> tuple[Any, Tensor]:
    """The examples' pairs, padded to the longest, and the averages over their spans."""
    pairs = [each for example in examples for each in example.pairs]
    encoded = tokenizer(
        [a for a, _ in pairs], [b for _, b in pairs], truncation=True, max_length=LENGTH,
        padding=True, return_tensors="pt",
    )  # fmt: skip
    count = len(examples[0].spans)
    words_NWT = torch.zeros(len(pairs), count, encoded["input_ids"].shape[1])
    for n, example in enumerate(examples if count else ()):
        for w, (side, start, end) in enumerate(example.spans):
            first = encoded.char_to_token(n, start, side)
            last = encoded.char_to_token(n, end - 1, side)
            if first is not None and last is not None:
                words_NWT[n, w, first : last + 1] = 1 / (last + 1 - first)
    return encoded, words_NWT


def logits(model: Classifier, examples: list[Example], tokenizer: Any, classes: int) -> Tensor:
    """logits_NC of the examples, over classes or over an example's pairs."""
    with torch.autocast("cpu", torch.bfloat16):
        found = model(*batch(examples, tokenizer))
    return found if classes > 1 else found.view(len(examples), -1)


def finetune(task: Task, seed: int, checkpoint: str, data: Path) -> dict[str, Any]:
    """Train on one task under one seed; the labels chosen on dev and what it took."""
    from transformers import AutoTokenizer, get_linear_schedule_with_warmup

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = Classifier(checkpoint, task.classes, task.words)
    examples = read(data / f"superglue/{task.train}.jsonl", task.rows, task.read, True)
    began, spent = time.perf_counter(), time.process_time()

    # AdamW, whose decay spares biases and layer norms; the rate rises and falls linearly.
    parameters = list(model.parameters())
    decayed = [p for p in parameters if p.ndim > 1]
    spared = [p for p in parameters if p.ndim < 2]
    groups = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    steps = task.epochs * -(-len(examples) // task.batch)
    schedule = get_linear_schedule_with_warmup(optimiser, round(steps * WARMUP), steps)
    model.train()
    for _ in range(task.epochs):
        for chosen in epoch(examples, task.batch):
            group = [examples[i] for i in chosen]
            found = logits(model, group, tokenizer, task.classes)
            gold = torch.tensor([example.gold for example in group])
            nn.functional.cross_entropy(found, gold).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
    trained, trained_cpu = time.perf_counter() - began, time.process_time() - spent

    # Answers, rows of like length together.
    dev = read(data / f"superglue/{task.train.split('/')[0]}/val.jsonl", task.dev, task.read, False)
    order = sorted(range(len(dev)), key=lambda i: length(dev[i]))
    answers = [0] * len(dev)
    model.eval()
    with torch.inference_mode():
        for at in range(0, len(order), EVALUATED):
            places = order[at : at + EVALUATED]
            found = logits(model, [dev[i] for i in places], tokenizer, task.classes)
            for i, choice in zip(places, found.argmax(-1).tolist(), strict=True):
                answers[i] = choice
    return {
        "gold": [example.gold for example in dev],
        "choice": answers,
        "train_seconds": round(trained, 1),
        "train_cpu_seconds": round(trained_cpu, 1),
    }


def epoch(examples: list[Example], size: int) -> list[list[int]]:
    """An epoch's batches in random order, the rows of a batch of like length."""
    batches: list[list[int]] = []
    for some in torch.randperm(len(examples)).split(SORTED * size):
        order = sorted(some.tolist(), key=lambda i: length(examples[i]))
        batches += [order[at : at + size] for at in range(0, len(order), size)]
    return [batches[i] for i in torch.randperm(len(batches)).tolist()]


def length(example: Example) -> int:
    """Characters of an example's longest pair, which tell its tokens well enough."""
    return max(len(a) + len(b) for a, b in example.pairs)


def read(
    path: Path, count: int, make: Callable[[Row, bool], list[Example]], training: bool
) -> list[Example]:
    """The first `count` rows of a file as examples."""
    rows = [json.loads(line) for line in path.read_text().splitlines()[:count]]
    return [example for row in rows for example in make(row, training)]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lines = asked.out.read_text().splitlines() if asked.out.is_file() else []
    there = {(each["task"], each["seed"]) for each in map(json.loads, lines)}
    with asked.out.open("a") as out:
        for name in asked.tasks:
            for seed in range(asked.seeds):
                if (name, seed) in there:
                    continue
                found = finetune(TASKS[name], seed, asked.checkpoint, asked.data)
                right = sum(a == b for a, b in zip(found["gold"], found["choice"], strict=True))
                share = 100 * right / len(found["gold"])
                print(f"{name} seed {seed}: {share:.1f} in {found['train_seconds']:.0f} s")
                out.write(json.dumps({"task": name, "seed": seed, **found}) + "\n")
                out.flush()


if __name__ == "__main__":
    main()
