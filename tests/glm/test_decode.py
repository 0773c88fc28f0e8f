"""Decoding: the original's beams, exhaustive search, and caches that change nothing."""

import itertools

import numpy as np
import pytest
import torch

from glm.data.sequences import lay, sequence
from glm.generation.beam import Search, beam, fill
from glm.generation.prompt import Prompt
from glm.models.transformer import Shape, build, tensors
from tests.glm.golden import read as golden
from tests.glm.golden import tiny_model

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture
def no_gradients():
    with torch.inference_mode():
        yield


def model(vocabulary=64, inner=True, seed=0, scale=6.0):
    shape = Shape(
        2, 32, 4, vocabulary, positions=40, inner=inner, dropout=0.0, attention_dropout=0.0
    )
    net = build(shape, seed).double().eval()
    net.word.weight.mul_(scale)  # far from uniform, so that there is something to search
    return net


def prompt(tokens, blanks=(1,), causal=False, grows=False, start=60):
    zeros = [0] * len(tokens)
    row = sequence(tokens, range(len(tokens)), zeros, [int(causal)] * len(tokens))
    at = tuple(len(tokens) for _ in blanks) if grows else tuple(blanks)
    return Prompt(row, at, tuple(start for _ in blanks), grows=grows)


def full_logs(net, given, written, vocabulary=64):
    """log p after the prompt and `written`, with one ordinary forward pass."""
    tokens = [given.starts[0], *written]
    a = given.source
    places = [given.place(0, j, j) for j in range(len(tokens))]
    row = sequence(
        [*a.tokens_L, *tokens],
        [*a.position_L, *(p for p, _ in places)],
        [*a.inner_L, *(i for _, i in places)],
        [*a.branch_L, *[1] * len(tokens)],
    )
    hidden = net(tensors(lay([row], 0, multiple=1)))[0, len(a) :]
    return net.logits(hidden)[:, :vocabulary].log_softmax(-1)


@pytest.mark.parametrize("case", golden("14_beam_search")["cases"], ids=lambda c: str(c["options"]))
def test_beam_search_equals_the_original(case):
    """Its source padding is seen by everyone, so here the padding is text."""
    given, options = golden("14_beam_search")["batch"], case["options"]
    net = tiny_model().eval()
    if options.get("_row61x2"):
        net.word.weight[61] *= 2
    prompts = []
    for text, position in zip(given["text"], given["position_id"]):
        source = sequence(text[:8], position[0][:8], position[1][:8], [0] * 8)
        prompts.append(Prompt(source, (position[0][8],), (60,)))
    search = Search(
        end=61,
        vocabulary=64,
        max_length=10,
        beams=options.get("num_beams", 1),
        length_penalty=options.get("length_penalty", 0.0),
        min_length=options.get("min_tgt_length", 0),
        ngram=options.get("no_repeat_ngram_size", 0),
    )
    assert [list(found.tokens) for found in beam(net, prompts, search)] == case["expected"]


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("minimum", [0, 2])
def test_enough_beams_find_what_exhaustive_search_finds(penalty, minimum):
    net, end, longest = model(vocabulary=5, scale=3.0), 4, 3
    prompts = [prompt([1, 3, 2], start=3), prompt([2, 3, 1, 1], start=3)]
    search = Search(end, 5, longest, 5**3, penalty, minimum)
    for given, found in zip(prompts, beam(net, prompts, search)):
        best = (-np.inf, ())
        for length in range(longest + 1):
            for words in itertools.product(range(4), repeat=length):
                if length < minimum:
                    continue
                logs = full_logs(net, given, words, 5)
                total = sum(logs[j, w].item() for j, w in enumerate(words))
                if length < longest:
                    total += logs[length, end].item()
                best = max(best, (total / max(length, 1) ** penalty, words))
        assert found.tokens == best[1]
        assert found.score == pytest.approx(best[0], abs=1e-9)


@pytest.mark.parametrize("causal, grows", [(False, False), (False, True), (True, True)])
def test_incremental_states_equal_a_full_forward(causal, grows):
    net = model(inner=not grows)
    prompts = [prompt(list(range(1, n)), causal=causal, grows=grows) for n in (9, 4, 14)]
    words = torch.tensor([[7, 8, 9, 7, 5], [30, 31, 32, 33, 34], [50, 2, 50, 2, 50]])
    cache = net.prefill([p.source for p in prompts], 0, 6)
    tokens = torch.cat([torch.full((3, 1), 60), words], 1)
    found = []
    for used in range(6):
        places = torch.tensor([p.place(0, used, used) for p in prompts])
        hidden = net.step(cache, tokens[:, used], places[:, 0], places[:, 1])
        found.append(net.logits(hidden).log_softmax(-1))
    for i, given in enumerate(prompts):
        expected = full_logs(net, given, words[i].tolist())
        ours = torch.stack([f[i] for f in found])
        assert torch.allclose(ours, expected, atol=1e-9, rtol=0)


def test_a_batch_decodes_as_its_sources_do_alone():
    net = model()
    prompts = [prompt(list(range(1, n))) for n in (9, 4, 14, 6)]
    search = Search(61, 64, 12, beams=4, length_penalty=0.6, ngram=2)
    together = beam(net, prompts, search)
    for given, found in zip(prompts, together):
        [alone] = beam(net, [given], search)
        assert alone.tokens == found.tokens
        assert alone.score == pytest.approx(found.score, abs=1e-9)


