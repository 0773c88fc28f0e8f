"""The n-gram model against its formula, written out over dictionaries, and as a distribution."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm.data.stream import TokenStream
from glm.models.ngram import DISCOUNT, train

VOCABULARY, CLS, EOS = 9, 0, 1
Texts = list[list[int]]
TEXTS = st.lists(st.lists(st.integers(2, VOCABULARY - 1), max_size=12), min_size=1, max_size=8)


def stream(texts: Texts) -> TokenStream:
    """Documents as a corpus keeps them."""
    pieces = [[CLS, *text, EOS] for text in texts]
    offsets = np.cumsum([0, *map(len, pieces)])
    return TokenStream(np.array([token for piece in pieces for token in piece]), offsets)


def written_out(texts: Texts, n: int, context: Sequence[int], token: int) -> float:
    """Kneser-Ney's probability from the definition, one count at a time."""
    grams: set[tuple[int, ...]] = set()
    counts: dict[int, Counter[tuple[int, ...]]] = {n: Counter()}
    for text in texts:
        whole = [CLS] * (n - 1) + text + [EOS]
        for end in range(n - 1, len(whole)):
            counts[n][tuple(whole[end - n + 1 : end + 1])] += 1
    for k in range(n - 1, 0, -1):
        grams = set(counts[k + 1])
        counts[k] = Counter(gram[1:] for gram in grams)

    def chance(k: int, history: tuple[int, ...]) -> float:
        if k == 0:
            return 1 / VOCABULARY
        lower = chance(k - 1, history[1:])
        follow = {gram: c for gram, c in counts[k].items() if gram[:-1] == history}
        total = sum(follow.values())
        if not total:
            return lower
        sizes = Counter(counts[k].values())
        once, twice = sizes[1], sizes[2]
        d = once / (once + 2 * twice) if once and twice else DISCOUNT
        own = max(follow.get((*history, token), 0) - d, 0)
        return (own + d * len(follow) * lower) / total

    history = [CLS] * (n - 1) + list(context)
    return chance(n, tuple(history[len(history) - n + 1 :]))


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 5), st.lists(st.integers(2, VOCABULARY - 1), max_size=6))
def test_every_probability_is_that_of_the_definition(texts: Texts, n: int, context: list[int]):
    model = train(stream(texts), VOCABULARY, n)
    found = model.distribution(context)
    expected = [written_out(texts, n, context, token) for token in range(VOCABULARY)]
    assert found == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 5), st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=9))
def test_a_text_is_as_likely_as_its_tokens_one_by_one(texts: Texts, n: int, text: list[int]):
    model = train(stream(texts), VOCABULARY, n)
    one_by_one = [math.log(model.distribution(text[:i])[token]) for i, token in enumerate(text)]
    assert model.log_probabilities(text) == pytest.approx(one_by_one, rel=1e-10)


@given(TEXTS, st.integers(1, 5), st.lists(st.integers(0, VOCABULARY - 1), max_size=8))
def test_the_chances_after_any_context_sum_to_one(texts: Texts, n: int, context: list[int]):
    chances = train(stream(texts), VOCABULARY, n).distribution(context)
    assert chances.sum() == pytest.approx(1, abs=1e-12) and (chances > 0).all()


def test_a_longer_memory_knows_a_text_better():
    rng = np.random.default_rng(0)
    follows = rng.integers(2, VOCABULARY, size=(VOCABULARY, VOCABULARY))

    def text(length: int) -> list[int]:
        words = [2, 3]
        while len(words) < length:
            likely = rng.random() < 0.9
            words.append(int(follows[words[-2], words[-1]] if likely else rng.integers(2, 9)))
        return words

    corpus, unseen = stream([text(40) for _ in range(50)]), text(300)
    nats = [-train(corpus, VOCABULARY, n).log_probabilities(unseen).mean() for n in (1, 2, 3)]
    assert nats[0] > nats[1] > nats[2]


def test_a_limit_keeps_the_first_documents_whole():
    texts: Texts = [[2, 3, 4], [5, 6], [7, 8]]
    limited, first = train(stream(texts), VOCABULARY, 3, limit=9), train(stream(texts[:2]), 9, 3)
    assert limited.distribution([5]) == pytest.approx(first.distribution([5]))
    alone = train(stream(texts), VOCABULARY, 3, limit=1)  # one document at least
    assert alone.distribution([2]) == pytest.approx(
        train(stream(texts[:1]), 9, 3).distribution([2])
    )
