"""Generators: a real chat model on this machine, and a real server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from indexing.types import BadInput, Cancelled, ModelMissing
from models.generator import GeneratorFailed, LocalGenerator, RemoteGenerator
from models.types import Message, Sampling

HELLO = (Message("user", "Say hello."),)


def test_the_same_seed_draws_the_same_text(local: LocalGenerator) -> None:
    sampling = Sampling(max_tokens=6, seed=3)
    first, again = local.generate([HELLO], 2, sampling), local.generate([HELLO], 2, sampling)
    assert [item.text for item in first[0]] == [item.text for item in again[0]]
    assert len({item.text for item in first[0]}) == 2, "two drafts of one prompt should differ"


def test_repeating_the_cache_changes_nothing(local: LocalGenerator) -> None:
    greedy = Sampling(max_tokens=6, temperature=0.0)
    [[alone]] = local.generate([HELLO], 1, greedy)
    [[one, two]] = local.generate([HELLO], 2, greedy)
    assert alone.text == one.text == two.text


def test_log_probs_agree_with_those_of_sampling(local: LocalGenerator) -> None:
    [[drawn]] = local.generate([HELLO], 1, Sampling(max_tokens=5, temperature=0.0))
    [scored] = local.log_probs([HELLO], [drawn.text])
    assert scored[:3] == pytest.approx(list(drawn.log_probs)[:3], abs=1e-3)


def test_a_stop_string_ends_the_text(local: LocalGenerator) -> None:
    [[free]] = local.generate([HELLO], 1, Sampling(max_tokens=8, temperature=0.0))
    word = free.text.split()[1]
    [[stopped]] = local.generate([HELLO], 1, Sampling(max_tokens=8, temperature=0.0, stop=(word,)))
    assert stopped.finished
    assert free.text.startswith(stopped.text)
    assert word not in stopped.text


def test_cancelling_ends_the_work(local: LocalGenerator) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        local.generate([HELLO], 1, Sampling(max_tokens=50), cancelled=lambda: next(asked))


def test_a_prompt_that_is_too_long_is_refused(local: LocalGenerator) -> None:
    with pytest.raises(BadInput, match="tokens"):
        local.generate([(Message("user", "word " * 10_000),)], 1, Sampling(max_tokens=5))


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="passerine models install"):
        LocalGenerator.load("absent", tmp_path / "absent")


class ChatServer(BaseHTTPRequestHandler):
    """A small OpenAI-compatible server: busy once, then streams the last user's words back."""

    requests: ClassVar[list[dict[str, object]]] = []
    statuses: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append({**body, "key": self.headers.get("Authorization"), "path": self.path})
        status = self.statuses.pop(0) if self.statuses else 200
        self.send_response(status)
        self.end_headers()
        if status != 200:
            self.wfile.write(b'{"error": "busy"}')
            return
        for word in body["messages"][-1]["content"].split():
            self.event({"choices": [{"delta": {"content": word + " "}}]})
        self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, data: object) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def remote() -> Iterator[RemoteGenerator]:
    ChatServer.requests.clear()
    ChatServer.statuses.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), ChatServer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    generator = RemoteGenerator("remote", f"http://127.0.0.1:{server.server_port}/v1", "big", key="secret", timeout_s=5)
    yield generator
    generator.client.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_remote_model_streams_its_reply(remote: RemoteGenerator) -> None:
    seen: list[str] = []
    [[first, second]] = remote.generate([HELLO], 2, Sampling(), on_text=seen.append)
    assert first.text == second.text == "Say hello."
    assert seen[0] == "Say "
    assert [request["seed"] for request in ChatServer.requests] == [0, 1]
    assert ChatServer.requests[0]["key"] == "Bearer secret"
    assert ChatServer.requests[0]["path"] == "/v1/chat/completions"


def test_a_busy_server_is_asked_again(remote: RemoteGenerator) -> None:
    ChatServer.statuses.append(503)
    [[reply]] = remote.generate([HELLO], 1, Sampling())
    assert reply.text == "Say hello."
    assert len(ChatServer.requests) == 2


def test_a_refused_request_is_not_repeated(remote: RemoteGenerator) -> None:
    ChatServer.statuses.append(401)
    with pytest.raises(GeneratorFailed, match="generator_key"):
        remote.generate([HELLO], 1, Sampling())
    assert len(ChatServer.requests) == 1


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteGenerator, "TRIES", 1)  # it waits before the others
    generator = RemoteGenerator("remote", "http://127.0.0.1:9/v1", "big", timeout_s=1)
    with generator.client, pytest.raises(GeneratorFailed, match=r"127\.0\.0\.1:9"):
        generator.generate([HELLO], 1, Sampling())
