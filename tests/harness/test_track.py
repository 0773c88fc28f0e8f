"""Trackers are told what the files say: once, as runs named by digests, and none holds a run up."""

import json
import math
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import expand
from harness.run import command
from harness.track import sinks
from harness.track.follow import follow

ROOT = Path(__file__).resolve().parents[2]
GRID = """\
scale: micro
overrides: {steps: 20, rows: 8, eval_rows: 6, world: 0.05, documents: 120}
tables: [{id: mine, rows: [glm-large], columns: [rte, lambada]}]
machine: {executor: inline, track: tensorboard}
"""
ANSWERS = {"predictions.parquet": "", "unigram.parquet": "unigram", "5-gram.parquet": "5-gram"}
Numbers = dict[str, dict[str, list[tuple[int, float]]]]  # digest -> name -> (step, value)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a grid that was run with TensorBoard beside it."""
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "small.yaml").write_text(GRID)
    assert run(folder / "small.yaml", folder / "store") == 0
    return folder / "store"


def run(grid: Path, store: Path, *options: str) -> int:
    return command.main([str(grid), "--store", str(store), "--quiet", *options])


def files(store: Path) -> Numbers:
    """What the store's own files hold: losses of trainings, and scores by what they score."""
    found: Numbers = {}
    for log in store.glob("*/*/log.jsonl"):
        for event in map(json.loads, log.read_text().splitlines()):
            if event["event"] == "step":
                losses = found.setdefault(log.parent.name[-16:], {}).setdefault("loss", [])
                losses.append((event["step"], event["loss"]))
    for scores in store.glob("score/*/scores.json"):
        of = json.loads((scores.parent / "inputs.json").read_text())["predictions"][-16:]
        made = json.loads(scores.read_text())
        spec = json.loads((scores.parent / "spec.json").read_text())["spec"]
        model = ANSWERS[spec["predictions"]]
        last = found.setdefault(of, {}).get("loss", [(0, 0.0)])[-1][0]
        for name, metric in made["metrics"].items():
            if metric["value"] is not None:
                split = made["split"] + (f"-{model}" if model else "")
                place = f"{made['task']}/{split}/{name}"
                found[of][place] = [(last, metric["value"])]
    return found


