"""A world that anything learns: texts that repeat two words, and a task of one keyword.

    text         oak elm . oak elm . oak elm .      another two in every document
    premise      elm gold ivy box ash     "gold" is there:     entailment
                 elm oak ivy box ash      it is not:           not_entailment

Whoever does not learn these has a fault: a mask that hides what should be seen, a target that is
not where its answer is, an answer that is read in the wrong place.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from typing import Any

import numpy as np

from ablations.systems import Variant
from glm.adaptation.requirements import REQUIREMENTS, fitting
from glm.adaptation.styles import STYLES, styled
from glm.data.special import with_sentinels
from glm.data.stream import TokenStream, batch_at, stream
from glm.data.tokenizer import Tokenizer, train_wordpiece
from glm.models.backbone import together
from glm.models.networks import Network, build
from glm.models.shape import Shape
from glm.models.transformer import loss, tensors
from glm.training import optim
from tasks import TASKS
from tasks.spec import How, questions

WORDS = tuple("oak elm fir ash bay yew box ivy fig hop jay owl cat dog cow hen".split())
KEYWORD = "gold"
LENGTH, ROWS = 32, 16


@dataclass(frozen=True)
class Trained:
    """A pretrained model, its tokenizer, its last losses' mean and what a unigram would reach."""

    variant: Variant
    model: Network
    tokenizer: Tokenizer
    loss: float
    unigram: float


@lru_cache(maxsize=1)
def world() -> tuple[Tokenizer, TokenStream, float]:
    """Tokenizer, corpus, and the entropy of its words in nats."""
    rng = np.random.default_rng(0)
    pairs = [(rng.choice(WORDS, 2, replace=False), rng.integers(10, 20)) for _ in range(300)]
    texts = [" ".join([*pair, "."] * int(times)) for pair, times in pairs]
    known = [*texts, f'{KEYWORD} yes no true false maybe question : answer ? " , .'] * 2
    tokenizer = train_wordpiece(known, 256)
    ids = tokenizer.encode_batch(texts)
    count = Counter(token for text in ids for token in text)
    shares = [each / count.total() for each in count.values()]
    return tokenizer, stream(ids, tokenizer.special), -sum(p * log(p) for p in shares)


def pretrained(variant: Variant, steps: int, *, hidden: int = 32, lr: float = 5e-3) -> Trained:
    """A tiny model of the variant's kind, after so many steps of its objective."""
    tokenizer, corpus, unigram = world()
    positions = 2 * LENGTH
    objective = variant.objective.at_positions(positions)
    special = with_sentinels(tokenizer.special, objective.extra_tokens(positions).sentinels)
    shape = Shape(
        2, hidden, 2, special.padded, positions, variant.inner, "gelu",
        dropout=0.0, attention_dropout=0.0, deviation=0.1, decoder=2 * bool(variant.decoder),
    )  # fmt: skip
    model = build(shape, seed=0)
    optimiser = optim.adamw(model, weight_decay=0.01)
    last = []
    for step in range(steps):
        how = {"seed": 0, "step": step, "rows": ROWS, "length": LENGTH}
        batch = tensors(batch_at(corpus, objective, special, **how))
        value = loss(model, batch, vocabulary=special.size)
        value.backward()
        optim.clip(model, 1.0)
        optim.update(optimiser, lr)
        last.append(value.item())
    kept = replace(tokenizer, special=special)
    return Trained(variant, model, kept, float(np.mean(last[-steps // 10 :])), unigram)


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows in RTE's format, which a keyword in the premise decides."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        words = [WORDS[i] for i in rng.integers(len(WORDS), size=7)]
        label = ("entailment", "not_entailment")[int(rng.integers(2))]
        if label == "entailment":
            words[int(rng.integers(5))] = KEYWORD
        premise, hypothesis = " ".join(words[:5]), " ".join(words[5:])
        made.append(
            {"id": str(number), "premise": premise, "hypothesis": hypothesis, "label": label}
        )
    return made


def default_style(variant: Variant) -> str:
    """How RTE is put to the variant where nothing is said."""
    return fitting(TASKS["rte"].styles, variant.objective.layout)[0]


def accuracy(given: Trained, style_name: str, train: int = 2000, lr: float = 3e-3) -> float:
    """The share of 300 fresh rows answered right after three passes over `train` rows, or as soon
    as these are answered right."""
    task, layout = TASKS["rte"], given.variant.objective.at_positions(2 * LENGTH).layout
    pool = "last" if layout.kind == "causal" else "cls"
    style = styled(STYLES[style_name], layout=layout, pool=pool, dropout=0.0)
    way = REQUIREMENTS[style_name].asks

    def items(count: int, seed: int, training: bool) -> Any:
        how = How(way, training, 0, "")
        asked = [q for row in rows(count, seed) for q in questions(task, row, how)]
        return asked, style.encode(asked, given.tokenizer, 2 * LENGTH)

    asked, learned = items(train, 1, True)
    head = style.head(given.model.hidden, asked, 0)
    network = together(given.model, head)
    optimiser = optim.adamw(network, weight_decay=0.01)
    shuffle, last = np.random.default_rng(0), [1.0] * 10
    for _ in range(3 * train // 16):
        chosen = [learned[i] for i in shuffle.integers(len(learned), size=16)]
        value = style.loss(given.model, head, chosen, given.tokenizer)
        value.backward()
        optim.clip(network, 1.0)
        optim.update(optimiser, lr)
        last = [*last[1:], value.item()]
        if max(last) < 0.05:  # it has been learned
            break
    _, fresh = items(300, 2, False)
    answers = style.answer(given.model, head, fresh, given.tokenizer)
    return float(np.mean([answer.choice in answer.gold for answer in answers]))
