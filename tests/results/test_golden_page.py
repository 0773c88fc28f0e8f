"""The report of a small store, as a reader reads it: what changes on the page shows here.

`python -m tests.results.test_golden_page` writes the golden text anew.
"""

import difflib
import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from results import report
from tests.results.world import full

GOLDEN = Path(__file__).parents[1] / "golden/page.txt"
BLOCKS = set("p h1 h2 h3 tr figcaption li dt section header footer figure summary caption".split())
UNREAD = ("style", "script", "svg")  # code and drawings, which other tests look at


class Reader(HTMLParser):
    """A page's text, a line for each block and a bar between the cells of a row."""

    def __init__(self):
        super().__init__()
        self.lines, self.skipped = [""], 0

    def handle_starttag(self, tag, attrs):
        self.skipped += tag in UNREAD
        if tag in BLOCKS:
            self.lines.append("")
        elif tag in ("td", "th") and self.lines[-1]:
            self.lines[-1] += " | "
        elif tag in ("div", "small", "dd", "a", "span"):
            self.lines[-1] += " "

    def handle_endtag(self, tag):
        self.skipped -= tag in UNREAD

    def handle_data(self, data):
        if not self.skipped:
            self.lines[-1] += data


def read(page: str) -> str:
    """The page's text, with plain spaces, without empty lines."""
    reader = Reader()
    reader.feed(page)
    lines = [re.sub(r"\s+", " ", line).strip() for line in reader.lines]
    return "\n".join(filter(None, lines)) + "\n"


def made(root: Path) -> str:
    """The text of the page of the fixture's store."""
    path = report.write(full(root, pretrain=(1, 2)).write(), "full")[0]
    return read(path.read_text(encoding="utf-8"))


def test_the_page_reads_as_it_did(tmp_path):
    golden, now = GOLDEN.read_text(encoding="utf-8"), made(tmp_path)
    changed = difflib.unified_diff(golden.splitlines(), now.splitlines(), lineterm="", n=0)
    assert not list(changed)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(made(Path(folder)), encoding="utf-8")
