"""A grid from its YAML to its tables with the real kinds of step, and what must hold on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pyarrow import parquet

from glm.adaptation.styles import STYLES, styled
from harness import __main__ as asked
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.run import command as run
from harness.run import driver as drive
from harness.steps import finetuning, predictions
from harness.steps.finetune import Finetune, ZeroShot
from harness.steps.step import Machine, Step
from harness.store.store import Store
from tasks.sums import COMBINATIONS

ROOT = Path(__file__).resolve().parents[2]
SCALE = """\
scale: micro
overrides: {steps: 6, rows: 24, eval_rows: 12, world: 0.05, documents: 150}
"""
TINY = f"""\
{SCALE}
tables:
  - id: understanding
    average: true
    rows:
      - {{variant: glm-large, id: cloze}}
      - {{variant: glm-large, id: classifier, style: classifier}}
      - {{variant: bert-large, id: bert, style: bert-cloze}}
    columns: [cb, wsc]
  - id: generation
    split: test
    rows: [glm-large]
    columns: [gigaword, {{task: yahoo, options: {{ratio: 0.3}}}}]
  - id: language
    split: test
    rows: [glm-large, gpt-large]
    columns: [heldout, lambada]
controls: [blind]
"""


@dataclass(frozen=True)
class Ran:
    """A grid that was run."""

    grid: Path
    store: Path
    code: int

    @property
    def manifest(self) -> dict[str, Any]:
        path = self.store / "grids" / self.grid.stem / "cells.json"
        return json.loads(path.read_text())

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.manifest["cells"]

    @property
    def steps(self) -> list[Step]:
        return list(expand(grids.load(self.grid)).steps.values())


def ran(store: Path, name: str, text: str, *options: str) -> Ran:
    """Run a grid in this process, one step after the other."""
    path = store.parent / f"{name}.yaml"
    path.write_text(text)
    code = run.main([str(path), "--executor", "inline", "--store", str(store), *options])
    return Ran(path, store, code)


def bits(store: Path) -> dict[str, bytes]:
    """The bytes of every model, prediction and score, by step."""
    found = {}
    for pattern in ("score/*/scores.json", "pretrain/*/model.safetensors", "*/*/*.parquet"):
        for path in store.glob(pattern):
            found[str(path.relative_to(store))] = path.read_bytes()
    return found


def scores(store: Path) -> dict[str, bytes]:
    return {name: data for name, data in bits(store).items() if name.endswith("/scores.json")}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("tiny") / "store", "tiny", TINY)


def test_a_column_has_the_blind_floor_of_its_reference_row(tiny: Ran):
    runs = {run["task"]: run for run in tiny.manifest["floors"] if run["floor"] == "blind"}
    assert {task: run["state"] for task, run in runs.items()} == {"cb": "done", "wsc": "done"}
    for cell in tiny.cells:
        blind = {metric: found.get("blind") for metric, found in cell["floors"].items()}
        if cell["column"] in runs:
            folder = tiny.store / runs[cell["column"]]["step"]
            read = json.loads((folder / "scores.json").read_text())["metrics"]
            assert blind == {name: metric["value"] for name, metric in read.items()}
            assert blind["acc"] is not None
        else:
            assert not any(blind.values())


def test_language_columns_have_the_floors_of_ngrams_over_the_same_tokens(tiny: Ran):
    language = [cell for cell in tiny.cells if cell["table"] == "language"]
    for cell in language:
        scores = json.loads((tiny.store / cell["score"] / "scores.json").read_text())["metrics"]
        assert cell["floors"].keys() == scores.keys()
        for name in scores:
            assert cell["floors"][name].keys() == {"unigram", "5-gram"}
    (heldout,) = (c for c in language if (c["row"], c["column"]) == ("glm-large", "heldout"))
    floors = heldout["floors"]["bpb"]
    assert floors["5-gram"] < floors["unigram"]
    ours = parquet.read_table(tiny.store / heldout["predictions"] / "predictions.parquet")
    (run, *_) = (run for run in tiny.manifest["floors"] if run["floor"] == "5-gram")
    inputs = json.loads((tiny.store / run["step"] / "inputs.json").read_text())
    theirs = parquet.read_table(tiny.store / inputs["predictions"] / "5-gram.parquet")
    sums = [
        [(v["tokens"], v["bytes"]) for v in map(json.loads, table["values"].to_pylist())]
        for table in (ours, theirs)
    ]
    assert sums[0] == sums[1]  # the same tokens of the same text


def test_a_manifest_says_what_its_tables_are_about(tiny: Ran):
    about = tiny.manifest["about"]
    assert about["source"]["kind"] == "microworld" and about["scale"] == "micro"
    assert len(about["pretrainings"]) == 3
    for folder, facts in about["pretrainings"].items():
        ledger = json.loads((tiny.store / folder / "ledger.json").read_text())
        for name in ("parameters", "positions", "targets", "corpus_tokens", "seconds"):
            assert facts[name] == ledger[name]
        assert about["corpora"][facts["corpus"]]["train_documents"] == 150
    wsc = about["columns"]["understanding"]["wsc"]
    assert wsc["examples"] == {"used": 12, "of": 48}
    assert wsc["training"] == {"used": 24, "of": 90}
    assert wsc["cut"]["dev"] == {"most": 0, "of": 12}
    assert set(about["columns"]["language"]["heldout"]["cut"]) == {"test"}
    assert about["finished"].endswith("Z") and len(about["commits"]) <= 1


def test_a_grid_is_run_from_its_yaml_to_its_tables(tiny: Ran):
    assert tiny.code == 0
    assert [cell["state"] for cell in tiny.cells] == ["done"] * 12
    assert [cell["reason"] for cell in tiny.cells] == [""] * 12
    for cell in tiny.cells:
        found = json.loads((tiny.store / cell["score"] / "scores.json").read_text())
        assert found["metrics"] and found["skipped"] == {}
        for metric in found["metrics"].values():
            assert metric["value"] is not None and metric["n"] > 0
            assert f"|task:{found['task']}|" in metric["signature"]
            assert "scale:" not in metric["signature"]  # that is its cell's to say
        assert "|scale:micro|overrides:documents=150,eval_rows=12," in cell["conditions"]
        assert "|select:last|examples:" in cell["conditions"]
    made = tiny.store / "grids" / "tiny" / "tables"
    page = (made / "index.html").read_text()
    for label in ("understanding", "generation", "language", "BERT Large", "Highest floor"):
        assert label in page
    assert not list(tiny.store.glob("*/*.part")) and not list((tiny.store / "locks").iterdir())
    for ledger in tiny.store.glob("pretrain/*/ledger.json"):
        counted = json.loads(ledger.read_text())
        assert counted["corpus_tokens"] == counted["steps"] * 16 * 96
        assert counted["targets"] > 0 and counted["parameters"] > 0


def test_a_score_keeps_what_every_answer_adds_to_it(tiny: Ran):
    for cell in tiny.cells:
        folder = tiny.store / cell["score"]
        found = json.loads((folder / "scores.json").read_text())
        items = parquet.read_table(folder / "items.parquet").to_pydict()
        for name, metric in found["metrics"].items():
            sums = [sum(items[key]) for key in items if key.startswith(f"{name}/")]
            assert len(items["id"]) == len(items["cluster"]) == metric["n"]
            value = float(COMBINATIONS[metric["combine"]](sums))
            assert value == pytest.approx(metric["value"], rel=1e-12)
            assert found["floors"][name] or cell["table"] == "language"


def test_a_second_run_does_nothing_and_starts_no_executor(
    tiny: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def no_runner(machine: Machine) -> Any:
        raise AssertionError("an executor was started")

    monkeypatch.setattr(drive, "runner", no_runner)
    before = bits(tiny.store)
    made = {path: path.stat().st_mtime_ns for path in tiny.store.glob("*/*/provenance.json")}
    assert run.main([str(tiny.grid), "--store", str(tiny.store)]) == 0
    assert "0 steps ran, 53 of 53 are done" in capsys.readouterr().out
    assert bits(tiny.store) == before
    assert made == {path: path.stat().st_mtime_ns for path in made}


def test_on_ray_the_same_steps_give_the_same_bytes(tiny: Ran, tmp_path: Path):
    rows = "[{variant: glm-large, id: cloze}, {variant: bert-large, style: bert-cloze}]"
    generation = "{id: g, split: test, rows: [glm-large], columns: [gigaword]}"
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        f"{SCALE}tables: [{{id: u, rows: {rows}, columns: [cb]}}, {generation}]\n"
        "machine: {executor: ray, cpus: 2}\n"
    )
    store = tmp_path / "store"
    command = [sys.executable, "-m", "harness.run", str(grid), "--store", str(store)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ours, theirs = bits(tiny.store), bits(store)
    assert len(scores(store)) == 3 and set(theirs) <= set(ours)
    assert [name for name in theirs if theirs[name] != ours[name]] == []


def logged(store: Path) -> list[dict[str, Any]]:
    """The whole lines that pretraining has logged so far."""
    text = "".join(path.read_text() for path in store.glob("pretrain/*/log.jsonl"))
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def checkpoints(store: Path) -> list[int]:
    return [line["step"] for line in logged(store) if line["event"] == "checkpoint"]


def test_a_driver_killed_while_pretraining_goes_on_to_the_same_scores(tmp_path: Path):
    text = SCALE.replace("steps: 6", "steps: 12")
    text += "tables: [{id: t, rows: [glm-large], columns: [cb]}]"
    whole = ran(tmp_path / "whole", "grid", text)
    assert whole.code == 0
    store = tmp_path / "store"
    options = ["--executor", "inline", "--store", str(store)]
    command = [sys.executable, "-m", "harness.run", str(whole.grid), *options]
    command += ["--set", "machine.checkpoint_seconds=0"]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 60
    while len(checkpoints(store)) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert checkpoints(store) and not scores(store)
    assert run.main([str(whole.grid), *options]) == 0
    (resumed,) = [line["step"] for line in logged(store) if line["event"] == "resume"]
    assert resumed >= 2
    assert bits(store) == bits(whole.store)
    drawn = [each / "grids" / "grid" / "tables" / "loss.svg" for each in (store, whole.store)]
    assert drawn[0].read_bytes() == drawn[1].read_bytes()


@dataclass(frozen=True)
class Look:
    """As much of a `Work` as reading a finished step's inputs takes."""

    inputs: dict[str, Path]
    machine: Machine
    how: dict[str, Any]


