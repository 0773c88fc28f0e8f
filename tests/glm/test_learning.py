"""Positive controls: every objective learns what its text tells, every system a keyword task.

`python -m bench.controls` does the same with larger models and longer trainings.
"""

from collections.abc import Iterator

import pytest
import torch

from ablations.systems import VARIANTS
from tests.glm import learning

# Every objective once in one stack and once in two; the rest differ in size or vocabulary only.
KINDS: dict[tuple[object, bool], str] = {}
for _variant in VARIANTS.values():
    KINDS.setdefault((_variant.objective, bool(_variant.decoder)), _variant.name)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small lose time by threads, and most of it beside another test."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", KINDS.values())
def test_the_loss_of_an_objective_falls_below_the_entropy_of_its_words(name: str):
    found = learning.pretrained(VARIANTS[name], 120)
    assert 2.4 < found.unigram < 2.6
    assert found.loss < 0.8 * found.unigram


ASKED = [(name, learning.default_style(VARIANTS[name])) for name in KINDS.values()]
ASKED += [("t5-base", "classifier"), ("bart-large", "classifier")]


@pytest.mark.parametrize(("name", "style"), ASKED)
def test_a_keyword_in_rtes_format_is_learned_to_over_95_percent(name: str, style: str):
    found = learning.pretrained(VARIANTS[name], 30)
    assert learning.accuracy(found, style) > 0.95
