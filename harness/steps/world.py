"""The step that makes the built-in world's files."""

from dataclasses import dataclass
from typing import ClassVar

from harness.errors import UserError
from harness.steps.step import Work
from tasks.microworld.write import VERSION, Sizes, write


@dataclass(frozen=True)
class World:
    """The built-in world's corpus and every task's files, in the official formats."""

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    seed: int = 0
    documents: int = 5000
    scale: float = 1.0  # of the tasks' sizes
    generator: int = 1  # `tasks.microworld.write.VERSION`: other bytes from the same seed

    def run(self, work: Work) -> None:
        """Write the world's folder layout into the step's folder."""
        if self.generator != VERSION:
            raise UserError(
                f"this world was asked of generator {self.generator}, "
                f"but the one installed is {VERSION}"
            )
        sizes = Sizes().scaled(self.scale)
        counts = write(work.folder, seed=self.seed, documents=self.documents, sizes=sizes)
        work.log("written", documents=self.documents, counts=counts)
