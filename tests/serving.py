"""A real server on loopback, in a thread of the test's own process, and a real browser for it."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from indexing.types import Document, Encoder
from rewards.select import Thresholds
from service.api import create_api
from service.app import build
from service.application import Application
from service.config import Settings, load
from service.library import Library
from service.pipeline import Parts
from tests.hashing import HashingEncoder
from tests.scripted import FixedJudge, FixedRules, ScriptedPolicy, quoting

WAIT = 90.0
PATIENCE_MS = 30_000
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@dataclass(frozen=True)
class Served:
    """Where the service is, what it is made of, and a client for it."""

    url: str
    application: Application
    client: httpx.Client


@contextmanager
def running(home: Path, load_models: bool = True, **options: object) -> Iterator[Served]:
    """Serves `home` until the block ends."""
    application = build(load({"home": home, **options}, {}))
    failures: list[BaseException] = []
    with listening(application) as client:
        if load_models:
            application.startup.start(failures.append)
            assert application.startup.wait(WAIT), application.startup.stages()
        yield Served(str(client.base_url).rstrip("/"), application, client)


GRAZES = "The zebra grazes on the plain."


@contextmanager
def quick(home: Path, **options: object) -> Iterator[Served]:
    """A service that answers in milliseconds: real index, database and server, hashed vectors, scripted words. It holds
    one document, which says what GRAZES does."""

    def parts(settings: Settings, encoder: Encoder, library: Library, rules: object) -> Parts:
        del settings, encoder, rules
        policy, judge = ScriptedPolicy(quoting(GRAZES), ["zebra"]), FixedJudge(0.9)
        return Parts(policy, library.searcher, judge, FixedRules(), judge, Thresholds(abstain=0.2))

    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # only until it has started: other services load the real things
            patch.setattr("service.app.make_encoder", lambda _: HashingEncoder())
            patch.setattr("service.app.make_parts", parts)
            service = stack.enter_context(running(home, **options))
        service.application.library.now().add([Document("zebra", "file:///zebra.md", "Zebra", GRAZES)])
        yield service


@contextmanager
def listening(application: Application) -> Iterator[httpx.Client]:
    """A client of the application's own server on loopback; both end with the block."""
    server = uvicorn.Server(uvicorn.Config(create_api(application), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        [port] = [bound.getsockname()[1] for listener in server.servers for bound in listener.sockets]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        application.close()


def wait_until(condition: Callable[[], object], seconds: float = 100.0) -> None:
    """Until it holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@dataclass(frozen=True)
class Sent:
    """One server-sent event, with the seconds since the request when it arrived."""

    name: str
    data: dict[str, Any]
    at: float


def stream(client: httpx.Client, body: dict[str, Any]) -> list[Sent]:
    """The events of a streamed question, as they arrive."""
    return list(events(client, body))


def events(client: httpx.Client, body: dict[str, Any]) -> Iterator[Sent]:
    began = time.perf_counter()
    with client.stream("POST", "/v1/chat", json={**body, "stream": True}) as reply:
        assert reply.status_code == 200, reply.read()
        assert reply.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in reply.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield Sent(name, json.loads(line.removeprefix("data: ")), time.perf_counter() - began)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's browser. Raises FileNotFoundError when there is none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise FileNotFoundError("Chromium is missing. Run 'make test', which installs it.")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *QUIET])
        yield found
        found.close()


def ask_page(page: Page, question: str) -> None:
    """Asks on the page, and waits for the whole answer."""
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    expect(page.locator(".turn").last).to_contain_text(question)
    expect(page.locator(".answer").last.locator(".feedback")).to_be_visible(timeout=PATIENCE_MS)
