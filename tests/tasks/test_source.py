"""Rows from folders: the same from every layout, every bad one reported, no traceback."""

import gzip
import json
import lzma
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import TASKS
from tasks.errors import UserError
from tasks.source.folder import Folder
from tasks.source.rows import Loaded, fingerprint, load
from tasks.spec import How
from tests.tasks.samples import FOLDERS, RECORDS, jsonl, put, rows


def load_dev(name: str, root: Path, **settings: Any) -> Loaded:
    return load(TASKS[name], "dev", Folder(str(root), **settings))


def message(name: str, root: Path, split: str = "dev", **settings: Any) -> str:
    with pytest.raises(UserError) as raised:
        load(TASKS[name], split, Folder(str(root), **settings))
    return str(raised.value)


@pytest.mark.parametrize("name", RECORDS)
def test_an_official_file_gives_its_rows(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, name, jsonl([RECORDS[name]]))
    loaded = load_dev(name, tmp_path)
    assert loaded.rows == rows(name)
    assert (loaded.skipped, loaded.files) == ((), (str(path),))
    assert all(isinstance(row["id"], str) for row in loaded.rows)


@pytest.mark.parametrize(
    ("file", "pack"),
    [
        ("val.jsonl", bytes),
        ("val.jsonl.xz", lzma.compress),
        ("val.jsonl.gz", gzip.compress),
        ("dev.jsonl", bytes),
    ],
)
def test_plain_and_compressed_files_give_the_same_rows(
    file: str, pack: Any, tmp_path: Path
) -> None:
    put(tmp_path, "cb", pack(jsonl([RECORDS["cb"]])), file)
    assert load_dev("cb", tmp_path).rows == rows("cb")


def test_the_task_folder_may_lie_at_the_root_or_be_it(tmp_path: Path) -> None:
    put(tmp_path, "cb", jsonl([RECORDS["cb"]]))
    for root in (tmp_path, tmp_path / "superglue", tmp_path / "superglue" / "CB"):
        assert load_dev("cb", root).rows == rows("cb")


def test_another_file_can_be_named(tmp_path: Path) -> None:
    path = put(tmp_path, "boolq", jsonl([RECORDS["boolq"]]), "train_1000.jsonl")
    named = {"boolq": {"train": str(path.relative_to(tmp_path))}}
    loaded = load(TASKS["boolq"], "train", Folder(str(tmp_path), named))
    assert loaded.rows == rows("boolq")


@pytest.mark.parametrize("path", ["../cb.jsonl", "/etc/passwd", "a/../../b"])
def test_a_named_file_stays_below_its_root(path: str, tmp_path: Path) -> None:
    assert "must be a path below" in message("cb", tmp_path, files={"cb": {"dev": path}})


def test_a_missing_file_is_named_with_the_places_looked_at(tmp_path: Path) -> None:
    said = message("cb", tmp_path, "train")
    assert "CB has no train file: looked for train.jsonl (also .xz, .gz)" in said
    assert str(tmp_path / "superglue" / "CB") in said
    assert "no such folder" in message("cb", tmp_path / "absent")
    assert "no such file" in message("cb", tmp_path, files={"cb": {"dev": "other.jsonl"}})


def test_the_fingerprint_is_the_content_of_the_file(tmp_path: Path) -> None:
    task, source = TASKS["cb"], Folder(str(tmp_path))
    path = put(tmp_path, "cb", jsonl([RECORDS["cb"]]))
    before = fingerprint(task, "dev", source)
    assert before == load(task, "dev", source).digest
    path.touch()
    assert fingerprint(task, "dev", source) == before
    path.write_bytes(jsonl([RECORDS["cb"] | {"label": "entailment"}]))
    assert fingerprint(task, "dev", source) != before


def test_an_unlabelled_row_is_a_fault_outside_the_test_split(tmp_path: Path) -> None:
    bare = {key: value for key, value in RECORDS["cb"].items() if key != "label"}
    for file in ("train.jsonl", "val.jsonl", "test.jsonl"):
        put(tmp_path, "cb", jsonl([bare]), file)
    assert "field 'label' is missing" in message("cb", tmp_path, "train")
    assert "field 'label' is missing" in message("cb", tmp_path, "dev")
    assert "label" not in load(TASKS["cb"], "test", Folder(str(tmp_path))).rows[0]


# ---- broken files


def wrong(name: str, **changes: Any) -> tuple[str, bytes]:
    return name, jsonl([RECORDS[name] | changes])


def in_target(**changes: Any) -> dict[str, Any]:
    return RECORDS["wsc"]["target"] | changes


