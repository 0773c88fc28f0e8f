"""The Transformer against the original's numbers (golden 05, 06, 16) and its own promises."""

import dataclasses

import pytest
import torch

from glm.importers import original_name
from glm.model import Shape, Transformer, loss
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
        assert parameter.grad.norm().item() == pytest.approx(norm, abs=1e-9), name
        assert parameter.grad.sum().item() == pytest.approx(total, abs=1e-9), name
