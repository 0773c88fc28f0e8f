"""Trackers as sinks: TensorBoard, trackio, Weights & Biases. None is imported before it is asked.

None waits for a network: TensorBoard and trackio write files here, and Weights & Biases does so
too unless WANDB_MODE says otherwise (`wandb sync` sends them later).
"""

import contextvars
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Open = Any  # a run as the tracker's own package has it


@dataclass(frozen=True)
class Tracked:
    """One run of a tracker: a step that trained or answered. Its id is the step's digest."""

    digest: str
    kind: str
    name: str


class Sink(Protocol):
    """Where numbers go."""

    def open(self, run: Tracked) -> Open:
        """Begin a run, or go on with it."""
        ...

    def tell(self, opened: Open, step: int, numbers: Mapping[str, float]) -> None:
        """Numbers of a run after some of its steps; steps never go back."""
        ...

    def close(self, opened: Open) -> None:
        """End a run: what was told of it is kept."""
        ...


@dataclass(frozen=True)
class TensorBoard:
    """Event files below `folder`, a folder a run: `tensorboard --logdir FOLDER`."""

    folder: Path
    grid: str

    def open(self, run: Tracked) -> Open:
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(self.folder / run.kind / f"{run.name}-{run.digest}"))

    def tell(self, opened: Open, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            opened.add_scalar(name, value, step)
        opened.flush()

    def close(self, opened: Open) -> None:
        opened.close()


@dataclass(frozen=True)
class Trackio:
    """A local trackio project of the grid's name: `trackio show`."""

    folder: Path
    grid: str

    def open(self, run: Tracked) -> Open:
        import trackio  # pyright: ignore[reportMissingImports]

        def begin() -> Open:
            return trackio.init(
                project=self.grid,
                name=f"{run.name}-{run.digest}",
                group=run.kind,
                config={"digest": run.digest, "kind": run.kind},
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

        # trackio ends the run that its context knows when another begins; several are open here.
        return contextvars.Context().run(begin)

    def tell(self, opened: Open, step: int, numbers: Mapping[str, float]) -> None:
        opened.log(dict(numbers), step=step)

    def close(self, opened: Open) -> None:
        opened.finish()


@dataclass(frozen=True)
class Wandb:
    """Runs of Weights & Biases below `folder`, for `wandb sync`; sent at once with WANDB_MODE."""

    folder: Path
    grid: str

    def open(self, run: Tracked) -> Open:
        import wandb  # pyright: ignore[reportMissingImports]

        self.folder.mkdir(parents=True, exist_ok=True)
        return wandb.init(
            project=self.grid,
            id=run.digest,
            name=run.name,
            group=run.kind,
            config={"digest": run.digest, "kind": run.kind},
            dir=str(self.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="create_new",
            resume="allow" if os.environ.get("WANDB_MODE") == "online" else None,
        )

    def tell(self, opened: Open, step: int, numbers: Mapping[str, float]) -> None:
        opened.log(dict(numbers), step=step)

    def close(self, opened: Open) -> None:
        opened.finish()


SINKS: Mapping[str, Callable[[Path, str], Sink]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": Wandb,
}
PACKAGES = {"tensorboard": "tensorboardX", "trackio": "trackio", "wandb": "wandb"}


def missing(name: str) -> str:
    """Why a tracker cannot be used, with what to do about it; "" where it can."""
    package = PACKAGES[name]
    if importlib.util.find_spec(package) is not None:
        return ""
    return f"{name} needs the package {package}, which is not installed: pip install {package}"