FAULTS = {
    "broken JSON": (("cb", b'{"premise": "a", \n'), "not JSON"),
    "no object": (("cb", b'["premise"]\n'), "not a JSON object: list"),
    "NaN": (("copa", b'{"label": NaN}\n'), "not JSON: NaN"),
    "deep nesting": (("cb", b"[" * 100_000 + b"\n"), "nested too deeply"),
    "endless number": (("cb", b'{"idx": ' + b"9" * 10_000 + b"}\n"), "a number too long"),
    "bad UTF-8": (("cb", b'{"premise": "caf\xe9"}\n'), "not UTF-8: byte"),
    "NUL": (("cb", b'{"premise": "a\x00b"}\n'), "NUL character"),
    "escaped NUL": (wrong("cb", premise="a\x00b"), "NUL character"),
    "half a surrogate": (("cb", b'{"premise": "\\ud800"}\n'), "half of a surrogate pair"),
    "missing field": (("cb", jsonl([{"idx": 1, "label": "neutral"}])), "'premise' is missing"),
    "missing id": (("cb", jsonl([{"premise": "a", "hypothesis": "b"}])), "'idx' is missing"),
    "wrong type": (wrong("cb", premise=3), "'premise' is of another type: int, not str"),
    "null": (wrong("boolq", passage=None), "of another type: NoneType"),
    "empty text": (wrong("rte", premise="  "), "'premise' is empty"),
    "endless text": (wrong("rte", premise="a" * 1_000_001), "'premise' is too long"),
    "unknown label": (wrong("cb", label="yes"), "label outside its set: 'yes' is none of"),
    "0 for False": (wrong("boolq", label=0), "label outside its set: 0 is none of False, True"),
    "True for 1": (wrong("copa", label=True), "label outside its set: True"),
    "unhashable label": (wrong("cb", label=["entailment"]), "label outside its set"),
    "question kind": (wrong("copa", question="why"), "neither cause nor effect"),
    "equal choices": (wrong("copa", choice2="it had rained"), "two equal choices"),
    "WiC span": (wrong("wic", end1=99), "span is not in its text: 14..99 of sentence1"),
    "WiC empty span": (wrong("wic", end2=4), "span is not in its text"),
    "WSC pronoun": (
        wrong("wsc", target=in_target(span2_index=3)),
        "span is not in its text: 'he' at word 3",
    ),
    "WSC span": (wrong("wsc", target=in_target(span1_text="Zoe")), "not in its text: 'Zoe'"),
    "WSC target": (wrong("wsc", target="Bob"), "'target' is of another type"),
    "ReCoRD span": (
        wrong("record", passage={"text": "short", "entities": [{"start": 3, "end": 9}]}),
        "span is not in its text",
    ),
    "ReCoRD answer": (
        wrong(
            "record",
            qas=[
                {
                    "idx": 0,
                    "query": "@placeholder",
                    "answers": [{"start": 0, "end": 2, "text": "Bob"}],
                }
            ],
        ),
        "'Bob', where the passage has 'Ann'",
    ),
    "ReCoRD gap": (
        wrong("record", qas=[{"idx": 0, "query": "no gap", "answers": []}]),
        "no placeholder",
    ),
    "ReCoRD answers": (
        wrong("record", qas=[{"idx": 0, "query": "@placeholder", "answers": []}]),
        "no answers",
    ),
    "ReCoRD query": (wrong("record", qas=["query"]), "a query is no object"),
    "MultiRC question": (
        wrong("multirc", passage={"text": "a", "questions": [1]}),
        "a question is no object",
    ),
    "MultiRC nothing": (
        wrong("multirc", passage={"text": "a", "questions": []}),
        "without questions",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_bad_row_is_reported_with_its_line_and_can_be_left_out(kind: str, tmp_path: Path) -> None:
    (name, bad), said = FAULTS[kind]
    good = RECORDS[name] | {"idx": 100}
    put(tmp_path, name, jsonl([good]) + bad)
    report = message(name, tmp_path)
    assert said in report
    assert "line 2" in report and "1 bad rows beside" in report
    loaded = load_dev(name, tmp_path, on_bad_row="skip")
    assert loaded.rows == rows(name, idx=100)
    assert len(loaded.skipped) == 1


def test_a_duplicated_id_is_the_second_rows_fault(tmp_path: Path) -> None:
    other = RECORDS["cb"] | {"premise": "Another."}
    put(tmp_path, "cb", jsonl([RECORDS["cb"], other]))
    assert "line 2 (id 7): duplicated id: 7 is also on line 1" in message("cb", tmp_path)
    loaded = load_dev("cb", tmp_path, on_bad_row="skip")
    assert (loaded.rows, loaded.skipped) == (rows("cb"), ("7",))


def test_the_report_counts_by_kind_and_shows_five_samples(tmp_path: Path) -> None:
    bad = [RECORDS["cb"] | {"idx": n, "label": f"label{n}"} for n in range(60)]
    put(tmp_path, "cb", jsonl([RECORDS["cb"] | {"idx": 99}, *bad]) + b"{\n")
    report = message("cb", tmp_path)
    assert "61 bad rows beside 1 good ones" in report
    assert "60 x label outside its set" in report and "1 x not JSON" in report
    assert "lines 2, 3, 4" in report and "and 21 more" in report
    assert report.count("is none of") == 5
    assert "on_bad_row: skip" in report


def test_a_reports_samples_cannot_command_a_terminal(tmp_path: Path) -> None:
    put(tmp_path, "cb", b'{"premise": "\x1b[2J\x07"\n')
    assert "\x1b" not in message("cb", tmp_path)


def test_an_empty_file_is_no_data_set(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"\xef\xbb\xbf"):
        put(tmp_path, "cb", content)
        assert "no good row in it" in message("cb", tmp_path)
        assert "no good row in it" in message("cb", tmp_path, on_bad_row="skip")


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_a_compressed_file_that_is_cut_short_is_damaged(
    suffix: str, pack: Any, tmp_path: Path
) -> None:
    whole = pack(jsonl([RECORDS["cb"] | {"idx": n, "premise": f"p{n * n}"} for n in range(500)]))
    for content in (whole[: len(whole) // 2], whole[:5], b"not compressed at all"):
        path = put(tmp_path, "cb", content, f"val.jsonl{suffix}")
        for mode in ("stop", "skip"):  # rows cannot be skipped where the file itself is broken
            said = message("cb", tmp_path, on_bad_row=mode)
            assert str(path) in said and "damaged or cut short" in said


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_no_fault(tmp_path: Path) -> None:
    line = json.dumps(RECORDS["cb"]).encode()
    put(tmp_path, "cb", b"\xef\xbb\xbf" + line + b"\r\n\r\n  \n")
    assert load_dev("cb", tmp_path).rows == rows("cb")


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path: Path) -> None:
    record = RECORDS["cb"] | {"premise": "one\u2028two\x85three"}
    put(tmp_path, "cb", json.dumps(record, ensure_ascii=False).encode() + b"\n")
    assert load_dev("cb", tmp_path).rows[0]["premise"] == record["premise"]


def test_a_wrong_row_count_is_an_error_where_one_is_expected(tmp_path: Path) -> None:
    put(tmp_path, "cb", jsonl([RECORDS["cb"]]))
    assert "1 rows, not the 56 expected" in message("cb", tmp_path, counts={"cb": {"dev": 56}})
    assert load_dev("cb", tmp_path, counts={"cb": {"dev": 1}}).rows == rows("cb")


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "no split `validation`; there are train" in message("cb", tmp_path, "validation")


def test_ids_are_unique_across_questions_of_one_passage(tmp_path: Path) -> None:
    passage = RECORDS["multirc"]["passage"]
    twice = {"text": passage["text"], "questions": passage["questions"] * 2}
    put(tmp_path, "multirc", jsonl([RECORDS["multirc"] | {"passage": twice}]))
    assert "2 x duplicated id" in message("multirc", tmp_path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def exchanged(value: Any, place: int, other: Any) -> tuple[Any, int]:
    """A JSON value with its `place`-th part, counted depth first, exchanged for another."""
    if place == 0:
        return other, -1
    place -= 1
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        made = dict(pairs) if isinstance(value, dict) else list(value)
        for key, inner in pairs:
            if place >= 0:
                made[key], place = exchanged(inner, place, other)
        return made, place
    return value, place


def survives(name: str, content: bytes) -> None:
    """A file gives rows that can be asked, or a `UserError`; nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), name, content)
        try:
            loaded = load_dev(name, Path(folder))
        except UserError as error:
            assert str(error)
            return
    for row in loaded.rows:
        for style in ("cloze", "classifier"):
            assert TASKS[name].ask(row, How(style=style))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(RECORDS)), st.integers(1, 40), anything)
def test_no_exchanged_value_breaks_more_than_its_row(name: str, place: int, other: Any) -> None:
    survives(name, jsonl([exchanged(RECORDS[name], place, other)[0]]))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(RECORDS)), st.data())
def test_no_broken_byte_breaks_more_than_its_row(name: str, data: st.DataObject) -> None:
    content = bytearray(jsonl([RECORDS[name]]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    survives(name, bytes(content))


def test_every_sample_folder_is_the_official_one() -> None:
    assert FOLDERS["boolq"] == "superglue/BoolQ"
    assert {folder.split("/")[0] for folder in FOLDERS.values()} == {"superglue"}


def test_one_file_can_serve_as_two_splits_by_ranges_of_its_rows(tmp_path: Path) -> None:
    records = [RECORDS["cb"] | {"idx": number} for number in range(5)]
    path = put(tmp_path, "cb", jsonl(records), "all.jsonl").relative_to(tmp_path)
    ranges = {"train": f"{path}#0:3", "dev": f"{path}#3:"}
    source = Folder(str(tmp_path), files={"cb": ranges})
    train, dev = (load(TASKS["cb"], split, source) for split in ("train", "dev"))
    assert [row["id"] for row in train.rows] == ["0", "1", "2"]
    assert [row["id"] for row in dev.rows] == ["3", "4"]
    assert train.digest != dev.digest
    assert fingerprint(TASKS["cb"], "dev", source) == dev.digest
    bad = Folder(str(tmp_path), files={"cb": {"dev": f"{path}#three:"}})
    with pytest.raises(UserError, match="no range of rows"):
        load(TASKS["cb"], "dev", bad)
