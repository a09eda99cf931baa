"""Remote chat models: a real server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from indexing.types import Cancelled
from models.remote_generator import PARALLEL, GeneratorFailed, RemoteGenerator
from models.types import Message, Sampling

HELLO = (Message("user", "Say hello."),)


class ChatServer(BaseHTTPRequestHandler):
    """A small OpenAI-compatible server: busy once, then streams the last user's words back."""

    requests: ClassVar[list[dict[str, object]]] = []
    statuses: ClassVar[list[int]] = []
    wires: ClassVar[list[bytes]] = []
    """Whole replies, headers and all, to send first."""
    together: ClassVar[threading.Barrier] = threading.Barrier(1)
    """How many requests must be on their way before one is answered."""
    silent: ClassVar[threading.Event] = threading.Event()
    """Set where a reply may go on after its first word."""
    bored: ClassVar[threading.Event] = threading.Event()
    """Set when a reply went on all the same, after five seconds."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append({**body, "key": self.headers.get("Authorization"), "path": self.path})
        if self.wires:
            self.wfile.write(self.wires.pop(0))
            self.silent.wait(timeout=5)
            return
        status = self.statuses.pop(0) if self.statuses else 200
        self.together.wait(timeout=5)
        self.send_response(status)
        self.end_headers()
        if status != 200:
            self.wfile.write(b'{"error": "busy"}')
            return
        for word in body["messages"][-1]["content"].split():
            self.event({"choices": [{"delta": {"content": word + " "}}]})
            if not self.silent.wait(timeout=5):
                self.bored.set()
        self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, data: object) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


def wire(body: str, status: str = "200 OK", header: str = "Server: test") -> bytes:
    return f"HTTP/1.0 {status}\r\n{header}\r\n\r\n{body}".encode()


WORDS = 'data: {"choices": [{"delta": {"content": "The bridge was not "}}]}\n\n'
END = "data: [DONE]\n\n"


@pytest.fixture
def remote() -> Iterator[RemoteGenerator]:
    ChatServer.requests.clear()
    ChatServer.statuses.clear()
    ChatServer.wires.clear()
    ChatServer.together = threading.Barrier(1)
    ChatServer.silent.set()
    ChatServer.bored.clear()
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
    assert {request["seed"] for request in ChatServer.requests} == {0, 1}
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


def test_all_drafts_are_asked_for_at_once(remote: RemoteGenerator) -> None:
    ChatServer.together = threading.Barrier(PARALLEL)  # one after the other, the first would never be answered
    replies = remote.generate([HELLO, (Message("user", "And again."),)], PARALLEL // 2, Sampling())
    assert [[reply.text for reply in drafts] for drafts in replies] == [
        ["Say hello."] * (PARALLEL // 2),
        ["And again."] * (PARALLEL // 2),
    ]


def test_a_caller_that_goes_away_does_not_wait_for_a_silent_server(remote: RemoteGenerator) -> None:
    ChatServer.silent.clear()
    heard = threading.Event()
    with pytest.raises(Cancelled):
        remote.generate([HELLO], 2, Sampling(), on_text=lambda _: heard.set(), cancelled=heard.is_set)
    assert not ChatServer.bored.is_set()
    ChatServer.silent.set()


def test_one_refused_request_ends_the_others(remote: RemoteGenerator) -> None:
    ChatServer.silent.clear()
    ChatServer.statuses += [401]
    with pytest.raises(GeneratorFailed):
        remote.generate([HELLO], 4, Sampling())
    assert not ChatServer.bored.is_set()
    ChatServer.silent.set()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (WORDS + 'data: {"error": {"message": "CUDA out of memory", "code": 500}}\n\n' + END, "CUDA out of memory"),
        ('data: {"error": "model not loaded"}\n\n', "model not loaded"),
        ('{"error": {"code": 7}}', "7"),
        (WORDS, "broke off"),
        ('data: {"choices": [{"delta": {"content": "The"}, "message": {"content": "The"}}]}\n\n', "broke off"),
        (WORDS + "event: error\n\n", "broke off"),
        ('{"status": "ok"}', "broke off"),
        (END, "empty"),
        ("", "no chat reply"),
        ("<html>Please log in</html>", "no chat reply"),
        ('data: "words"\n\n' + END, "no chat reply"),
        ('data: {"choices": [{"delta": {"content": 7}}]}\n\n' + END, "no chat reply"),
    ],
)
def test_a_reply_that_fails_or_breaks_off_is_no_answer(remote: RemoteGenerator, body: str, told: str) -> None:
    ChatServer.wires.append(wire(body))
    with pytest.raises(GeneratorFailed, match=told):
        remote.generate([HELLO], 1, Sampling())


def test_a_reply_shorter_than_its_server_announced_is_no_answer(remote: RemoteGenerator) -> None:
    ChatServer.wires.append(wire(WORDS, header="Content-Length: 1000"))
    with pytest.raises(GeneratorFailed, match="broke off"):
        remote.generate([HELLO], 1, Sampling())


def test_a_redirect_is_told_and_not_followed(remote: RemoteGenerator) -> None:
    ChatServer.wires.append(wire("", "307 Temporary Redirect", "Location: /v2/chat/completions"))
    with pytest.raises(GeneratorFailed, match="307"):
        remote.generate([HELLO], 1, Sampling())
    assert len(ChatServer.requests) == 1


def test_a_server_that_does_not_stream_is_read_all_the_same(remote: RemoteGenerator) -> None:
    whole = {"choices": [{"message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}
    ChatServer.wires.append(wire(json.dumps(whole, indent=2), header="Content-Type: application/json"))
    seen: list[str] = []
    [[reply]] = remote.generate([HELLO], 1, Sampling(), on_text=seen.append)
    assert (reply.text, reply.finished, seen) == ("Hello.", True, ["Hello."])


def test_events_without_words_change_nothing(remote: RemoteGenerator) -> None:
    last = 'data: {"choices": [{"delta": null, "finish_reason": "stop"}], "error": null}\n\n'
    ChatServer.wires.append(wire('data: {"choices": null, "usage": {}}\n\n' + WORDS + last))
    [[reply]] = remote.generate([HELLO], 1, Sampling())
    assert (reply.text, reply.finished) == ("The bridge was not", True)


@pytest.mark.parametrize("stalls", [False, True], ids=["breaks off", "stalls"])
def test_a_busy_server_is_asked_again_where_its_refusal_cannot_be_read(remote: RemoteGenerator, stalls: bool) -> None:
    remote.client.timeout = 0.5
    if stalls:
        ChatServer.silent.clear()
    ChatServer.wires += [wire("abc", "503 Busy", "Content-Length: 100")] * remote.TRIES
    with pytest.raises(GeneratorFailed, match="503"):
        remote.generate([HELLO], 1, Sampling())
    assert len(ChatServer.requests) == remote.TRIES
    ChatServer.silent.set()


@pytest.mark.parametrize(
    "reply",
    [wire("No such key: secret", "401 Unauthorized"), wire('data: {"error": {"message": "No such key: secret"}}\n\n')],
    ids=["refusal", "event"],
)
def test_an_error_does_not_repeat_the_key(remote: RemoteGenerator, reply: bytes) -> None:
    ChatServer.wires.append(reply)
    with pytest.raises(GeneratorFailed, match="No such key") as failed:
        remote.generate([HELLO], 1, Sampling())
    assert "secret" not in str(failed.value)


def test_a_key_that_cannot_be_sent_is_not_told(remote: RemoteGenerator) -> None:
    generator = RemoteGenerator("remote", str(remote.client.base_url), "big", key="secret\nkey")
    with generator.client, pytest.raises(GeneratorFailed, match="cannot be sent") as failed:
        generator.generate([HELLO], 1, Sampling())
    assert "secret" not in str(failed.value)


def test_a_password_in_the_address_is_not_told(remote: RemoteGenerator) -> None:
    ChatServer.statuses.append(401)
    generator = RemoteGenerator("remote", str(remote.client.base_url.copy_with(userinfo=b"me:secret")), "big")
    with generator.client, pytest.raises(GeneratorFailed, match=r"http://127\.0\.0\.1") as failed:
        generator.generate([HELLO], 1, Sampling())
    assert "secret" not in str(failed.value)
