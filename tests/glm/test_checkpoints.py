"""Checkpoints: native ones to the bit, the released layouts strictly and without running code."""

import collections
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from glm.models.importers import (
    export_hf,
    from_original,
    import_glm,
    import_hf,
    original_name,
)
from glm.models.transformer import Shape, build, loss
from glm.training.allocator import tune_allocator
from glm.training.checkpoints import load, restore, save
from glm.training.optim import adamw, clip, set_rate
from tasks.errors import UserError
from tests.glm.golden import by_formula, read, tiny_batch, tiny_model

SHAPE = Shape(2, 32, 4, 128, positions=32, dropout=0.1, attention_dropout=0.1)


def train(model, optimiser, steps, head=None):
    """A few updates as the training loop makes them: dropout from the seed and the step."""
    model.train()
    whole = model if head is None else torch.nn.ModuleList([model, head])
    batch = tiny_batch()
    for step in steps:
        torch.manual_seed(1000 + step)
        optimiser.zero_grad(set_to_none=True)
        value = loss(model, batch, vocabulary=100)
        if head is not None:
            value = value + head(model(batch)[:, 0]).square().mean()
        value.backward()
        clip(whole, 1.0)
        set_rate(optimiser, 1e-3)
        optimiser.step()


def same_bits(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_resumed_run_repeats_the_bits_of_an_uninterrupted_one(tmp_path):
    straight = build(SHAPE, seed=1)
    optimiser = adamw(straight)
    train(straight, optimiser, range(6))

    first = build(SHAPE, seed=1)
    optimiser = adamw(first)
    train(first, optimiser, range(3))
    save(tmp_path, first, optimiser, {"step": 3})

    again = build(SHAPE, seed=2)
    optimiser = adamw(again)
    extra = restore(tmp_path, again, optimiser)
    train(again, optimiser, range(extra["step"], 6))
    assert same_bits(straight, again)
    assert not same_bits(straight, first)


def test_a_head_is_kept_with_its_model_and_its_moments(tmp_path):
    def begin():
        torch.manual_seed(0)
        model, head = build(SHAPE, seed=1), torch.nn.Linear(32, 3)
        return model, head, adamw(torch.nn.ModuleList([model, head]))

    model, head, optimiser = begin()
    train(model, optimiser, range(4), head)
    again, other_head, optimiser = begin()
    train(again, optimiser, range(2), other_head)
    save(tmp_path, again, optimiser, {}, other_head)

    restored, restored_head = build(SHAPE, seed=2), torch.nn.Linear(32, 3)
    optimiser = adamw(torch.nn.ModuleList([restored, restored_head]))
    restore(tmp_path, restored, optimiser, restored_head)
    train(restored, optimiser, range(2, 4), restored_head)
    assert same_bits(model, restored) and same_bits(head, restored_head)


def test_shape_precision_and_extra_come_back(tmp_path):
    shape = Shape(1, 32, 2, 128, positions=16, inner=False, activation="gelu", dropout=0.0)
    model = build(shape, seed=3).double()
    save(tmp_path, model, None, {"step": 7, "vocabulary": "abc"})
    checkpoint = load(tmp_path)
    assert checkpoint.model.shape == shape and checkpoint.extra == {"step": 7, "vocabulary": "abc"}
    assert checkpoint.model.dtype == torch.float64
    assert same_bits(model, checkpoint.model)


def test_a_writer_stopped_at_any_point_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    old, new = build(SHAPE, seed=1), build(SHAPE, seed=2)
    save(tmp_path, old, adamw(old), {"step": 1})

    def stopped(*_, **__):
        raise KeyboardInterrupt

    # The record is the last thing written: without it the new tensors do not exist.
    monkeypatch.setattr("tasks.atomic.write_json", stopped)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, new, None, {"step": 2})
    checkpoint = load(tmp_path)
    assert checkpoint.extra == {"step": 1} and same_bits(checkpoint.model, old)


def test_saving_again_leaves_one_checkpoints_files(tmp_path):
    for step in range(3):
        model = build(SHAPE, seed=step)
        save(tmp_path, model, adamw(model), {"step": step})
        assert same_bits(load(tmp_path).model, model)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint.json", "model.safetensors", "optimiser.safetensors"}


