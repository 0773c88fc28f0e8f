"""What a parser raises: a fault of its file, unless it says nothing of the file."""

from pathlib import Path

import pytest
import torch

from harness.errors import TimeLimit, is_out_of_memory
from tasks.errors import UserError
from tasks.source import outside

PATH = Path("model.safetensors")


@pytest.mark.parametrize("error", [KeyError("a"), RuntimeError("bad"), RecursionError()], ids=repr)
def test_a_fault_of_a_file_is_one_sentence_with_its_place(error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"^model\.safetensors: cannot be read as weights"),
        outside.parsing(PATH, "weights"),
    ):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    ],
    ids=repr,
)
def test_that_memory_ran_out_is_no_fault_of_the_file(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, outside.parsing(PATH, "weights"):
        raise error
    assert raised.value is error and is_out_of_memory(error)


def test_a_time_limit_that_is_reached_while_parsing_stays_one() -> None:
    with pytest.raises(TimeLimit), outside.parsing(PATH, "weights"):
        raise TimeLimit("ran past its time limit of 2 s")
