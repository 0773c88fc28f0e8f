"""The notebook in docs/ runs from its first cell to its last, and shows what it says it shows.

`python -m tests.harness.test_tour` writes it anew with what its cells print.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOUR = ROOT / "docs/tour.ipynb"
RUN = """
import sys, nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=240, record_timing=False).execute()
nbformat.write(book, "executed.ipynb")
"""


def executed(folder: Path) -> Path:
    """The notebook, executed in an empty folder by a kernel of its own."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, TOUR],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "executed.ipynb"


def shown(path: Path) -> list[dict[str, Any]]:
    """What every cell of code shows: its source, its text and its HTML."""
    import nbformat

    book = nbformat.read(path, as_version=4)
    found = []
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        said = [out.get("data", {"text/plain": out.get("text", "")}) for out in cell.outputs]
        texts, pages = ([one.get(f"text/{kind}", "") for one in said] for kind in ("plain", "html"))
        found.append({"source": cell.source, "text": "".join(texts), "html": "".join(pages)})
    return found


def test_the_notebook_runs_and_shows_what_the_committed_one_shows(tmp_path: Path):
    now, committed = shown(executed(tmp_path)), shown(TOUR)
    assert [one["source"] for one in now] == [one["source"] for one in committed]
    for one, before in zip(now, committed):
        for kind in ("text", "html"):
            assert bool(one[kind]) == bool(before[kind]), one["source"]
        for page in (one["html"], before["html"]):
            assert "..." not in page.split("</table>")[0] or "pivot" in one["source"]
    outputs = "".join(one["text"] for one in committed)
    assert "did you mean `micro`?" in outputs and "31 to run" in outputs
    assert str(Path.home()) not in TOUR.read_text() and "/tmp" not in TOUR.read_text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        TOUR.write_bytes(executed(Path(folder)).read_bytes())
