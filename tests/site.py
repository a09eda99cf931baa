"""A real web server on loopback whose pages a test writes, and which remembers what it was asked."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

from indexing.fetch import FetchRules

LOOPBACK = FetchRules(private=(ip_network("127.0.0.0/8"),), rate=1000, pause=0.01, timeout=5)
"""Allowed to fetch from this machine, and in no need of politeness."""


@dataclass
class Answer:
    """What the server gives for a path. `raw` writes to the connection itself instead."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[BaseHTTPRequestHandler], None] | None = None


@dataclass
class Site:
    """Pages by path; `asked` are the requests as (path, status), in order."""

    url: str = ""
    pages: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def write(self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        """A page with an ETag, so that the server says by itself when it has not changed."""
        data = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Answer(data, headers={"content-type": kind, "etag": f'"{hash(data)}"', **named})

    def article(self, path: str, title: str, text: str) -> None:
        self.write(path, f"<html><head><title>{title}</title></head><body><main><p>{text}</p></main></body></html>")

    def take_asked(self) -> list[tuple[str, int]]:
        """The requests since the last call, those for robots.txt left out."""
        taken, self.asked = self.asked, []
        return [each for each in taken if each[0] != "/robots.txt"]


@contextmanager
def serving(site: Site, address: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serves the site until the block ends; over TLS with a context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = site.pages.get(self.path, Answer(b"nothing here", 404))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            site.headers.append({name.lower(): value for name, value in self.headers.items()})
            if answer.raw:
                answer.raw(self)
                return
            etag = answer.headers.get("etag")
            same = etag is not None and self.headers.get("if-none-match") == etag
            status, body = (304, b"") if same else (answer.status, answer.body)
            site.asked.append((self.path, status))
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **answer.headers}.items():
                if not (same and name == "content-length"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"http://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def http_date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)
