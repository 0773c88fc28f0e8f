"""A step's batch is a pure function of its seed and number, however it is shared out."""

import json

import numpy as np
import pytest

from glm.data.example import Example, laid, padded, part
from glm.data.stream import TokenStream, batch_at, stream, windows
from glm.objectives.blank_infilling import BlankInfilling, infill
from glm.objectives.causal import Causal
from glm.objectives.draws import draws
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.mixture import Mixture
from glm.objectives.spans import Document, Sentences
from glm.objectives.unilm import UniLM
from tests.glm.texts import SPECIAL, WORDS, rows_of, same

GLM_DOC = Mixture(((1, BlankInfilling()), (1, BlankInfilling(Document()))))
OBJECTIVES = {
    "glm": BlankInfilling(),
    "glm-doc": GLM_DOC,
    "glm-sent": Mixture(((1, BlankInfilling()), (1, BlankInfilling(Sentences())))),
    "bert": MaskedLM(),
    "gpt": Causal(),
    "unilm": UniLM(),
    "as the original mixes": Mixture(
        ((1, BlankInfilling()), (1, BlankInfilling(Document(per="batch")))), per="batch"
    ),
}


def corpus(sizes: list[int], seed: int = 0) -> TokenStream:
    rng = np.random.default_rng(seed)
    return stream((rng.integers(*WORDS, size) for size in sizes), SPECIAL)


MANY = corpus([int(s) for s in np.random.default_rng(1).integers(5, 300, 200)])


def at(objective=GLM_DOC, **changes):
    settings = {"seed": 1, "step": 7, "rows": 12, "length": 64} | changes
    return batch_at(MANY, objective, SPECIAL, **settings)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
@pytest.mark.parametrize("world", [2, 3, 5])
def test_the_ranks_batches_put_together_are_the_batch_of_one(objective, world):
    alone = at(objective)
    assert same(alone, at(objective))
    row = 0
    for rank in range(world):
        mine = at(objective, rank=rank, world=world)
        for r in range(mine.rows):
            ours, theirs = rows_of(mine, r), rows_of(alone, row)
            assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
            row += 1
    assert row == alone.rows


def test_another_seed_or_step_is_another_batch():
    assert not same(at(), at(step=8))
    assert not same(at(), at(seed=2))
    with pytest.raises(ValueError, match="rank 2 of 2"):
        at(rank=2, world=2)


def test_parts_of_a_batch_are_its_rows():
    whole = at()
    parts = [part(whole, begin, begin + 5) for begin in (0, 5, 10)]
    assert [p.rows for p in parts] == [5, 5, 2]
    assert sum(p.targets for p in parts) == whole.targets
    for r in range(12):
        ours, theirs = rows_of(parts[r // 5], r % 5), rows_of(whole, r)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_row_is_a_window_of_one_long_document_or_a_run_of_short_ones():
    long = corpus([500, 700])
    text = windows(long, draws(np.random.default_rng(0), 300), 64, SPECIAL)
    assert (text[:, 0] == SPECIAL.cls).all() and not (text[:, 1:] == SPECIAL.cls).any()
    inner = np.lib.stride_tricks.sliding_window_view(long.tokens_L, 63)
    known = {row.tobytes() for row in inner.astype(np.int32)}
    assert all(row[1:].tobytes() in known for row in np.ascontiguousarray(text[:, :]))
    short = corpus([10, 20, 30, 40])
    text = windows(short, draws(np.random.default_rng(0), 300), 64, SPECIAL)
    begins = {int(short.tokens_L[o + 1]) for o in short.offsets[:-1]}
    assert {int(t) for t in text[:, 1]} <= begins
    for row in text:
        for place in np.flatnonzero(row == SPECIAL.eos)[:-1]:
            assert row[place + 1] == SPECIAL.cls


def test_documents_are_drawn_in_proportion_to_their_length():
    text = windows(corpus([98, 298]), draws(np.random.default_rng(0), 4000), 100, SPECIAL)
    first = (text[:, 1] == corpus([98, 298]).tokens_L[1]).mean()
    assert abs(first - 0.25) < 0.04


def test_a_stream_on_disk_is_the_stream_in_memory(tmp_path):
    MANY.tokens_L.tofile(tmp_path / "tokens.bin")
    np.save(tmp_path / "offsets.npy", MANY.offsets)
    (tmp_path / "tokens.json").write_text(json.dumps({"dtype": MANY.tokens_L.dtype.name}))
    opened = TokenStream.open(tmp_path)
    assert opened.tokens_L.dtype == np.uint16 and opened.documents == 200
    settings = {"seed": 0, "step": 0, "rows": 4, "length": 32}
    ours, theirs = (batch_at(s, Causal(), SPECIAL, **settings) for s in (opened, MANY))
    assert same(ours, theirs)


def test_a_stream_that_cannot_be_one_is_refused():
    with pytest.raises(ValueError, match="which is not 0"):
        TokenStream(np.zeros(5, np.uint16), np.array([0, 4]))
    bare = TokenStream(np.full(9, 50, np.uint16), np.array([0, 9]))
    with pytest.raises(ValueError, match="not with"):
        batch_at(bare, Causal(), SPECIAL, seed=0, step=0, rows=1, length=4)


def test_a_fixed_shape_adds_only_what_weighs_nothing():
    plain = at()
    fixed = at(width=plain.width + 16, targets=len(plain.index_M) + 9)
    assert fixed.width == plain.width + 16 and len(fixed.index_M) == len(plain.index_M) + 9
    assert (fixed.positions, fixed.targets) == (plain.positions, plain.targets)
    for r in range(plain.rows):
        ours, theirs = rows_of(part(fixed, r, r + 1), 0), rows_of(part(plain, r, r + 1), 0)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert same(padded(plain, width=1, targets=1), plain)


def test_packing_keeps_every_example_and_hides_its_neighbours():
    examples = [infill(list(range(30, 30 + n)), [(2, 4)], SPECIAL) for n in (9, 20, 6, 14, 8)]
    batch = laid([examples[:2], examples[2:]])
    assert batch.rows < len(examples)
    assert batch.positions == sum(e.length for e in examples)
    assert (batch.branch_BT[:, 1:] >= batch.branch_BT[:, :-1])[batch.document_BT[:, 1:] >= 0].all()
    found = []
    for r in range(batch.rows):
        row = rows_of(batch, r)
        for d in range(int(row["document"].max()) + 1):
            here = row["document"] == d
            found.append({name: row[name][here].tolist() for name in ("tokens", "target")})
    for example in examples:
        wanted = {"tokens": example.tokens_T.tolist(), "target": example.targets_T.tolist()}
        assert wanted in found
    across = batch.document_BT[:, :, None] != batch.document_BT[:, None, :]
    assert not batch.visible()[across].any()


def test_candidates_that_share_a_context_do_not_see_each_other():
    tokens = np.arange(10, 17)
    branch = np.array([0, 0, 0, 1, 1, 2, 2])
    example = Example(tokens, np.full(7, -1), np.zeros((2, 7), int), 3, branch)
    visible = laid([[example]], multiple=1).visible()[0]
    assert visible[6].tolist() == [True, True, True, False, False, True, True]
    assert visible[3].tolist() == [True, True, True, True, False, False, False]
    assert visible[0].tolist() == [True, True, True, False, False, False, False]
