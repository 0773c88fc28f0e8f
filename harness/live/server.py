"""A store's pages over HTTP: on the loopback only, behind a token, read only.

An address is `http://127.0.0.1:PORT/TOKEN/`. Without the token everything is refused, and so is a
request whose Host is another name: a page elsewhere that has its own name point here would have
one. What a path names is looked up among what there is, so that none leads out of the store.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.errors import UserError
from harness.live import page, state

LOOPBACK = "127.0.0.1"
LINKED = ("score", "finetune", "zeroshot", "ngram")  # kinds of step that a report links to
IDLE = 20.0  # seconds after which a silent connection is closed
HTML = "text/html; charset=utf-8"
TYPES = {
    ".html": HTML,
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".parquet": "application/octet-stream",
}
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True)
class Site:
    """What is served, and to whom."""

    store: Path
    token: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def open_server(store: Path, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server that is ready to serve a store, and its address; port 0 is any free one."""
    if not 0 <= port < 2**16:
        raise UserError(f"port {port} cannot be served from (ports are numbers from 0 to 65535)")
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), BaseHTTPRequestHandler)
    except OSError as error:
        raise UserError(f"port {port} cannot be served from ({error.strerror})") from None
    port = server.server_address[1]
    hosts = tuple(f"{name}:{port}" for name in (LOOPBACK, "localhost"))
    site = Site(store, secrets.token_urlsafe(24), hosts)
    server.RequestHandlerClass = partial(Handler, site)
    server.daemon_threads = True
    return server, f"http://{hosts[0]}/{site.token}/"


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD as `answer` has them; every other method is refused by the base class."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE
    server_version, sys_version = "glm-harness", ""

    def __init__(self, site: Site, *rest: Any) -> None:
        self.site = site
        super().__init__(*rest)

    def handle(self) -> None:
        with suppress(ConnectionError):  # a reader that leaves early is none of ours to tell
            super().handle()

    def do_GET(self) -> None:
        self._send(answer(self.site, self.path, self.headers.get("Host", "")), body=True)

    def do_HEAD(self) -> None:
        self._send(answer(self.site, self.path, self.headers.get("Host", "")), body=False)

    def _send(self, found: Answer, *, body: bool) -> None:
        self.send_response(found.status)
        sized = {"Content-Type": found.type, "Content-Length": str(len(found.body))}
        for name, value in {**HEADERS, **sized, **found.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(found.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the address, and with it the token, would stand in the terminal's log."""


def answer(site: Site, target: str, host: str) -> Answer:
    """What is answered to a request for `target` with that Host header."""
    try:
        path = urlsplit(target).path
    except ValueError:
        path = ""
    _, given, *rest = [*unquote(path).split("/"), ""][:7]
    if host.lower() not in site.hosts or not _same(given, site.token):
        return Answer(403, b"refused: open the address that `harness serve` has printed\n")
    names = state.grids(site.store)
    match rest:
        case [""]:  # without its last slash, relative links would lead astray
            return Answer(308, b"", headers={"Location": f"/{site.token}/"})
        case ["", ""]:
            runs = [run for name in names if (run := state.run(site.store, name))]
            return _page(page.overview(str(site.store), runs))
        case ["grids", name, "", ""] if name in names:
            run = state.run(site.store, name)
            return _page(page.grid(run)) if run else _missing()
        case ["grids", name, "tables", file, ""] if name in names:
            return _file(site.store / "grids" / name / "tables", file)
        case [kind, folder, file, ""] if kind in LINKED and folder in _names(site.store / kind):
            return _file(site.store / kind / folder, file)
    return _missing()


def _names(folder: Path) -> list[str]:
    """What a folder holds; links to elsewhere are nothing."""
    return [path.name for path in folder.glob("*") if not path.is_symlink()]


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _page(text: str) -> Answer:
    return Answer(200, text.encode(), HTML)


def _missing() -> Answer:
    return Answer(404, b"there is no such page\n")


def _file(folder: Path, name: str) -> Answer:
    """A file of a report or a step: one of those in its folder, and no link to elsewhere."""
    path = folder / name
    if name not in _names(folder) or path.suffix not in TYPES or not path.is_file():
        return _missing()
    return Answer(200, path.read_bytes(), TYPES[path.suffix])
