"""The optimiser's groups and the schedule, against the original (golden 05, 09)."""

import pytest
import torch

from glm.models.importers import original_name
from glm.training.optim import adamw, clip, groups, schedule, set_rate
from tests.glm.golden import read, tiny_model

SCHEDULES = read("09_lr_schedule")


def test_the_decay_groups_are_the_original_ones():
    model, golden = tiny_model(), read("05_tiny_model_forward")
    names = {id(parameter): original_name(name) for name, parameter in model.named_parameters()}
    decayed, not_decayed = groups(model, 0.1)
    assert sorted(names[id(p)] for p in decayed["params"]) == golden["weight_decay_group"]
    assert sorted(names[id(p)] for p in not_decayed["params"]) == golden["no_decay_group"]
    assert (decayed["weight_decay"], not_decayed["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize("case", SCHEDULES["cases"], ids=lambda case: case["style"])
def test_the_rate_is_the_original_one_up_to_the_last_step(case):
    for step, expected in zip(SCHEDULES["steps"], case["expected"], strict=True):
        if step <= case["N"]:
            rate = rate_of(case, step)
            assert rate == pytest.approx(expected, rel=1e-12, abs=1e-20), step


@pytest.mark.parametrize("case", SCHEDULES["cases"], ids=lambda case: case["style"])
def test_the_rate_stays_at_its_floor_after_the_last_step(case):
    assert rate_of(case, 5000) == pytest.approx(case["lr"] * case["decay_ratio"])


def rate_of(case: dict, step: int) -> float:
    given = {"peak": case["lr"], "warmup": case["warmup"], "floor": case["decay_ratio"]}
    return schedule(case["style"], step, total=case["N"], **given)


def test_a_constant_rate_warms_up_too():
    given = {"peak": 1.0, "warmup": 0.1, "total": 100, "floor": 0.0}
    assert [schedule("constant", step, **given) for step in (0, 5, 10, 100, 200)] == [
        0.0,
        0.5,
        1.0,
        1.0,
        1.0,
    ]


def test_without_warmup_the_first_step_has_the_peak():
    assert schedule("linear", 0, peak=1.0, warmup=0.0, total=10, floor=0.0) == 1.0


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match=r"square.*cosine, linear, constant"):
        schedule("square", 0, peak=1.0, warmup=0.0, total=10, floor=0.0)


def test_clipping_scales_all_gradients_together():
    model = torch.nn.Linear(2, 1, bias=False)
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clip(model, 1.0).item() == 5.0
    torch.testing.assert_close(model.weight.grad, torch.tensor([[0.6, 0.8]]))


def test_one_update_follows_adamw_with_decoupled_decay():
    model = torch.nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.bias.fill_(2.0)
    optimiser = adamw(model, weight_decay=0.5, betas=(0.9, 0.999), epsilon=0.0)
    set_rate(optimiser, 0.1)
    model.weight.grad, model.bias.grad = torch.ones(1, 1), torch.ones(1)
    optimiser.step()
    # Adam's first update is the rate itself; decay takes rate * decay * weight, from matrices only.
    assert model.weight.item() == pytest.approx(2.0 - 0.1 * 0.5 * 2.0 - 0.1, abs=1e-6)
    assert model.bias.item() == pytest.approx(2.0 - 0.1, abs=1e-6)
