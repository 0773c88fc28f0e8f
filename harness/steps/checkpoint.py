"""A model that was trained elsewhere, in the place of a pretraining."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from glm.models.headers import of_folder
from glm.objectives.elsewhere import Elsewhere, tagged
from harness import memory
from harness.errors import UserError
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.source import files, outside

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
            needed, there = gigabytes(path), memory.allowed() / 1e9
            if needed > there:
                raise UserError(
                    f"{self.name} takes {needed:,.0f} GB in fp32: there are {there:,.0f}"
                )
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
    if not path.is_dir() or not any(path.glob("*.safetensors")):
        return None
    return sum(tensor.numbers for tensor in of_folder(path).values())


def gigabytes(path: Path) -> float:
    """What the weights take in fp32, the precision in which they are loaded: at most that much."""
    numbers = parameters(path)
    if numbers is not None:
        return 4 * numbers / 1e9
    pickled = (file for file in _read(path) if file.suffix in (".pt", ".bin"))
    return 2 * sum(file.stat().st_size for file in pickled) / 1e9  # fp16 as a rule


def _read(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    found = {file for pattern in READ for file in path.glob(pattern)}
    if (inside := tagged(path)) is not None:
        found |= set(inside.glob("*.pt"))
    yield from sorted(found)


def referred(folder: Path) -> dict[str, Any] | None:
    """What a step's folder refers to, its files unchanged; None where it is no reference."""
    if not (folder / REFERENCE).is_file():
        return None
    facts = outside.json_value(folder / REFERENCE, dict, "a reference to a checkpoint")
    path = Path(facts["path"])
    if not path.exists():
        raise UserError(f"checkpoint {facts['name']}: {path} is gone; put it back, or run anew")
    if content(path) != facts["files"]:
        raise UserError(f"checkpoint {facts['name']}: {path} has changed since it was first read")
    return facts
