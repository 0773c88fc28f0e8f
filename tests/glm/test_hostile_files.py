"""Hostile vocabularies, checkpoints and corpora: one sentence each, and little memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 10**9  # bytes, torch and transformers among them
READ = {"c.parquet: one document many times"}  # long, and nothing is wrong with it


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What came of every file, one after the other in one process."""
    folder = tmp_path_factory.mktemp("hostile")
    command = [sys.executable, "-m", "tests.hostile", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_hostile_file_ends_in_one_sentence_with_its_place(said: list[dict[str, Any]]) -> None:
    assert len(said) > 100
    raw = [case for case in said if case["raised"] != "UserError" and case["name"] not in READ]
    assert not raw
    refused = [case for case in said if case["name"] not in READ]
    assert all(case["text"].startswith("/") for case in refused)
    assert not [case for case in refused if len(case["text"]) > 1000 or "\n" in case["text"]]


def test_no_hostile_file_takes_a_gigabyte(said: list[dict[str, Any]]) -> None:
    assert [case["name"] for case in said if case["peak"] > MOST] == []
