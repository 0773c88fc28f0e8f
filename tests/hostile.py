"""Files that are accidents or attacks, read in this process: `python -m tests.hostile FOLDER`.

Prints a JSON line for each: its name, the type and text of what was raised, and the most memory
that the process has had by then. Every file is small, though it may say that it is large.
"""

import contextlib
import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

Read = Callable[[Path], object]
Case = tuple[str, Callable[[Path], Path], Read]  # its name, what writes it, what reads it


def main(folder: Path) -> None:
    """Every case in a folder of its own."""
    for number, (name, write, read) in enumerate(chain(vocabularies(), weights(), corpora())):
        place = folder / str(number)
        place.mkdir()
        path = write(place)
        error: BaseException | None = None
        try:
            read(path)
        except BaseException as raised:
            error = raised
        peak = highest()
        said = {"name": name, "raised": type(error).__name__, "text": str(error), "peak": peak}
        print(json.dumps(said), flush=True)
        shutil.rmtree(place)


def highest() -> int:
    """The most bytes that this process has had in memory; `ru_maxrss` may be its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def put(name: str, content: bytes) -> Callable[[Path], Path]:
    """A file of that name."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


# ---- vocabularies and tokenizers

MARKS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
PIECES = {"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}


def vocabularies() -> Iterator[Case]:
    from glm.data import tokenizer

    lists: dict[str, str | bytes] = {
        "a piece twice": MARKS + "a\nb\na\n",
        "an endless piece": MARKS + "a" * (9 * 2**20),
        "no text": b"\xff\xfe\x00",
        "a NUL": MARKS + "a\0b\n",
        "lines without end": "\n" * 2_100_000,
        "nothing": "",
    }
    for name, content in lists.items():
        raw = content.encode() if isinstance(content, str) else content
        yield f"vocab.txt: {name}", put("vocab.txt", raw), tokenizer.bert

    values: dict[str, object] = {
        "a list": list(PIECES),
        "a text": "abc",
        "a text as id": PIECES | {"ab": "3"},
        "a negative id": PIECES | {"ab": -1},
        "a huge id": PIECES | {"ab": 2**31},
        "an id beyond any": PIECES | {"ab": 10**30},
        "half an id": PIECES | {"ab": 2.5},
        "truth as id": PIECES | {"ab": True},
        "one id twice": PIECES | {"ab": 2},
        "lists as ids": PIECES | {"ab": [3]},
    }
    texts = {name: json.dumps(value).encode() for name, value in values.items()}
    texts |= {
        "NaN as id": b'{"<|endoftext|>": 0, "a": NaN}',
        "deep nesting": b'{"a": ' * 100_000,
        "cut": json.dumps(PIECES).encode()[:-9],
        "half a surrogate": b'{"<|endoftext|>": 0, "\\ud800": 1}',
        "lists without end": b"[" + b"[]," * 2**23 + b"[]]",
        "a long number": b'{"a": ' + b"9" * 10_000 + b"}",
    }
    for name, content in texts.items():
        yield f"vocab.json: {name}", _pieces(content, "#version: 0.2\na b\n"), _bpe
    for name, merges in {
        "of one piece": "a\n",
        "of three": "a b c\n",
        "of what there is not": "x y\n",
        "that make what there is not": "b a\n",
    }.items():
        yield f"merges {name}", _pieces(json.dumps(PIECES).encode(), merges), _bpe
    yield from _tokenizers()


def _pieces(vocabulary: bytes, merges: str) -> Callable[[Path], Path]:
    """The two files of a byte-level vocabulary."""

    def write(folder: Path) -> Path:
        (folder / "merges.txt").write_text(merges)
        return put("vocab.json", vocabulary)(folder)

    return write


def _bpe(path: Path) -> object:
    from glm.data import tokenizer

    return tokenizer.bpe("gpt2", path, path.with_name("merges.txt"))


def _tokenizers() -> Iterator[Case]:
    from glm.data import tokenizer

    saved = tokenizer.train_wordpiece(["the cat sat on the mat"] * 9, 60)

    def write(folder: Path, model: bytes | None, special: object) -> Path:
        saved.save(folder)
        if model is not None:
            (folder / "tokenizer.json").write_bytes(model)
        if special is not None:
            stored = json.loads((folder / "special.json").read_text())
            changed = {**stored, **special} if isinstance(special, dict) else special
            (folder / "special.json").write_text(json.dumps(changed))
        return folder

    own = json.loads(saved.model.to_str())
    models: dict[str, bytes] = {
        "a list": b"[]",
        "another's": b'{"name": "a package", "version": "1.0"}',
        "cut": saved.model.to_str().encode()[:-99],
        "deep": b'{"model": ' + b"[" * 100_000,
        "of an unknown model": json.dumps(own | {"model": {"type": "Mine"}}).encode(),
        "of pieces without ids": json.dumps(own | {"model": own["model"] | {"vocab": []}}).encode(),
        "of a negative id": json.dumps(
            own | {"model": own["model"] | {"vocab": {"a": -1}}}
        ).encode(),
        "large": b'{"model": [' + b"{}," * 2**23 + b"0]}",
    }
    for name, model in models.items():
        yield f"tokenizer.json: {name}", lambda f, m=model: write(f, m, None), tokenizer.load
    specials: dict[str, object] = {
        "a list": [1, 2],
        "a text as id": {"mask": "4"},
        "an id beyond": {"mask": 10**9},
        "a negative id": {"pad": -1},
        "a field too many": {"more": 1},
        "of a huge table": {"size": 10**12, "padded": 10**12},
        "fewer ids than pieces": {"size": 3},
    }
    for name, special in specials.items():
        yield f"special.json: {name}", lambda f, s=special: write(f, None, s), tokenizer.load


# ---- checkpoints


def weights() -> Iterator[Case]:
    from glm.models.importers import import_glm
    from glm.training import checkpoints

    for name, header in {
        "a list": b"[1, 2]",
        "deep": b'{"a": ' * 100_000,
        "no offsets": b'{"a": {"dtype": "F32", "shape": [1]}}',
        "an unknown type": b'{"a": {"dtype": "F1", "shape": [1], "data_offsets": [0, 4]}}',
        "a negative side": b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
        "beyond the end": b'{"a": {"dtype": "F32", "shape": [99], "data_offsets": [0, 396]}}',
        "a huge side": b'{"a": {"dtype": "F32", "shape": [%d], "data_offsets": [0, 4]}}' % 2**60,
        "empty tensors without end": b"{"
        + b",".join(
            b'"%d": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}' % i
            for i in range(210_000)
        )
        + b"}",
    }.items():
        content = len(header).to_bytes(8, "little") + header + b"\0" * 4
        yield f"safetensors: {name}", _native(content), checkpoints.load
    for name, content in {
        "cut": b"\x10\0\0\0",
        "a header without end": (2**62).to_bytes(8, "little") + b"{}",
        "a long header": (90 * 2**20).to_bytes(8, "little") + b" " * (90 * 2**20),
    }.items():
        yield f"safetensors: {name}", _native(content), checkpoints.load
    for name, record in {
        "a list": [1],
        "of another folder": {"model": "../../x"},
        "a number for a name": {"model": 3},
        "layers without end": {"shape": {"layers": 10**9, "hidden": 8, "heads": 2}},
        "texts for numbers": {"shape": {"layers": "2", "hidden": "8", "heads": "2"}},
        "no heads": {"shape": {"layers": 1, "hidden": 8, "heads": 0}},
        "no shape": {"shape": None},
        "a field too many": {"shape": {"layers": 1, "hidden": 8, "heads": 2, "more": 1}},
    }.items():
        yield f"checkpoint.json: {name}", _native(None, record), checkpoints.load
    for name, content in _pickles():
        yield f"pt: {name}", put("mp_rank_00_model_states.pt", content), import_glm
    yield from _transformers()


def _native(content: bytes | None, record: object = None) -> Callable[[Path], Path]:
    """A checkpoint of ours with another file of weights, or another record."""

    def write(folder: Path) -> Path:
        from glm.models.shape import Shape
        from glm.models.transformer import build
        from glm.training import checkpoints

        checkpoints.save(folder, build(Shape(1, 8, 2, 128, positions=8), seed=0))
        if content is not None:
            (folder / "model.safetensors").write_bytes(content)
        if record is not None:
            path = folder / checkpoints.RECORD
            own = json.loads(path.read_text())
            path.write_text(json.dumps({**own, **record} if isinstance(record, dict) else record))
        return folder

    return write


def _saved(value: object, *, legacy: bool = False) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def _packed(pkl: bytes, *more: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A file as `torch.save` has it, of this pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in (("data.pkl", pkl), ("version", b"3\n"), *more):
            archive.writestr(f"archive/{name}", content)
    return out.getvalue()


def _pickles() -> Iterator[tuple[str, bytes]]:
    import torch

    word = "word_embeddings.weight"
    place = "transformer.position_embeddings.weight"
    tables = {word: torch.zeros(128, 8), place: torch.zeros(9, 8)}
    layer = "transformer.layers.{}.input_layernorm.weight"
    for name, module in {
        "names that are numbers": {1: torch.zeros(1)},
        "flat tables": {word: torch.zeros(4), place: torch.zeros(4)},
        "a scalar": {word: torch.tensor(1.0), place: torch.tensor(1.0)},
        "no tensors": {word: 1, place: "x"},
        "a sparse table": tables | {word: torch.zeros(128, 8).to_sparse()},
        "one number as a table": tables | {word: torch.zeros(1).expand(10**7, 1000)},
        "layers without end": tables | {layer.format(10**9): torch.zeros(8)},
        "many layers": tables | {layer.format(900_000): torch.zeros(8)},
        "an empty table": tables | {word: torch.zeros(0, 0)},
    }.items():
        yield name, _saved({"module": module})
        yield f"{name}, of before 1.6", _saved({"module": module}, legacy=True)
    yield "no dict", _saved({"module": [1, 2]})
    deep: object = 0
    for _ in range(200):
        deep = [deep]
    yield "deep", _saved({"module": deep})
    yield "cut", _saved({"module": tables})[:-200]
    yield "nothing", b""
    yield "no pickle", b"\x80\x02garbage"
    empty = b"\x80\x02(" + b"]" * 3_000_000 + b"l."
    yield "empty lists without end", _packed(empty)
    yield "empty lists without end, of before 1.6", empty
    yield "packed", _packed(b"\x80\x02]." + b"\0" * 2**28, method=zipfile.ZIP_DEFLATED)
    yield "a program", _packed(pickle.dumps(os.system, 2))
    yield "a huge text", b"\x80\x02X" + struct.pack("<I", 2**31 - 1) + b"x."
    said = _saved({"module": {"a": torch.zeros(2, 2)}})
    yield "fewer numbers than it says", said.replace(b"K\x04", b"K\x7f").replace(b"K\x02", b"K\x0b")


def _transformers() -> Iterator[Case]:
    from glm.training.opening import opened
    from tests.glm import foreign

    def write(folder: Path, changed: dict[str, object], files: dict[str, bytes]) -> Path:
        foreign.write(foreign.DECODERS[0], folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changed}))
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    changes: dict[str, dict[str, object]] = {
        "layers without end": {"n_layer": 10**9},
        "many layers": {"n_layer": 60_000},
        "a wide model": {"n_embd": 2**22, "n_head": 2},
        "a huge vocabulary": {"vocab_size": 2**40},
        "a large vocabulary": {"vocab_size": 2**23},
        "no heads": {"n_head": 0},
        "a negative width": {"n_embd": -8},
        "a text for a number": {"n_embd": "wide"},
        "a list for a number": {"n_layer": [2]},
        "no name of its kind": {"model_type": ["gpt2"]},
        "an architecture of another kind": {"architectures": [7], "model_type": "mine"},
        "half a width": {"n_embd": 32.5},
        "groups of layers without end": {"model_type": "albert", "num_hidden_groups": 10**9},
        "layers without end, one level down": {
            "model_type": "gemma3",
            "text_config": {"num_hidden_layers": 10**9},
        },
        "layers without end, in a list": {
            "model_type": "gpt_neo",
            "attention_types": [[["global"], 10**9]],
        },
    }
    for name, changed in changes.items():
        yield f"config.json: {name}", lambda f, c=changed: write(f, c, {}), opened
    files = {
        "config.json: deep": {"config.json": b'{"a": ' * 100_000},
        "config.json: a list": {"config.json": b"[]"},
        "config.json: large": {"config.json": b"{" + b'"a":{},' * 2**22 + b'"b":0}'},
        "tokenizer.json: cut": {"tokenizer.json": b'{"version": "1.0", "model'},
        "tokenizer.json: deep": {"tokenizer.json": b"[" * 100_000},
        "tokenizer_config.json: a list": {"tokenizer_config.json": b"[1]"},
        "weights cut": {"model.safetensors": b"\x10\0\0"},
        "weights of nothing": {"model.safetensors": (2).to_bytes(8, "little") + b"{}"},
    }
    for name, content in files.items():
        yield f"transformers, {name}", lambda f, c=content: write(f, {}, c), opened


