"""Rows that are accidents or attacks: one fault each, with its line, in bounded time and memory."""

import gzip
import json
import lzma
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tasks import TASKS
from tasks.errors import UserError
from tasks.source import files
from tasks.source.faults import LONGEST_ID, MOST, visible
from tasks.source.folder import Folder
from tasks.source.rows import Loaded, load
from tasks.spec import How
from tests.tasks.samples import OTHER_RECORDS, RECORDS, jsonl, put, rows

UNSEEN = "\u200b\u200d\ufeff\u2060\ufe0f"


def dev(name: str, root: Path, **settings: Any) -> Loaded:
    return load(TASKS[name], "dev", Folder(str(root), **settings))


def report(name: str, root: Path) -> str:
    with pytest.raises(UserError) as raised:
        dev(name, root)
    return str(raised.value)


def other(root: Path, name: str, record: dict[str, Any]) -> None:
    """A record of a task beside SuperGLUE, on the second line of its development file."""
    path = root / TASKS[name].folder / TASKS[name].names["dev"][-1][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    good = OTHER_RECORDS[name] | {"id": "100"}
    path.write_bytes(jsonl([good, record]))


# ---- texts in which nothing is to be seen


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("copa", "choice1"),
        ("copa", "premise"),
        ("boolq", "question"),
        ("rte", "hypothesis"),
        ("cb", "premise"),
        ("wic", "word"),
    ],
)
def test_a_text_of_zero_width_characters_is_empty(name: str, field: str, tmp_path: Path) -> None:
    put(tmp_path, name, jsonl([RECORDS[name] | {"idx": 100}, RECORDS[name] | {field: UNSEEN}]))
    said = report(name, tmp_path)
    assert f"line 2 (id 7): field '{field}' is empty" in said
    assert len(dev(name, tmp_path, on_bad_row="skip").rows) == 1


def test_an_entity_of_zero_width_characters_is_no_span(tmp_path: Path) -> None:
    record = json.loads(json.dumps(RECORDS["record"]))
    record["passage"]["text"] += UNSEEN
    length = len(record["passage"]["text"])
    record["passage"]["entities"].append({"start": length - len(UNSEEN), "end": length - 1})
    put(tmp_path, "record", jsonl([record]))
    assert "line 1: span is not in its text" in report("record", tmp_path)


def test_wsc_takes_no_candidate_that_cannot_be_seen() -> None:
    [row] = rows("wsc", candidates=["many lies", UNSEEN])
    [question] = TASKS["wsc"].ask(row, How())
    assert getattr(question, "candidates", ()) == ("Bob", "many lies")


@pytest.mark.parametrize("name", ["xsum", "gigaword", "cnndm", "lambada", "squad_qg"])
def test_a_generated_text_that_cannot_be_seen_is_no_reference(name: str, tmp_path: Path) -> None:
    field = {"lambada": "text", "squad_qg": "question"}.get(name, TASKS[name].label)
    other(tmp_path, name, OTHER_RECORDS[name] | {field: UNSEEN})
    assert f"line 2 (id 7): field '{field}' is empty" in report(name, tmp_path)


def test_letters_digits_signs_and_emoji_can_be_seen() -> None:
    assert all(visible(text) for text in ("a", " 7 ", "?", "\u4e2d", "\U0001f375", "e\u0301"))
    assert not any(visible(text) for text in ("", " \n", UNSEEN, "\u0301"))


# ---- what a report repeats of it


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "x" * 300_000},
        {"label": ["x" * 300_000]},
        {"idx": "x" * 300_000},
        {"question": "x" * 300_000},
        {"premise": "x" * 300_000},
        {"choice1": "y" * 200_000, "choice2": "y" * 200_000},
    ],
)
def test_a_report_cuts_the_text_at_fault(changes: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path, "copa", jsonl([RECORDS["copa"] | changes] * 3))
    assert len(report("copa", tmp_path)) < 3_000


def test_an_index_longer_than_any_is_none(tmp_path: Path) -> None:
    put(tmp_path, "cb", jsonl([RECORDS["cb"] | {"idx": "x" * (LONGEST_ID + 1)}]))
    assert "'idx' is too long for an index: 201 characters" in report("cb", tmp_path)


def test_a_text_that_no_model_could_read_is_too_long(tmp_path: Path) -> None:
    put(tmp_path, "copa", jsonl([RECORDS["copa"] | {"premise": "so " * 100_000}]))
    assert "'premise' is too long: 300000 characters, at most 250000" in report("copa", tmp_path)


# ---- endless lines and files