def test_greedy_filling_is_beam_search_with_one_beam():
    net = model(seed=3)
    prompts = [prompt(list(range(1, n))) for n in (9, 4, 14, 6)]
    search = Search(61, 64, 12, min_length=1, banned=(60, 0))
    for one, several in zip(beam(net, prompts, search), fill(net, prompts, search)):
        assert several[0].tokens == one.tokens
        assert several[0].score == pytest.approx(one.score, abs=1e-9)


def test_blanks_are_filled_left_to_right_in_one_pass():
    net = model(seed=70)  # one whose blanks differ in length
    assert net.inner is not None
    net.inner.weight.mul_(30)
    net.position.weight.mul_(10)
    others = [t for t in range(64) if t not in (*range(7, 13), 61)]
    prompts = [prompt([1, 3, 9, 3, 8, 3, 0], (1, 3, 5)), prompt([1, 5, 3, 0], (2,))]
    search = Search(61, 64, 30, banned=tuple(others))
    answers = fill(net, prompts, search)
    assert [len(a) for a in answers] == [3, 1]
    assert [len(found.tokens) for found in answers[0]] == [3, 6, 1]
    tokens, position, inner = [], [], []
    for blank, found in zip(prompts[0].at, answers[0]):
        tokens += [60, *found.tokens]
        position += [blank] * (len(found.tokens) + 1)
        inner += range(1, len(found.tokens) + 2)
    a = prompts[0].source
    row = sequence(
        [*a.tokens_L, *tokens],
        [*a.position_L, *position],
        [*a.inner_L, *inner],
        [*a.branch_L, *[1] * len(tokens)],
    )
    logits = net.logits(net(tensors(lay([row], 0)))[0, len(a) : len(row)])
    logits[:, others] = -torch.inf
    written = [t for found in answers[0] for t in (*found.tokens, 61)]
    assert logits.argmax(-1).tolist() == written


def test_a_full_budget_leaves_later_blanks_empty_and_repeats_are_blocked():
    net = model()
    given = prompt([1, 3, 9, 3, 0], (1, 3))
    answers = fill(net, [given], Search(61, 64, 5, min_length=5, banned=(60,)))
    assert len(answers[0][0].tokens) == 5 and answers[0][1].tokens == ()
    words = beam(net, [given], Search(61, 64, 20, min_length=20, ngram=2))[0].tokens
    pairs = list(itertools.pairwise(words))
    assert len(words) == 20 and len(set(pairs)) == len(pairs)


def test_banned_ids_and_padding_rows_are_never_written():
    net = model()
    banned = tuple(range(30))
    [found] = beam(net, [prompt([1, 3, 9])], Search(61, 62, 15, beams=3, banned=banned))
    assert found.tokens and all(30 <= t < 62 for t in found.tokens)


def in_place_logs(net, given, written, vocabulary=64, mask=3):
    """log p of the next token: a mask behind the prompt and `written`, one ordinary forward."""
    a, tokens = given.source, [*written, mask]
    places = [given.place(0, j, j) for j in range(len(tokens))]
    row = sequence(
        [*a.tokens_L, *tokens],
        [*a.position_L, *(p for p, _ in places)],
        [*a.inner_L, *(i for _, i in places)],
        [*a.branch_L, *[1] * len(tokens)],
    )
    hidden = net(tensors(lay([row], 0, multiple=1)))[0, -1]
    return net.logits(hidden)[:vocabulary].log_softmax(-1)


def plain_beam(net, given, search):
    """Beam search without a cache: every hypothesis is read anew, with a mask at its end."""
    hypotheses, finished = [(0.0, ())], []
    for used in range(search.max_length):
        grown = []
        for total, words in hypotheses:
            logs = in_place_logs(net, given, words, mask=search.mask)
            if used < search.min_length:
                logs[search.end] = -torch.inf
            logs[list(search.banned)] = -torch.inf
            grown += [(total + float(x), (*words, i)) for i, x in enumerate(logs)]
        grown.sort(key=lambda one: -one[0])
        grown = grown[: 2 * search.beams]
        for total, words in grown[: search.beams]:
            if words[-1] == search.end:
                finished.append((total / max(used, 1) ** search.length_penalty, words[:-1]))
        hypotheses = [one for one in grown if one[1][-1] != search.end][: search.beams]
    finished += [(t / len(w) ** search.length_penalty, w) for t, w in hypotheses]
    return max(finished)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("penalty, minimum", [(0.0, 0), (0.7, 2)])
def test_writing_in_place_of_a_mask_equals_reading_every_hypothesis_anew(beams, penalty, minimum):
    net = model(inner=False)
    prompts = [
        prompt(tokens, grows=True) for tokens in ([1, 3, 7, 9], [1, 3, 8], [1, 40, 41, 42, 43])
    ]
    search = Search(61, 64, 6, beams, penalty, minimum, banned=(0, 3), mask=3)
    found = beam(net, prompts, search)
    for given, mine in zip(prompts, found, strict=True):
        score, words = plain_beam(net, given, search)
        assert mine.tokens == words and mine.score == pytest.approx(score)
    assert len({one.tokens for one in found}) > 1
