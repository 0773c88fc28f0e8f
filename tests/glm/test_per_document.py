"""What is written for one document makes the batches that the vectorised objectives make."""

from dataclasses import dataclass

import numpy as np
import pytest

from glm.data.example import Example
from glm.data.special import Special
from glm.objectives.blank_infilling import BlankInfilling, infill
from glm.objectives.causal import Causal
from glm.objectives.documents import documents
from glm.objectives.draws import draws
from glm.objectives.layout import CAUSAL, PREFIX
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.objectives.per_document import PerDocument
from tests.glm.texts import SPECIAL, packed, same, whole

EXACT = Likelihood("exact", "left to right")
PACKED = np.concatenate([packed([12, 30, 22], 64), packed([64], 64), packed([5, 59], 64)])


def example(tokens, targets, context: int) -> Example:
    """An example whose positions simply go on."""
    places = np.array([range(len(tokens)), [0] * len(tokens)])
    return Example(np.array(tokens), np.array(targets), places, context)


@dataclass(frozen=True)
class Masked:
    """BERT's masks (Devlin et al. 2019), for one document."""

    ratio: float = 0.15

    def __call__(self, document: np.ndarray, rng: np.random.Generator, special: Special) -> Example:
        tokens, targets = [], []
        for token in document:
            word = token not in (special.cls, special.eos)
            chosen = word and rng.random() < self.ratio
            targets.append(token if chosen else -1)
            if chosen:
                other = rng.integers(special.size)
                token = rng.choice(np.array([special.mask, other, token]), p=[0.8, 0.1, 0.1])
            tokens.append(token)
        return example(tokens, targets, context=len(tokens))


MASKED = PerDocument(Masked(), PREFIX, Likelihood("pseudo", "each token masked in turn"))


def test_a_rule_for_masks_chooses_and_replaces_in_the_vectorised_ones_shares():
    text = whole(60, 128, closed=True)
    candidates = 60 * 126
    shares = []
    for objective in (MASKED, MaskedLM()):
        batch = objective(text, np.random.default_rng(3), SPECIAL)
        given = batch.tokens_BT.ravel()[batch.index_M]
        chosen = batch.targets / candidates
        shares.append((chosen, (given == SPECIAL.mask).mean(), (given == batch.target_M).mean()))
    errors = (0.15 * 0.85 / candidates) ** 0.5, (0.25 / 1000) ** 0.5, (0.1 / 1000) ** 0.5
    for ours, theirs, error in zip(*shares, errors, strict=True):
        assert abs(ours - theirs) < 6 * error


def test_given_the_same_choices_a_rule_for_masks_makes_the_same_arrays():
    vectorised = MaskedLM()(PACKED, np.random.default_rng(0), SPECIAL)
    docs = documents(PACKED, SPECIAL)
    target = np.full(PACKED.size, -1)
    target[vectorised.index_M] = vectorised.target_M
    chosen = iter(
        (vectorised.tokens_BT.ravel()[begin : begin + size], target[begin : begin + size])
        for begin, size in zip(docs.begin_U, docs.size_U)
    )

    def same_choices(document, rng, special):
        tokens, targets = next(chosen)
        return example(tokens, targets, context=len(document))

    lifted = PerDocument(same_choices, PREFIX, MASKED.likelihood)
    assert same(lifted(PACKED, np.random.default_rng(0), SPECIAL), vectorised)


def test_a_rule_that_draws_nothing_equals_the_vectorised_objective():
    def next_token(document, rng, special):
        return example(document, [*document[1:], -1], context=0)

    gpt = PerDocument(next_token, CAUSAL, EXACT)
    for text in (PACKED, whole(3, 40)):
        keys = draws(np.random.default_rng(0), len(text))
        assert same(gpt.build(text, keys, SPECIAL), Causal().build(text, keys, SPECIAL))
    ours, theirs = gpt.amounts(40), Causal().amounts(40)
    assert (ours.targets, ours.pairs, ours.sizes) == (theirs.targets, theirs.pairs, theirs.sizes)


def test_what_a_document_draws_does_not_hang_on_its_neighbours():
    keys = draws(np.random.default_rng(0), 3)
    together = MASKED.build(PACKED, keys, SPECIAL)
    alone = MASKED.build(PACKED[1:2], keys.take(slice(1, 2)), SPECIAL)
    assert (together.tokens_BT[1] == alone.tokens_BT[0]).all()


def test_amounts_of_a_rule_are_estimates_near_the_exact_ones_and_always_the_same():
    def one_blank(document, rng, special):
        start = int(rng.integers(1, len(document) - 4))
        return infill(document.tolist(), [(start, start + 3)], special)

    lifted = PerDocument(one_blank, BlankInfilling().layout, EXACT, sentinels=True)
    each = lifted.amounts(64)
    assert each == lifted.amounts(64)
    assert (each.positions, each.targets) == (64 + 2, 4)
    assert lifted.extra_tokens(64) == ExtraTokens(sentinels=64)
    estimated, exact = MASKED.amounts(128), MaskedLM().amounts(128)
    assert estimated.targets == pytest.approx(exact.targets, rel=0.06)
    assert estimated.pairs == exact.pairs


def test_an_example_whose_arrays_do_not_belong_together_is_refused_with_the_rules_name():
    @dataclass(frozen=True)
    class Short:
        def __call__(self, document, rng, special):
            return example(document, document[1:], context=0)

    objective = PerDocument(Short(), CAUSAL, EXACT)
    with pytest.raises(ValueError, match=r"Short made an example of 64 tokens.*shape \(63,\)"):
        objective(PACKED[1:2], np.random.default_rng(0), SPECIAL)
