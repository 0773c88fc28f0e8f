"""What a model is computed on, and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def device_of(wanted: str) -> torch.device:
    """The device that a step computes on: "cpu", "cuda", or "auto" for the best that there is."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def name_of(device: torch.device) -> str:
    """The device in words, for ledgers."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """bf16 where the precision says so; weights and their updates stay fp32."""
    if precision == "fp32":
        return nullcontext()
    if precision != "bf16":
        raise ValueError(f"precision is fp32 or bf16, not {precision!r}")
    return torch.autocast(device.type, torch.bfloat16)
