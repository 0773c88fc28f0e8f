"""A model that was trained elsewhere, in the place of a pretraining."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from glm.objectives.elsewhere import Elsewhere
from harness.errors import UserError
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.source import files

REFERENCE = "reference.json"
READ = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin", "*.pt")


@dataclass(frozen=True)
class Checkpoint:
    """A name of the hub at a commit, or a folder (a file, for the released GLM) by its content.

    What is written is a reference: where the files lie and what they held when it was made.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    objective: Elsewhere
    name: str
    revision: str = ""  # the commit of a name of the hub
    files: Mapping[str, str] = field(default_factory=dict)  # of a folder: name -> digest

    @property
    def seed(self) -> int:
        """There is one model, whatever the seeds of a grid."""
        return 0

    def run(self, work: Work) -> None:
        """Find the files, fetch them where they have to be, and write down what they hold."""
        path = Path(work.how["path"])
        if self.revision:
            from glm.models.huggingface.checkpoint import locate

            path, _ = locate(self.name, self.revision)
        held = content(path)
        if self.files and held != dict(self.files):
            raise UserError(f"{path}: changed since the grid was read; run the same command again")
        facts: dict[str, Any] = {
            "name": self.name,
            "revision": self.revision,
            "path": str(path.absolute()),
        }
        facts |= {"parameters": parameters(path)}
        write_facts(work.folder / REFERENCE, {**facts, "files": held})
        work.log("found", **facts)


def content(path: Path) -> dict[str, str]:
    """The digests of a checkpoint's files by their names."""
    return {str(file.relative_to(path.parent)): files.digest([file]) for file in _read(path)}


def parameters(path: Path) -> int | None:
    """The numbers in a folder's safetensors, by their headers; None where there are none."""
    from safetensors import safe_open

    count, found = 0, sorted(path.glob("*.safetensors")) if path.is_dir() else []
    for file in found:
        with safe_open(file, "numpy") as weights:
            names = list(weights.keys())
            count += sum(math.prod(weights.get_slice(name).get_shape()) for name in names)
    return count if found else None


def _read(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    found = {file for pattern in READ for file in path.glob(pattern)}
    tag = path / "latest_checkpointed_iteration.txt"
    if tag.is_file():
        found |= set((path / tag.read_text().strip()).glob("*.pt"))
    yield from sorted(found)


def referred(folder: Path) -> dict[str, Any] | None:
    """What a step's folder refers to, its files unchanged; None where it is no reference."""
    if not (folder / REFERENCE).is_file():
        return None
    facts = json.loads((folder / REFERENCE).read_text())
    path = Path(facts["path"])
    if not path.exists():
        raise UserError(f"checkpoint {facts['name']}: {path} is gone; put it back, or run anew")
    if content(path) != facts["files"]:
        raise UserError(f"checkpoint {facts['name']}: {path} has changed since it was first read")
    return facts