def test_answers_do_not_depend_on_the_evaluations_batches(tiny: Ran):
    store = Store(tiny.store)
    seen = set()
    for step in (s for s in tiny.steps if s.kind in ("finetune", "zeroshot")):
        spec = step.spec
        assert isinstance(spec, Finetune | ZeroShot)
        work: Any = Look(
            {n: store.path(i) for n, i in step.inputs.items()}, Machine(device="cpu"), {}
        )
        given = finetuning.load(work, spec.objective)
        model, tokenizer = given.model, given.tokenizer
        model.eval()
        layout = spec.objective.layout
        lengths = {"source": 96, "target": 8, "window": 63, "stride": 32}
        style = styled(STYLES[spec.style], layout=layout, **lengths)
        questions = finetuning.ask(spec, work, spec.split, train=False)
        head = style.head(model.hidden, questions, 0)
        items = style.encode(questions, tokenizer, model.positions)
        one, many = (
            style.answer(model, head, items, tokenizer, batch_positions=positions)
            for positions in (1, 4096)
        )
        assert [a.id for a in one] == [a.id for a in many] and len(one) == len(questions)
        for alone, together in zip(one, many):
            assert (alone.choice, alone.text) == (together.choice, together.text)
            assert alone.scores == pytest.approx(together.scores, rel=1e-4, abs=1e-5)
            assert dict(alone.values) == pytest.approx(dict(together.values), rel=1e-4)
        seen.add(spec.style)
    assert seen == {"cloze", "classifier", "bert-cloze", "seq2seq", "infill", "lm"}


