"""The Transformer against the original's numbers (golden 05, 06, 16) and its own promises."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from glm.models.cross_entropy import cross_entropy
from glm.models.importers import original_name
from glm.models.transformer import Shape, Transformer, build, lengthen, loss
from tests.glm.golden import read, tiny_batch, tiny_model

SIZES = {
    "glm-base (12x768, V30592, P512)": Shape(12, 768, 12, 30592),
    "glm-large": Shape(24, 1024, 16, 30592),
    "glm-roberta-large": Shape(24, 1024, 16, 50304),
    "glm-large-chinese": Shape(24, 1024, 16, 50048, positions=1024),
    "glm-410m": Shape(30, 1024, 16, 30592),
    "glm-515m": Shape(30, 1152, 18, 30592),
    "glm-2b": Shape(36, 2048, 32, 50304, positions=1024),
    "glm-10b": Shape(48, 4096, 64, 50304, positions=1024),
}
SMALL = Shape(2, 32, 4, 128, positions=32)


@pytest.mark.parametrize("name", SIZES)
def test_a_released_size_has_the_released_number_of_parameters(name):
    shape = SIZES[name]
    with torch.device("meta"):
        model = Transformer(shape)
    expected = read("16_param_counts_init")["param_counts"][name]
    assert shape.parameters() == expected
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_without_inner_positions_there_is_one_table_one_row_shorter():
    shape = dataclasses.replace(SMALL, inner=False)
    model = Transformer(shape)
    assert model.inner is None and model.position.weight.shape == (32, 32)
    assert sum(parameter.numel() for parameter in model.parameters()) == shape.parameters()


def test_parameters_answer_to_the_original_names():
    golden = read("05_tiny_model_forward")["param_shapes"]
    ours = {original_name(name): list(p.shape) for name, p in tiny_model().named_parameters()}
    assert ours == golden


@pytest.mark.parametrize("backend", ["matmul", "sdpa"])
def test_logits_equal_the_original(backend):
    expected = torch.tensor(
        read("05_tiny_model_forward")["expected"]["logits"], dtype=torch.float64
    )
    model = tiny_model()
    logits = model.logits(model(tiny_batch(), backend))
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("key, smoothing", [("loss", 0.0), ("label_smoothed_loss_eps0_1", 0.1)])
def test_the_loss_equals_the_original(key, smoothing):
    expected = read("05_tiny_model_forward")["expected"][key]
    value = loss(tiny_model(), tiny_batch(), vocabulary=64, label_smoothing=smoothing)
    assert value.item() == pytest.approx(expected, abs=1e-9)


def test_gradients_equal_the_original():
    model = tiny_model()
    loss(model, tiny_batch(), vocabulary=64).backward()
    expected = read("05_tiny_model_forward")["expected"]["grad_norm_and_sum"]
    for name, parameter in model.named_parameters():
        norm, total = expected[original_name(name)]
        assert parameter.grad is not None
        assert parameter.grad.norm().item() == pytest.approx(norm, abs=1e-9), name
        assert parameter.grad.sum().item() == pytest.approx(total, abs=1e-9), name


def test_the_loss_does_not_depend_on_how_its_targets_are_cut_up():
    torch.manual_seed(0)
    hidden, table = torch.randn(10, 8).double(), torch.randn(128, 8).double()
    target, weight = torch.randint(0, 100, (10,)), torch.rand(10)

    def by(make):
        inputs = [hidden.clone().requires_grad_(True), table.clone().requires_grad_(True)]
        value = make(*inputs)
        (3 * value).backward()
        return [value.detach(), inputs[0].grad, inputs[1].grad]

    def definition(h, t):
        each = F.cross_entropy((h @ t.T)[:, :100], target, reduction="none", label_smoothing=0.1)
        return (each * weight).sum()

    expected = by(definition)
    for chunk in (3, 10, 1000):
        found = by(
            lambda h, t, chunk=chunk: cross_entropy(
                h, t, target, weight, vocabulary=100, label_smoothing=0.1, chunk=chunk
            )
        )
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_padding_rows_of_the_table_take_no_probability_and_learn_nothing():
    model, batch = build(SMALL, seed=0).eval(), tiny_batch()
    loss(model, batch, vocabulary=100, label_smoothing=0.1).backward()
    assert model.word.weight.grad is not None
    assert (model.word.weight.grad[100:] == 0).all()
    with torch.no_grad():
        before = loss(model, batch, vocabulary=100)
        model.word.weight[100:] = 50.0
        assert torch.equal(loss(model, batch, vocabulary=100), before)


def test_smoothing_over_the_padded_vocabulary_is_the_original_and_another_number():
    # Golden 05 has no padding rows, so both readings agree there; here 28 of 128 rows pad.
    model, batch = build(SMALL, seed=0).eval(), tiny_batch()
    real = loss(model, batch, vocabulary=100, label_smoothing=0.1)
    padded = loss(model, batch, vocabulary=128, label_smoothing=0.1)
    assert padded.item() != pytest.approx(real.item(), abs=1e-3)


def test_weights_weigh_and_targets_without_weight_do_not_count():
    model, batch = build(SMALL, seed=0).eval(), tiny_batch()
    half = dataclasses.replace(batch, weight_M=batch.weight_M.clone())
    half.weight_M[6:] = 0
    first = dataclasses.replace(
        batch, index_M=batch.index_M[:6], target_M=batch.target_M[:6], weight_M=batch.weight_M[:6]
    )
    torch.testing.assert_close(
        loss(model, half, vocabulary=100), loss(model, first, vocabulary=100)
    )
    none = dataclasses.replace(batch, weight_M=torch.zeros_like(batch.weight_M))
    assert loss(model, none, vocabulary=100).item() == 0.0


def test_initial_weights_are_the_original_ones_in_distribution():
    model = build(Shape(6, 256, 4, 30592), seed=0)
    expected = read("16_param_counts_init")["init_mean_std_6x256"]
    ours = {original_name(name): parameter for name, parameter in model.named_parameters()}
    for name, (mean, deviation) in expected.items():
        parameter, few = ours[name], 6 / ours[name].numel() ** 0.5
        assert parameter.mean().item() == pytest.approx(mean, abs=0.02 * few + 1e-5), name
        found = parameter.std().item() if deviation else (parameter - mean).abs().max().item()
        assert found == pytest.approx(deviation, rel=0.02, abs=1e-7), name


def test_the_same_seed_gives_the_same_weights_and_asks_nothing_of_the_global_generator():
    state = torch.get_rng_state()
    one, two, other = (build(SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["word.weight"], other["word.weight"])


def test_dropout_repeats_from_its_seed_and_is_absent_in_evaluation():
    model, batch = build(SMALL, seed=0), tiny_batch()

    def run(seed):
        torch.manual_seed(seed)
        return loss(model, batch, vocabulary=100).item()

    assert run(3) == run(3) != run(4)
    model.eval()
    assert run(3) == run(4)


def learnt(model: Transformer) -> torch.Tensor:
    """The gradient of the first block's first weight."""
    gradient = model.blocks[0].fused.weight.grad
    assert gradient is not None
    return gradient


