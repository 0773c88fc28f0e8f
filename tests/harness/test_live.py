"""A store is watched while a run goes on beside: live, read only, and by whoever has the token."""

import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.errors import UserError
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
    for path in ("/", "/small/", "*", "//[", "http://[/", *wrong):
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


def test_a_reader_who_leaves_early_is_nothing_to_tell(tmp_path: Path, serving: Served):
    tables = tmp_path / "store" / "grids" / "g" / "tables"
    tables.mkdir(parents=True)
    (tables / "index.html").write_bytes(b"x" * 2**25)  # more than a connection's buffers hold
    runs.begin(tables.parent, [], 1)
    where = urlsplit(serving.address)
    whole = f"GET {where.path}grids/g/tables/index.html HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n"
    for asked in (whole, whole[:9]):
        reader = socket.create_connection((where.hostname, where.port), timeout=20)
        reader.sendall(asked.encode())
        if asked == whole:
            reader.recv(1)  # the answer is on its way
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reader.close()  # with a reset
    assert "grids/g/" in serving.page()  # and the server has said nothing, as `serving` looks


def test_what_a_page_may_do_is_said_with_it(serving: Served):
    _, _, headers = serving.ask(f"/{serving.token}/")
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def begun(store: Path, *steps: Mapping[str, object], ago: float = 0.0, **changed: object) -> Path:
    """The note of a run of a grid "g" that began a while ago, by this process."""
    folder = store / "grids" / "g"
    folder.mkdir(parents=True, exist_ok=True)
    runs.begin(folder, [], 1)
    noted = json.loads((folder / runs.FILE).read_text())
    noted |= {"began": noted["began"] - ago, "steps": steps, **changed}
    (folder / runs.FILE).write_text(json.dumps(noted))
    return folder / runs.FILE


def test_what_a_run_took_is_told_while_somebody_can_know_it(tmp_path: Path):
    note = begun(tmp_path, ago=300)
    by = json.loads(note.read_text())["by"]
    for state_of, changed, took in (
        ("running", {}, "5 min"),
        ("lost", {"by": by | {"start": "another process of this pid"}}, None),
        ("silent", {"by": by | {"space": "another machine"}}, None),
    ):
        begun(tmp_path, ago=300, **changed)
        run = state.run(tmp_path, "g")
        assert run is not None and run.state == state_of
        shown = re.findall(r"<dt>took</dt><dd>(.*?)</dd>", page.grid(run))
        assert shown == ([took] if took else [])


def test_the_time_left_is_judged_by_what_this_run_has_done(tmp_path: Path):
    # A step of 1000 s was 90 % done; 100 s later it is 95 % done: that is twice as slow as planned.
    step = {"kind": "pretrain", "name": "n", "digest": "aa", "inputs": {}, "seconds": 1000.0}
    begun(tmp_path, step | {"state": "partial"}, ago=100)
    part = tmp_path / "pretrain" / "n-aa.part"
    part.mkdir(parents=True)
    events = [
        {"event": "step", "step": at, "of": 100, "loss": 1.0, "time": time.time() - ago}
        for at, ago in ((1, 9000), (90, 1000), (91, 80), (95, 0))
    ]
    (part / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    run = state.run(tmp_path, "g")
    assert run is not None and run.left is not None and 50 < run.left < 100
    # Begun by this run, the same step is 95 % done in a tenth of its time.
    begun(tmp_path, step | {"state": "to run"}, ago=100)
    run = state.run(tmp_path, "g")
    assert run is not None and run.left is not None and run.left < 10


def test_a_run_ends_its_own_note_and_no_other(tmp_path: Path):
    first, second = runs.begin(tmp_path, [], 1), runs.begin(tmp_path, [], 2)
    runs.end(tmp_path, first, 0, {})
    assert runs.read(tmp_path) == second
    runs.end(tmp_path, second, 1, {"aa": "why"})
    assert (runs.read(tmp_path) or {}).items() >= {"code": 1, "failed": {"aa": "why"}}.items()


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
    failed = {"began": noted["began"], "outcome": "failed", "reason": "the disk <i>burns"}
    failed["ended"] = noted["began"] + 1
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
    for port in (99999, -1):
        with pytest.raises(UserError, match=f"port {port} cannot be served from"):
            server.open_server(tmp_path, port)
    held, address = server.open_server(tmp_path, 0)
    with held:
        (tmp_path / "store.json").write_text('{"format": 1}')
        port = urlsplit(address).port
        done = started("harness", "serve", tmp_path, "--port", port)
        said, _ = done.communicate(timeout=20)
    assert done.returncode == 2 and f"port {port} cannot be served from" in said