def events(folder: Path) -> Numbers:
    """What TensorBoard itself reads from event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: Numbers = {}
    for run in {path.parent for path in folder.rglob("events.*")}:
        read = EventAccumulator(str(run))
        read.Reload()
        found[run.name[-16:]] = {
            name: [(event.step, event.value) for event in read.Scalars(name)]
            for name in read.Tags()["scalars"]
        }
    return found


def same(told: Numbers, store: Path) -> None:
    """What a tracker has is what the files say."""
    expected = files(store)
    assert set(told) == set(expected) and len(expected) == 4  # the n-gram floor's among them
    for digest, numbers in expected.items():
        for name, points in numbers.items():
            assert [step for step, _ in told[digest][name]] == [step for step, _ in points]
            values = [value for _, value in told[digest][name]]
            assert values == pytest.approx([value for _, value in points], rel=1e-6), name


def test_tensorboard_reads_losses_and_scores_from_its_files(store: Path):
    told = events(store / "grids/small/tensorboard")
    same(told, store)
    trained = [numbers for numbers in told.values() if "loss" in numbers]
    assert all({"lr", "gradient_norm", "tokens_per_second"} <= set(each) for each in trained)
    assert (store / "grids/small/tracked/tensorboard.log").read_text() == ""


def test_nothing_is_told_twice(store: Path):
    before = events(store / "grids/small/tensorboard")
    assert run(store.parent / "small.yaml", store) == 0
    assert events(store / "grids/small/tensorboard") == before


def told_later(store: Path, tracker: str, **environment: str) -> str:
    """Tell a tracker of a grid that was run before, without a network; what it has said."""
    told = subprocess.run(
        [sys.executable, "-m", "harness.track", store, "small", tracker],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout + told.stderr


@pytest.mark.skipif(not find_spec("trackio"), reason="trackio is not installed")
def test_trackio_has_the_runs_of_a_grid_that_was_run_before(store: Path, tmp_path: Path):
    told_later(store, "trackio", TRACKIO_DIR=str(tmp_path))
    ask = """if True:
        import json
        from trackio.sqlite_storage import SQLiteStorage as kept
        print(json.dumps({run: kept.get_logs("small", run) for run in kept.get_runs("small")}))
    """
    read = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ask],
        env={**os.environ, "TRACKIO_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    told: Numbers = {}
    for name, lines in json.loads(read.stdout.splitlines()[-1]).items():
        for line in lines:
            for key in line.keys() - {"step", "timestamp"}:
                told.setdefault(name[-16:], {}).setdefault(key, []).append(
                    (line["step"], line[key])
                )
    same(told, store)


@pytest.mark.skipif(not find_spec("wandb"), reason="wandb is not installed")
def test_weights_and_biases_has_them_in_its_own_files_without_a_network(store: Path):
    told_later(store, "wandb", WANDB_SILENT="true", no_proxy="", https_proxy="http://127.0.0.1:9")
    same(synced(store / "grids/small/wandb"), store)


def synced(folder: Path) -> Numbers:
    """What `wandb sync` would send."""
    from wandb.proto import (  # pyright: ignore[reportMissingImports]
        wandb_internal_pb2 as records,
    )

    found: Numbers = {}
    for path in folder.rglob("*.wandb"):
        numbers = found.setdefault(path.stem.removeprefix("run-"), {})
        for data in recorded(path.read_bytes()):
            history = records.Record.FromString(data).history
            for item in history.item:
                name = "/".join(item.nested_key) or item.key
                if not name.startswith("_"):
                    value = json.loads(item.value_json)
                    numbers.setdefault(name, []).append((history.step.num, value))
    return found


def recorded(log: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log: blocks of 32 KiB, and 7 bytes before each piece of a record."""
    at, record = 7, b""  # after the file's own head
    while at + 7 <= len(log):
        if 2**15 - at % 2**15 < 7:
            at += 2**15 - at % 2**15  # what is left of a block holds no head
            continue
        _, size, kind = struct.unpack_from("<IHB", log, at)
        record += log[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield record
            record = b""


def test_a_tracker_is_no_part_of_any_digest(store: Path):
    plans = [
        set(expand(grids.load(store.parent / "small.yaml", [f"machine.track={name}"])).steps)
        for name in ("''", "tensorboard")
    ]
    assert plans[0] == plans[1]


def test_a_tracker_that_is_not_there_is_refused_when_the_grid_is_read(
    store: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sinks.PACKAGES, "trackio", "a_package_that_nobody_has")
    with pytest.raises(UserError, match=r"which is not installed: pip install a_package"):
        grids.load(store.parent / "small.yaml", ["machine.track=trackio"])


def test_a_tracker_that_breaks_stops_nothing(store: Path, tmp_path: Path, capfd: Any):
    grid = tmp_path / "small.yaml"
    grid.write_text(GRID.replace("[rte, lambada]", "[lambada]").replace("steps: 20", "steps: 2"))
    (tmp_path / "my store/grids/small").mkdir(parents=True)
    (tmp_path / "my store/grids/small/tensorboard").write_text("a file where its folder should be")
    assert run(grid, tmp_path / "my store") == 0
    said = capfd.readouterr().err
    assert "tensorboard was not told everything" in said
    assert f"python -m harness.track '{tmp_path / 'my store'}' small tensorboard" in said


def test_a_run_without_a_tracker_imports_none_and_leaves_nothing(tmp_path: Path):
    grid = tmp_path / "small.yaml"
    grid.write_text("tables: [table1]\n")
    code = (
        "import sys; from harness.run import command; "
        f"command.main([{str(grid)!r}, '--plan', '--store', {str(tmp_path / 's')!r}]); "
        "print(*(n for n in ('tensorboardX', 'trackio', 'wandb') if n in sys.modules), 'end')"
    )
    asked = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert asked.stdout.splitlines()[-1] == "end", asked.stderr


@dataclass
class Heard:
    """A tracker that keeps what it is told, and breaks after a while."""

    breaks_after: float = math.inf
    told: list[tuple[str, int, dict[str, float]]] = field(default_factory=list)

    def open(self, run: sinks.Tracked) -> sinks.Open:
        return run.digest

    def tell(self, opened: sinks.Open, step: int, numbers: Mapping[str, float]) -> None:
        if len(self.told) >= self.breaks_after:
            raise ConnectionError("the tracker is gone")
        self.told.append((opened, step, dict(numbers)))

    def close(self, opened: sinks.Open) -> None:
        """Everything is kept already."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A store with a finetuning of two answers, chosen and last, and one that is not begun."""
    names = {"aa": "predictions.parquet", "bb": "predictions.last.parquet"}
    steps = [
        {"kind": "finetune", "name": "n", "digest": digest, "inputs": {}} for digest in ("cc", "dd")
    ]
    for digest, answers in names.items():
        folder = tmp_path / "score" / f"n-{digest}"
        folder.mkdir(parents=True)
        scores = {"task": "rte", "split": "dev", "metrics": {"acc": {"value": 0.5}}}
        (folder / "scores.json").write_text(json.dumps(scores))
        (folder / "spec.json").write_text(json.dumps({"spec": {"predictions": answers}}))
        inputs = {"predictions": "cc"}
        steps.append({"kind": "score", "name": "n", "digest": digest, "inputs": inputs})
    trained = tmp_path / "finetune" / "n-cc"
    trained.mkdir(parents=True)
    lines = [json.dumps({"event": "step", "step": at, "loss": 2.0}) for at in (1, 2, 3)]
    (trained / "log.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "grids" / "g").mkdir(parents=True)
    (tmp_path / "grids" / "g" / "run.json").write_text(json.dumps({"steps": steps}))
    return tmp_path


TOLD = [
    *(("cc", step, {"loss": 2.0}) for step in (1, 2, 3)),
    ("cc", 3, {"rte/dev/acc": 0.5}),
    ("cc", 3, {"rte/dev-last/acc": 0.5}),
]


def test_a_step_that_is_not_begun_has_no_log_wherever_the_follower_stands(
    written: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(written / "finetune" / "n-cc")
    heard = Heard()
    follow(written, "g", "heard", heard, lambda: True)
    assert heard.told == TOLD


@pytest.mark.parametrize("count", range(len(TOLD)))
def test_what_was_told_before_a_tracker_broke_is_not_told_again(written: Path, count: int):
    broken, heard = Heard(breaks_after=count), Heard()
    with pytest.raises(ConnectionError):
        follow(written, "g", "heard", broken, lambda: True)
    follow(written, "g", "heard", heard, lambda: True)
    assert broken.told + heard.told == TOLD
