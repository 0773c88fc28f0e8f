"""What a safetensors file says that it holds, read within bounds and without its tensors.

    8 bytes, little endian    the length of the header
    the header, JSON          {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    the tensors               one after the other

The library trusts a header of 100 MB, which fills the memory before a tensor is read.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import UserError
from tasks.source import outside
from tasks.source.files import opened_raw

LONGEST = 16 * 2**20  # bytes of a header
MOST = 200_000  # tensors
WHAT = "safetensors"
BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


@dataclass(frozen=True)
class Header:
    """One tensor: its type, as safetensors names it, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def headers(path: Path) -> dict[str, Header]:
    """The tensors of a file by name. Raises `UserError` where it is cut short or says nonsense."""
    size = path.stat().st_size if path.is_file() else 0
    with opened_raw(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(LONGEST, size - 8):
            raise UserError(
                f"{path}: not a whole {WHAT} file: a header of {length:,} bytes in a file of "
                f"{size:,} (at most {LONGEST:,} are read)"
            )
        text = file.read(length)
    with outside.parsing(path, WHAT):
        return dict(_tensors(path, json.loads(text), size - 8 - length))


def _tensors(
    path: Path, said: Mapping[str, Mapping[str, list[int]]], size: int
) -> Iterator[tuple[str, Header]]:
    if len(said) > MOST:
        raise UserError(f"{path}: {len(said):,} tensors, at most {MOST:,} are read")
    for name, facts in said.items():
        if name == "__metadata__":
            continue
        found = Header(str(facts["dtype"]), tuple(facts["shape"]))
        begin, end = facts["data_offsets"]
        whole = all(type(side) is int and side >= 0 for side in (*found.shape, begin, end))
        if not whole or found.dtype not in BITS or end > size:
            raise UserError(f"{path}: not a whole {WHAT} file: {name[:80]} is {str(facts)[:200]}")
        if found.numbers * BITS[found.dtype] != 8 * (end - begin):
            raise UserError(
                f"{path}: not a whole {WHAT} file: {name[:80]} of {found.shape} in "
                f"{end - begin:,} bytes"
            )
        yield name, found


def of_folder(folder: Path) -> dict[str, Header]:
    """The tensors of all of a folder's safetensors files."""
    return {
        name: tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in headers(path).items()
    }
