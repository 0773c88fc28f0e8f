"""BERT, GPT, prefix LM, UniLM and mixtures: what they show, hide and predict."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.objectives.diffusion import MaskedDiffusion
from glm.objectives.documents import documents
from glm.objectives.draws import draws
from glm.objectives.gpt_bert import GPTBERT
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.mixture import Mixture
from glm.objectives.objective import ExtraTokens
from glm.objectives.prefix_lm import PrefixLM
from glm.objectives.spans import Document, Geometric, Poisson
from glm.objectives.unilm import UniLM
from tests.glm.texts import SPECIAL, WORDS, packed, rows_of, same, whole

ORIGINALS_BERT = MaskedLM(spans=Poisson(), masked=1.0, random=0.0)
texts = st.lists(st.integers(2, 60), min_size=1, max_size=6)


def made(objective, text, seed=0):
    return objective(text, np.random.default_rng(seed), SPECIAL)


def test_bert_masks_replaces_and_keeps_in_the_published_shares():
    text = whole(400, 128, closed=True)
    batch = made(MaskedLM(), text)
    flat, seen = text.ravel(), batch.tokens_BT.ravel()
    assert (batch.target_M == flat[batch.index_M]).all()
    assert not np.isin(batch.target_M, [SPECIAL.cls, SPECIAL.eos]).any()
    candidates = 400 * 126
    assert abs(batch.targets / candidates - 0.15) < 4 * (0.15 * 0.85 / candidates) ** 0.5
    given = seen[batch.index_M]
    error = 4 * (0.25 / batch.targets) ** 0.5
    assert abs((given == SPECIAL.mask).mean() - 0.8) < error
    assert abs((given == batch.target_M).mean() - 0.1) < error
    other = given[(given != SPECIAL.mask) & (given != batch.target_M)]
    assert abs(len(other) / batch.targets - 0.1) < error
    assert other.min() < WORDS[0] and other.max() > WORDS[1]  # any token of the vocabulary
    untouched = np.delete(np.arange(flat.size), batch.index_M)
    assert (seen[untouched] == flat[untouched]).all()
    assert (batch.branch_BT == 0).all() and (batch.inner_BT == 0).all()
    assert batch.visible()[:2].all()


def test_the_originals_bert_masks_whole_poisson_spans():
    text = whole(50, 128)
    batch = made(ORIGINALS_BERT, text)
    assert (batch.tokens_BT.ravel()[batch.index_M] == SPECIAL.mask).all()
    keys = draws(np.random.default_rng(0), 50)
    glm = BlankInfilling(shuffle=False).build(text, keys, SPECIAL)
    words = glm.target_M[glm.target_M != SPECIAL.end]
    assert (batch.target_M == words).all()  # the same spans as GLM's, given the same keys


def test_unilms_bigrams_and_trigrams_leave_the_share_of_masked_tokens_as_it_is():
    text = whole(600, 128)
    batch = made(UniLM().words, text)
    candidates = 600 * 127
    assert abs(batch.targets / candidates - 0.15) < 0.006
    row, column = np.divmod(batch.index_M, batch.width)
    together = ((np.diff(column) == 1) & (np.diff(row) == 0)).mean()
    single = made(MaskedLM(), text)
    row, column = np.divmod(single.index_M, single.width)
    assert together > ((np.diff(column) == 1) & (np.diff(row) == 0)).mean() + 0.1


@settings(max_examples=30, deadline=None)
@given(sizes=texts, spare=st.integers(0, 9))
def test_gpt_predicts_every_next_token_of_each_document(sizes, spare):
    text = packed(sizes, sum(sizes) + spare)
    row = rows_of(made(Causal(), text), 0)
    for d in range(len(sizes)):
        here = row["document"] == d
        assert row["target"][here].tolist() == [*row["tokens"][here][1:], -1]
        assert row["position"][here].tolist() == list(range(sizes[d]))
        assert (row["branch"] == 1).all() and (row["inner"] == 0).all()


@settings(max_examples=30, deadline=None)
@given(sizes=texts, spare=st.integers(0, 9), seed=st.integers(0, 2**32))
def test_a_prefix_lm_sees_the_prefix_and_predicts_the_rest(sizes, spare, seed):
    text = packed(sizes, sum(sizes) + spare, seed)
    batch = made(PrefixLM(), text, seed)
    row = rows_of(batch, 0)
    assert (np.diff(row["branch"]) >= 0).all()  # Part A of all documents first
    assert (np.diff(batch.index_M) > 0).all()
    begin = 0
    for d, size in enumerate(sizes):
        here = row["document"] == d
        tokens, prefix = row["tokens"][here], int((row["branch"][here] == 0).sum())
        assert tokens.tolist() == text[0, begin : begin + size].tolist()
        assert row["position"][here].tolist() == list(range(size))
        assert 1 <= prefix <= size - 1
        unscored = [-1] * (prefix - 1)
        assert row["target"][here].tolist() == [*unscored, *tokens[prefix:], -1]
        begin += size


def test_prefixes_of_every_length_are_as_likely():
    batch = made(PrefixLM(), whole(6000, 12))
    prefix = (batch.branch_BT[:, :12] == 0).sum(axis=1)
    counts = np.bincount(prefix)[1:]
    assert len(counts) == 11
    assert ((counts - 6000 / 11) ** 2 / (6000 / 11)).sum() < 36  # chi-squared, 10 degrees


@settings(max_examples=40, deadline=None)
@given(sizes=texts, spare=st.integers(0, 9), seed=st.integers(0, 2**32), mode=st.integers(0, 3))
def test_unilm_in_each_of_its_four_ways(sizes, spare, seed, mode):
    text = packed(sizes, sum(sizes) + spare, seed)
    shares = [float(m == mode) for m in range(4)]
    batch = made(UniLM(MaskedLM(ratio=0.3), *shares), text, seed)
    plain = made(MaskedLM(ratio=0.3), text, seed)
    row, base = rows_of(batch, 0), rows_of(plain, 0)
    assert (np.diff(batch.index_M) > 0).all()
    for d in range(len(sizes)):
        here, there = row["document"] == d, base["document"] == d
        step = -1 if mode == 2 else 1  # right to left: written backwards, positions kept
        for name in ("tokens", "target", "position"):
            assert row[name][here].tolist() == base[name][there][::step].tolist()
        branch = row["branch"][here]
        if mode == 3:
            assert branch[0] == 0 and branch[-1] == 1 and (np.diff(branch) >= 0).all()
        else:
            assert (branch == (mode in (1, 2))).all()


def test_unilm_mixes_its_masks_in_the_published_shares():
    batch = made(UniLM(), whole(6000, 16))
    rows = np.arange(6000)
    backward = batch.position_BT[:, 0] == 15
    causal = batch.branch_BT.all(axis=1) & ~backward
    both = ~batch.branch_BT.any(axis=1)
    sequence = rows[~backward & ~causal & ~both]
    counts = [both.sum(), causal.sum(), backward.sum(), len(sequence)]
    expected = np.array([2000, 1000, 1000, 2000])
    assert ((counts - expected) ** 2 / expected).sum() < 21  # chi-squared, 3 degrees: p < 1e-4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BlankInfilling(), BlankInfilling(Document())),  # written at once
        (BlankInfilling(), BlankInfilling(Document(), task_masks=True)),  # merged
        (MaskedLM(), Causal()),
    ],
)
def test_a_mixtures_rows_are_those_of_its_parts_drawn_by_weight(one, other):
    text, keys = whole(400, 64), draws(np.random.default_rng(2), 400)
    batch = Mixture(((1, one), (3, other))).build(text, keys, SPECIAL)
    parts = [part.build(text, keys, SPECIAL) for part in (one, other)]
    assert (np.diff(batch.index_M) > 0).all()
    count = np.zeros(2)
    for r in range(400):
        ours = rows_of(batch, r)
        theirs = [rows_of(part, r) for part in parts]
        equal = [all(np.array_equal(ours[n], row[n]) for n in ours) for row in theirs]
        assert sum(equal) == 1
        count += equal
    assert abs(count[1] / 400 - 0.75) < 4 * (0.25 * 0.75 / 400) ** 0.5


def test_a_mixture_can_draw_once_for_the_batch_as_in_the_original():
    parts = ((1, Causal()), (1, MaskedLM()))
    text = whole(4, 32)
    kinds = set()
    for seed in range(20):
        batch = made(Mixture(parts, per="batch"), text, seed)
        assert len(set(batch.branch_BT.ravel())) == 1
        kinds.add(int(batch.branch_BT[0, 0]))
    assert kinds == {0, 1}


def test_spanbert_masks_replaces_or_keeps_a_span_as_one():
    text = whole(300, 128)
    together = made(MaskedLM(spans=Geometric(), together=True), text)
    given = together.tokens_BT.ravel()[together.index_M]
    fate = np.where(given == SPECIAL.mask, 0, np.where(given == together.target_M, 1, 2))
    begins = np.flatnonzero(np.diff(together.index_M, prepend=-2) > 1)
    for span in np.split(fate, begins[1:]):
        # A word drawn at random may be the very word that stood there.
        assert set(span) in ({0}, {1}, {2}) or (0 not in span and (span == 2).any())
    first = fate[begins]
    assert abs((first == 0).mean() - 0.8) < 4 * (0.16 / len(first)) ** 0.5


def test_lengths_of_geometric_spans_follow_their_law():
    law = Geometric().law()
    assert law @ np.arange(1, 11) == pytest.approx(3.797, abs=1e-3)  # the published mean is 3.8
    assert (law[1:] / law[:-1] == pytest.approx(0.8)) and law.sum() == pytest.approx(1)
    docs = documents(whole(800, 512), SPECIAL)
    spans = Geometric()(docs, draws(np.random.default_rng(0), 800), SPECIAL)
    counts = np.bincount(spans.size_S, minlength=11)[1:]
    # The last span of a row is the one that met the budget, so longer ones are a little commoner.
    assert abs(counts @ np.arange(1, 11) / counts.sum() - 3.797) < 0.15
    assert spans.size_S.max() == 10


@settings(max_examples=30, deadline=None)
@given(sizes=texts, spare=st.integers(0, 9), seed=st.integers(0, 2**32))
def test_diffusion_masks_words_and_weighs_them_by_the_share_that_is_masked(sizes, spare, seed):
    text = packed(sizes, sum(sizes) + spare, seed)
    batch = made(MaskedDiffusion(), text, seed)
    row = rows_of(batch, 0)
    hidden = row["target"] >= 0
    assert (row["tokens"][hidden] == SPECIAL.mask).all() and (row["branch"] == 0).all()
    assert not np.isin(row["target"][hidden], [SPECIAL.cls, SPECIAL.eos]).any()
    assert np.where(hidden, row["target"], row["tokens"]).tolist() == text[0][: sum(sizes)].tolist()
    assert len(set(batch.weight_M.tolist())) <= 1 and (batch.weight_M >= 1).all()


def test_diffusions_weights_make_every_word_count_once_whatever_the_share():
    text = whole(4000, 65)
    batch = made(MaskedDiffusion(least=0.1), text)
    row = batch.index_M // batch.width
    count, weight = np.bincount(row, minlength=4000), np.bincount(row, batch.weight_M, 4000)
    assert abs(weight.mean() - 64) < 4 * weight.std() / 4000**0.5
    share = count / 64
    assert 0 < share.min() < 0.15 and share.max() == 1.0
    assert abs(share.mean() - 0.55) < 4 * share.std() / 4000**0.5


@settings(max_examples=30, deadline=None)
@given(sizes=texts, spare=st.integers(0, 9), seed=st.integers(0, 2**32))
def test_gpt_bert_predicts_what_a_mask_hides_one_token_earlier(sizes, spare, seed):
    text = packed(sizes, sum(sizes) + spare, seed)
    words = MaskedLM(ratio=0.4)
    shifted, plain = made(GPTBERT(words, causal=0.0), text, seed), made(words, text, seed)
    ours, theirs = rows_of(shifted, 0), rows_of(plain, 0)
    for name in ("tokens", "position", "document", "branch"):
        assert (ours[name] == theirs[name]).all()
    assert ours["target"][:-1].tolist() == theirs["target"][1:].tolist()
    assert same(made(GPTBERT(words, causal=1.0), text, seed), made(Causal(), text, seed))


def test_gpt_berts_rows_are_causal_or_masked_in_the_given_share():
    batch = made(GPTBERT(causal=0.25), whole(4000, 16))
    causal = (batch.branch_BT == 1).all(axis=1)
    assert (causal | (batch.branch_BT == 0).all(axis=1)).all()
    assert abs(causal.mean() - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5
    assert (np.diff(batch.index_M) > 0).all()


def test_a_span_of_at_most_half_a_document_leaves_the_other_half():
    text = whole(200, 64)
    batch = made(BlankInfilling(Document(least=0.5, most=0.5, suffix=0.0)), text)
    assert (batch.targets == 200 * 33) and (batch.target_M[32::33] == SPECIAL.end).all()
    with pytest.raises(ValueError, match="less than least"):
        Document(least=0.5, most=0.2)


@pytest.mark.parametrize(
    "objective",
    [
        MaskedLM(),
        ORIGINALS_BERT,
        Causal(),
        PrefixLM(),
        UniLM(),
        MaskedDiffusion(),
        GPTBERT(),
        MaskedLM(spans=Geometric(), together=True),
    ],
    ids=repr,
)
def test_rows_of_any_width_are_padded_to_a_multiple_of_eight(objective):
    batch = made(objective, whole(3, 21))
    assert batch.width == 24 and batch.positions == 63
    assert (batch.document_BT[:, 21:] == -1).all() and (batch.tokens_BT[:, 21:] == 0).all()
    assert same(batch, made(objective, whole(3, 21).astype(np.uint16)))


# --- what an objective says of itself


SHORT = BlankInfilling(Poisson())


def test_an_objective_says_how_its_model_is_asked_and_what_it_answers():
    assert SHORT.layout.kind == "blank" and Causal().layout.kind == "causal"
    assert MaskedLM().layout.kind == UniLM().layout.kind == PrefixLM().layout.kind == "prefix"
    assert "continuation" in SHORT.layout.serves and "masked tokens" not in SHORT.layout.serves
    assert MaskedLM().layout.serves == ("masked tokens", "vector")
    assert "continuation" not in UniLM().layout.serves and "one blank" in UniLM().layout.serves
    assert {o.likelihood.kind for o in (SHORT, Causal(), PrefixLM())} == {"exact"}
    assert {o.likelihood.kind for o in (MaskedLM(), UniLM())} == {"pseudo"}
    assert GPTBERT().likelihood.kind == "exact" and GPTBERT().layout == PrefixLM().layout
    assert MaskedDiffusion().likelihood.kind == "bound"
    assert MaskedDiffusion().layout.serves == ("masked tokens", "likelihood bound", "vector")


def test_sentinels_are_needed_for_every_position_and_fitted_to_the_models():
    full = replace(SHORT, sentinels="full")
    mixture = Mixture(((1, full), (1, MaskedLM())))
    assert SHORT.extra_tokens(64) == ExtraTokens()
    assert full.extra_tokens(64) == mixture.extra_tokens(64) == ExtraTokens(sentinels=64)
    assert full.at_positions(64).layout.far == 64 and SHORT.at_positions(64) == SHORT
    assert mixture.at_positions(64).parts[0][1] == replace(full, positions=64)
    masks = BlankInfilling(Document(), task_masks=True)
    assert Mixture(((1, SHORT), (1, masks))).extra_tokens(64) == ExtraTokens(task_masks=True)


def test_a_mixture_is_asked_as_its_first_part_and_serves_what_any_part_serves():
    layout = Mixture(((1, SHORT), (2, MaskedLM()))).layout
    assert layout.kind == "blank"
    assert set(layout.serves) == {*SHORT.layout.serves, "masked tokens"}
