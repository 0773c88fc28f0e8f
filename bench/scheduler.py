"""What scheduling costs: `python -m bench.scheduler`.

1. 1,000 no-op steps with dependencies through store and Ray, beside plain Ray tasks of the same
   shape and Ray Tune (which knows no dependencies; with reused actors, and as it comes).
2. A grid of 60 short trials, each a real training of a tiny GLM: how much of two cores is used by
   the training itself, with everything else that a user waits for (start of Ray, imports) a loss.
3. 100 pretrain-finetune-score chains on a machine with 8 pretended GPUs: how busy they are.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.run.driver import drive
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store


@dataclass(frozen=True)
class Nothing:
    """Sleeps, or does nothing."""

    number: int = 0
    pause: float = 0.0
    device: str = "cpu"
    version: ClassVar[int] = 1
    threads: ClassVar[int] = 1

    @property
    def uses(self) -> str:
        """ "cpu" or "gpu", so that a pretended GPU can be asked for."""
        return self.device

    def run(self, work: Any) -> None:
        """Write when it ran, on no device at all."""
        began = time.time()
        time.sleep(self.pause)
        (work.folder / "time.txt").write_text(f"{began} {time.time()}")


@dataclass(frozen=True)
class Train:
    """A tiny GLM trained for some updates on random text, on one thread."""

    number: int = 0
    updates: int = 60
    version: ClassVar[int] = 1
    threads: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"

    def run(self, work: Any) -> None:
        """Train, and write the CPU seconds that it took; imports are not counted as work."""
        import numpy as np

        from ablations.systems import GLM_LARGE
        from glm.data.special import Special
        from glm.models.transformer import Shape, build, loss, tensors
        from glm.training import optim

        special = Special(0, 0, 1, 2, 3, 4, 5, 6, size=512, padded=512, sentence_end=(7,))
        began = time.process_time()
        model = build(Shape(2, 64, 2, 512, 128, dropout=0.0, attention_dropout=0.0), self.number)
        optimizer = optim.adamw(model)
        rng = np.random.default_rng(self.number)
        for _ in range(self.updates):
            text = rng.integers(8, 512, size=(8, 64))
            batch = tensors(GLM_LARGE.objective(text, rng, special))
            loss(model, batch, vocabulary=512).backward()
            optimizer.step()
            optimizer.zero_grad()
        (work.folder / "cpu.txt").write_text(str(time.process_time() - began))


def chains(count: int, stages: int, make: Callable[[int, int], Any]) -> dict[str, Step]:
    """So many chains of so many steps."""
    last: dict[str, Step] = {}
    for chain in range(count):
        step: Step | None = None
        for stage in range(stages):
            before = {"before": step} if step else {}
            step = Step(f"stage{stage}", f"chain{chain}", make(chain, stage), before)
        if step:
            last[step.digest] = step
    return ordered(last)


def timed(steps: dict[str, Step], machine: Machine) -> tuple[float, Any, Store]:
    """Seconds of a run in a fresh store, start-up and all."""
    store = Store(tempfile.mkdtemp(prefix="bench-store-")).open()
    began = time.perf_counter()
    schedule = drive(steps, store, machine, quiet=True)
    seconds = time.perf_counter() - began
    tally = schedule.tally()
    assert tally["done"] == len(steps), tally
    return seconds, schedule, store


def span(store: Store) -> tuple[float, float]:
    """When the first step of a store began, and when the last one ended."""
    times = [(f / "time.txt").read_text().split() for f in store.folders()]
    return min(float(began) for began, _ in times), max(float(ended) for _, ended in times)


def noop(trials: int) -> None:
    """Ours beside plain Ray tasks, both between the first step's start and the last one's end."""
    stages = 2
    steps = chains(trials // stages, stages, lambda c, s: Nothing(c * stages + s))
    seconds, _, store = timed(steps, Machine(executor="ray", cpus=2))
    first, last = span(store)
    shutil.rmtree(store.root)
    each = (last - first) / len(steps) * 1e3
    print(f"ours: {len(steps)} no-op steps, {stages} a chain: {each:.2f} ms a step", flush=True)
    print(f"  start and end of Ray and all else: {seconds - last + first:.1f} s", flush=True)

    from harness.run.guard import Guard
    from harness.run.ray_executor import connect

    guard = Guard()
    ray = connect(Machine(cpus=2), (), guard)

    def task(*before: Any) -> None:
        return None

    remote = ray.remote(num_cpus=1)(task)
    ray.get([remote.remote() for _ in range(4)])
    began = time.perf_counter()
    ends = []
    for _ in range(trials // stages):
        ref = remote.remote()
        for _ in range(stages - 1):
            ref = remote.remote(ref)
        ends.append(ref)
    ray.get(ends)
    plain = (time.perf_counter() - began) / trials * 1e3
    print(f"plain Ray tasks (no store, no record): {plain:.2f} ms a task", flush=True)
    ray.shutdown()
    guard.close()


def tune(trials: int, reuse: bool) -> None:
    """Ray Tune on no-op trials."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    from harness.run.guard import Guard
    from harness.run.ray_executor import connect

    guard = Guard()
    ray = connect(Machine(cpus=2), (), guard)
    from ray import tune as ray_tune

    class NoOp(ray_tune.Trainable):
        def step(self) -> dict[str, Any]:
            return {"done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            return None

        def load_checkpoint(self, checkpoint: Any) -> None:
            return None

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

    folder = tempfile.mkdtemp(prefix="bench-tune-")
    tuner = ray_tune.Tuner(
        NoOp,
        param_space={"x": ray_tune.grid_search(list(range(trials)))},
        tune_config=ray_tune.TuneConfig(reuse_actors=reuse),
        run_config=ray_tune.RunConfig(storage_path=folder, verbose=0),
    )
    began = time.perf_counter()
    tuner.fit()
    each = (time.perf_counter() - began) / trials * 1e3
    kind = "with reused actors" if reuse else "as it comes"
    print(f"Ray Tune {kind}, {trials} no-op trials: {each:.0f} ms a trial", flush=True)
    shutil.rmtree(folder)
    ray.shutdown()
    guard.close()


def efficiency(updates: int) -> None:
    """12 pretrainings, 24 finetunings, 24 scores on two cores; a finetuning takes `updates`."""
    last: dict[str, Step] = {}
    for i in range(12):
        first = Step("pretrain", f"p{i}", Train(i, updates * 3))
        for j in range(2):
            tuned = Step("finetune", f"f{i}.{j}", Train(100 + i * 2 + j, updates), {"p": first})
            score = Step("score", f"s{i}.{j}", Train(200 + i * 2 + j, updates // 4), {"f": tuned})
            last[score.digest] = score
    steps = ordered(last)
    seconds, _, store = timed(steps, Machine(executor="ray", cpus=2))
    work = sum(float((f / "cpu.txt").read_text()) for f in store.folders())
    shutil.rmtree(store.root)
    print(
        f"{len(steps)} short trials: {work:.1f} CPU seconds of work in {seconds:.1f} s on two "
        f"cores: {work / seconds / 2:.0%} used, start-up included",
        flush=True,
    )


def busy(chains_: int, gpus: int, pause: float) -> None:
    """The share of 8 GPUs' time, between the first start and the last end, that is used."""
    share = {"stage0": 1.0, "stage1": 0.5}

    def make(chain: int, stage: int) -> Nothing:
        return Nothing(
            chain * 3 + stage,
            (pause, pause / 2, 0.0)[stage],
            "gpu" if stage < 2 else "cpu",
        )

    machine = Machine(executor="ray", cpus=32, local_gpus=gpus, gpus=share)
    seconds, _, store = timed(chains(chains_, 3, make), machine)
    used = 0.0
    for folder in store.folders():
        began, ended = map(float, (folder / "time.txt").read_text().split())
        used += (ended - began) * share.get(folder.parent.name, 0.0)
    first, last = span(store)  # the scores after the last finetuning included
    shutil.rmtree(store.root)
    print(
        f"{chains_} chains on {gpus} pretended GPUs, {pause:g} s a pretraining: "
        f"busy {used / (last - first) / gpus:.1%} of {last - first:.1f} s "
        f"({seconds:.1f} s with start-up)",
        flush=True,
    )


def main() -> None:
    """Run every part, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("noop", "tune", "trials", "gpus"))
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    if options.part in (None, "noop"):
        noop(options.steps)
    if options.part in (None, "tune"):
        tune(max(60, options.steps // 5), reuse=True)
        tune(20, reuse=False)
    if options.part in (None, "trials"):
        for updates in (20, 60, 100):
            efficiency(updates)
    if options.part in (None, "gpus"):
        busy(100, 8, pause=4.0)
        busy(100, 8, pause=10.0)


if __name__ == "__main__":
    main()
