"""A corpus's files: every format gives the same documents, damage is said with its place."""

import gzip
import io
import json
import lzma
import re
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.grid.sources import corpus_files
from harness.steps import documents
from harness.steps.corpus import Corpus
from tasks.errors import UserError

TEXTS = ["one document .", "zwei – dokumente", "three\tdocuments"]


def write(folder: Path, name: str) -> Path:
    path = folder / name
    objects = "".join(json.dumps({"id": i, "body": text}) + "\n" for i, text in enumerate(TEXTS))
    if name.endswith(".parquet"):
        parquet.write_table(pa.table({"body": TEXTS}), path)
    elif ".tar" in name:
        with tarfile.open(path, "w:xz") as archive:
            for number, text in enumerate(TEXTS):
                member = tarfile.TarInfo(f"books/{number}.txt")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    else:
        raw = objects if ".jsonl" in name else "\n\n".join(TEXTS) + "\n"
        packed = {".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
        path.write_bytes(packed(raw.encode()))
    return path


@pytest.mark.parametrize(
    "name",
    ["c.txt", "c.txt.gz", "c.jsonl", "c.jsonl.xz", "c.jsonl.gz", "c.parquet", "c.tar.xz"],
)
def test_every_format_gives_the_same_documents(name: str, tmp_path: Path) -> None:
    assert list(documents.read(write(tmp_path, name), "auto", "body")) == TEXTS


@pytest.mark.parametrize(
    ("name", "bytes_", "complaint"),
    [
        ("c.jsonl", b'{"body": "fine"}\n{"body": 3}\n', "c.jsonl:2: no JSON object with text"),
        ("c.jsonl", b'{"body": "fine"}\n{"text": "x"}\n', "c.jsonl:2: no JSON object with text"),
        ("c.jsonl", b'{"body": "a"}\n{"body": "\\ud800"}\n', "c.jsonl:2: broken Unicode: half"),
        ("c.jsonl", b'{"body": "a"}\n' + b"[" * 100_000 + b"\n", "c.jsonl:2: not JSON: nested too"),
        ("c.jsonl", b'{"body": "a\\u0000"}\n', "c.jsonl:1: NUL character"),
        ("c.txt", b"fine\n\xff\xfe broken\n", "c.txt:2: not UTF-8"),
        ("c.jsonl.xz", lzma.compress(b'{"body": "x"}\n' * 999)[:-20], "damaged or cut short"),
        ("c.parquet", b"no parquet at all", "cannot be read as parquet"),
        ("c.tar.xz", b"no archive at all", "damaged or cut short"),
        ("c.tar", b"no archive at all" * 99, "cannot be read as an archive"),
    ],
)
def test_a_damaged_file_is_one_message_with_its_place(
    name: str, bytes_: bytes, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(bytes_)
    with pytest.raises(UserError, match=complaint):
        list(documents.read(tmp_path / name, "auto", "body"))


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no column 'text', only body"):
        list(documents.read(write(tmp_path, "c.parquet"), "auto", "text"))


@pytest.mark.parametrize("values", [[1, 2], [[1], [2]], [b"a", b"b"]])
def test_a_parquet_column_that_holds_no_text_is_refused(values: list, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"body": values}), tmp_path / "c.parquet")
    with pytest.raises(UserError, match=r"the column 'body' holds .*, not text"):
        list(documents.read(tmp_path / "c.parquet", "auto", "body"))


BOOK = "\n\none line\nand another\n  \n\nthe second\r\nparagraph\n\n"


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        ("line", ["one line", "and another", "the second", "paragraph"]),
        ("paragraph", ["one line\nand another", "the second\nparagraph"]),
        ("file", ["one line\nand another\n\n\nthe second\nparagraph"]),
    ],
)
@pytest.mark.parametrize("name", ["book.txt", "book.txt.gz"])
def test_a_text_file_is_read_by_lines_unless_another_unit_is_asked_for(
    tmp_path: Path, name: str, unit: documents.Unit, found: list[str]
):
    packed = gzip.compress(BOOK.encode()) if name.endswith(".gz") else BOOK.encode()
    (tmp_path / name).write_bytes(packed)
    assert list(documents.read(tmp_path / name, unit=unit)) == found
    if unit == "line":
        assert list(documents.read(tmp_path / name)) == found


def test_a_document_larger_than_any_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(documents, "LONGEST", 20)
    (tmp_path / "book.txt").write_text(BOOK)
    with pytest.raises(UserError, match="is `documents` meant to be line or paragraph"):
        list(documents.read(tmp_path / "book.txt", unit="file"))
    (tmp_path / "book.txt").write_text("short\n\nenough\n")
    assert list(documents.read(tmp_path / "book.txt", unit="paragraph")) == ["short", "enough"]


CORPUS = """\
tables: [{id: mine, rows: [glm-large], columns: [heldout], split: test}]
data: {kind: folder, root: ., corpus: %s}
"""


def test_a_folder_of_texts_is_a_corpus_of_a_document_a_file(tmp_path: Path):
    for name, text in (("b/2.txt", "two\n\nlines"), ("a.txt", "one"), ("b/notes.md", "no")):
        (tmp_path / "books" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "books" / name).write_text(text)
    path = tmp_path / "grid.yaml"
    path.write_text(CORPUS % "{path: books, documents: file}")
    grid = grids.load(path)
    assert grid.data.corpus is not None
    found = [p.relative_to(tmp_path).as_posix() for p in corpus_files(grid, grid.data.corpus)]
    assert found == ["books/a.txt", "books/b/2.txt"]
    steps = expand(grid).steps.values()
    (corpus,) = (step for step in steps if step.kind == "corpus")
    spec = corpus.spec_of(Corpus)
    assert corpus.name == "books" and len(spec.files) == 2 and spec.unit == "file"


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        ("{path: empty}", "has no .txt files"),
        ("{path: nowhere.txt}", "no file "),
        ("{path: two}", "two/b.txt"),
        ("{path: c.jsonl, documents: file}", "`documents` is for text files, and c.jsonl is none"),
        ("{path: c.txt, documents: page}", "use 'line', 'paragraph' or 'file'"),
    ],
)
def test_a_corpus_that_is_none_is_refused_with_its_grid(tmp_path: Path, corpus: str, said: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "two" / "folder.txt").mkdir(parents=True)
    (tmp_path / "two" / "a.txt").write_text("x\n")
    (tmp_path / "two" / "b.txt").write_bytes(b"\xff\xfe\n")
    (tmp_path / "c.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "c.txt").write_text("x\n")
    (tmp_path / "grid.yaml").write_text(CORPUS % corpus)
    with pytest.raises(UserError, match=re.escape(said)):
        grids.load(tmp_path / "grid.yaml")
