"""The training loop: resumed runs repeat the same bits, parts make the same whole, NaN stops."""

import math
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from glm.data.example import part
from glm.data.special import Special
from glm.data.stream import batch_at, stream
from glm.models import networks
from glm.models.flops import parameter_count
from glm.models.transformer import Shape, build, loss, tensors
from glm.objectives.blank_infilling import BlankInfilling
from glm.training import loop
from glm.training.learner import Learner
from glm.training.optimisation import Optimisation
from glm.training.pieces import Piece
from harness.errors import Diverged, Interrupted
from harness.steps.step import Machine
from tests.present import present

SPECIAL = Special(
    pad=0, eos=0, cls=1, sep=2, mask=3, unk=4, start=5, end=6, size=64, padded=128,
    sentence_end=(7,),
)  # fmt: skip
SHAPE = Shape(2, 32, 2, 128, positions=48, activation="gelu", dropout=0.1, attention_dropout=0.1)
OPTIMISATION = Optimisation(steps=8, lr=1e-2, warmup_steps=2, decay_steps=8)


@dataclass
class Bench:
    """A `Work` that stops when it is told to."""

    folder: Path
    stop_after: int = 10**9
    how: dict[str, Any] = field(default_factory=dict)
    machine: Machine = field(default_factory=lambda: Machine(device="cpu"))
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: int = 0

    def log(self, event, **facts):
        self.lines.append((event, facts))

    def stopping(self):
        self.asked += 1
        return self.asked >= self.stop_after


def corpus():
    rng = np.random.default_rng(0)
    return stream([rng.integers(8, 64, size=60).tolist() for _ in range(20)], SPECIAL)


def on_cpu(model: Any) -> Learner:
    """The model alone, with nothing around or beside it."""
    return Learner(model, model, None, torch.device("cpu"))


def trained(work, *, rows=4, parts=1, poison=-1, optimisation=OPTIMISATION):
    """A tiny model after pretraining, in `parts` micro-batches a step."""
    torch.set_num_threads(1)
    model = build(SHAPE, seed=1)
    data = corpus()

    def pieces(step):
        batch = batch_at(data, BlankInfilling(), SPECIAL, seed=0, step=step, rows=rows, length=32)
        total, made = batch.weight_M.sum(), []
        size = rows // parts
        for at in range(0, rows, size):
            micro = tensors(part(batch, at, at + size))
            share = float(micro.weight_M.sum() / total)
            scale = math.nan if step == poison else 1.0
            made.append(
                Piece(
                    lambda micro=micro, scale=scale: loss(model, micro, vocabulary=64) * scale,
                    share,
                    {"positions": 1.0},
                    [f"row {at}"],
                )
            )
        return made

    ledger = loop.train(
        on_cpu(model),
        pieces,
        optimisation,
        work,
        seed=3,
        checkpoint_seconds=work.machine.checkpoint_seconds,
    )
    return model, ledger


def bits(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("stop_after", [1, 3, 7])
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path, stop_after):
    whole, ledger = trained(Bench(tmp_path / "whole"))
    with pytest.raises(Interrupted):
        trained(Bench(tmp_path / "cut", stop_after=stop_after))
    resumed = Bench(tmp_path / "cut")
    after, other = trained(resumed)
    assert resumed.lines[0] == ("resume", {"step": stop_after})
    for name, tensor in bits(whole).items():
        assert torch.equal(tensor, after.state_dict()[name]), name
    assert other["positions"] == ledger["positions"]


def test_micro_batches_give_the_same_step_up_to_rounding(tmp_path):
    still = Shape(2, 32, 2, 128, positions=48, activation="gelu", dropout=0, attention_dropout=0)
    torch.set_num_threads(1)
    gradients = []
    batch = batch_at(corpus(), BlankInfilling(), SPECIAL, seed=0, step=0, rows=4, length=32)
    for size in (4, 2, 1):
        model = build(still, seed=1).double()
        for at in range(0, 4, size):
            micro = tensors(part(batch, at, at + size))
            share = float(micro.weight_M.sum()) / float(batch.weight_M.sum())
            (loss(model, micro, vocabulary=64) * share).backward()
        gradients.append(torch.cat([present(p.grad).flatten() for p in model.parameters()]))
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-6, atol=1e-9)


def test_a_loss_that_is_no_number_stops_the_run_at_once_with_the_batch(tmp_path):
    with pytest.raises(Diverged) as caught:
        trained(Bench(tmp_path), poison=5)
    assert caught.value.step == 5
    assert caught.value.detail["batch"] == ["row 0"]
    assert "diverged@5" in str(caught.value)


class Cliff(torch.autograd.Function):
    """A loss of 1 whose gradient is no number."""

    @staticmethod
    def forward(ctx, x):
        return x.sum() * 0 + 1

    @staticmethod
    def backward(ctx, grad):
        return grad * torch.full((4,), math.nan)


def step_on(loss_of, tmp_path, lr=1e-2):
    """One update of a model of four weights by a loss of its own."""
    model: Any = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    piece = Piece(lambda: loss_of(model.weight.flatten()), 1.0, ids=["q7"])
    return loop.train(
        on_cpu(model),
        lambda step: [piece],
        Optimisation(steps=1, lr=lr, warmup_steps=0, decay_steps=2),
        Bench(tmp_path),
        seed=0,
        checkpoint_seconds=1e9,
    )


def test_a_gradient_that_is_no_number_stops_the_run_though_the_loss_is_one(tmp_path):
    with pytest.raises(Diverged) as caught:
        step_on(Cliff.apply, tmp_path)
    assert caught.value.detail["loss"] == "1.0"
    assert caught.value.detail["gradient_norm"] == "nan"
    assert caught.value.detail["batch"] == ["q7"]


def test_a_last_update_that_makes_no_numbers_is_no_trained_model(tmp_path):
    with pytest.raises(Diverged, match=r"diverged@1 .*after the last update"):
        step_on(torch.sum, tmp_path, lr=1e39)


def test_the_curve_has_a_line_at_the_last_step_and_falls(tmp_path):
    work = Bench(tmp_path)
    trained(work, optimisation=Optimisation(40, 1e-2, 4, 40))
    curve = [facts for event, facts in work.lines if event == "step"]
    assert [line["step"] for line in curve] == [10, 20, 30, 40]
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert curve[-1]["lr"] == pytest.approx(0.0)


@pytest.mark.parametrize("decoder", [0, 2])
def test_counted_flops_are_those_that_torch_counts(decoder):
    shape = Shape(3, 32, 2, 128, 48, dropout=0, attention_dropout=0, decoder=decoder)
    model = networks.build(shape, seed=0).eval()
    batch = batch_at(corpus(), BlankInfilling(), SPECIAL, seed=0, step=0, rows=4, length=32)
    inputs = tensors(batch)
    with FlopCounterMode(display=False) as counter:
        # The counter knows matrix products, not the CPU's fused attention: name the backend.
        hidden = model(inputs, backend="matmul").flatten(0, 1)[inputs.index_M]
        model.logits(hidden).sum().backward()
    assert counter.get_total_flops() == model.shape.training_flops(batch.extent, len(batch.index_M))


def test_counted_parameters_are_those_of_the_model():
    for inner, decoder in product((True, False), (0, 1, 3)):
        shape = Shape(2, 48, 2, 256, positions=64, inner=inner, decoder=decoder)
        count = sum(p.numel() for p in networks.build(shape, seed=0).parameters())
        assert parameter_count(2, 48, 256, 64, inner, decoder) == count == shape.parameters()
