"""Positive controls: every objective learns what its text tells, every system a keyword task.

`python -m bench.controls` does the same with larger models and longer trainings.
"""

import pytest

from ablations.systems import VARIANTS
from tests.glm import learning
from tests.glm.learning import Trained

# Every objective once in one stack and once in two; the rest differ in size or vocabulary only.
KINDS: dict[tuple[object, bool], str] = {}
for _variant in VARIANTS.values():
    KINDS.setdefault((_variant.objective, bool(_variant.decoder)), _variant.name)
STEPS = {"diffusion-large": 300}  # a word counts less, the more of them are masked


@pytest.fixture(scope="module")
def models() -> dict[str, Trained]:
    return {}


def trained(name: str, models: dict[str, Trained]) -> Trained:
    if name not in models:
        models[name] = learning.pretrained(VARIANTS[name], STEPS.get(name, 120))
    return models[name]


@pytest.mark.parametrize("name", KINDS.values())
def test_the_loss_of_an_objective_falls_below_the_entropy_of_its_words(name, models):
    found = trained(name, models)
    assert 2.4 < found.unigram < 2.6
    assert found.loss < 0.9 * found.unigram


ASKED = [(name, learning.default_style(VARIANTS[name])) for name in KINDS.values()]
ASKED += [("t5-base", "classifier"), ("bart-large", "classifier")]


@pytest.mark.parametrize(("name", "style"), ASKED)
def test_a_keyword_in_rtes_format_is_learned_to_over_95_percent(name, style, models):
    found = learning.pretrained(VARIANTS[name], 30)
    assert learning.accuracy(found, style) > 0.95
