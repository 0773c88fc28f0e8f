"""A store is watched while a run goes on beside: live, read only, and by whoever has the token."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.live import page, server, state
from harness.store import runs

ROOT = Path(__file__).resolve().parents[2]
GRID = """\
scale: micro
overrides: {steps: 40, rows: 8, eval_rows: 6, world: 0.05, documents: 120}
tables: [{id: mine, rows: [glm-large], columns: [lambada]}]
machine: {executor: inline, checkpoint_seconds: 1}
"""


def started(*command: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@dataclass(frozen=True)
class Served:
    """A server's address, and what it answers."""

    address: str

    @property
    def token(self) -> str:
        return urlsplit(self.address).path.strip("/")

    def ask(
        self, path: str, method: str = "GET", host: str | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers; the path goes out as it stands."""
        where = urlsplit(self.address)
        link = http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)
        link.putrequest(method, path, skip_host=True)
        link.putheader("Host", host or where.netloc)
        link.endheaders()
        found = link.getresponse()
        text = found.read().decode()
        link.close()
        return found.status, text, dict(found.getheaders())

    def page(self, path: str = "") -> str:
        status, text, _ = self.ask(f"/{self.token}/{path}")
        assert status == 200, text
        return text


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Served]:
    """A server of tmp_path/store, in a process of its own, which a Ctrl-C ends quietly."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text('{"format": 1}')
    process = started("harness", "serve", tmp_path / "store")
    assert process.stdout is not None
    said = process.stdout.readline()
    yield Served(re.findall(r"http://\S+", said)[0])
    process.send_signal(signal.SIGINT)
    try:
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, rest) == (0, "")


