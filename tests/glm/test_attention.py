"""One rule and several ways to compute it (golden 18): all of them agree with a naive reference."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from glm.models.attention import BACKENDS, barrier, choose, flex, rule, visible
from glm.models.transformer import Shape, build, loss
from tests.glm.golden import read, tiny_batch, tiny_model

# Two documents, candidates in branches 1 and 2, padding; T = 12.
DOCUMENT = [[0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, -1], [0] * 12]
BRANCH = [[0, 0, 0, 0, 0, 1, 1, 2, 2, 1, 1, 0], [1] * 12]
BOUNDS = {torch.float64: 1e-9, torch.float32: 2e-6, torch.bfloat16: 2e-2}
AVAILABLE = [
    name
    for name, backend in BACKENDS.items()
    if "cpu" in backend.devices or torch.cuda.is_available()
]


# FlexAttention has no fp64; what is exact is tested on the others.
EXACT = [name for name in AVAILABLE if name != "flex"]
PARITY = [(n, dtype) for n in AVAILABLE for dtype in BOUNDS if n in EXACT or dtype.itemsize < 8]


def rows():
    return torch.tensor(DOCUMENT), torch.tensor(BRANCH)


def naive(q, k, v, document_BT, branch_BT):
    """Attention by its definition in fp64, one query at a time."""
    q, k, v = (x.double() for x in (q, k, v))
    attended = torch.zeros_like(v)
    for b in range(q.shape[0]):
        for t in range(q.shape[2]):
            seen = [
                s
                for s in range(k.shape[2])
                if document_BT[b, s] == document_BT[b, t]
                and (branch_BT[b, s] == 0 or (branch_BT[b, s] == branch_BT[b, t] and s <= t))
            ]
            for n in range(q.shape[1]):
                scores = q[b, n, t] @ k[b, n, seen].T / q.shape[3] ** 0.5
                attended[b, n, t] = scores.softmax(0) @ v[b, n, seen]
    return attended


def device_of(name):
    return BACKENDS[name].devices[0]


@pytest.mark.parametrize("case", read("18_attention_mask")["cases"], ids=lambda c: f"T{c['T']}")
def test_the_rule_is_the_original_one_for_a_part_a_and_a_part_b(case):
    branch_BT = (torch.arange(case["T"]) >= case["sep"]).long()[None]
    found = visible(torch.zeros_like(branch_BT), branch_BT)[0, 0]
    assert found.int().tolist() == case["expected"]


def test_documents_branches_and_padding_do_not_see_one_another():
    seen = visible(*rows())[0, 0]
    by_query = [row.nonzero()[:, 0].tolist() for row in seen]
    assert by_query[0] == [0, 1, 2]  # Part A of document 0 sees itself, both ways
    assert by_query[4] == [3, 4]  # Part A of document 1
    assert by_query[6] == [0, 1, 2, 5, 6]  # candidate 1 of document 0: context and its past
    assert by_query[7] == [0, 1, 2, 7]  # candidate 2 does not see candidate 1
    assert by_query[9] == [3, 4, 9]
    assert by_query[11] == [11]  # padding sees padding
    assert not seen[:11, 11].any()


@pytest.mark.parametrize("name, dtype", PARITY, ids=str)
def test_a_backend_equals_the_naive_reference(name, dtype):
    torch.manual_seed(0)
    document_BT, branch_BT = rows()
    q, k, v = torch.randn(3, 2, 2, 12, 16, dtype=dtype)
    expected = naive(q, k, v, document_BT, branch_BT)
    device, backend = device_of(name), BACKENDS[name]
    mask = backend.prepare(document_BT.to(device), branch_BT.to(device), dtype)
    found = backend.attend(q.to(device), k.to(device), v.to(device), mask, 0.0)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double().cpu(), expected, rtol=0, atol=BOUNDS[dtype])


@pytest.mark.parametrize("name", EXACT)
def test_a_backends_gradients_equal_those_of_the_definition(name):
    torch.manual_seed(1)
    document_BT, branch_BT = rows()
    weight = torch.randn(2, 2, 12, 8, dtype=torch.float64)
    inputs = torch.randn(3, 2, 2, 12, 8, dtype=torch.float64)

    def gradient(attend):
        given = inputs.clone().requires_grad_(True)
        (attend(*given) * weight).sum().backward()
        return given.grad

    expected = gradient(lambda q, k, v: naive(q, k, v, document_BT, branch_BT))
    mask = BACKENDS[name].prepare(document_BT, branch_BT, torch.float64)
    found = gradient(lambda q, k, v: BACKENDS[name].attend(q, k, v, mask, 0.0))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_scores_of_any_size_leak_nothing(name, dtype):
    # The scores that would leak are 1e4 above all others: an additive mask would lose to them.
    document_BT, branch_BT = rows()
    device = device_of(name)
    q = torch.full((2, 1, 12, 16), 50.0, dtype=dtype, device=device, requires_grad=True)
    k = torch.full((2, 1, 12, 16), 1.0, dtype=dtype, device=device)
    k[:, :, 5:] = 100.0  # Part B and padding: scores of 2e4, of Part A 2e2
    k.requires_grad_(True)
    v = torch.ones(2, 1, 12, 16, dtype=dtype, device=device, requires_grad=True)
    mask = BACKENDS[name].prepare(document_BT.to(device), branch_BT.to(device), dtype)
    attended = BACKENDS[name].attend(q, k, v, mask, 0.0)
    attended[0, :, :5].sum().backward()
    assert q.grad is not None and k.grad is not None and v.grad is not None
    assert (v.grad[0, :, 5:] == 0).all() and (k.grad[0, :, 5:] == 0).all()
    assert (v.grad[0, :, :5] > 0).all() and torch.isfinite(q.grad).all()


@pytest.mark.parametrize("name", EXACT)
def test_gradients_connect_exactly_what_the_rule_connects(name):
    # Through a whole layer: d out[q] / d x[k] is zero if and only if q does not see k.
    shape = Shape(1, 16, 2, 64, positions=16, dropout=0.0, attention_dropout=0.0)
    model = build(shape, seed=0).double()
    block = model.blocks[0]
    document_BT, branch_BT = rows()
    x = torch.randn(2, 12, 16, dtype=torch.float64, requires_grad=True)
    mask = BACKENDS[name].prepare(document_BT, branch_BT, torch.float64)
    out = block.finish(x, BACKENDS[name].attend(*block.qkv(x), mask, 0.0))
    seen = visible(document_BT, branch_BT)[:, 0]
    for q in range(12):
        (gradient,) = torch.autograd.grad(out[:, q].square().sum(), x, retain_graph=True)
        assert torch.equal(gradient.abs().sum(-1) > 0, seen[:, q])


@pytest.mark.parametrize("name", EXACT)
def test_a_whole_model_leaks_nothing_from_part_b_to_part_a(name):
    model, batch = tiny_model(), tiny_batch()
    with torch.no_grad():
        for block in model.blocks:
            block.fused.weight.mul_(300)  # scores of magnitude 1e4 and more
    before = model(batch, name)
    changed = batch.tokens_BT.clone()
    changed[:, 9:] = 7
    after = model(dataclasses.replace(batch, tokens_BT=changed), name)
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(before[:, 9:], after[:, 9:])


def test_padding_gives_no_nan_and_changes_nothing():
    model, batch = tiny_model(), tiny_batch()
    wide = {
        name: F.pad(getattr(batch, name), (0, 5), value=-1 if name == "document_BT" else 0)
        for name in ("tokens_BT", "position_BT", "inner_BT", "document_BT", "branch_BT")
    }
    row, column = batch.index_M // 15, batch.index_M % 15
    padded = dataclasses.replace(batch, **wide, index_M=row * 20 + column)
    for name in ("matmul", "sdpa"):
        narrow, broad = model(batch, name), model(padded, name)
        assert torch.isfinite(broad).all()
        torch.testing.assert_close(broad[:, :15], narrow, rtol=0, atol=1e-12)
    value = loss(model, padded, vocabulary=64)
    torch.testing.assert_close(value, loss(model, batch, vocabulary=64), rtol=0, atol=1e-12)
    value.backward()
    for parameter in model.parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()


def test_flex_asks_the_same_question_of_every_pair():
    from torch.nn.attention.flex_attention import create_mask

    document_BT, branch_BT = rows()
    mask = create_mask(rule(document_BT, branch_BT), 2, 1, 12, 12, device="cpu")
    assert torch.equal(mask, visible(document_BT, branch_BT))


def test_flex_refuses_dropout_and_is_not_chosen_with_it():
    q = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="no attention dropout"):
        flex(q, q, q, None, 0.1)
    for training in (True, False):
        for length in (64, 512, 2048):
            assert choose("cuda", torch.bfloat16, training, length, 0.1) != "flex"
    assert choose("cuda", torch.bfloat16, True, 512, 0.0) == "flex"


@pytest.mark.parametrize("length", [64, 512])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
def test_the_choice_for_a_cpu_runs_on_a_cpu(dtype, training, dropout, length):
    assert "cpu" in BACKENDS[choose("cpu", dtype, training, length, dropout)].devices


def test_training_in_bf16_on_a_cpu_takes_the_matrix_products():
    assert choose("cpu", torch.bfloat16, True, 512, 0.0) == "matmul"
    assert choose("cpu", torch.bfloat16, False, 512, 0.0) == "sdpa"
    assert choose("cpu", torch.float32, True, 512, 0.0) == "sdpa"


def test_attention_dropout_keeps_the_mean_and_repeats_from_its_seed():
    document_BT, branch_BT = rows()
    q = k = torch.zeros(2, 1, 12, 4)
    v = torch.ones(2, 1, 12, 4)
    mask = barrier(visible(document_BT, branch_BT), torch.float32)

    def dropped(seed):
        torch.manual_seed(seed)
        return BACKENDS["matmul"].attend(q, k, v, mask, 0.3)

    assert torch.equal(dropped(5), dropped(5)) and not torch.equal(dropped(5), dropped(6))
    mean = torch.stack([dropped(seed) for seed in range(400)]).mean()
    assert mean.item() == pytest.approx(1.0, abs=0.03)