def test_an_endless_line_is_one_fault_and_the_next_is_read(tmp_path: Path) -> None:
    lines = [json.dumps(RECORDS["cb"] | {"idx": n}).encode() for n in (1, 2)]
    endless = b'{"premise": "' + b"x" * (2 * files.LONGEST_LINE) + b'"}'
    put(tmp_path, "cb", b"\n".join([lines[0], endless, lines[1]]))
    said = report("cb", tmp_path)
    assert "1 x line too long" in said
    assert f"line 2: line too long: {len(endless) + 1} bytes, at most 8388608" in said
    loaded = dev("cb", tmp_path, on_bad_row="skip")
    assert [row["id"] for row in loaded.rows] == ["1", "2"]
    assert loaded.skipped == ("line 2",)


@pytest.mark.parametrize(
    ("name", "line", "suffix", "pack"),
    [
        ("cb", b"x" * 2**16, ".xz", lzma),
        ("cb", b" " * (2**16 - 1) + b"\n", ".gz", gzip),
        ("squad_qg", b"[" * 2**16, ".xz", lzma),
    ],
)
def test_a_small_file_that_unpacks_without_end_is_refused_in_bounded_memory(
    name: str, line: bytes, suffix: str, pack: Any, tmp_path: Path
) -> None:
    task = TASKS[name]
    path = tmp_path / task.folder / (task.names["dev"][0][0] + suffix)
    path.parent.mkdir(parents=True)
    options: dict[str, Any] = {"preset": 0} if pack is lzma else {"compresslevel": 1}
    with pack.open(path, "wb", **options) as out:
        for _ in range(2048):  # 128 MiB
            out.write(line)
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    said = report(name, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in said
    assert ("unpacks to more than 200 times" in said) or ("too large: more than 67108864" in said)
    assert peak < 4 * files.LARGEST_JSON


def test_a_file_that_packs_well_is_no_bomb(tmp_path: Path) -> None:
    records = [RECORDS["cb"] | {"idx": n} for n in range(3000)]
    content = lzma.compress(jsonl(records))
    assert len(jsonl(records)) > 50 * len(content)
    put(tmp_path, "cb", content, "val.jsonl.xz")
    assert len(dev("cb", tmp_path).rows) == 3000


# ---- nesting, surrogates, NUL: in every format


HOSTILE = {
    "nested too deeply": b"[" * 400 + b"]" * 400,
    "broken Unicode: half of a surrogate pair": b'"\\ud800"',
    "NUL character": b'"a\\u0000b"',
    "not JSON: NaN is no number": b"NaN",
    "not JSON: a number too long": b"9" * 5000,
}


@pytest.mark.parametrize("said", HOSTILE)
@pytest.mark.parametrize("name", sorted(set(RECORDS) - {"multirc", "record"}))
def test_what_no_file_takes_is_a_fault_wherever_it_stands(
    said: str, name: str, tmp_path: Path
) -> None:
    good = json.dumps(RECORDS[name] | {"idx": 100}).encode()
    for key in (b"label", b"extra"):
        bad = json.dumps(RECORDS[name]).encode()[:-1] + b', "' + key + b'": '
        put(tmp_path, name, good + b"\n" + bad + HOSTILE[said] + b"}\n")
        assert f"line 2: {said}" in report(name, tmp_path)
        assert len(dev(name, tmp_path, on_bad_row="skip").rows) == 1


@pytest.mark.parametrize("said", list(HOSTILE)[:3])
def test_squads_own_format_is_looked_through_too(said: str, tmp_path: Path) -> None:
    record = OTHER_RECORDS["squad_qg"]
    asked = {key: record[key] for key in ("id", "question", "answers")}
    good = {"context": record["context"], "qas": [asked]}
    whole = {"data": [{"title": "Tea", "paragraphs": [good, good | {"qas": ["BAD"]}]}]}
    bad = json.dumps(asked | {"id": "8"})[:-1] + ', "more": ' + HOSTILE[said].decode() + "}"
    path = tmp_path / "squad_qg" / "dev.json"
    path.parent.mkdir()
    path.write_text(json.dumps(whole).replace('"BAD"', bad))
    assert f"line 2: {said}" in report("squad_qg", tmp_path)


# ---- more faults than a file has


def test_a_file_of_faults_is_named_and_can_be_left_out_whole_but_for_its_good_rows(
    tmp_path: Path,
) -> None:
    put(tmp_path, "cb", b"{\n" * (MOST + 2) + jsonl([RECORDS["cb"]]))
    said = report("cb", tmp_path)
    assert said.startswith(str(tmp_path)) and "val.jsonl: 100000 bad rows beside 0" in said
    assert said.endswith("Nothing more was read.")
    loaded = dev("cb", tmp_path, on_bad_row="skip")
    assert (loaded.rows, len(loaded.skipped)) == (rows("cb"), MOST + 2)


def test_a_file_of_one_value_says_what_is_counted_in_it(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    path.write_text(json.dumps({"text": "," * 4_000_000}))
    with pytest.raises(files.BadRow, match="4,000,001 commas and opening brackets, in its texts"):
        files.whole_json(path)