def test_a_run_that_diverges_fails_its_own_cells_only(
    tiny: Ran, capsys: pytest.CaptureFixture[str]
):
    rows = "[glm-large, {variant: glm-large, id: wild, label: Wild, set: {pretrain.eps: 1.0e-60}}]"
    text = SCALE + f"tables: [{{id: t, rows: {rows}, columns: [cb]}}]"
    wild = ran(tiny.store, "wild", text)
    shown = capsys.readouterr()
    assert wild.code == 1
    fine, bad = wild.cells
    assert (fine["state"], bad["state"]) == ("done", "blocked")
    assert "diverged@" in bad["reason"] and "diverged@" in shown.out
    assert "failed: pretrain glm-large-micro-s0: diverged@" in shown.err
    tuned = ran(tiny.store, "tuned", text.replace("pretrain.eps", "finetune.eps"))
    assert tuned.code == 1
    assert [cell["state"] for cell in tuned.cells] == ["done", "failed"]
    assert "diverged@" in tuned.cells[1]["reason"]


def test_a_sweep_chooses_on_dev_and_a_diverged_trial_is_not_chosen(tiny: Ran):
    text = (
        f"{SCALE}tables: [{{id: t, split: test, rows: [glm-large], columns: [gigaword]}}]\n"
        "sweep: {parameters: {eps: [1.0e-8, 1.0e-7, 1.0e-60]}, select: best_dev}\n"
    )
    swept = ran(tiny.store, "swept", text)
    assert swept.code == 1  # a step has failed, and it is said
    (cell,) = swept.cells
    assert cell["state"] == "done"
    chosen = cell["selected"]
    assert (chosen["rule"], chosen["split"]) == ("best_dev", "dev")
    values = [trial["selection_value"] for trial in chosen["trials"]]
    assert values[2] is None and chosen["selection_value"] == max(values[:2])
    score = json.loads((tiny.store / cell["score"] / "scores.json").read_text())
    assert score["split"] == "test" and score["metrics"]["rg1"]["value"] == chosen["value"]


