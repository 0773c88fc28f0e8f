"""The encoder-decoder: what it may see, what shares what, and that its cache changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.data.example import Batch
from glm.data.sequences import Sequence, lay, sequence
from glm.data.stream import batch_at, stream
from glm.generation.beam import Search, beam, fill
from glm.generation.prompt import Prompt
from glm.models import networks
from glm.models.encoder_decoder import EncoderDecoder, build
from glm.models.shape import Shape
from glm.models.transformer import Tensors, loss, tensors
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.objectives.objective import Objective
from glm.objectives.prefix_lm import PrefixLM
from glm.training import checkpoints
from tests.glm.texts import SPECIAL, packed, whole

SHAPE = Shape(
    2, 32, 4, SPECIAL.padded, positions=128, dropout=0.0, attention_dropout=0.0, decoder=3
)
WORDS = (30, 400)


def model(shape: Shape = SHAPE, seed: int = 0) -> EncoderDecoder:
    """A small one whose attention is far from even, in double precision."""
    made = build(shape, seed).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6)
    return made


def question(source: list[int], *answers: list[int]) -> Sequence:
    """A source, and answers as branches that count from 0, all read."""
    tokens, position = list(source), list(range(len(source)))
    branch, read = [0] * len(source), []
    for number, answer in enumerate(answers, 1):
        read += range(len(tokens), len(tokens) + len(answer))
        tokens += answer
        position += range(len(answer))
        branch += [number] * len(answer)
    return sequence(tokens, position, [0] * len(tokens), branch, read)


def words(count: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(*WORDS, count).tolist()


def test_a_later_token_of_part_b_changes_nothing_before_it_and_a_token_of_part_a_everything():
    net, source, answer = model(), words(9, 0), words(7, 1)
    before = net.read([question(source, answer)], 0)
    for at in range(len(answer)):
        changed = [*answer[:at], 399 - answer[at] % 100, *answer[at + 1 :]]
        after = net.read([question(source, changed)], 0)
        assert torch.equal(after[:at], before[:at])
        assert (after[at:] - before[at:]).abs().amax(1).min() > 1e-6
    for at in range(len(source)):
        changed = [*source[:at], 399 - source[at] % 100, *source[at + 1 :]]
        assert (net.read([question(changed, answer)], 0) - before).abs().amax(1).min() > 1e-6


def test_the_encoder_sees_nothing_of_what_is_written():
    net, source = model(), words(9, 0)
    texts = [question(source, words(5, seed)) for seed in (1, 2)]
    reads = [replace(text, read_R=np.arange(9), target_R=np.full(9, -1)) for text in texts]
    one, other, alone = (net.read([row], 0) for row in (*reads, question(source)))
    assert torch.equal(one, other) and len(alone) == 0


def test_sequences_in_one_batch_and_one_row_are_read_as_each_of_them_is_alone():
    net = model()
    rows = [
        question(words(n, n), *(words(m, n + m) for m in answers))
        for n, answers in ((30, (9, 4)), (4, (3,)), (11, (2, 2, 12)), (3, ()), (8, (1,)))
    ]
    together = net.read(rows, 0)
    alone = torch.cat([net.read([row], 0) for row in rows])
    assert torch.allclose(together, alone, atol=1e-12, rtol=0)


def test_candidates_share_one_encoding_and_are_read_as_if_each_had_its_own():
    net, source, answers = model(), words(20, 0), [words(n, n) for n in (4, 1, 6)]
    seen: list[Tensors] = []
    handle = net.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    together = net.read([question(source, *answers)], 0)
    handle.remove()
    assert int((seen[0].document_BT >= 0).sum()) == len(source)
    alone = torch.cat([net.read([question(source, answer)], 0) for answer in answers])
    assert torch.allclose(together, alone, atol=1e-12, rtol=0)


def text_of(objective: Objective, text: np.ndarray) -> Batch:
    return objective(text, np.random.default_rng(0), SPECIAL)


@pytest.mark.parametrize("objective", [BlankInfilling(), PrefixLM(), Causal()], ids=str)
def test_whatever_the_one_transformer_learns_it_learns_from_packed_rows_as_from_single_ones(
    objective: Objective,
):
    """Also where a document has no Part A at all, as a causal one."""
    net = model(replace(SHAPE, inner=True))
    batch = text_of(objective, packed([24, 40, 30], 94))
    inputs = tensors(batch)
    hidden = net(inputs).flatten(0, 1)
    grids = batch.tokens_BT, batch.position_BT, batch.inner_BT, batch.branch_BT
    for document in range(3):
        mine = np.flatnonzero(batch.document_BT[0] == document)
        wanted = np.flatnonzero(np.isin(mine, batch.index_M))
        tokens, position, inner, branch = (grid[0, mine] for grid in grids)
        alone = sequence(tokens, position, inner, branch, wanted)
        assert len(wanted)
        assert torch.allclose(net.read([alone], 0), hidden[mine[wanted]], atol=1e-12, rtol=0)


@pytest.mark.parametrize("backend", ["matmul", "sdpa"])
def test_backends_agree_and_gradients_reach_every_weight(backend: str):
    batch = tensors(text_of(BlankInfilling(), whole(4, 60)))
    net = model()
    assert torch.allclose(net(batch, backend), net(batch), atol=1e-10)
    value = loss(net, batch, vocabulary=SPECIAL.size)
    value.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_every_weight_has_a_gradient_where_nothing_is_written():
    net, read = model(), question(words(9, 0))
    read = replace(read, read_R=np.arange(9), target_R=np.full(9, -1))
    batch = tensors(lay([read], 0))
    assert not batch.written
    hidden = net(batch)
    with torch.no_grad():
        assert torch.allclose(net(batch), hidden, atol=1e-12, rtol=0)
    hidden.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()) == name.startswith("encoder."), name


def prompts(openings: tuple[list[int], ...] = ([], [], [])) -> list[Prompt]:
    found = []
    for seed, (length, opening) in enumerate(zip((9, 4, 14), openings)):
        source = question(words(length, seed), *([opening] if opening else []))
        source = replace(source, read_R=np.zeros(0, np.int64), target_R=np.zeros(0, np.int64))
        found.append(Prompt(source, (len(opening),), (SPECIAL.start,), grows=True))
    return found


@pytest.mark.parametrize("openings", [([], [], []), ([40, 41], [42, 43], [44, 45])], ids=str)
def test_cached_writing_equals_reading_all_anew(openings: tuple[list[int], ...]):
    net, given = model(), prompts(openings)
    written = np.array([words(6, 10 + i) for i in range(3)])
    cache = net.prefill([p.source for p in given], 0, 6)
    states = []
    for used in range(6):
        position = torch.tensor([p.place(0, used, used)[0] for p in given])
        token = torch.tensor(written[:, used])
        states.append(net.step(cache, token, position, torch.zeros_like(position)))
    for i, (one, opening) in enumerate(zip(given, openings)):
        source = one.source.tokens_L[one.source.branch_L == 0].tolist()
        anew = net.read([question(source, [*opening, *written[i].tolist()])], 0)[len(opening) :]
        assert torch.allclose(torch.stack([s[i] for s in states]), anew, atol=1e-9, rtol=0)


def test_an_answer_to_nothing_is_written_with_a_cache_as_without_one():
    """Beside a source there is one of which nothing is read, so that its columns are padding."""
    net, opening, answer = model(), [40, 41], words(5, 1)
    sources = [question(words(6, 0), opening), question([], opening)]
    cache = net.prefill(sources, 0, len(answer))
    states = []
    for used, token in enumerate(answer, len(opening)):
        position = torch.tensor([used, used])
        states.append(net.step(cache, torch.tensor([token, token]), position, 0 * position))
    for i, source in enumerate((words(6, 0), [])):
        anew = net.read([question(source, [*opening, *answer])], 0)[len(opening) :]
        assert torch.allclose(torch.stack([s[i] for s in states]), anew, atol=1e-9, rtol=0)


@pytest.mark.parametrize("beams", [1, 4])
def test_beams_share_their_source_and_find_what_reading_anew_finds(beams: int):
    net, given = model(seed=3), prompts()
    search = Search(SPECIAL.end, SPECIAL.size, 8, beams=beams, length_penalty=0.6, min_length=2)
    together = beam(net, given, search)
    for one, found in zip(given, together):
        [alone] = beam(net, [one], search)
        assert alone.tokens == found.tokens
        source = one.source.tokens_L.tolist()
        inputs = [SPECIAL.start, *found.tokens]
        logits = net.logits(net.read([question(source, inputs)], 0))[:, : SPECIAL.size]
        log = logits.log_softmax(-1)
        ended = len(found.tokens) < 8
        goal = [*found.tokens, *[SPECIAL.end] * ended]
        total = sum(log[j, word].item() for j, word in enumerate(goal))
        score = total / max(len(found.tokens), 1) ** 0.6
        assert found.score == pytest.approx(score, abs=1e-9)
    if beams == 1:
        filled = fill(net, given, replace(search, length_penalty=0.0))
        assert [f[0].tokens for f in filled] == [f.tokens for f in together]


def test_a_checkpoint_brings_the_same_model_back_and_a_longer_one_reads_the_same(tmp_path):
    net = build(SHAPE, 0)
    checkpoints.save(tmp_path, net)
    again = checkpoints.load(tmp_path).model
    row = question(words(9, 0), words(5, 1))
    assert isinstance(again, EncoderDecoder)
    assert torch.equal(again.read([row], 0), net.read([row], 0))
    longer = net.lengthened(200, 1)
    assert longer.positions == 200 and longer.shape.decoder == 3
    assert torch.equal(longer.read([row], 0), net.read([row], 0))
    assert longer.decoder.position.weight[150:].abs().max() > 0


def test_the_same_seed_gives_the_same_weights_and_sums_of_a_stack_begin_alike():
    one, other = (networks.build(SHAPE, 5).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
    deviation = {name: value.std().item() for name, value in one.items() if value.ndim > 1}
    assert deviation["encoder.blocks.0.down.weight"] == pytest.approx(0.02 / 2, rel=0.05)
    assert deviation["decoder.blocks.0.down.weight"] == pytest.approx(0.02 / 3, rel=0.05)
    assert deviation["decoder.crossings.0.merge.weight"] == pytest.approx(0.02 / 3, rel=0.1)


def test_dropout_of_finetuning_reaches_both_stacks():
    net = build(replace(SHAPE, dropout=0.1, attention_dropout=0.1), 0).train()
    batch = tensors(text_of(BlankInfilling(), whole(2, 40)))
    assert not torch.equal(net(batch), net(batch))
    net.set_dropout(0.0)
    assert torch.equal(net(batch), net(batch))


def test_an_encoder_decoder_learns_a_text_by_heart():
    texts = [words(30, seed) for seed in range(4)]
    corpus = stream(texts, SPECIAL)
    net = build(replace(SHAPE, deviation=0.1), 0)
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    losses = []
    for step in range(120):
        batch = batch_at(corpus, PrefixLM(), SPECIAL, seed=0, step=step, rows=8, length=32)
        value = loss(net, tensors(batch), vocabulary=SPECIAL.size)
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(value.item())
    assert losses[0] > 5 and np.mean(losses[-5:]) < 0.5
