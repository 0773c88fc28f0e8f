"""BLiMP: which rows, from which files, how a pair is asked and what is counted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.language import blimp
from tasks.language.blimp import BLIMP, FIELDS, PARADIGMS, TERMS
from tasks.microworld.write import Sizes, write
from tasks.source.folder import Folder
from tasks.source.rows import load
from tasks.spec import Answer, Compare, How, measures, questions


def record(uid: str, number: int, field: str = "syntax", term: str = "island_effects") -> Any:
    return {
        "sentence_good": f"Ann {uid} number {number}.",
        "sentence_bad": f"Ann number {uid} {number}.",
        "field": field,
        "linguistics_term": term,
        "UID": uid,
        "pairID": str(number),
    }


def jsonl(path: Path, records: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))


def asked(row: Any) -> Compare:
    (question,) = questions(BLIMP, row, How("likelihood"))
    assert isinstance(question, Compare)
    return question


def test_67_files_and_one_file_of_all_give_the_same_rows_one_of_each_paradigm_in_turn(tmp_path):
    every = {uid: [record(uid, n) for n in range(3)] for uid in PARADIGMS}
    for uid, records in every.items():
        jsonl(tmp_path / f"many/blimp/{uid}.jsonl", records)
    jsonl(tmp_path / "one/blimp/blimp.jsonl", [r for records in every.values() for r in records])
    many, one = (load(BLIMP, "test", Folder(str(tmp_path / n))).rows for n in ("many", "one"))
    assert many == one and len(many) == 67 * 3
    assert [row["UID"] for row in many] == list(PARADIGMS) * 3
    assert many[67]["id"] == f"{PARADIGMS[0]}-1"


def test_fields_and_terms_are_called_as_in_the_publishers_summary():
    (row,) = blimp.rows(record("principle_A", 0, "syntax/semantics", "binding"))
    assert (row["field"], row["term"]) == ("syntax_semantics", "binding")
    (row,) = blimp.rows(record("animate_subject_trans", 0, term="s-selection"))
    assert row["term"] == "argument_structure"


def test_the_hubs_number_of_a_pair_makes_the_same_id():
    ours = record("passive_1", 3)
    hubs = {name: value for name, value in ours.items() if name != "pairID"} | {"pair_id": 3}
    assert blimp.rows(ours) == blimp.rows(hubs)


def test_about_half_of_the_rows_ask_the_good_sentence_first_and_gold_follows():
    rows = [row for n in range(400) for row in blimp.rows(record("passive_1", n))]
    pairs = [asked(row) for row in rows]
    for row, question in zip(rows, pairs):
        assert question.texts[question.gold[0]] == row["sentence_good"]
    assert 150 < Counter(question.gold for question in pairs)[0,] < 250


def test_pairs_are_counted_over_all_by_field_and_by_term():
    groups = [("syntax", "island_effects"), ("syntax", "binding"), ("semantics", "quantifiers")]
    answers = [
        Answer(str(n), f"{field}/{term}/x", ("a", "b"), choice=choice, gold=(0,))
        for n, ((field, term), choice) in enumerate(zip(groups, (0, 1, 0)))
    ]
    found = {name: metric.compute(answers) for name, metric in measures(BLIMP).items()}
    assert found["acc"] == pytest.approx(2 / 3)
    assert (found["acc@syntax"], found["acc@semantics"]) == (0.5, 1.0)
    assert (found["acc@island_effects"], found["acc@binding"]) == (1.0, 0.0)
    assert found["acc@morphology"] is None and found["acc@ellipsis"] is None
    assert set(found) == {"acc", *(f"acc@{part}" for part in (*FIELDS, *TERMS))}


def test_rows_of_one_paradigm_are_a_cluster():
    one, two = (blimp.rows(record("passive_1", n))[0] for n in range(2))
    assert BLIMP.cluster(one) == BLIMP.cluster(two) == "passive_1"


def test_a_row_without_a_sentence_is_a_fault(tmp_path):
    bad = record("passive_1", 1) | {"sentence_bad": " "}
    jsonl(tmp_path / "blimp/blimp.jsonl", [record("passive_1", 0), bad])
    loaded = load(BLIMP, "dev", Folder(str(tmp_path), on_bad_row="skip"))
    assert len(loaded.rows) == 1 and len(loaded.skipped) == 1


def test_the_world_has_minimal_pairs_of_its_own(tmp_path):
    write(tmp_path, documents=1, sizes=Sizes().scaled(0.02))
    rows = load(BLIMP, "dev", Folder(str(tmp_path))).rows
    assert {row["field"] for row in rows} == set(FIELDS)
    assert len({row["UID"] for row in rows[:9]}) == 9
    assert len({question.texts for question in map(asked, rows)}) == len(rows)