def test_tables_are_those_of_the_grid_that_is_named(tiny: Ran, capsys: pytest.CaptureFixture[str]):
    store = ["--store", str(tiny.store)]
    kept = tiny.store / "grids" / "tiny" / "grid.yaml"
    assert grids.load(kept).asked == grids.load(tiny.grid).asked
    assert asked.main(["table", str(tiny.grid), *store]) == 0
    assert "understanding" in capsys.readouterr().out
    for command in (["table"], ["explain"]):
        what = ["understanding", "cloze", "cb"] if command == ["explain"] else []
        other = [*command, str(tiny.grid), *what, "--set", "overrides.steps=7", *store]
        assert asked.main(other) == 2
        said = capsys.readouterr()
        assert "is of another grid" in said.err and not said.out
        assert "overrides.steps: 6 there, 7 now" in said.err
        assert f"harness.run {tiny.grid} --set overrides.steps=7 --store {tiny.store}" in said.err
    # How a grid is run is no part of what it asks.
    assert asked.main(["table", str(tiny.grid), "--set", "machine.cpus=1", *store]) == 0
    capsys.readouterr()


def test_answers_are_computed_at_the_precision_of_their_spec(tiny: Ran):
    asked = [(s, s.spec_of(ZeroShot)) for s in tiny.steps if s.kind == "zeroshot"]
    heldout, spec = next((step, spec) for step, spec in asked if spec.task == "heldout")
    other = Step("zeroshot", heldout.name, replace(spec, precision="bf16"), heldout.inputs)
    store = Store(tiny.store)
    machine = Machine(executor="inline", store=str(tiny.store))
    drive.drive({other.digest: other}, store, machine, quiet=True)
    read = (predictions.read(store.path(step) / "predictions.parquet") for step in (heldout, other))
    exact, rounded = ([answer.values["nll"] for answer in answers] for answers in read)
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.01)


