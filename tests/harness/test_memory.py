"""What does not fit into memory is refused before it is read; memory is what a cgroup leaves."""

import json
import os
from pathlib import Path

import pytest

from harness import memory
from harness.errors import UserError
from harness.grid import load as grids

GRID = """
name: rows
scale: micro
tables: [{{id: mine, split: dev, rows: [{{checkpoint: {folder}}}], columns: [rte]}}]
"""


def weights(folder: Path, header: bytes, size: int) -> Path:
    """A checkpoint whose file says so, and is a hole of so many bytes."""
    folder.mkdir()
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + size)
    (folder.parent / "grid.yaml").write_text(GRID.format(folder=folder))
    return folder.parent / "grid.yaml"


def test_a_checkpoint_larger_than_memory_is_refused_with_its_size(tmp_path: Path) -> None:
    size = 2**40
    header = b'{"w": {"dtype": "BF16", "shape": [%d], "data_offsets": [0, %d]}}' % (size // 2, size)
    grid = weights(tmp_path / "model", header, size)
    with pytest.raises(UserError, match=r"model takes 2,199 GB in fp32: there are \d+ \(limits"):
        grids.load(grid)
    assert grids.load(grid, ["limits.memory_gb=3000"])


def test_a_checkpoint_that_is_no_whole_file_is_refused_with_the_grid(tmp_path: Path) -> None:
    grid = weights(tmp_path / "model", b'{"w": 3}', 0)
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be read as safetensors"):
        grids.load(grid)


@pytest.mark.parametrize(
    ("membership", "file", "text", "expected"),
    [
        ("0::/job/step\n", "job/memory.max", "1000000\n", 1_000_000),
        ("0::/job/step\n", "job/step/memory.max", "max\n", None),
        ("4:memory:/job\n", "memory/job/memory.limit_in_bytes", "2000000\n", 2_000_000),
        ("0::/job\n", "job/memory.max", "nonsense\n", None),
    ],
)
def test_memory_is_what_the_cgroup_leaves(
    membership: str, file: str, text: str, expected: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "cgroup" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (tmp_path / "self").write_text(membership)
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory.allowed(tmp_path / "cgroup", tmp_path / "self") == (expected or whole)