def test_bf16_autocast_stays_near_fp32():
    model, batch = build(SMALL, seed=0).eval(), tiny_batch()
    exact = loss(model, batch, vocabulary=100)
    exact.backward()
    gradient = learnt(model).clone()
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        rough = loss(model, batch, vocabulary=100)
    rough.backward()
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0, atol=2e-2)
    difference = (learnt(model) - gradient).norm() / gradient.norm()
    assert difference < 0.05


def test_a_batch_of_numpy_arrays_becomes_tensors():
    batch = tiny_batch()
    assert batch.tokens_BT.dtype == torch.int32 and batch.index_M.dtype == torch.int64
    assert batch.tokens_BT.shape == (2, 15) and len(batch.weight_M) == 12


def test_a_longer_model_keeps_its_first_positions():
    model = build(SMALL, seed=0).eval()
    longer = lengthen(model, 48, seed=7).eval()
    assert longer.shape == dataclasses.replace(SMALL, positions=48)
    assert longer.inner is not None
    assert longer.position.weight.shape == longer.inner.weight.shape == (49, 32)
    batch = tiny_batch()
    assert torch.equal(model(batch), longer(batch))
    with pytest.raises(ValueError, match="more than 16 allow"):
        lengthen(model, 16, seed=7)


@pytest.mark.parametrize("change", [{"heads": 5}, {"activation": "relu"}])
def test_a_shape_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match=r"5 heads|relu"):
        dataclasses.replace(SMALL, **change)
