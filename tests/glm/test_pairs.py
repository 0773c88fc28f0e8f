"""T5's and BART's objectives against their definitions, on any documents."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm.objectives.denoising import Denoising
from glm.objectives.documents import documents
from glm.objectives.draws import draws
from glm.objectives.objective import Objective
from glm.objectives.span_corruption import SpanCorruption
from glm.objectives.spans import Segments, Spans
from tests.glm.texts import SPECIAL, WORDS, packed, rows_of, same, whole, with_sentences

rng = np.random.default_rng
SIZES = st.lists(st.integers(2, 40), min_size=1, max_size=5)
SETTINGS = settings(max_examples=60, deadline=None)
BOTH: list[Objective] = [SpanCorruption(), Denoising(), Denoising(permute=False)]


def parts(batch, row: int = 0) -> list[tuple[list[int], list[int], list[int]]]:
    """What is read, what is written and what is to be written, of every document of a row."""
    grids = rows_of(batch, row)
    found = []
    for document in range(int(grids["document"].max()) + 1):
        mine = {name: grid[grids["document"] == document] for name, grid in grids.items()}
        first = mine["branch"] == 0
        assert mine["position"][first].tolist() == list(range(first.sum()))
        assert mine["position"][~first].tolist() == list(range((~first).sum()))
        assert (mine["target"][first] == -1).all() and (mine["target"][~first] >= 0).all()
        read, written, target = (
            mine["tokens"][first], mine["tokens"][~first], mine["target"][~first]
        )  # fmt: skip
        found.append((read.tolist(), written.tolist(), target.tolist()))
    return found


def test_the_papers_example_of_span_corruption():
    """Thank you <X> me to your party <Y> week (Raffel et al. 2020, figure 2)."""
    text = np.array([[SPECIAL.cls, *range(31, 41), SPECIAL.eos]])
    spans = Spans(np.array([0, 0]), np.array([3, 9]), np.array([2, 1]), np.zeros(2, bool))
    batch = SpanCorruption().write(documents(text, SPECIAL), spans, SPECIAL)
    (x, y, _), (s, t, u) = SPECIAL.sentinel_masks[:3], SPECIAL.sentinel_starts[:3]
    [(read, written, target)] = parts(batch)
    assert read == [SPECIAL.cls, 31, 32, x, 35, 36, 37, 38, y, 40, SPECIAL.eos]
    assert written == [s, 33, 34, t, 39, u]
    assert target == [33, 34, t, 39, u, SPECIAL.end]


@SETTINGS
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_putting_each_span_back_at_its_sentinel_restores_the_text(sizes: list[int], seed: int):
    text = packed(sizes, sum(sizes) + 3, seed)
    docs = documents(text, SPECIAL)
    batch = SpanCorruption()(text, rng(seed), SPECIAL)
    for document, (read, written, target) in enumerate(parts(batch)):
        begin, size = docs.begin_U[document], docs.size_U[document]
        spans: dict[int, list[int]] = {}
        for token in written:
            if token in SPECIAL.sentinel_starts:
                number = SPECIAL.sentinel_starts.index(token)
                assert number == len(spans)
                spans[number] = []
            else:
                spans[len(spans) - 1].append(token)
        assert target == [*written[1:], SPECIAL.end][: len(written)]
        assert not spans or spans.pop(max(spans)) == []
        restored = []
        for token in read:
            inside = token in SPECIAL.sentinel_masks
            restored += spans.pop(SPECIAL.sentinel_masks.index(token)) if inside else [token]
        assert restored == text.ravel()[begin : begin + size].tolist() and not spans


def test_spans_of_t5_are_a_fixed_share_in_a_fixed_number_and_every_way_to_cut_is_as_likely():
    """`random_spans_noise_mask`: 15% of the tokens, a mean of 3, cut uniformly at random."""
    docs = documents(whole(400, 514), SPECIAL)
    found = Segments()(docs, docs.draws(draws(rng(0), 400)), SPECIAL)
    assert np.bincount(found.unit_S).tolist() == [26] * 400  # round(round(0.15 * 512) / 3)
    assert np.bincount(found.unit_S, found.size_S).tolist() == [77] * 400
    # The first of 26 summands of 77: the others are one of C(76 - s, 24) compositions of the rest.
    total = np.ones(52)
    for _ in range(25):
        total = np.convolve(np.ones(52), total)[:52]
    rest = np.ones(52)
    for _ in range(24):
        rest = np.convolve(np.ones(52), rest)[:52]
    expected = rest[51::-1] / total[51]
    seen = np.bincount(found.size_S, minlength=53)[1:] / len(found.size_S)
    assert np.abs(seen - expected)[:20].max() < 4 * np.sqrt(0.25 / len(found.size_S))


def test_all_ways_to_cut_a_short_text_turn_up_alike():
    docs = documents(whole(6000, 14), SPECIAL)  # 12 tokens: 5 of them hidden in 2 spans
    found = Segments(mean=2.5, ratio=0.4)(docs, docs.draws(draws(rng(1), 6000)), SPECIAL)
    begins = found.begin_S.reshape(-1, 2) - docs.begin_U[:, None]
    ways = Counter(map(tuple, np.hstack([begins, found.size_S.reshape(-1, 2)]).tolist()))
    assert len(ways) == 4 * 6  # compositions of 5 and of 7 into two
    assert max(ways.values()) < 1.5 * min(ways.values())
    assert (begins[:, 1] + found.size_S.reshape(-1, 2)[:, 1] == 13).all()


@SETTINGS
@given(sizes=SIZES, seed=st.integers(0, 99), every=st.integers(2, 9))
def test_what_is_written_is_the_text_and_what_is_read_its_sentences_with_masks_for_spans(
    sizes: list[int], seed: int, every: int
):
    text = with_sentences(packed(sizes, sum(sizes) + 3, seed), every)
    docs = documents(text, SPECIAL)
    batch = Denoising()(text, rng(seed), SPECIAL)
    for document, (read, written, target) in enumerate(parts(batch)):
        begin, size = docs.begin_U[document], docs.size_U[document]
        original = text.ravel()[begin : begin + size].tolist()
        assert target == [*original[1:-1], SPECIAL.end]
        assert written == [SPECIAL.start, *original[1:-1]]
        assert read[0] == SPECIAL.cls and read[-1] == SPECIAL.eos
        visible = [token for token in read if token != SPECIAL.mask]
        assert not Counter(visible) - Counter(original)
        assert (SPECIAL.mask, SPECIAL.mask) not in set(pairwise(read))


def test_without_masks_whole_sentences_change_places_each_order_as_likely():
    text = with_sentences(whole(3000, 17, closed=True), 5)  # ends at 4, 9, 14; a tail of one word
    batch = Denoising(ratio=1e-9)(text, rng(0), SPECIAL)
    orders: Counter[tuple[int, ...]] = Counter()
    for row in range(len(text)):
        [(read, _, target)] = parts(batch, row)
        pieces = [text[row, a:b].tolist() for a, b in ((1, 5), (5, 10), (10, 15), (15, 16))]
        order, at = [], 1
        while at < len(read) - 1:
            found = next(i for i, p in enumerate(pieces) if read[at : at + len(p)] == p)
            order.append(found)
            at += len(pieces[found])
        orders[tuple(order)] += 1
        assert target == [*text[row, 1:-1].tolist(), SPECIAL.end]
    assert len(orders) == 24 and max(orders.values()) < 1.6 * min(orders.values())


def test_bart_hides_thirty_percent_in_spans_of_poisson_lengths_empty_ones_among_them():
    docs = documents(whole(500, 512), SPECIAL)
    objective = Denoising()
    found = objective._spans(docs, docs.draws(draws(rng(0), 500)))
    assert np.bincount(found.unit_S, found.size_S).tolist() == [153] * 500  # 30% of 512
    # The last span of each is cut, wherever it stands: some 1 in 52.
    seen = np.bincount(found.size_S, minlength=12)[:12] / len(found.size_S)
    assert np.abs(seen - objective.law()[:12]).max() < 0.015
    assert found.size_S.mean() == pytest.approx(3.0, abs=0.1)
    stops = found.begin_S + found.size_S
    apart = np.diff(found.unit_S) == 0
    assert (found.begin_S[1:] - stops[:-1])[apart].min() >= 1


@pytest.mark.parametrize("objective", BOTH, ids=str)
def test_a_row_depends_on_nothing_but_its_text_and_its_key(objective: Objective):
    text = with_sentences(whole(6, 64), 7)
    keys = draws(rng(0), 6)
    batch = objective.build(text, keys, SPECIAL)
    for row in range(6):
        alone = objective.build(text[row : row + 1], keys.take(slice(row, row + 1)), SPECIAL)
        assert parts(alone) == parts(batch, row)
    assert same(objective.build(text, keys, SPECIAL), batch)
    assert not same(objective(text, rng(1), SPECIAL), batch)


@pytest.mark.parametrize("objective", BOTH, ids=str)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_the_shortest_documents_are_read_whole_and_hide_what_they_can(objective, length: int):
    text = np.full((2, length), WORDS[0])
    text[:, 0] = SPECIAL.cls
    batch = objective(text, rng(0), SPECIAL)
    for row in range(2):
        [(read, written, target)] = parts(batch, row)
        assert read[0] == SPECIAL.cls and len(written) == len(target)
        if isinstance(objective, Denoising):
            assert len(target) == length - 1


def test_a_document_with_more_spans_than_sentinels_says_so():
    with pytest.raises(ValueError, match="build it with more of them"):
        SpanCorruption(Segments(mean=1.0, ratio=0.5))(whole(1, 400), rng(0), SPECIAL)
