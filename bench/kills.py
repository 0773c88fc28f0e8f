"""Random kills of whole runs, and what is left of them: `python -m bench.kills --kills 100`.

A tiny grid is run once undisturbed and then again and again. At random moments a process is killed
or a signal sent; the same command goes on until the grid is done, and then every score, prediction,
weight, table and loss curve must have the bytes of the undisturbed run. Counted: runs that hang,
exits that are no promised ones, tracebacks, and what is there eight seconds after a run's end.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

GRID = """
name: tiny
scale: micro
overrides: {steps: 60, rows: 24, eval_rows: 12, world: 0.05, documents: 120}
tables:
  - {id: one, rows: [glm-base, bert-base], columns: [copa]}
machine: {checkpoint_seconds: 0.5}
"""
SAME = ("scores.json", "predictions.parquet", "model.safetensors", "loss.svg", "one.csv", "one.md")
FINISHED = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
STUCK = 240.0  # seconds that a run may take, kills and pauses included
GONE = 8.0  # seconds after a run's end in which everything of it must go
PROMISED = (0, 3)  # exit codes of a driver that was not killed outright
RAY = ("worker", "raylet", "gcs_server")  # victims that only a run on Ray has


@dataclass
class Found:
    """What a campaign has seen."""

    kills: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    grids: int = 0  # finished, all of their bytes compared
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """A driver, and all processes that it has started."""

    driver: psutil.Popen
    folder: Path  # of Ray: what names it belongs to the run
    log: Path

    def processes(self) -> list[psutil.Process]:
        """Those that have the folder in their environment, or a file in it open."""
        mine = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("RAY_TMPDIR") == str(self.folder) or any(
                    file.path.startswith(str(self.folder)) for file in process.open_files()
                ):
                    mine.append(process)
            except psutil.Error:
                continue
        return mine

    def named(self, name: str) -> psutil.Process | None:
        """The first process of the run that is called so."""
        for process in self.processes():
            try:
                words = process.cmdline() or [""]
                if os.path.basename(words[0]) == name or words[0].startswith(name):
                    return process
            except psutil.Error:
                continue
        return None

    def over(self, seconds: float) -> bool:
        """Whether the driver ends within some seconds."""
        try:
            self.driver.wait(seconds)
        except psutil.TimeoutExpired:
            return False
        return True


def kill(run: Run, how: str) -> bool:
    """Do it; False where there is no such process at the moment."""
    group: dict[str, signal.Signals] = {"group": signal.SIGKILL, "Ctrl-C": signal.SIGINT}
    if how in group:
        os.killpg(run.driver.pid, group[how])
    elif how in ("driver", "SIGTERM"):
        run.driver.send_signal(signal.SIGKILL if how == "driver" else signal.SIGTERM)
    elif how == "pause":
        os.killpg(run.driver.pid, signal.SIGSTOP)
        time.sleep(3)
        os.killpg(run.driver.pid, signal.SIGCONT)
    else:
        victim = run.named("ray::_step" if how == "worker" else how)
        if victim is None:
            return False
        victim.kill()
    return True


def start(grid: Path, store: Path, executor: str, folder: Path) -> Run:
    """The command, in a session of its own."""
    folder.mkdir(exist_ok=True)
    log = store.parent / "log.txt"
    command = [sys.executable, "-m", "harness.run", str(grid), "--store", str(store)]
    with open(log, "ab") as out:
        driver = psutil.Popen(
            [*command, "--executor", executor],
            env=os.environ | {"RAY_TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Run(driver, folder, log)


def disturbed(run: Run, ways: list[str], most: int, rng: random.Random, found: Found) -> int:
    """One run with at most so many kills, to its end; returns how many there were."""
    done, began = 0, time.monotonic()
    while not run.over(rng.uniform(0.2, 12.0) if done < most else 1.0):
        if time.monotonic() - began > STUCK:
            found.wrong.append(f"stuck: {' '.join(run.driver.cmdline())}")
            os.killpg(run.driver.pid, signal.SIGKILL)
        elif done < most:
            how = rng.choice(ways)
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):  # just ended
                if kill(run, how):
                    found.kills[how] += 1
                    done += 1
    return done


def left(run: Run) -> list[str]:
    """Processes and files of the run that are there too long after its end."""
    until = time.monotonic() + GONE
    while (there := _there(run)) and time.monotonic() < until:
        time.sleep(0.2)
    return there


def _there(run: Run) -> list[str]:
    names = []
    for process in run.processes():
        try:
            names.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
        except psutil.Error:
            continue
    return names + [path.name for path in run.folder.iterdir()]


def bytes_of(store: Path) -> dict[str, str]:
    """A digest of every file that must be the same, but for when a table says it was finished."""
    return {
        str(path.relative_to(store)): hashlib.sha256(
            FINISHED.sub(b"", path.read_bytes())
        ).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.name in SAME and "quarantine" not in path.parts
    }


def campaign(
    kills: int, executor: str, seed: int, say: Callable[[Found], None], minutes: float
) -> Found:
    """Kill until there were so many, or so many minutes have gone, and the last grid is done."""
    rng, found = random.Random(seed), Found()
    ways = ["driver", "group", "Ctrl-C", "SIGTERM", "pause", *(RAY if executor == "ray" else ())]
    with tempfile.TemporaryDirectory(prefix="k-") as name:
        top = Path(name)
        grid = top / "grid.yaml"
        grid.write_text(GRID)
        reference = start(grid, top / "reference", "inline", top / "r")
        assert reference.over(STUCK) and reference.driver.returncode == 0, reference.log.read_text()
        expected = bytes_of(top / "reference")
        until = time.monotonic() + 60 * minutes
        while (over := sum(found.kills.values()) >= kills or time.monotonic() > until) is False or (
            top / "store"
        ).exists():
            run = start(grid, top / "store", executor, top / "r")
            disturbed(run, ways, 0 if over else rng.randint(1, 3), rng, found)
            code = run.driver.returncode
            found.exits[code] += 1
            found.wrong += [f"left {GONE:g} s after exit {code}: {each}" for each in left(run)]
            if code not in (*PROMISED, -signal.SIGKILL):
                found.wrong.append(f"exit {code}: {run.log.read_text()[-2000:]}")
            if "Traceback" in run.log.read_text():
                found.wrong.append(f"a traceback: {run.log.read_text()[-2000:]}")
            run.log.unlink()
            if code == 0:
                found.grids += 1
                found.wrong += _compared(top / "store", expected)
                shutil.rmtree(top / "store")
            say(found)
    return found


def _compared(store: Path, expected: dict[str, str]) -> list[str]:
    """What differs from an undisturbed run, and what a finished one must not leave."""
    made = bytes_of(store)
    differ = [name for name in made.keys() | expected if made.get(name) != expected.get(name)]
    odd = [*store.glob("*/*.part"), *store.glob("locks/*"), *store.glob("sessions/*")]
    return [f"differs: {name}" for name in sorted(differ)] + [
        f"left in the store: {p}" for p in odd
    ]


def main() -> int:
    """Print a line after every run, and all that was found; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=600.0, help="no further kill after these")
    parser.add_argument("--executor", choices=("ray", "inline"), default="ray")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    def say(found: Found) -> None:
        print(f"{sum(found.kills.values())} kills, {len(found.wrong)} faults", flush=True)

    found = campaign(options.kills, options.executor, options.seed, say, options.minutes)
    facts = {
        "executor": options.executor,
        "seed": options.seed,
        "kills": dict(found.kills),
        "exits": {str(code): count for code, count in found.exits.items()},
        "grids finished and compared": found.grids,
        "wrong": found.wrong,
    }
    print(json.dumps(facts, indent=1))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
