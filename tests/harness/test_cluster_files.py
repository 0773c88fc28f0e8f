"""Clusters as the documents have them, without one: a valid file, scripts, modes of files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.run import command

ROOT = Path(__file__).resolve().parents[2]
VALIDATE = """
import sys, yaml
from ray.autoscaler._private.util import prepare_config, validate_config
validate_config(prepare_config(yaml.safe_load(open(sys.argv[1]))))
"""
SCRIPTS = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/slurm.md").read_text(), re.DOTALL)


def test_rays_own_validator_takes_the_cluster_file_as_it_stands() -> None:
    where = ROOT / "docs" / "cluster.yaml"
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE, str(where)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_batch_script_is_one_and_its_command_is_ours(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr
    joined = script.replace("\\\n", " ")
    (said,) = re.findall(r"python -m harness\.run ([^&\n]*)", joined)
    options = command._parser().parse_args(said.split())
    assert (ROOT / options.grid).is_file() and options.store == '"$SCRATCH/store"'


def test_symmetric_run_has_the_options_that_the_script_gives_it() -> None:
    ray = Path(sys.executable).with_name("ray")
    shown = [
        subprocess.run([ray, *words, "--help"], capture_output=True, text=True).stdout
        for words in (["symmetric-run"], ["start"])
    ]
    (given,) = re.findall(r"ray symmetric-run (.*?) -- ", SCRIPTS[1].replace("\\\n", " "))
    for option in re.findall(r"--[a-z-]+", given):
        assert option in "".join(shown)


@pytest.mark.parametrize(("mask", "file", "folder"), [("002", 0o664, 0o775), ("077", 0o600, 0o700)])
def test_what_a_run_writes_has_the_modes_that_umask_gives(
    mask: str, file: int, folder: int, tmp_path: Path
) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "name: tiny\nscale: micro\n"
        "overrides: {steps: 2, rows: 8, eval_rows: 6, world: 0.05, documents: 120}\n"
        "tables: [{id: one, rows: [glm-base], columns: [copa]}]\n"
    )
    store = tmp_path / "store"
    run = f'umask {mask} && exec "$0" -m harness.run "$1" --store "$2" --executor inline --quiet'
    done = subprocess.run(
        ["bash", "-c", run, sys.executable, str(grid), str(store)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    modes = {path: path.stat().st_mode & 0o777 for path in store.rglob("*")}
    assert {path.suffix for path in modes} >= {".parquet", ".safetensors", ".json", ".npy", ".csv"}
    odd = {p: oct(mode) for p, mode in modes.items() if mode != (folder if p.is_dir() else file)}
    assert not odd


def test_a_report_is_named_where_the_working_folder_is_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "job"
    here.mkdir()
    monkeypatch.chdir(here)
    assert command._near(here / "store" / "page.html") == os.path.join("store", "page.html")
    assert command._near(tmp_path / "page.html") == str(tmp_path / "page.html")
    here.rmdir()
    assert command._near(tmp_path / "page.html") == str(tmp_path / "page.html")
