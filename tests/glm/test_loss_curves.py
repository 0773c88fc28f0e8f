"""The first losses of every objective that a shipped system is pretrained with, kept in a file.

A refactoring leaves them as they are. After a change that moves them on purpose, write them anew
with `python -m tests.glm.test_loss_curves` and say in the commit why they moved.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ablations.systems import VARIANTS, Variant
from glm.data.stream import batch_at, stream
from glm.models.networks import build
from glm.models.shape import Shape
from glm.models.transformer import loss, tensors
from glm.training import optim
from tests.glm.texts import SPECIAL, WORDS

GOLDEN = Path(__file__).parents[1] / "golden" / "loss_curves.json"
STEPS, LENGTH = 20, 48
# Every objective once in one stack and once in two.
KINDS: dict[tuple[object, bool], str] = {}
for _variant in VARIANTS.values():
    KINDS.setdefault((_variant.objective, bool(_variant.decoder)), _variant.name)


def curve(variant: Variant) -> list[float]:
    """Losses of twenty updates of a tiny model on text in which a word tells the next."""
    rng = np.random.default_rng(0)
    begins = rng.integers(*WORDS, 60)
    texts = [[WORDS[0] + (b + 7 * i) % 370 for i in range(rng.integers(20, 90))] for b in begins]
    for text in texts:
        text[9::10] = [SPECIAL.sentence_end[0]] * len(text[9::10])
    corpus = stream(texts, SPECIAL)
    shape = Shape(2, 32, 2, SPECIAL.padded, dropout=0.0, attention_dropout=0.0)
    model = build(replace(shape, decoder=2 * bool(variant.decoder)), seed=0)
    optimizer = optim.adamw(model, betas=(0.9, 0.98), epsilon=1e-6)
    optim.set_rate(optimizer, 2e-3)
    losses = []
    for step in range(STEPS):
        batch = batch_at(
            corpus, variant.objective, SPECIAL, seed=0, step=step, rows=8, length=LENGTH
        )
        value = loss(model, tensors(batch), vocabulary=SPECIAL.size)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(round(value.item(), 6))
    return losses


@pytest.mark.parametrize("name", KINDS.values())
def test_the_first_losses_of_an_objective_stay_as_they_are(name: str):
    golden = json.loads(GOLDEN.read_text())
    assert curve(VARIANTS[name]) == pytest.approx(golden[name], rel=2e-5)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({n: curve(VARIANTS[n]) for n in KINDS.values()}, indent=1) + "\n")