def test_a_run_is_watched_from_its_beginning_to_its_end(tmp_path: Path, serving: Served):
    assert "No grid was run" in serving.page()
    grid = tmp_path / "small.yaml"
    grid.write_text(GRID)
    run = started("harness.run", grid, "--store", tmp_path / "store", "--set", "machine.threads=1")

    # While it runs: a step with its numbers, its loss as a line, and the time that is left.
    seen = ""
    until = time.monotonic() + 120
    while time.monotonic() < until and not ("<polyline" in seen and ">Running</h2>" in seen):
        time.sleep(0.2)
        if state.grids(tmp_path / "store"):
            seen = serving.page("grids/small/")
    assert re.search(r"\d+ of \d+ steps are done; running, about .* left", seen), seen
    assert re.search(r'<th scope="row">pretrain</th>.*<td>[\d,]+ of 40</td><td>\d', seen)
    assert re.search(r"from \d\.\d+ at step \d+ to \d\.\d+ at step", seen)
    assert '<a href="grids/small/">small</a>' in serving.page()

    # Interrupted, it says so; gone on with, it comes to its end, and its report can be read.
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 3, out
    assert "was interrupted: the same command goes on" in serving.page("grids/small/")
    run = started("harness.run", grid, "--store", tmp_path / "store", "--set", "machine.threads=1")
    out, _ = run.communicate(timeout=120)
    assert run.returncode == 0, out
    ended = serving.page("grids/small/")
    total = re.findall(r"(\d+) of (\d+) steps are done; has come to its end", ended)
    assert total and total[0][0] == total[0][1] and ">Running</h2>" not in ended
    assert "<polyline" in ended and "GLM Large" in serving.page("grids/small/tables/index.html")
    assert serving.page("grids/small/tables/mine.csv").startswith("table,")

    # A page's links to its runs are to be had here too; other steps' files are not.
    score = next((tmp_path / "store").glob("score/*/scores.json")).relative_to(tmp_path / "store")
    assert '"metrics"' in serving.page(score.as_posix())
    pretrained = next((tmp_path / "store").glob("pretrain/*/ledger.json"))
    hidden = pretrained.relative_to(tmp_path / "store").as_posix()
    assert serving.ask(f"/{serving.token}/{hidden}")[0] == 404

    # Whoever watches leaves nothing behind.
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")}
    for path in ("", "grids/small/", "grids/small/tables/index.html"):
        serving.page(path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")} == before


def test_nothing_is_told_without_the_token_or_under_another_name(serving: Served):
    token = serving.token
    assert len(token) >= 32
    wrong = (f"/{token[:-1]}/", f"/{token}x/", f"/x/{token}/", f"/?{token}")
    for path in ("/", "/small/", "*", *wrong):
        status, text, _ = serving.ask(path)
        assert status == 403 and "store" not in text
    for host in ("evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80"):
        assert serving.ask(f"/{token}/", host=host)[0] == 403
    assert serving.ask(f"/{token}/")[0] == 200
    assert serving.ask(f"/{token}", "GET")[2]["Location"] == f"/{token}/"
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert serving.ask(f"/{token}/", method)[0] == 501
    assert serving.ask(f"/{token}/", "HEAD")[:2] == (200, "")


def test_no_path_leads_out_of_the_reports(tmp_path: Path, serving: Served):
    (tmp_path / "secret.html").write_text("secret")
    tables = tmp_path / "store" / "grids" / "g" / "tables"
    tables.mkdir(parents=True)
    (tables / "index.html").write_text("report")
    (tables / "link.html").symlink_to(tmp_path / "secret.html")
    (tables / "cells.pickle").write_text("secret")
    runs.begin(tables.parent, [], 1)
    assert serving.page("grids/g/tables/index.html") == "report"
    up = ("../", "..%2f", "%2e%2e/", "..%252f", "..\\", "/")
    paths = [f"grids/g/tables/{step * n}secret.html" for step in up for n in (1, 4, 5)]
    paths += [
        "grids/g/tables/link.html",
        "grids/g/tables/cells.pickle",
        "grids/g/cells.json",
        "../store.json",
    ]
    paths += [
        "..",
        "grids/g/tables/",
        "grids/g/tables/index.html%00",
        "grids/g/tables/index.html/x",
        "%ff/",
    ]
    for path in paths:
        status, text, _ = serving.ask(f"/{serving.token}/{path}")
        assert status in (403, 404) and "secret" not in text and "format" not in text, path


def test_what_a_page_may_do_is_said_with_it(serving: Served):
    _, _, headers = serving.ask(f"/{serving.token}/")
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_what_failed_is_said_with_its_reason_and_what_it_blocks(tmp_path: Path):
    folder = tmp_path / "grids" / "g"
    folder.mkdir(parents=True)
    runs.begin(folder, [], 2)
    noted = json.loads((folder / runs.FILE).read_text())
    noted["steps"] = [
        {"kind": kind, "name": "<b>n", "digest": digest, "inputs": inputs, "seconds": 9.0}
        | {"state": "to run"}
        for kind, digest, inputs in (
            ("corpus", "aa", {}),
            ("tokens", "bb", {"corpus": "aa"}),
            ("pretrain", "cc", {"tokens": "bb"}),
            ("world", "dd", {}),
        )
    ]
    (folder / runs.FILE).write_text(json.dumps(noted))
    part = tmp_path / "tokens" / "n-bb.part"
    part.mkdir(parents=True)
    (tmp_path / "corpus" / "n-aa").mkdir(parents=True)
    failed = {"outcome": "failed", "reason": "the disk <i>burns", "ended": noted["began"] + 1}
    (part / "attempts.json").write_text(json.dumps([failed]))
    run = state.run(tmp_path, "g")
    assert run is not None and [s.state for s in run.steps] == [
        "done",
        "failed",
        "blocked",
        "to do",
    ]
    shown = page.grid(run)
    assert "the disk &lt;i&gt;burns" in shown and "1 steps are blocked by these" in shown
    assert "<b>" not in shown
    # An earlier run's failure is to be tried again by this one.
    (part / "attempts.json").write_text(json.dumps([failed | {"ended": noted["began"] - 1}]))
    run = state.run(tmp_path, "g")
    assert run is not None and run.counts == {"done": 1, "partial": 1, "to do": 2}


def test_a_store_that_is_none_and_a_port_that_is_taken_are_refused(tmp_path: Path):
    done = started("harness", "serve", tmp_path)
    assert "is no store" in done.communicate(timeout=20)[0] and done.returncode == 2
    held, address = server.open_server(tmp_path, 0)
    with held:
        (tmp_path / "store.json").write_text('{"format": 1}')
        port = urlsplit(address).port
        done = started("harness", "serve", tmp_path, "--port", port)
        said, _ = done.communicate(timeout=20)
    assert done.returncode == 2 and f"port {port} cannot be served from" in said