# ---- corpora


def corpora() -> Iterator[Case]:
    from harness.steps.documents import read

    def every(path: Path) -> object:
        return sum(len(text) for text in read(path))

    def bomb(name: str, pack: Callable[..., contextlib.AbstractContextManager[io.IOBase]]):
        def write(folder: Path) -> Path:
            with pack(folder / name, "wb") as out:
                for _ in range(600):
                    out.write(b" " * 2**20)
            return folder / name

        return write

    def fast(path: Path, mode: str) -> gzip.GzipFile:
        return gzip.open(path, mode, compresslevel=1)  # pyright: ignore[reportReturnType]

    def fast_xz(path: Path, mode: str) -> lzma.LZMAFile:
        return lzma.open(path, mode, preset=0)  # pyright: ignore[reportReturnType]

    for name in ("c.txt.xz", "c.jsonl.xz", "c.tar.xz"):
        yield f"{name} that unpacks without end", bomb(name, fast_xz), every
    yield "c.tar.gz that unpacks without end", bomb("c.tar.gz", fast), every
    yield "c.jsonl: an endless line", put("c.jsonl", b'{"text": "' + b"x" * 2**25), every
    yield "c.jsonl: deep", put("c.jsonl", b"[" * 2**20), every
    yield "c.txt: an endless line", put("c.txt", b"x" * 2**25), every
    yield "c.tar: a name without end", _archive(tarfile.GNUTYPE_LONGNAME), every
    yield "c.tar: a header without end", _archive(tarfile.XHDTYPE), every
    yield "c.tar: an endless document", _archive(tarfile.REGTYPE), every
    yield "c.parquet: an endless document", _table([b"a", b"x" * 2**25]), every
    yield "c.parquet: one document many times", _table([b"x" * 2**22], times=400), every
    yield "c.parquet: no UTF-8", _table([b"\xff\xfe"]), every
    for cut in (10, 50, 100):
        yield f"c.parquet: cut by {cut}", _table([b"abc"] * 99, cut), every


def _archive(kind: bytes) -> Callable[[Path], Path]:
    """An archive whose first member says that it is long, and is (a file of holes)."""

    def write(folder: Path) -> Path:
        member = tarfile.TarInfo("a.txt")
        member.type, member.size = kind, 3 * 2**30
        with open(folder / "c.tar", "wb") as out:
            out.write(member.tobuf(tarfile.GNU_FORMAT))
            out.truncate(3 * 2**30 + 2048)
        return folder / "c.tar"

    return write


def _table(values: list[bytes], cut: int = 0, times: int = 1) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import pyarrow as pa
        from pyarrow import parquet

        texts = pa.array(values, pa.binary()).view(pa.string())
        if times > 1:
            texts = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), texts)
        path = folder / "c.parquet"
        table = pa.table({"text": texts})
        parquet.write_table(table, path, compression="zstd", store_schema=False)
        os.truncate(path, path.stat().st_size - cut)
        return path

    return write


if __name__ == "__main__":
    main(Path(sys.argv[1]))
