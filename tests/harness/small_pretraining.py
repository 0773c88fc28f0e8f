"""A pretraining small enough to repeat in a test, and the text that it needs, as steps.

`python -m tests.harness.small_pretraining FOLDER ADDRESS` runs it on two devices of a cluster, in a
process of its own: Ray reads the cluster's token from the environment when it is imported.
"""

import contextlib
import json
import os
import random
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.models.shape import Shape
from glm.objectives.amounts import Amounts
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.draws import Draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from glm.training.optimisation import Optimisation
from harness.errors import Interrupted
from harness.run import data_parallel as distributed
from harness.run import ray_executor as execute
from harness.run.driver import drive
from harness.run.working import Working
from harness.steps.pretrain import Pretrain
from harness.steps.step import Machine, Step, ordered
from harness.store.store import Store


@dataclass(frozen=True)
class Text:
    """A tokenizer and a stream of tokens in one folder."""

    documents: int = 40
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"

    def run(self, work: Any) -> None:
        from glm.data.stream import stream
        from glm.data.tokenizer import train_wordpiece

        rng = random.Random(0)
        words = ["river", "hill", "stone", "runs", "past", "the", "old", "mill", "and", "bridge"]
        texts = [
            " . ".join(" ".join(rng.choices(words, k=7)) for _ in range(6)) + " ."
            for _ in range(self.documents)
        ]
        tokenizer = train_wordpiece(texts, 128)
        tokenizer.save(work.folder)
        made = stream(tokenizer.encode_batch(texts), tokenizer.special)
        made.tokens_L.tofile(work.folder / "tokens.bin")
        np.save(work.folder / "offsets.npy", made.offsets)
        facts = {"dtype": made.tokens_L.dtype.name}
        (work.folder / "tokens.json").write_text(json.dumps(facts))


@dataclass(frozen=True)
class Deadly:
    """Blank infilling whose process 1 is killed once, in the fifth batch that it makes."""

    marker: str  # a file that is there once it has happened; "": it does not

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        return BlankInfilling()(text_BN, rng, special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        _made.append(len(text_BN))
        if self.marker and os.environ.get("RANK") == "1" and len(_made) == 5:
            with contextlib.suppress(FileExistsError), open(self.marker, "x"):
                os.kill(os.getpid(), signal.SIGKILL)
        return BlankInfilling().build(text_BN, keys, special)

    @property
    def layout(self) -> Layout:
        return BlankInfilling().layout

    @property
    def likelihood(self) -> Likelihood:
        return BlankInfilling().likelihood

    def extra_tokens(self, positions: int) -> ExtraTokens:
        return BlankInfilling().extra_tokens(positions)

    def amounts(self, length: int) -> Amounts:
        return BlankInfilling().amounts(length)

    def at_positions(self, positions: int) -> "Deadly":
        return self


_made: list[int] = []  # rows of the batches that this process has made


def pretraining(
    name: str, *, steps: int = 20, lr: float = 1e-3, marker: str = ""
) -> Step[Pretrain]:
    """Twenty steps of a GLM of two layers, without dropout, on rows that two processes share."""
    text = Step("text", "small", Text())
    spec = Pretrain(
        objective=Deadly(marker),
        shape=Shape(2, 32, 2, positions=64, dropout=0.0, attention_dropout=0.0),
        optimisation=Optimisation(steps, lr, warmup_steps=4, decay_steps=steps),
        batch=7,  # shares of 3 and 4
        length=40,
        precision="fp32",
    )
    return Step("pretrain", name, spec, {"tokenizer": text, "tokens": text})


ALONE = pretraining("alone")
WILD = pretraining("wild", lr=1e30)
ONE = Machine(executor="inline", device="cpu", checkpoint_seconds=0.0)


def killed(folder: Path) -> Step[Pretrain]:
    """The same run, one of whose processes is killed."""
    return pretraining("killed", marker=str(folder / "killed"))


def main(folder: Path, address: str) -> None:
    """Two devices: asked to stop after a step, then gone on with by the executor, then a NaN."""
    machine = replace(ONE, executor="ray", address=address, gpus={"pretrain": 2})
    one, two = Store(folder / "one"), Store(folder / "two").open()
    step = killed(folder)
    part, stop, found = two.part(step), folder / "stop", dict[str, Any]()
    part.mkdir(parents=True)
    stop.touch()
    ray = execute.connect(machine, [step])
    inputs = {name: one.path(i) for name, i in step.inputs.items()}
    work = Working(part, inputs, replace(machine, devices=2), {}, 1, stop)
    try:
        distributed.pretrain(step.spec, work)
    except Interrupted as error:
        found["said"] = str(error)
    ray.shutdown()
    schedule = drive(ordered({s.digest: s for s in (step, WILD)}), two, machine, quiet=True)
    found |= {"status": schedule.status, "reasons": schedule.reasons, "counts": schedule.counts}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    from tests.harness import small_pretraining  # by its name, as the workers know it

    small_pretraining.main(Path(sys.argv[1]), sys.argv[2])
