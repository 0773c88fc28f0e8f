"""Pseudo-likelihoods of masked models beside `minicons`' (Misra, 2022), where it is installed."""

import importlib.util
from pathlib import Path

import pytest

from glm.adaptation.comparison import ComparisonStyle
from tasks.spec import Compare
from tests.glm import foreign

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("minicons"), reason="no minicons here"),
    pytest.mark.filterwarnings("ignore"),  # the other package's own
]
TEXTS = ("the cat sat on the mat .", "ann flew home", "a dog ran far away , yes ?", "no")


@pytest.mark.parametrize("family", foreign.ENCODERS, ids=lambda family: family.name)
def test_pseudo_likelihoods_are_minicons(family: foreign.Family, tmp_path: Path):
    from minicons import scorer  # pyright: ignore[reportMissingImports]

    loaded = foreign.opened(family, tmp_path)
    theirs = scorer.MaskedLMScorer(str(tmp_path), "cpu")
    style = ComparisonStyle(loaded.layout, masked=True)
    items = style.encode([Compare("1", TEXTS)], loaded.tokenizer, 64)
    (answer,) = style.answer(loaded.model, None, items, loaded.tokenizer)
    # Its own way to the tokens is one that transformers 5 has no more.
    encoded = theirs.tokenizer(list(TEXTS), padding="longest")
    expected = theirs.sequence_score(encoded, reduction=lambda each: each.sum().item())
    assert list(answer.scores) == pytest.approx(expected, abs=1e-3)
