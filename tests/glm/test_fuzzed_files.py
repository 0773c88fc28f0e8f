"""Files of every kind, cut or with bits flipped: read as they are, or refused with a sentence."""

import io
import json
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from glm.data import tokenizer
from glm.models.importers import export_hf, import_hf
from glm.models.shape import Shape
from glm.models.transformer import build
from glm.training import checkpoints
from glm.training.opening import opened
from harness.steps.documents import read
from tasks import TASKS
from tasks.errors import UserError
from tasks.source.folder import Folder
from tasks.source.rows import load
from tests.glm import foreign
from tests.tasks.samples import RECORDS, jsonl, put

TEXTS = ["the cat sat on the mat .", "zwei – dokumente", "a [MASK] of three"] * 3


@dataclass(frozen=True)
class Kind:
    """A folder that `write` makes, the file of it that is damaged, and who reads it."""

    file: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    examples: int = 40


def trained(folder: Path) -> None:
    tokenizer.train_wordpiece(TEXTS, 80).save(folder)


def bpe(folder: Path) -> None:
    pieces = {"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}
    (folder / "vocab.json").write_text(json.dumps(pieces))
    (folder / "merges.txt").write_text("#version: 0.2\na b\n")


def wordpiece(folder: Path) -> None:
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n")


def native(folder: Path) -> None:
    checkpoints.save(folder, build(Shape(1, 8, 2, 128, positions=8), seed=0))


def exported(folder: Path) -> None:
    export_hf(build(Shape(1, 8, 2, 128, positions=8), seed=0), folder)


def elsewhere(folder: Path) -> None:
    foreign.write(foreign.DECODERS[0], folder)


def archive(folder: Path) -> None:
    with tarfile.open(folder / "c.tar", "w") as out:
        for number, text in enumerate(TEXTS):
            member = tarfile.TarInfo(f"{number}.txt")
            member.size = len(text.encode())
            out.addfile(member, io.BytesIO(text.encode()))


def packed(folder: Path) -> None:
    rows = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in TEXTS)
    (folder / "c.jsonl.xz").write_bytes(lzma.compress(rows))


def table(folder: Path) -> None:
    parquet.write_table(pa.table({"text": TEXTS}), folder / "c.parquet", compression="zstd")


def corpus(name: str) -> Callable[[Path], object]:
    return lambda folder: list(read(folder / name))


def premises(folder: Path) -> None:
    put(folder, "copa", jsonl([RECORDS["copa"]]))


def rows(folder: Path) -> object:
    return load(TASKS["copa"], "dev", Folder(str(folder)))


KINDS = {
    "vocab.txt": Kind("vocab.txt", wordpiece, tokenizer.load),
    "vocab.json": Kind("vocab.json", bpe, tokenizer.load),
    "merges.txt": Kind("merges.txt", bpe, tokenizer.load),
    "tokenizer.json": Kind("tokenizer.json", trained, tokenizer.load),
    "special.json": Kind("special.json", trained, tokenizer.load),
    "checkpoint.json": Kind("checkpoint.json", native, checkpoints.load),
    "safetensors": Kind("model.safetensors", native, checkpoints.load),
    "bin": Kind("pytorch_model.bin", exported, import_hf),
    "transformers' config": Kind("config.json", elsewhere, opened, 10),
    "transformers' tokenizer": Kind("tokenizer.json", elsewhere, opened, 6),
    "jsonl.xz": Kind("c.jsonl.xz", packed, corpus("c.jsonl.xz")),
    "tar": Kind("c.tar", archive, corpus("c.tar")),
    "parquet": Kind("c.parquet", table, corpus("c.parquet"), 8),
    "rows": Kind(f"{TASKS['copa'].folder}/val.jsonl", premises, rows),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    name: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    kind = KINDS[name]
    kind.write(tmp_path)
    path = tmp_path / kind.file
    whole = path.read_bytes()
    kind.read(tmp_path)

    # Most of a file of weights is numbers, which may be any: damage comes to the beginning as well.
    places = st.one_of(st.integers(0, len(whole) - 1), st.integers(0, min(len(whole), 600) - 1))
    flips = st.lists(st.tuples(places, st.integers(0, 7)), max_size=4)

    @settings(max_examples=kind.examples, deadline=None, derandomize=True, database=None)
    @given(flips, st.none() | places)
    def damaged(bits: list[tuple[int, int]], cut: int | None) -> None:
        content = bytearray(whole)
        for at, bit in bits:
            content[at] ^= 1 << bit
        path.write_bytes(content[:cut])
        try:
            kind.read(tmp_path)
        except UserError as error:
            assert str(error).strip()

    damaged()
