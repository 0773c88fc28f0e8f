"""Figure 2, the original's arrays for every switch, and what must hold for any text."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm.data.example import laid
from glm.data.special import Special
from glm.objectives.blank_infilling import BlankInfilling, infill
from glm.objectives.documents import documents
from glm.objectives.draws import draws
from glm.objectives.spans import Document, Poisson, Sentences, Spans
from tests.glm.texts import SPECIAL, packed, restored, rows_of, same, whole, with_sentences

GOLDEN = Path(__file__).parents[1] / "golden"
S, E, M = SPECIAL.start, SPECIAL.end, SPECIAL.mask


def test_figure_2_of_the_paper():
    x1, x2, x3, x4, x5, x6 = range(11, 17)
    example = infill([x1, x2, x3, x4, x5, x6], [(2, 3), (4, 6)], SPECIAL)
    assert example.tokens_T.tolist() == [x1, x2, M, x4, M, S, x3, S, x5, x6]
    assert example.targets_T.tolist() == [-1, -1, -1, -1, -1, x3, E, x5, x6, E]
    # The figure counts positions from 1; so does nothing else.
    assert (example.positions_2T[0] + 1).tolist() == [1, 2, 3, 4, 5, 3, 3, 5, 5, 5]
    assert example.positions_2T[1].tolist() == [0, 0, 0, 0, 0, 1, 2, 1, 2, 3]
    assert example.context == 5


def test_figure_2_in_the_order_of_its_drawing():
    example = infill([11, 12, 13, 14, 15, 16], [(2, 3), (4, 6)], SPECIAL, order=[1, 0])
    assert example.tokens_T.tolist() == [11, 12, M, 14, M, S, 15, 16, S, 13]
    assert example.positions_2T.tolist() == [
        [0, 1, 2, 3, 4, 4, 4, 4, 2, 2],
        [0, 0, 0, 0, 0, 1, 2, 3, 1, 2],
    ]


ORIGINAL = Special(
    pad=0, eos=0, cls=101, sep=102, mask=103, unk=100, start=30522, end=30523, gmask=30524,
    smask=30525, sentinel_masks=(103, 30524, 30526), sentinel_starts=(30522, 30525, 30527),
    size=30528,
)  # fmt: skip
CASES = json.loads((GOLDEN / "03_make_block_data.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_given_spans_make_the_originals_arrays(case):
    options = case["options"]
    spans = [tuple(span) for span in case["spans"]]
    words = [case["tokens"][begin:stop] for begin, stop in spans]
    order = sorted(range(len(spans)), key=lambda i: _found(case["target"][case["sep"] :], words[i]))
    example = infill(
        case["tokens"],
        spans,
        ORIGINAL,
        order,
        sentinels="full" if options.get("sentinel_token") else "",
        inner_positions=options.get("block_position_encoding", True),
    )
    first = np.array(case["position_ids"][0])
    if options.get("random_position"):
        first = first - first[0]  # an offset of the whole text, which we do not offer
    if not options.get("block_mask_prob"):  # noise in Part B's input, which we do not offer
        assert example.tokens_T.tolist() == case["text"]
    assert example.context == case["sep"]
    assert example.targets_T[example.context :].tolist() == case["target"][example.context :]
    assert (example.targets_T >= 0).astype(int).tolist() == case["loss_mask"]
    assert example.positions_2T.tolist() == [first.tolist(), case["position_ids"][1]]


def _found(tokens: list[int], piece: list[int]) -> int:
    starts = range(len(tokens) - len(piece) + 1)
    return next(i for i in starts if tokens[i : i + len(piece)] == piece)


KINDS = {
    "spans": BlankInfilling(),
    "not shuffled": BlankInfilling(shuffle=False),
    "sentinel masks": BlankInfilling(sentinels="masks"),
    "full sentinels": BlankInfilling(sentinels="full"),
    "like T5": BlankInfilling(shuffle=False, sentinels="full"),
    "no inner positions": BlankInfilling(inner_positions=False),
    "document": BlankInfilling(Document()),
    "document, not inner": BlankInfilling(Document(), inner_positions=False),
    "sentences": BlankInfilling(Sentences(), task_masks=True),
}
texts = st.lists(st.integers(3, 70), min_size=1, max_size=6)
kinds = pytest.mark.parametrize("objective", KINDS.values(), ids=KINDS.keys())


@kinds
@settings(max_examples=25, deadline=None)
@given(sizes=texts, spare=st.integers(0, 9), seed=st.integers(0, 2**32))
def test_a_batch_is_what_each_of_its_documents_is_alone(objective, sizes, spare, seed):
    """The vectorised path equals `infill` on the same spans in the same order."""
    text = with_sentences(packed(sizes, sum(sizes) + spare, seed), 9)
    rng = np.random.default_rng(seed)
    docs = documents(text, SPECIAL)
    keys = docs.draws(draws(rng, 1))
    spans = objective.spans(docs, keys, SPECIAL)
    batch = objective.write(docs, spans, keys, SPECIAL)
    row = rows_of(batch, 0)
    order, _ = objective._order(docs, spans, keys)
    for d, (begin, size) in enumerate(zip(docs.begin_U, docs.size_U, strict=True)):
        mine = [s for s in order if spans.unit_S[s] == d]
        named = sorted(mine)
        at = [(int(spans.begin_S[s] - begin), int(spans.size_S[s])) for s in named]
        example = infill(
            text[0, begin : begin + size].tolist(),
            [(b, b + n) for b, n in at],
            SPECIAL,
            [named.index(s) for s in mine],
            mask=SPECIAL.smask if objective.task_masks else None,
            sentinels=objective.sentinels,
            inner_positions=objective.inner_positions,
            end=not any(spans.open_S[s] for s in mine),
        )
        here = row["document"] == d
        assert row["tokens"][here].tolist() == example.tokens_T.tolist()
        assert row["target"][here].tolist() == example.targets_T.tolist()
        assert row["position"][here].tolist() == example.positions_2T[0].tolist()
        assert row["inner"][here].tolist() == example.positions_2T[1].tolist()
        assert row["branch"][here].tolist() == example.branches.tolist()


@kinds
@settings(max_examples=25, deadline=None)
@given(sizes=texts, seed=st.integers(0, 2**32))
def test_the_text_can_be_restored(objective, sizes, seed):
    text = with_sentences(packed(sizes, sum(sizes), seed), 9)
    batch = objective(text, np.random.default_rng(seed), SPECIAL)
    assert restored(batch, 0, sentinels=bool(objective.sentinels == "full")) == text[0].tolist()


@settings(max_examples=40, deadline=None)
@given(length=st.integers(16, 150), seed=st.integers(0, 2**32), shuffle=st.booleans())
def test_what_holds_for_every_sequence_of_short_spans(length, seed, shuffle):
    text = whole(2, length, seed, closed=True)
    batch = BlankInfilling(shuffle=shuffle)(text, np.random.default_rng(seed), SPECIAL)
    for r in range(2):
        row = rows_of(batch, r)
        tokens, branch = row["tokens"], row["branch"]
        part_a, part_b = tokens[branch == 0], tokens[branch == 1]
        masks = np.flatnonzero(part_a == M)
        assert len(tokens) == length + 2 * len(masks)
        assert (np.diff(masks) >= 2).all()
        assert (part_b == S).sum() == len(masks) == (row["target"] == E).sum()
        words = sorted([*part_a[part_a != M], *part_b[part_b != S]])
        assert words == sorted(text[r].tolist())
        assert SPECIAL.eos not in row["target"] and SPECIAL.cls not in row["target"]
        assert set(row["position"][branch == 1]) == set(masks)
        assert (row["target"][branch == 0] == -1).all() and (row["target"][branch == 1] >= 0).all()
        follows = part_b[1:] != S
        assert (row["target"][branch == 1][:-1][follows] == part_b[1:][follows]).all()


def test_spans_are_written_in_every_order_alike():
    docs = documents(np.tile(whole(1, 30), (3000, 1)), SPECIAL)
    unit = np.repeat(np.arange(3000), 3)
    spans = Spans(unit, unit * 30 + np.tile([3, 9, 20], 3000), unit * 0 + 2, unit < 0)
    order, _ = BlankInfilling()._order(
        docs, spans, docs.draws(draws(np.random.default_rng(1), 3000))
    )
    patterns = np.unique(order.reshape(3000, 3) % 3, axis=0, return_counts=True)[1]
    assert len(patterns) == 6
    assert ((patterns - 500) ** 2 / 500).sum() < 26  # chi-squared, 5 degrees: p < 1e-4


def test_a_row_depends_on_its_text_and_key_alone():
    objective = BlankInfilling()
    text = whole(6, 64)
    keys = draws(np.random.default_rng(3), 6)
    batch = objective.build(text, keys, SPECIAL)
    for r in range(6):
        alone = objective.build(text[r : r + 1], keys.take(slice(r, r + 1)), SPECIAL)
        ours, theirs = rows_of(batch, r), rows_of(alone, 0)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_packed_documents_do_not_see_each_other():
    text = packed([20, 30, 25], 75)
    batch = BlankInfilling()(text, np.random.default_rng(0), SPECIAL)
    document, visible = batch.document_BT[0], batch.visible()[0]
    real = document >= 0
    assert set(document[real]) == {0, 1, 2}
    assert not visible[document[:, None] != document[None, :]].any()


def test_part_a_is_bidirectional_and_part_b_causal():
    golden = json.loads((GOLDEN / "18_attention_mask.json").read_text())["cases"][0]
    example = infill([11, 12, 13], [(1, 2)], SPECIAL)
    batch = laid([[replace(example, context=golden["sep"])]], multiple=1)
    sep, visible = golden["sep"], batch.visible()[0]
    size = batch.width
    assert visible.tolist() == [[k < sep or k <= q for k in range(size)] for q in range(size)]


@pytest.mark.parametrize("spans", [Document(), Sentences()])
def test_task_masks_name_the_task(spans):
    text = with_sentences(whole(2, 40, closed=True), 8)
    batch = BlankInfilling(spans, task_masks=True)(text, np.random.default_rng(0), SPECIAL)
    wanted = SPECIAL.gmask if isinstance(spans, Document) else SPECIAL.smask
    assert wanted in batch.tokens_BT and M not in batch.tokens_BT
    with pytest.raises(ValueError, match="lacks"):
        BlankInfilling(spans, task_masks=True)(
            text, np.random.default_rng(0), replace(SPECIAL, gmask=None, smask=None)
        )


def test_too_few_sentinels_are_an_error_that_says_so():
    few = replace(SPECIAL, sentinel_masks=(400,), sentinel_starts=(401,))
    with pytest.raises(ValueError, match="blanks and the vocabulary 1 sentinels"):
        BlankInfilling(sentinels="full")(whole(1, 200), np.random.default_rng(0), few)
    with pytest.raises(ValueError, match="'some'"):
        replace(BlankInfilling(), sentinels="some")


def test_the_same_generator_gives_the_same_batch_and_no_text_gives_none():
    text = whole(4, 64)
    one, two = (BlankInfilling(Poisson())(text, np.random.default_rng(5), SPECIAL) for _ in "ab")
    assert same(one, two)
    assert not same(one, BlankInfilling()(text, np.random.default_rng(6), SPECIAL))
    nothing = BlankInfilling()(np.array([[1, 0], [1, 0]]), np.random.default_rng(0), SPECIAL)
    assert nothing.targets == 0 and nothing.positions == 4
