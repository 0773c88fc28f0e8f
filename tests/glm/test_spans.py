"""Spans are where they may be, as many as they should be, and as long as the paper says."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm.objectives.documents import Documents, documents
from glm.objectives.draws import Draws, draws
from glm.objectives.spans import Document, Poisson, Sentences, Spans, starts
from tests.glm.texts import SPECIAL, packed, whole, with_sentences

GOLDEN = Path(__file__).parents[1] / "golden"


def keys(docs: Documents, seed: int = 0) -> Draws:
    return docs.draws(draws(np.random.default_rng(seed), len(docs.text_BN)))


def chosen(kind: Poisson | Document | Sentences, text: np.ndarray, seed: int = 0) -> Spans:
    docs = documents(text, SPECIAL)
    return kind(docs, keys(docs, seed), SPECIAL)


def masked(spans: Spans, size: int) -> np.ndarray:
    """Which tokens of the flattened text are in a span; spans must not overlap."""
    inside = np.zeros(size, int)
    for begin, length in zip(spans.begin_S, spans.size_S, strict=True):
        inside[begin : begin + length] += 1
    assert inside.max(initial=0) <= 1
    return inside.astype(bool)


@pytest.mark.parametrize("case", json.loads((GOLDEN / "01_sample_spans.json").read_text())["cases"])
def test_given_lengths_and_offsets_give_the_originals_spans(case):
    lengths, room = case["span_lengths"], case["total_length"]
    rng = random.Random(case["seed"])
    free = room - sum(lengths) - len(lengths) + 1
    offsets = sorted(rng.randint(0, free) for _ in lengths)
    begin = starts(np.array(offsets), np.array(lengths)) + case["offset"]
    spans = [[int(b), int(b) + n] for b, n in zip(begin, lengths, strict=True)]
    assert spans == case["expected"]


@pytest.mark.parametrize(
    "case", json.loads((GOLDEN / "02_sample_span_in_document.json").read_text())["cases"]
)
def test_the_originals_spans_lie_where_ours_may(case):
    """Golden 02 fixes what may be masked in packed documents; which of it is masked is random."""
    special = {"pad": 0, "eos": 0, "cls": 101}
    docs = documents(np.array([case["tokens"]]), _replaced(special))
    for begin, stop in case["expected"]:
        unit = np.searchsorted(docs.begin_U, begin, side="right") - 1
        assert docs.low_U[unit] <= begin < stop <= docs.high_U[unit]


def _replaced(fields: dict):
    from dataclasses import replace

    return replace(SPECIAL, **fields)


@settings(max_examples=60, deadline=None)
@given(length=st.integers(20, 300), closed=st.booleans(), seed=st.integers(0, 2**32))
def test_short_spans_meet_the_budget_and_leave_a_token_between(length, closed, seed):
    text = whole(3, length, closed=closed)
    spans = chosen(Poisson(), text, seed)
    inside = masked(spans, text.size).reshape(text.shape)
    budget = int(0.15 * length)
    count = inside.sum(axis=1)
    assert (count >= budget).all() and (count < budget + 39).all()
    assert not inside[:, 0].any() and not inside[:, -1].any()
    assert not inside[text == SPECIAL.eos].any()
    row = spans.begin_S // length
    gap = spans.begin_S[1:] - (spans.begin_S + spans.size_S)[:-1]
    assert (gap[row[1:] == row[:-1]] >= 1).all()


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(3, 60), min_size=1, max_size=8), seed=st.integers(0, 2**32))
def test_packed_documents_share_a_rows_budget_and_are_not_crossed(sizes, seed):
    length = sum(sizes) + 5
    text = packed(sizes, length, seed)
    inside = masked(chosen(Poisson(), text, seed), text.size).reshape(text.shape)
    assert not inside[0, sum(sizes) :].any()
    assert not inside[np.isin(text, [SPECIAL.cls, SPECIAL.eos])].any()
    if min(sizes) >= 20:
        assert inside.sum() >= int(0.15 * sum(sizes))


def test_documents_too_short_for_their_budget_are_masked_as_far_as_they_go():
    text = packed([3, 3, 3, 3, 3, 3, 3], 21)
    inside = masked(chosen(Poisson(), text), 21)
    assert inside.sum() == 3  # floor(.15 * 21), one word each
    assert not masked(chosen(Poisson(), packed([2, 2], 4)), 4).any()


@pytest.mark.parametrize(("length", "rows"), [(512, 600), (128, 2000)])
def test_span_counts_and_ratios_are_the_originals(length, rows):
    golden = json.loads((GOLDEN / "19_sampling_statistics.json").read_text())[str(length)]
    spans = chosen(Poisson(), whole(rows, length))
    count = np.bincount(spans.unit_S, minlength=rows)
    ratio = np.bincount(spans.unit_S, spans.size_S, rows) / length
    # The golden means come from 480 samples: 4 standard errors of the two means together.
    error = 4 * (1 / rows + 1 / golden["samples"]) ** 0.5
    assert abs(count.mean() - golden["mean_spans"]) < error * count.std()
    assert abs(ratio.mean() - golden["mean_ratio"]) < error * ratio.std()
    assert ratio.min() >= golden["min_ratio"]  # floor(.15 L) / L is never undercut
    assert abs(spans.size_S.mean() - 3.157) < 0.1


def test_the_last_span_is_not_longer_than_the_others():
    spans = chosen(Poisson(), whole(3000, 128))
    first = np.searchsorted(spans.unit_S, np.arange(3000))
    last = np.append(first[1:], len(spans.unit_S)) - 1
    means = spans.size_S[first].mean(), spans.size_S[last].mean()
    assert abs(means[0] - means[1]) < 0.2


def test_span_lengths_follow_the_poisson_law_without_zero():
    law = Poisson().law()
    assert np.round(law[:5], 3).tolist() == [0.157, 0.236, 0.236, 0.177, 0.106]
    assert round(float(law @ np.arange(1, 40)), 3) == 3.157
    assert len(law) == 39 and abs(law.sum() - 1) < 1e-12


@settings(max_examples=40, deadline=None)
@given(length=st.integers(3, 200), seed=st.integers(0, 2**32), suffix=st.booleans())
def test_a_documents_span_is_half_to_all_of_it_but_never_its_first_word(length, seed, suffix):
    text = whole(4, length, closed=True)
    spans = chosen(Document(suffix=float(suffix)), text, seed)
    assert spans.unit_S.tolist() == [0, 1, 2, 3]
    assert (spans.size_S >= max(length // 2, 1)).all() or length == 3
    assert (spans.size_S <= length - 2).all()
    begin = spans.begin_S - spans.unit_S * length
    assert (spans.open_S == suffix).all()
    if suffix:
        assert (begin + spans.size_S == length).all() and (begin >= 2).all()
    else:
        assert (begin >= 1).all() and (begin + spans.size_S < length).all()


def test_the_length_of_a_documents_span_is_uniform():
    golden = json.loads((GOLDEN / "19_sampling_statistics.json").read_text())
    golden = golden["doc_generation_length_L128"]
    size = chosen(Document(), whole(6000, 128)).size_S
    assert (size.min(), size.max()) == (golden["min"], golden["max"])
    counts = np.bincount(size, minlength=127)[64:]
    expected = 6000 / 63
    assert ((counts - expected) ** 2 / expected).sum() < 110  # chi-squared, 62 degrees: p < 1e-4


def test_a_batch_can_share_one_document_length_as_in_the_original():
    spans = chosen(Document(per="batch"), whole(50, 128))
    assert len(set(spans.size_S.tolist())) == 1 and len(set(spans.open_S.tolist())) == 1


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(3, 60), min_size=1, max_size=6),
    every=st.integers(3, 12),
    seed=st.integers(0, 2**32),
)
def test_sentences_are_masked_whole_and_never_with_a_special_token(sizes, every, seed):
    text = with_sentences(packed(sizes, sum(sizes), seed), every)
    spans = chosen(Sentences(), text, seed)
    flat = text.ravel()
    assert not np.isin(flat[masked(spans, flat.size)], [SPECIAL.cls, SPECIAL.eos]).any()
    ends = SPECIAL.sentence_end
    for begin, size in zip(spans.begin_S, spans.size_S, strict=True):
        assert flat[begin + size - 1] in ends
        assert flat[begin - 1] in (SPECIAL.cls, *ends)
        assert not np.isin(flat[begin : begin + size - 1], ends).any()


def test_sentences_are_taken_until_the_budget_is_met():
    text = with_sentences(whole(200, 128, closed=True), 10)
    spans = chosen(Sentences(), text)
    total = np.bincount(spans.unit_S, spans.size_S, 200)
    assert (total >= int(0.15 * 128)).all()
    largest = np.zeros(200)
    np.maximum.at(largest, spans.unit_S, spans.size_S)
    assert (total - largest < int(0.15 * 128)).all()


def test_what_the_row_cuts_off_is_a_sentence_and_an_unfinished_end_is_not():
    one = SPECIAL.sentence_end[0]
    cut = np.array([[1, 50, 51, one, 52, 53]])
    closed = np.array([[1, 50, 51, one, 52, 0]])
    all_of = Sentences(ratio=1.0)
    assert chosen(all_of, cut).begin_S.tolist() == [1, 4]
    assert chosen(all_of, closed).begin_S.tolist() == [1]