def test_a_mistake_exits_with_2_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    wrong = ran(tmp_path / "store", "wrong", TINY.replace("wsc", "wscc"))
    assert wrong.code == 2 and not wrong.store.exists()
    assert "unknown task `wscc`; did you mean `wsc`" in capsys.readouterr().err
    set_wrong = TINY.replace(
        "{variant: glm-large, id: cloze}", "{variant: glm-large, set: {lrr: 1}}"
    )
    assert ran(tmp_path / "store", "wrong", set_wrong).code == 2
    assert "unknown setting `lrr`; did you mean `lr`" in capsys.readouterr().err


def test_a_store_that_is_none_exits_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "store").write_text("a file")
    assert ran(tmp_path / "store", "tiny", TINY).code == 4
    assert "cannot be used as a store" in capsys.readouterr().err


def test_questions_about_a_store_are_answered_on_the_command_line(
    tiny: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def ask(*arguments: str) -> str:
        assert asked.main([*arguments, "--store", str(tiny.store)]) == 0
        return capsys.readouterr().out

    capsys.readouterr()
    assert "BERT Large" in ask("table", str(tiny.grid))
    where = ask("explain", str(tiny.grid), "understanding", "cloze", "cb")
    assert "finetune/glm-large-cb-cloze-s0.0-" in where and "objective" in where
    assert "done, would not run again" in ask("why", str(tiny.grid), "glm-large-micro-s0")
    said = ask("why", str(tiny.grid), "glm-large-micro-s0", "--set", "overrides.lr=0.5")
    assert "optimisation.lr: 0.002 there, 0.5 now" in said
    assert "0 damaged" in ask("verify")
    damaged = tmp_path / "store"
    shutil.copytree(tiny.store, damaged)
    victim = next(damaged.glob("pretrain/gpt*/model.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    assert asked.main(["verify", str(damaged)]) == 4
    assert "1 damaged of" in capsys.readouterr().out


def test_a_bad_row_stops_its_tasks_cells_or_is_skipped_and_told(
    tiny: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (world,) = tiny.store.glob("world/*")
    for name in ("corpus", "superglue"):
        shutil.copytree(world / name, tmp_path / "data" / name)
    train = tmp_path / "data/superglue/CB/train.jsonl"
    lines = train.read_text().splitlines()
    lines[2] = lines[2].replace('"label": "', '"label": "no ')
    train.write_text("\n".join(lines) + "\n")
    text = (
        SCALE + "tables: [{id: t, rows: [glm-large], columns: [cb, rte]}]\n"
        "data: {kind: folder, root: "
        + str(tmp_path / "data")
        + ", corpus: {path: corpus/train.jsonl}}\n"
    )
    stopped = ran(tmp_path / "store", "bad", text)
    shown = capsys.readouterr()
    assert stopped.code == 1
    assert [cell["state"] for cell in stopped.cells] == ["blocked", "done"]
    assert "CB/train.jsonl" in shown.err and "1 bad row" in shown.err
    skipped = ran(stopped.store, "bad", text, "--set", "data.on_bad_row=skip")
    shown = capsys.readouterr()
    assert skipped.code == 0
    assert [cell["reason"] for cell in skipped.cells] == ["bad rows were skipped: 1 in train", ""]
    assert "cb: bad rows were skipped: 1 in train" in shown.out
    (facts,) = stopped.store.glob("dataset/cb-*/dataset.json")
    assert json.loads(facts.read_text())["train"]["skipped"] == ["2"]
