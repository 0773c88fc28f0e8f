"""The grids that ship: every one loads, and the paper's plan to the paper's own numbers."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import Expansion, expand
from harness.plan import estimate
from harness.plan import plan as plans
from harness.plan import text as planned
from harness.steps.pretrain import Pretrain
from harness.steps.step import Step
from harness.store.store import Store
from tasks.microworld.write import Sizes, write

ROOT = Path(__file__).resolve().parents[2]
# Without grids that want files.
GRIDS = sorted(
    path
    for path in (ROOT / "ablations").glob("**/*.yaml")
    if path.stem not in ("real", "babylm", "minilm", "checkpoints")
)
PAPER = [path for path in GRIDS if path.parent.name == "paper"]
GOLDEN = json.loads((ROOT / "tests/golden/16_param_counts_init.json").read_text())["param_counts"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for the tasks that the hub has not: the built-in world's do."""
    path = tmp_path_factory.mktemp("data")
    write(path, seed=0, documents=20, sizes=Sizes().scaled(0.02))
    return path


def unfolded(path: Path, folder: Path) -> Expansion:
    return expand(grids.load(path, [f"data.root={folder}"] if path in PAPER else []))


def pretrainings(expansion: Expansion) -> Mapping[str, Step]:
    """A grid's pretrainings by variant."""
    steps: list[Step] = [s for s in expansion.steps.values() if s.kind == "pretrain"]
    return {step.name.removesuffix("-paper-s0"): step for step in steps}


def test_every_table_of_the_paper_has_a_grid_at_the_papers_scale():
    assert [path.stem for path in PAPER] == ["figure4", *(f"table{i}" for i in range(1, 7))]


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_shipped_grid_unfolds_into_steps(path: Path, folder: Path):
    expansion = unfolded(path, folder)
    assert expansion.cells and set(expansion.steps) >= {
        cell.trials[0].score.digest for cell in expansion.cells
    }


def test_the_grid_for_real_files_asks_for_their_folder():
    path = ROOT / "ablations/real.yaml"
    with pytest.raises(UserError, match=r"--set data\.root=/nowhere: no folder /nowhere"):
        expand(grids.load(path, ["data.root=/nowhere"]))


def test_the_papers_pretrainings_have_its_parameters_steps_and_batches(folder: Path):
    made = pretrainings(unfolded(ROOT / "ablations/paper/table1.yaml", folder))
    golden = {
        "glm-base": GOLDEN["glm-base (12x768, V30592, P512)"],
        "glm-large": GOLDEN["glm-large"],
        "glm-doc": GOLDEN["glm-large"],
        "glm-sent": GOLDEN["glm-large"],
        "glm-410m": GOLDEN["glm-410m"],
        "glm-515m": GOLDEN["glm-515m"],
        "glm-roberta": GOLDEN["glm-roberta-large"],
    }
    sizes = {name: estimate.shape(step).parameters() for name, step in made.items()}
    assert {name: sizes[name] for name in golden} == golden
    # One table of 512 positions, where GLM has two of 513.
    without_inner = GOLDEN["glm-large"] - (2 * 513 - 512) * 1024
    assert sizes["bert-large"] == sizes["unilm-large"] == without_inner
    specs = {name: step.spec_of(Pretrain) for name, step in made.items()}
    budgets = {name: (s.optimisation.steps, s.batch, s.length) for name, s in specs.items()}
    base = {budgets.pop(name) for name in ("bert-base", "glm-base", "t5-base")}
    assert base == {(120_000, 1024, 512)}
    assert budgets.pop("glm-roberta") == (250_000, 8192, 512)
    assert set(budgets.values()) == {(200_000, 1024, 512)}


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_the_papers_plans_say_what_is_pretrained_and_for_how_many_gpu_hours(
    path: Path, folder: Path, tmp_path: Path
):
    grid = grids.load(path, [f"data.root={folder}"])
    store = Store(tmp_path / "store")
    shown = planned.show(plans.make(expand(grid), store, grids.machine(grid)), store)
    assert "GPU-hours on H100" in shown
    lines = [line.split() for line in shown.splitlines() if line.startswith("glm-")]
    told = {line[0].removesuffix("-paper-s0"): line[2:6] for line in lines}
    sizes = {"glm-large": "335M", "glm-410m": "410M", "glm-515m": "515M", "glm-roberta": "355M"}
    assert told
    for name, size in sizes.items():
        if name in told and name != "glm-roberta":
            assert told[name] == [size, "200,000", "1,024", "512"]
    if "glm-roberta" in told:
        assert told["glm-roberta"] == ["355M", "250,000", "8,192", "512"]


@pytest.mark.parametrize("name", ["table4", "table5", "figure4"])
def test_what_the_hub_lacks_is_asked_for_as_a_folder(name: str, tmp_path: Path):
    path = ROOT / f"ablations/paper/{name}.yaml"
    with pytest.raises(UserError, match=r"no folder .*nowhere: give the one that holds the files"):
        expand(grids.load(path, [f"data.root={tmp_path / 'nowhere'}"]))
    with pytest.raises(UserError, match="as a folder"):
        expand(grids.load(path, ["data.root=''"]))


def test_a_plan_whose_reader_has_gone_ends_without_a_traceback(tmp_path: Path):
    command = [sys.executable, "-m", "harness.run", "ablations/quick.yaml", "--plan"]
    plan = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert plan.stdout is not None and plan.stderr is not None
    plan.stdout.close()
    assert plan.stderr.read() == b"" and plan.wait() == 3
    plan.stderr.close()


def test_a_plan_imports_neither_torch_nor_ray_and_makes_no_store(tmp_path: Path):
    code = (
        "import sys\n"
        "from harness.run.command import main\n"
        "grid = 'ablations/paper/table6.yaml'\n"
        f"code = main([grid, '--plan', '--store', {str(tmp_path / 's')!r}])\n"
        "heavy = [n for n in ('torch', 'ray', 'transformers', 'datasets') if n in sys.modules]\n"
        "print('HEAVY', code, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "HEAVY 0 []", done.stderr
    assert "GPU-hours" in done.stdout and "335M" in done.stdout
    assert not (tmp_path / "s").exists()
