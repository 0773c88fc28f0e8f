"""What the shipped grids compute, as digests kept in a file.

A refactoring leaves every digest as it is, since users' stores hold results under them. After a
change that moves digests on purpose, write the file anew with
`python -m tests.harness.test_plan_digests` and say in the commit which moved and why.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from harness.grid import load as grids
from harness.grid.expansion import expand
from tasks.microworld.write import Sizes, write

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/plan_digests.json"
# Four want the user's files or checkpoints.
GRIDS = sorted(
    path
    for path in (ROOT / "ablations").glob("**/*.yaml")
    if path.stem not in ("real", "babylm", "minilm", "checkpoints")
)


def world(folder: Path) -> Path:
    """Files for the tasks that the hub has not."""
    write(folder, seed=0, documents=20, sizes=Sizes().scaled(0.02))
    return folder


def digests(path: Path, data: Path) -> dict[str, dict[str, str]]:
    """By kind of step: how many there are, one digest over all of them, and the first five."""
    options = [f"data.root={data}"] if path.parent.name == "paper" else []
    by_kind: dict[str, list[str]] = {}
    for step in expand(grids.load(path, options)).steps.values():
        by_kind.setdefault(step.kind, []).append(f"{step.name}-{step.digest}")
    return {
        kind: {
            "steps": str(len(steps)),
            "all": hashlib.blake2b("\n".join(sorted(steps)).encode(), digest_size=8).hexdigest(),
            "first": " ".join(sorted(steps)[:5]),
        }
        for kind, steps in sorted(by_kind.items())
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_shipped_grid_computes_the_same_steps_as_before(path: Path, data: Path):
    golden = json.loads(GOLDEN.read_text())
    assert digests(path, data) == golden[str(path.relative_to(ROOT))]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        data_folder = world(Path(made))
        found = {str(path.relative_to(ROOT)): digests(path, data_folder) for path in GRIDS}
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
