"""python -m tasks: show, check, and errors in one line."""

from pathlib import Path

import pytest

from tasks.__main__ import main
from tests.tasks.samples import RECORDS, jsonl, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, record in RECORDS.items():
        put(tmp_path, name, jsonl([record]))
    return tmp_path


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("style", ["cloze", "classifier"])
def test_show_prints_questions_of_every_task(
    name: str, style: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["show", name, "--path", str(folder), "--split", "val", "-n", "3", "--style", style]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "1 rows" in shown or "2 rows" in shown
    assert "id 7" in shown and "* " in shown
    assert ("[MASK]" if style == "cloze" else "[SEP]") in shown


def test_show_prints_text_candidates_and_gold(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "copa", "--path", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "",
        "  id 7",
        '    "it had rained" or "the sun shone"? The street was wet because [MASK].',
        "      * it had rained",
        "      - the sun shone",
        "    (sum of tokens, loss choice)",
    ]


def test_show_falls_back_on_another_file_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "record", jsonl([RECORDS["record"]]), "explorer.jsonl")
    assert main(["show", "record", "--path", str(tmp_path)]) == 0
    assert "has no dev file of its own here; showing" in capsys.readouterr().out


def test_show_says_that_a_false_row_of_wsc_is_not_asked_in_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "wsc", jsonl([RECORDS["wsc"] | {"label": False}]))
    assert main(["show", "wsc", "--path", str(tmp_path), "--train"]) == 0
    assert "not asked in training" in capsys.readouterr().out


def test_check_counts_every_file_it_finds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder, "boolq", jsonl([RECORDS["boolq"]] * 1), "train_1000_noofficialidx.jsonl")
    put(folder, "record", jsonl([RECORDS["record"]]), "official_sample/train.jsonl")
    assert main(["check", "--path", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "MultiRC    dev    1 questions, 2 rows, 0 bad" in shown
    assert "train_1000_noofficialidx.jsonl" in shown
    assert "official_sample/train.jsonl" in shown
    assert "the official split has 56" in shown


def test_check_fails_on_bad_rows_and_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "rte", jsonl([RECORDS["rte"] | {"label": "maybe"}]))
    put(folder, "cb", b"")
    put(folder, "copa", b"not xz", "test.jsonl.xz")
    assert main(["check", "--path", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "label outside its set: 'maybe'" in shown
    assert "no row in it" in shown and "damaged or cut short" in shown
    assert "WiC        dev    1 rows, 0 bad" in shown


def test_check_can_require_the_official_counts(folder: Path) -> None:
    assert main(["check", "cb", "--path", str(folder)]) == 0
    assert main(["check", "cb", "--path", str(folder), "--official"]) == 1


def test_a_world_is_written_checked_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["world", "--out", str(tmp_path), "--documents", "50", "--seed", "3"]) == 0
    source = ["--source", "microworld", "--path", str(tmp_path)]
    assert main(["check", *RECORDS, *source]) == 0
    shown = capsys.readouterr().out
    assert shown.count(" 0 bad") == 24  # three splits of eight tasks
    assert main(["show", "wsc", *source, "-n", "1"]) == 0
    assert "refers to [MASK]" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["show", "cpoa", "--path", "."], "did you mean `copa`?"),
        (["show", "copa"], "--source folder needs --path"),
        (["show", "copa", "--path", "/no/such"], "no such folder"),
        (["show", "copa", "--path", ".", "--style", "prose"], "no style 'prose'"),
        (["show", "copa", "--path", "FOLDER", "--pattern", "9"], "no pattern 9"),
        (["check", "--path", "/no/such"], "no such folder"),
        (["check", "--path", "EMPTY"], "none of the tasks' files"),
        (["world", "--out", "x", "--documents", "0"], "at least 1"),
    ],
)
def test_a_users_error_is_one_message_and_exit_code_2(
    command: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").mkdir()
    places = {"FOLDER": str(folder), "EMPTY": str(folder / "empty")}
    assert main([places.get(word, word) for word in command]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told