def test_a_broken_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"checkpoint\.json is missing"):
        load(tmp_path)
    save(tmp_path, build(SHAPE, seed=1))
    with pytest.raises(UserError, match="no optimiser state"):
        model = build(SHAPE, seed=1)
        restore(tmp_path, model, adamw(model))
    with pytest.raises(UserError, match="is of another model"):
        model = build(replace(SHAPE, inner=False), seed=1)
        restore(tmp_path, model, adamw(model))
    tensors = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(tensors[: len(tensors) // 2])
    with pytest.raises(UserError, match=r"model\.safetensors: not a whole safetensors file"):
        load(tmp_path)
    record = json.loads((tmp_path / "checkpoint.json").read_text())
    (tmp_path / "checkpoint.json").write_text(json.dumps({**record, "version": 99}))
    with pytest.raises(UserError, match="version 99"):
        load(tmp_path)


@pytest.fixture
def released(tmp_path):
    """A training run's folder in the released layout, holding the tiny model in fp16."""
    state = by_formula(read("05_tiny_model_forward")["param_shapes"])
    state = collections.OrderedDict((name, tensor.half()) for name, tensor in state.items())
    stored = {
        "module": state,
        "iteration": 150000,
        "lr_scheduler": {"start_lr": 4e-4, "decay_style": "cosine"},
        "np_rng_state": np.random.RandomState(1).get_state(),
        "csr_tensor_module_names": set(),
        "skipped_steps": 0,
    }
    folder = tmp_path / "blocklm-base-blank"
    (folder / "150000").mkdir(parents=True)
    (folder / "latest_checkpointed_iteration.txt").write_text("150000\n")
    torch.save(stored, folder / "150000" / "mp_rank_00_model_states.pt")
    return folder


def rewrite(folder, change):
    """Apply `change` to the state dict in the released folder's file."""
    file = folder / "150000" / "mp_rank_00_model_states.pt"
    state = torch.load(file, weights_only=False)["module"]
    change(state)
    torch.save({"module": state}, file)


def test_a_released_checkpoint_gives_the_model(released):
    model = import_glm(released, heads=2)
    assert model.shape == Shape(2, 16, 2, 64, positions=32)
    expected = tiny_model().half().float()
    assert same_bits(model, expected)
    file = released / "150000" / "mp_rank_00_model_states.pt"
    assert same_bits(import_glm(file, heads=2), import_glm(file.parent, heads=2))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_exported_model_has_the_hugging_face_layout_and_comes_back(tmp_path):
    model = build(SHAPE, seed=5)
    export_hf(model, tmp_path)
    stored = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    assert list(stored) == ["glm." + original_name(name) for name, _ in model.named_parameters()]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["num_layers"], config["num_attention_heads"]) == (2, 4)
    again = import_hf(tmp_path)
    assert again.shape == SHAPE and same_bits(again, model)
    assert same_bits(import_hf(tmp_path / "pytorch_model.bin"), model)


def test_a_state_dict_without_prefix_is_the_same_model(tmp_path):
    # What the original's conversion script writes.
    state = by_formula(read("05_tiny_model_forward")["param_shapes"])
    torch.save(state, tmp_path / "pytorch_model.bin")
    expected = tiny_model().float()
    assert same_bits(import_hf(tmp_path, heads=2), expected)


def test_every_name_must_be_the_expected_one(released):
    rewrite(released, lambda state: state.pop("transformer.final_layernorm.bias"))
    with pytest.raises(UserError, match=r"transformer\.final_layernorm\.bias is missing"):
        import_glm(released, heads=2)
    rewrite(released, lambda state: state.update({"prompt_spell.weight": torch.zeros(2)}))
    with pytest.raises(UserError, match=r"prompt_spell\.weight is unknown"):
        import_glm(released, heads=2)


def test_every_shape_must_be_the_expected_one(released):
    name = "transformer.layers.1.mlp.dense_h_to_4h.weight"
    rewrite(released, lambda state: state.update({name: torch.zeros(63, 16)}))
    with pytest.raises(UserError, match=r"dense_h_to_4h\.weight is \(63, 16\), not \(64, 16\)"):
        import_glm(released, heads=2)


def test_a_pickle_of_more_than_tensors_is_refused_in_one_line(released):
    file = released / "150000" / "mp_rank_00_model_states.pt"
    torch.save({"module": {}, "run": print}, file)
    with pytest.raises(UserError) as refused:
        import_glm(released)
    assert "\n" not in str(refused.value) and str(file) in str(refused.value)
    assert str(refused.value).endswith("it holds print")


def test_files_that_are_no_checkpoints_are_named(released, tmp_path):
    file = released / "150000" / "mp_rank_00_model_states.pt"
    torch.save([1, 2], file)
    with pytest.raises(UserError, match="holds a list"):
        import_glm(released)
    torch.save({"model": {}}, file)
    with pytest.raises(UserError, match="no state dict under 'module'"):
        import_glm(released)
    torch.save({"module": {"weight": torch.zeros(1)}}, file)
    with pytest.raises(UserError, match=r"word_embeddings\.weight or .* it begins with weight"):
        import_glm(released)
    file.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="cannot be read as a file of tensors"):
        import_glm(released)
    (file.parent / "mp_rank_01_model_states.pt").touch()
    with pytest.raises(UserError, match="several model-parallel files"):
        import_glm(released)
    with pytest.raises(UserError, match="no such file"):
        import_hf(tmp_path)


def test_the_original_names_cover_every_parameter():
    model = tiny_model()
    state = {original_name(name): tensor for name, tensor in model.state_dict().items()}
    assert list(from_original(state, list(model.state_dict()))) == list(model.state_dict())


def test_the_allocator_can_be_tuned_or_left_alone():
    assert tune_allocator() in (True, False)
