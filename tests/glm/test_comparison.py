"""Likelihoods of whole texts against the plain computation, a token at a time."""

from itertools import combinations

import numpy as np
import pytest
import torch

from glm.adaptation.comparison import ComparisonStyle
from glm.data.sequences import lay, sequence
from glm.models.transformer import Shape, build, tensors
from glm.objectives.layout import BLANK, CAUSAL, PREFIX, Layout
from tasks.errors import UserError
from tasks.spec import Compare
from tests.glm.numbers import TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)
GENERATOR = np.random.default_rng(0)
TEXTS = [GENERATOR.integers(5, 60, size).tolist() for size in (1, 2, 3, 5, 5, 8, 13, 13, 13, 20)]


def model():
    # A large deviation makes all that a position sees count.
    shape = Shape(2, 32, 4, 64, positions=40, dropout=0.0, attention_dropout=0.0)
    made = build(shape, 0)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    return made.eval()


def numbers(ids: list[int]) -> str:
    return " ".join(map(str, ids))


def compared(style: ComparisonStyle, batch_positions: int = 8192):
    pairs = list(zip(TEXTS[::2], TEXTS[1::2]))
    questions = [
        Compare(str(n), tuple(map(numbers, pair)), (0,), "field/term/uid")
        for n, pair in enumerate(pairs)
    ]
    items = style.encode(questions, TOKENIZER, 40)
    return style.answer(model(), None, items, TOKENIZER, batch_positions)


@torch.no_grad()
def next_log_probability(made, tokens, position, inner, branch, target: int) -> float:
    """log p(target) at the last position of one row, alone in its batch."""
    row = sequence(tokens, position, inner, branch, [len(tokens) - 1])
    batch = tensors(lay([row], TINY.pad))
    hidden = made(batch).flatten(0, 1)[batch.index_M]
    return made.logits(hidden)[0, : TINY.size].log_softmax(-1)[target].item()


def forced(ids: list[int], layout: Layout) -> float:
    """The sum over tokens, each predicted by a row of its own that ends before it."""
    made, total = model(), 0.0
    for k, target in enumerate(ids):
        if layout.kind == "blank":
            tokens = [TINY.cls, TINY.mask, TINY.start, *ids[:k]]
            position = [0, 1] + [1] * (k + 1)
            inner, branch = [0, 0, *range(1, k + 2)], [0, 0] + [1] * (k + 1)
        else:
            tokens = [TINY.cls, *ids[:k]]
            position, inner = list(range(k + 1)), [0] * (k + 1)
            branch = [1 if layout.kind == "causal" else 0] + [1] * k
        total += next_log_probability(made, tokens, position, inner, branch, target)
    return total


@torch.no_grad()
def masked_one_at_a_time(ids: list[int]) -> float:
    """The pseudo-likelihood, one mask and one row a forward pass."""
    made, total = model(), 0.0
    for k, target in enumerate(ids):
        tokens = [TINY.cls, *ids[:k], TINY.mask, *ids[k + 1 :], TINY.eos]
        zeros = [0] * len(tokens)
        row = sequence(tokens, range(len(tokens)), zeros, zeros, [k + 1])
        batch = tensors(lay([row], TINY.pad))
        hidden = made(batch).flatten(0, 1)[batch.index_M]
        total += made.logits(hidden)[0, : TINY.size].log_softmax(-1)[target].item()
    return total


@pytest.mark.parametrize("layout", [CAUSAL, BLANK, PREFIX], ids=["causal", "blank", "prefix"])
def test_a_likelihood_is_the_teacher_forced_sum_over_all_tokens(layout):
    scores = [score for answer in compared(ComparisonStyle(layout)) for score in answer.scores]
    wanted = [forced(ids, layout) for ids in TEXTS]
    assert scores == pytest.approx(wanted, rel=1e-5, abs=1e-4)


def test_a_pseudo_likelihood_is_that_of_one_mask_at_a_time():
    style = ComparisonStyle(PREFIX, masked=True)
    scores = [score for answer in compared(style) for score in answer.scores]
    wanted = [masked_one_at_a_time(ids) for ids in TEXTS]
    assert scores == pytest.approx(wanted, rel=1e-5, abs=1e-4)
    assert len({round(score, 3) for score in scores}) == len(TEXTS)


@pytest.mark.parametrize("style", [ComparisonStyle(CAUSAL), ComparisonStyle(PREFIX, masked=True)])
def test_scores_do_not_depend_on_what_shares_a_batch(style):
    one, two = (compared(style, positions) for positions in (30, 4000))
    for a, b in zip(one, two, strict=True):
        assert a.scores == pytest.approx(b.scores, rel=1e-5, abs=1e-4)


def test_the_likelier_text_is_chosen_and_the_first_of_equals():
    style = ComparisonStyle(CAUSAL)
    for answer in compared(style):
        assert answer.choice == int(np.argmax(answer.scores))
        assert answer.group == "field/term/uid" and len(answer.candidates) == 2
    same = style.encode([Compare("1", ("7 8 9", "7 8 9"), (1,))], TOKENIZER, 40)
    assert style.answer(model(), None, same, TOKENIZER)[0].choice == 0


def test_a_text_that_cannot_be_read_whole_is_refused():
    style = ComparisonStyle(PREFIX, masked=True)
    for text in (numbers(list(range(5, 44))), ""):
        with pytest.raises(UserError, match=r"question 1: a text of (39|0) tokens"):
            style.encode([Compare("1", (text, "7"))], TOKENIZER, 40)


@torch.no_grad()
def bound_of(made, ids: list[int], sets) -> float:
    """The mean over `sets` of masked places of n / k times what they cost, a row for each token."""
    total = 0.0
    for hidden in sets:
        shown = [TINY.mask if k in hidden else id for k, id in enumerate(ids)]
        tokens = [TINY.cls, *shown, TINY.eos]
        zeros = [0] * len(tokens)
        for k in hidden:
            row = sequence(tokens, range(len(tokens)), zeros, zeros, [k + 1])
            batch = tensors(lay([row], TINY.pad))
            state = made(batch).flatten(0, 1)[batch.index_M]
            logs = made.logits(state)[0, : TINY.size].log_softmax(-1)
            total += len(ids) / len(hidden) * logs[ids[k]].item()
    return total / len(sets)


def test_a_bounds_estimates_are_those_of_the_plain_mean_over_all_sets_of_masks():
    ids, made = [7, 8, 9, 10], model()
    question = Compare("0", (numbers(ids),), (0,), "")
    by_size = [list(combinations(range(4), k)) for k in range(1, 5)]
    exact = float(np.mean([bound_of(made, ids, sets) for sets in by_size]))
    estimates = []
    for seed in range(200):
        style = ComparisonStyle(masked=True, shares=4, seed=seed)
        items = style.encode([question], TOKENIZER, 40)
        estimates.append(style.answer(made, None, items, TOKENIZER)[0].scores[0])
    error = np.std(estimates) / len(estimates) ** 0.5
    assert abs(np.mean(estimates) - exact) < 4 * error and error > 0


def test_a_bound_is_the_same_whatever_is_read_beside_it():
    style = ComparisonStyle(masked=True, shares=16)
    alone, together = compared(style, 1), compared(style)
    for one, other in zip(alone, together, strict=True):
        assert one.scores == pytest.approx(other.scores, rel=1e-5)
    # One token has one set of masks: its bound is its likelihood.
    single = TEXTS[0]
    assert together[0].scores[0] == pytest.approx(bound_of(model(), single, [(0,)]), rel=1e-5)
