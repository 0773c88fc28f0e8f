"""The tiny model of golden 05: weights by formula, inputs and expected outputs of the original."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from glm.models.importers import from_original
from glm.models.transformer import Shape, Tensors, Transformer, tensors

GOLDEN = Path(__file__).parents[1] / "golden"


def read(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def by_formula(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """The original's tensors: 0.3 sin(0.7 a + i) at flat index a of parameter i."""
    state = {}
    for i, (name, shape) in enumerate(shapes.items()):
        a = torch.arange(math.prod(shape), dtype=torch.float64)
        norm = "layernorm.weight" in name
        value = 1 + 0.1 * torch.cos(a + i) if norm else 0.3 * torch.sin(0.7 * a + i)
        state[name] = value.reshape(shape)
    return state


def tiny_model() -> Transformer:
    golden = read("05_tiny_model_forward")
    shape = Shape(2, 16, 2, 64, positions=32, dropout=0.0, attention_dropout=0.0)
    model = Transformer(shape).double()
    ours = from_original(by_formula(golden["param_shapes"]), list(model.state_dict()))
    model.load_state_dict(ours)
    return model


def tiny_batch() -> Tensors:
    """The two sequences of golden 05, with its six targets each."""
    given = read("05_tiny_model_forward")["input"]
    tokens_BT = np.array(given["ids"], np.int32)
    position_B2T = np.array(given["position_ids"], np.int32)
    weight = np.array(given["loss_mask"], np.float32).reshape(-1)
    index_M = np.flatnonzero(weight)
    order_T = np.arange(tokens_BT.shape[1])
    branch_BT = (order_T >= np.array(given["sep"])[:, None]).astype(np.int32)
    return tensors(
        SimpleNamespace(
            tokens_BT=tokens_BT,
            position_BT=position_B2T[:, 0],
            inner_BT=position_B2T[:, 1],
            document_BT=np.zeros_like(tokens_BT),
            branch_BT=branch_BT,
            index_M=index_M,
            target_M=np.array(given["target"], np.int64).reshape(-1)[index_M],
            weight_M=weight[index_M],
        )
    )
