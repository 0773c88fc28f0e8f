"""The hub gives the rows that the official files give; without a network it says so at once."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks import TASKS
from tasks.errors import UserError
from tasks.source.folder import Folder
from tasks.source.hub import Hub
from tasks.source.rows import fingerprint, load
from tests.tasks.samples import RECORDS, jsonl, put

# The hub's columns and numbered labels, for the sample records.
LABELS = {
    "boolq": ["False", "True"],
    "wic": ["False", "True"],
    "wsc": ["False", "True"],
    "multirc": ["False", "True"],
    "cb": ["entailment", "contradiction", "neutral"],
    "rte": ["entailment", "not_entailment"],
    "copa": ["choice1", "choice2"],
}


def hub_records(name: str, *, labelled: bool) -> list[dict[str, Any]]:
    record = {key: value for key, value in RECORDS[name].items() if key != "version"}
    if name == "record":
        query = record["qas"][0]
        return [
            {
                "passage": record["passage"]["text"],
                "query": query["query"],
                "entities": ["Paris", "Bob", "Ann Lee"],
                "answers": ["Bob"] if labelled else [],
                "idx": {"passage": 7, "query": 3},
            }
        ]
    if name == "multirc":
        question = record["passage"]["questions"][0]
        return [
            {
                "paragraph": record["passage"]["text"],
                "question": question["question"],
                "answer": answer["text"],
                "idx": {"paragraph": 7, "question": 3, "answer": answer["idx"]},
                "label": answer["label"] if labelled else -1,
            }
            for answer in question["answers"]
        ]
    flat = {key: value for key, value in record.items() if key not in ("target", "label")}
    number = LABELS[name].index(str(record["label"])) if name != "copa" else record["label"]
    return [flat | record.get("target", {}) | {"label": number if labelled else -1}]


def on_disk(root: Path, name: str, *, labelled: bool) -> Any:
    """The task with its hub data set as parquet files in a local folder, read by `datasets`."""
    from datasets import ClassLabel, Dataset

    records = hub_records(name, labelled=labelled)
    table = Dataset.from_list(records)
    if name in LABELS:
        table = table.cast_column("label", ClassLabel(names=LABELS[name]))
    task = TASKS[name]
    assert task.hub is not None
    folder = root / "hub" / name
    folder.mkdir(parents=True)
    table.to_parquet(folder / "validation.parquet")
    table.to_parquet(folder / "test.parquet")
    splits = "\n".join(
        f"  - split: {split}\n    path: {split}.parquet" for split in ("validation", "test")
    )
    config = f"- config_name: {task.hub.config}\n  data_files:\n{splits}"
    (folder / "README.md").write_text(f"---\nconfigs:\n{config}\n---\n")
    return replace(task, hub=replace(task.hub, path=str(folder)), counts={})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


@pytest.mark.parametrize("name", RECORDS)
def test_the_hub_gives_the_official_files_rows(name: str, tmp_path: Path) -> None:
    put(tmp_path, name, jsonl([RECORDS[name]]))
    from_file = load(TASKS[name], "dev", Folder(str(tmp_path)))
    from_hub = load(on_disk(tmp_path, name, labelled=True), "dev", Hub())
    assert from_hub.rows == from_file.rows


@pytest.mark.parametrize("name", RECORDS)
def test_the_hubs_label_minus_one_is_no_label(name: str, tmp_path: Path) -> None:
    loaded = load(on_disk(tmp_path, name, labelled=False), "test", Hub())
    assert all(not {"label", "answers"} & row.keys() for row in loaded.rows)


def test_a_pinned_revision_must_have_the_official_rows(tmp_path: Path) -> None:
    task = replace(on_disk(tmp_path, "cb", labelled=True), counts={"dev": 56})
    with pytest.raises(UserError, match="1 rows, not the 56 expected"):
        load(task, "dev", Hub())


def test_a_hub_fingerprint_is_its_commit_and_needs_no_network() -> None:
    task = TASKS["cb"]
    pinned, other = fingerprint(task, "dev", Hub()), Hub({"cb": "0" * 40})
    assert pinned == fingerprint(task, "dev", Hub())
    assert pinned != fingerprint(task, "train", Hub())
    assert pinned != fingerprint(task, "dev", other)


def test_offline_the_message_names_the_data_set_and_how_to_get_it() -> None:
    started = time.monotonic()
    with pytest.raises(UserError) as raised:
        load(TASKS["cb"], "dev", Hub())
    said = str(raised.value)
    assert time.monotonic() - started < 5
    assert "aps/super_glue" in said and "3de24cf8022e94f4ee4b9d55a6f539891524d646" in said
    assert "load_dataset(" in said and "superglue/CB/val.jsonl" in said


@pytest.mark.parametrize(
    "setting", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://localhost:9"}]
)
def test_without_a_network_the_command_ends_at_once(
    setting: dict[str, str], tmp_path: Path
) -> None:
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    environment = {k: v for k, v in os.environ.items() if k not in proxies}
    environment |= {"HF_HOME": str(tmp_path), **setting}
    command = [sys.executable, "-m", "tasks", "show", "cb", "--source", "hub"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert "aps/super_glue" in ended.stderr and "Traceback" not in ended.stderr
    assert "Retrying" not in ended.stderr
