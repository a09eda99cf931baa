"""The HTTP interface on a real server: its routes, its one error shape, its guard."""

import errno
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.types import Candidate, Conversation, Plan, Policy
from tests.serving import Served, events, quick, running, stream

QUESTION = "When was Skylab launched?"


def error_of(reply: httpx.Response) -> dict[str, str]:
    """The error, after checking its shape."""
    body = reply.json()
    assert set(body) == {"error"}, body
    error: dict[str, str] = body["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert error["message"].endswith((".", "?")), error
    assert error["request_id"] == reply.headers["x-request-id"]
    return error


# Asking


def test_an_answer_has_quotes_that_stand_in_their_documents(served: Served) -> None:
    reply = served.client.post("/v1/chat", json={"message": QUESTION})
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert answer["verdict"] == "answered"
    assert "1973" in answer["text"]
    assert answer["citations"]
    for citation in answer["citations"]:
        found = served.client.get(f"/v1/documents/{citation['document_id']}").json()
        assert found["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert f"[{citation['number']}]" in answer["text"]
    assert len(answer["candidates"]) == len(answer["judgements"]) >= 3
    assert answer["chosen"] is not None
    assert answer["timings"]["total"] > 0


def test_a_chinese_question_is_answered_in_chinese(served: Served) -> None:
    answer = served.client.post("/v1/chat", json={"message": "神舟五号是哪一年发射的？"}).json()
    assert answer["verdict"] == "answered", answer["text"]
    assert "2003" in answer["text"]
    assert answer["citations"]


def test_the_streamed_the_stored_and_the_returned_answer_are_one(served: Served) -> None:
    sent = stream(served.client, {"message": QUESTION})
    names = list(dict.fromkeys(event.name for event in sent))
    assert names == ["accepted", "plan", "search", "candidates", "judgement", "answer", "citations", "done"]
    answer = sent[-1].data
    assert "".join(event.data["delta"] for event in sent if event.name == "answer") == answer["text"]
    by_name = {event.name: event.data for event in sent}
    assert by_name["accepted"] == {"answer_id": answer["id"], "conversation_id": answer["conversation_id"]}
    assert by_name["citations"]["citations"] == answer["citations"]
    assert by_name["candidates"]["candidates"] == answer["candidates"]
    assert by_name["judgement"]["judgements"] == answer["judgements"]
    stored = served.client.get(f"/v1/conversations/{answer['conversation_id']}").json()
    assert stored["turns"][1]["answer"] == answer
    returned = served.client.post("/v1/chat", json={"message": QUESTION}).json()
    for field in ("text", "short", "verdict", "citations", "read", "candidates", "judgements", "chosen"):
        assert returned[field] == answer[field], field


def test_the_first_event_comes_at_once_and_the_rest_over_time(served: Served) -> None:
    stream(served.client, {"message": QUESTION})
    firsts, sent = [], []
    for number in range(5):
        sent = stream(served.client, {"message": f"When did Apollo {8 + number} fly?"})
        firsts.append(sent[0].at)
    assert sorted(firsts)[2] < 0.05, firsts
    assert sent[-1].at - sent[0].at > 0.005, "not in one lump"


def test_stream_headers_forbid_buffering(served: Served) -> None:
    with served.client.stream("POST", "/v1/chat", json={"message": "Hello", "stream": True}) as reply:
        assert reply.headers["x-accel-buffering"] == "no"
        assert reply.headers["cache-control"] == "no-store"


def test_a_follow_up_is_read_with_its_conversation(served: Served) -> None:
    first = served.client.post("/v1/chat", json={"message": QUESTION}).json()
    body = {"message": "Where did it come down?", "conversation_id": first["conversation_id"]}
    second = served.client.post("/v1/chat", json=body).json()
    assert second["conversation_id"] == first["conversation_id"]
    assert any("Skylab" in query["text"] for query in second["plan"]["queries"])
    turns = served.client.get(f"/v1/conversations/{first['conversation_id']}").json()["turns"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2


def test_what_the_documents_do_not_say_is_not_answered(served: Served) -> None:
    answer = served.client.post("/v1/chat", json={"message": "What does a litre of milk cost in Lisbon today?"}).json()
    assert answer["verdict"] == "abstained", answer["text"]
    assert answer["citations"] == []
    assert answer["nearest"]


def test_filters_limit_what_is_read(served: Served) -> None:
    body = {"message": QUESTION, "filters": {"language": ["zh"]}}
    answer = served.client.post("/v1/chat", json=body).json()
    languages = {hit["document"]["language"] for hit in answer["read"] + answer["nearest"]}
    assert languages <= {"zh"}


def test_fast_mode_reads_less(served: Served) -> None:
    careful = served.client.post("/v1/chat", json={"message": QUESTION}).json()
    fast = served.client.post("/v1/chat", json={"message": QUESTION, "mode": "fast"}).json()
    assert len(fast["candidates"]) < len(careful["candidates"])


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with a policy that thinks for a while, on which silence and leaving can be tried."""
    with quick(tmp_path_factory.mktemp("slow"), keep_alive=0.02) as service:
        made = service.application.parts._value
        made[0] = replace(made[0], policy=Slow(made[0].policy))
        yield service


def state_of(service: Served, conversation_id: str) -> tuple[str, str]:
    """The first turn's state, once it is no longer being worked on, and the code of its error."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        turn = service.client.get(f"/v1/conversations/{conversation_id}").json()["turns"][0]
        if turn["state"] != "working":
            break
        time.sleep(0.02)
    return turn["state"], (turn["error"] or {}).get("code", "")


def test_a_caller_who_leaves_a_stream_stops_the_work(slow: Served) -> None:
    with httpx.Client(base_url=slow.url, timeout=60) as client:
        flow = events(client, {"message": "Which crews visited Skylab?"})
        accepted = next(flow)
        flow.close()
    assert state_of(slow, accepted.data["conversation_id"]) == ("stopped", "cancelled")


def test_a_caller_who_leaves_without_a_stream_stops_the_work(slow: Served) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{slow.url}/v1/chat", json={"message": "Which crews visited Mir?"}, timeout=0.15)
    newest = slow.client.get("/v1/conversations").json()["conversations"][0]
    assert newest["title"] == "Which crews visited Mir?"
    assert state_of(slow, newest["id"]) == ("stopped", "cancelled")


def test_an_error_in_the_middle_ends_the_stream_in_the_same_shape(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(served.application.conversations, "finish", full)
    sent = stream(served.client, {"message": "Hello"})
    assert [event.name for event in sent][-2:] == ["citations", "error"]
    assert set(sent[-1].data["error"]) == {"code", "message", "hint", "request_id"}
    assert sent[-1].data["error"]["code"] == "storage_failed"
    turns = served.client.get(f"/v1/conversations/{sent[0].data['conversation_id']}").json()["turns"]
    assert (turns[0]["state"], turns[0]["error"]["code"]) == ("failed", "storage_failed")


@pytest.mark.parametrize("stream", [True, False])
def test_what_fails_before_the_question_is_kept_has_its_own_status(
    served: Served, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    def full(*arguments: object) -> None:  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device")

    unknown = {"message": "Hello", "conversation_id": "no-such", "stream": stream}
    reply = served.client.post("/v1/chat", json=unknown)
    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")
    monkeypatch.setattr(served.application.conversations, "begin", full)
    reply = served.client.post("/v1/chat", json={"message": "Hello", "stream": stream})
    assert (reply.status_code, error_of(reply)["code"]) == (507, "storage_failed")


def test_a_silent_stream_is_kept_alive(slow: Served) -> None:
    with slow.client.stream("POST", "/v1/chat", json={"message": "Hello", "stream": True}) as reply:
        lines = list(reply.iter_lines())
    assert lines.index("event: accepted") < lines.index(": keep-alive") < lines.index("event: done")


@dataclass
class Slow:
    """A policy that thinks for a while before it plans."""

    policy: Policy
    name: str = "slow"

    def plan(self, conversation: Conversation) -> Plan:
        time.sleep(0.6)
        return self.policy.plan(conversation)

    def propose(self, *arguments: Any, **more: Any) -> list[Candidate]:
        return self.policy.propose(*arguments, **more)


def test_questions_at_the_same_time_do_not_mix(served: Served) -> None:
    questions = {"When was Skylab launched?": "1973", "When was Apollo 13 launched?": "1970"}
    found: dict[str, str] = {}

    def ask(question: str) -> None:
        found[question] = httpx.post(f"{served.url}/v1/chat", json={"message": question}, timeout=60).json()["text"]

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for question, name in questions.items():
        assert name in found[question]


# Bad input


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "message"),
        ({"message": ""}, 422, "empty"),
        ({"message": "  \n "}, 422, "empty"),
        ({"message": 7}, 422, "message"),
        ({"message": "x" * 2001}, 413, "2000"),
        ({"message": "x", "mesage": "y"}, 422, "mesage"),
        ({"message": "x", "stream": "yes"}, 422, "stream"),
        ({"message": "x", "mode": "slow"}, 422, "mode"),
        ({"message": "x", "filters": {"langauge": ["en"]}}, 422, "langauge"),
        ({"message": "x", "filters": {"from": "yesterday"}}, 422, "date"),
        ({"message": "x\u0000y"}, 422, "NUL"),
        ({"message": "x", "conversation_id": "no-such"}, 404, "no-such"),
        ([], 422, "body"),
    ],
)
def test_wrong_questions_are_named(served: Served, body: Any, status: int, said: str) -> None:
    reply = served.client.post("/v1/chat", json=body)
    assert reply.status_code == status
    assert said in error_of(reply)["message"]


def test_a_misspelt_field_gets_the_right_name_as_hint(served: Served) -> None:
    reply = served.client.post("/v1/chat", json={"mesage": "x", "message": "x"})
    assert "'message'" in error_of(reply)["hint"]


def test_half_a_surrogate_pair_is_refused(served: Served) -> None:
    reply = served.client.post(
        "/v1/chat", content=b'{"message": "\\ud800"}', headers={"content-type": "application/json"}
    )
    assert reply.status_code == 422
    error_of(reply)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/chat", 405),
        ("DELETE", "/v1/search", 405),
        ("GET", "/v1/documents/no-such", 404),
        ("DELETE", "/v1/documents/no-such", 404),
        ("GET", "/v1/conversations/no-such", 404),
        ("DELETE", "/v1/conversations/no-such", 404),
        ("GET", "/v1/search", 422),
        ("GET", "/v1/search?q=moon&k=0", 422),
        ("GET", "/v1/search?q=moon&k=many", 422),
        ("GET", "/v1/search?q=moon&sort=date", 422),
        ("GET", "/v1/search?q=moon&from=now", 422),
        ("GET", "/v1/search?q=%20", 422),
        ("GET", "/v1/documents?limit=0", 422),
        ("GET", f"/v1/conversations?offset={2**64}", 422),
        ("GET", f"/v1/jobs?offset={2**64}", 422),
        ("GET", "/static/nothing.js", 404),
    ],
)
def test_every_route_has_the_one_error_shape(served: Served, method: str, path: str, status: int) -> None:
    reply = served.client.request(method, path)
    assert reply.status_code == status
    error_of(reply)


@pytest.mark.parametrize("content", [b"", b"{", b"[1,", b"\xff\xfe", b'{"message": "x"} extra'])
def test_a_body_that_is_not_json_is_refused(served: Served, content: bytes) -> None:
    reply = served.client.post("/v1/chat", content=content, headers={"content-type": "application/json"})
    assert reply.status_code == 422
    error_of(reply)


def test_a_form_is_told_to_be_json(served: Served) -> None:
    reply = served.client.post("/v1/chat", data={"message": "x"})
    assert reply.status_code == 422
    assert "application/json" in error_of(reply)["hint"]


def test_a_fault_of_ours_is_a_500_in_the_one_shape(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ZeroDivisionError("a secret path")

    monkeypatch.setattr(served.application.conversations, "count", broken)
    reply = served.client.get("/v1/conversations")
    assert reply.status_code == 500
    assert error_of(reply)["code"] == "server_failed"
    assert "secret" not in reply.text


# The guard


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example"])
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    reply = served.client.get("/healthz", headers={"host": host})
    assert reply.status_code == 403
    assert error_of(reply)["code"] == "forbidden"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_origin_is_refused(served: Served, origin: str) -> None:
    reply = served.client.post("/v1/chat", json={"message": "x"}, headers={"origin": origin})
    assert reply.status_code == 403


def test_the_own_origin_is_accepted(served: Served) -> None:
    assert served.client.get("/healthz", headers={"origin": served.url}).status_code == 200


def test_a_large_body_is_refused_before_it_is_kept(served: Served) -> None:
    limit = served.application.settings.body_limit
    reply = served.client.post(
        "/v1/documents", content=b"x" * (limit + 1), headers={"content-type": "application/json"}
    )
    assert reply.status_code == 413
    assert error_of(reply)["code"] == "too_large"


@pytest.mark.parametrize("path", ["/healthz", "/v1/nothing", "/docs", "/v1/status"])
def test_security_headers_are_everywhere(served: Served, path: str) -> None:
    headers = served.client.get(path).headers
    rules = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert {rules[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert rules["trusted-types"] == "'none'", "text may become markup"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


# Documents and search


def test_a_posted_document_can_be_found_changed_and_deleted(served: Served) -> None:
    document = {"id": "hours-1", "title": "Opening hours", "text": "The quokka library opens at nine on weekdays."}
    posted = served.client.post("/v1/documents", json=document)
    assert posted.status_code == 200, posted.text
    assert posted.json() == {"documents": [{"id": "hours-1", "outcome": "added"}]}
    assert served.client.post("/v1/documents", json=[document]).json()["documents"][0]["outcome"] == "same"

    found = served.client.get("/v1/search", params={"q": "quokka library", "k": 3}).json()
    assert found["query"] == "quokka library"
    hit = found["hits"][0]
    assert set(hit) == {"passage", "document", "score", "lexical", "dense"}
    assert hit["document"]["id"] == "hours-1"
    assert "text" not in hit["document"]

    document["text"] = "The quokka library opens at ten on weekdays."
    assert served.client.post("/v1/documents", json=document).json()["documents"][0]["outcome"] == "changed"
    found = served.client.get("/v1/search", params={"q": "quokka library", "k": 1}).json()
    assert "ten" in found["hits"][0]["passage"]["text"]

    assert served.client.delete("/v1/documents/hours-1").status_code == 204
    ids = [hit["document"]["id"] for hit in served.client.get("/v1/search", params={"q": "quokka"}).json()["hits"]]
    assert "hours-1" not in ids
    assert served.client.get("/v1/documents/hours-1").status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"title": "x"}, "text"),
        ({"title": "x", "text": ""}, "text"),
        ({"title": "x", "text": " \n"}, "text"),
        ({"title": "x", "text": "y", "txt": "z"}, "txt"),
        ({"title": "x", "text": "y", "published_at": "soon"}, "date"),
        ({"title": "x", "text": "y", "metadata": {"a": 1}}, "metadata"),
        ([], "body"),
        ([{"title": "x", "text": "y"}, {"title": "z"}], "text"),
        ("text", "body"),
    ],
)
def test_wrong_documents_are_named(served: Served, body: Any, said: str) -> None:
    reply = served.client.post("/v1/documents", json=body)
    assert reply.status_code == 422, reply.text
    assert said in error_of(reply)["message"]


def test_a_passage_is_shown_in_its_surroundings(served: Served) -> None:
    hit = served.client.get("/v1/search", params={"q": "space station", "k": 1}).json()["hits"][0]
    path = f"/v1/documents/{hit['document']['id']}"
    whole = served.client.get(path).json()["text"]
    near = served.client.get(path, params={"passage": hit["passage"]["id"], "around": 50}).json()
    assert near["passage"] == hit["passage"]
    assert near["text"] is None
    assert near["before"] + near["passage"]["text"] + near["after"] in whole
    assert len(near["before"]) <= 50
    assert served.client.get(path, params={"passage": "no-such"}).status_code == 404


def test_documents_are_listed_in_pages(served: Served) -> None:
    first = served.client.get("/v1/documents", params={"limit": 5}).json()
    second = served.client.get("/v1/documents", params={"limit": 5, "after": first["next"]}).json()
    ids = [document["id"] for document in first["documents"] + second["documents"]]
    assert len(set(ids)) == 10
    assert first["total"] > 20


def test_documents_are_listed_by_a_part_of_their_title_or_address(served: Served) -> None:
    found = served.client.get("/v1/documents", params={"q": "SPACE-suit"}).json()["documents"]
    assert [document["title"] for document in found] == ["Space suits"]
    assert served.client.get("/v1/documents", params={"q": "50%_"}).json()["documents"] == []


def test_search_results_come_in_pages_with_their_words_marked(served: Served) -> None:
    asked = {"q": "space station", "k": 3}
    first = served.client.get("/v1/search", params=asked).json()
    second = served.client.get("/v1/search", params={**asked, "offset": 3}).json()
    ids = [hit["passage"]["id"] for page in (first, second) for hit in page["hits"]]
    assert len(set(ids)) == 6
    assert (first["offset"], second["offset"], first["more"]) == (0, 3, True)
    for hit, snippet in zip(first["hits"], first["snippets"], strict=True):
        start = snippet["start"]
        assert hit["passage"]["text"][start : start + len(snippet["text"])] == snippet["text"]
        words = [snippet["text"][begin:end].lower() for begin, end in snippet["marks"]]
        assert any("space" in word or "station" in word for word in words), snippet
    last = served.client.get("/v1/search", params={"q": "space station", "offset": 100}).json()
    assert (last["hits"], last["more"]) == ([], False)


def test_an_uploaded_file_can_be_found_and_is_replaced_by_its_name(served: Served) -> None:
    def post(text: str) -> dict[str, str]:
        reply = served.client.post("/v1/files", params={"name": "quokka.md"}, content=text.encode())
        assert reply.status_code == 200, reply.text
        [stored] = reply.json()["documents"]
        return dict(stored)

    added = post("# Quokkas\n\nThe quokka ferry leaves at seven.")
    assert (added["outcome"], post("# Quokkas\n\nThe quokka ferry leaves at eight.")["id"]) == ("added", added["id"])
    hit = served.client.get("/v1/search", params={"q": "quokka ferry", "k": 1}).json()["hits"][0]
    assert "eight" in hit["passage"]["text"]
    assert (hit["document"]["url"], hit["document"]["source"]) == ("quokka.md", "upload")
    assert served.client.delete(f"/v1/documents/{added['id']}").status_code == 204


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.txt", b"", "extract_failed"),
        ("broken.pdf", b"%PDF-1.4 nothing follows", "extract_failed"),
        ("../evil.md", b"text", "bad_input"),
        ("..", b"text", "bad_input"),
        ("x" * 300 + ".md", b"text", "bad_input"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(served: Served, name: str, content: bytes, code: str) -> None:
    reply = served.client.post("/v1/files", params={"name": name}, content=content)
    assert (reply.status_code, error_of(reply)["code"]) == (422, code)


def test_a_browser_can_keep_passerine_as_its_search_engine(served: Served) -> None:
    reply = served.client.get("/opensearch.xml")
    assert reply.headers["content-type"].startswith("application/opensearchdescription+xml")
    assert f'template="{served.url}/?q={{searchTerms}}"' in reply.text


def test_search_filters(served: Served) -> None:
    for language in ("en", "zh"):
        found = served.client.get("/v1/search", params={"q": "Apollo 阿波罗", "language": language, "k": 5}).json()[
            "hits"
        ]
        assert {hit["document"]["language"] for hit in found} == {language}
    assert served.client.get("/v1/search", params={"q": "Apollo", "source": "elsewhere"}).json()["hits"] == []
    assert served.client.get("/v1/search", params={"q": "Apollo", "to": "1900-01-01"}).json()["hits"] == []


# Conversations, feedback, rules, status


def test_conversations_are_listed_renamed_and_deleted(served: Served) -> None:
    made = served.client.post("/v1/chat", json={"message": "Hello"}).json()["conversation_id"]
    listed = served.client.get("/v1/conversations", params={"limit": 1}).json()
    assert listed["conversations"][0]["id"] == made
    renamed = served.client.patch(f"/v1/conversations/{made}", json={"title": "问候"})
    assert renamed.json()["title"] == "问候"
    assert served.client.patch(f"/v1/conversations/{made}", json={"title": " "}).status_code == 422
    assert served.client.delete(f"/v1/conversations/{made}").status_code == 204
    assert served.client.get(f"/v1/conversations/{made}").status_code == 404


def test_conversations_are_found_by_what_was_said_and_exported_whole(served: Served) -> None:
    answer = served.client.post("/v1/chat", json={"message": QUESTION}).json()
    path = f"/v1/conversations/{answer['conversation_id']}"
    served.client.patch(path, json={"title": "Orbital 100% workshop"})
    for words in ("orbital 100%", "skylab launched"):
        listed = served.client.get("/v1/conversations", params={"q": words}).json()
        assert answer["conversation_id"] in [each["id"] for each in listed["conversations"]]
    missing = served.client.get("/v1/conversations", params={"q": "orbital 100_"}).json()
    assert (missing["conversations"], missing["total"]) == ([], 0)
    exported = served.client.get(f"{path}/export", params={"format": "json"})
    assert exported.json()["turns"][1]["answer"] == answer
    assert "attachment" in exported.headers["content-disposition"]
    text = served.client.get(f"{path}/export").text
    assert f"## {QUESTION}" in text
    assert all(citation["quote"] in text for citation in answer["citations"])
    assert served.client.get("/v1/conversations/no-such/export").status_code == 404


def test_feedback_is_kept_and_rules_are_listed(served: Served) -> None:
    rules = served.client.get("/v1/rules").json()["rules"]
    assert len(rules) == 23
    assert all(rule["text_en"] and rule["text_zh"] for rule in rules)
    answer = served.client.post("/v1/chat", json={"message": QUESTION}).json()
    for body in (
        {"kind": "vote", "thumb": "up", "reason": "right", "consent": True},
        {"kind": "pair", "a": 0, "b": 1, "choice": "a"},
        {"kind": "rule", "candidate": 0, "rule": rules[0]["id"]},
        {"kind": "edit", "text": "Valentina Tereshkova."},
    ):
        reply = served.client.post("/v1/feedback", json={"answer_id": answer["id"], **body})
        assert reply.status_code == 201, reply.text
    [last] = [row for row in served.application.feedback.export() if row["answer_id"] == answer["id"]]
    assert last["candidate"]["text"] == answer["candidates"][answer["chosen"]]["text"]
    wrong = served.client.post("/v1/feedback", json={"answer_id": answer["id"], "kind": "vote"})
    assert wrong.status_code == 422
    assert "thumb" in error_of(wrong)["message"]


def test_an_approved_answer_is_edited_without_a_restart(served: Served) -> None:
    path, asked = "/v1/approved-answers/parking", {"message": "Where can visitors of the museum park?"}
    before = served.client.get("/v1/approved-answers").json()
    body = {"questions": {"en": [asked["message"]]}, "answers": {"en": "In row B.", "zh": "在 B 排。"}}
    try:
        assert served.client.put(path, json=body).json() == {"id": "parking", **body}
        answer = served.client.post("/v1/chat", json=asked).json()
        assert (answer["verdict"], answer["text"]) == ("answered", "In row B.")
        page = served.client.get("/v1/approved-answers", params={"offset": before["total"], "limit": 1}).json()
        assert [each["id"] for each in page["approved_answers"]] == ["parking"]
        assert served.client.get(path).json()["answers"]["zh"] == "在 B 排。"
        assert served.client.delete(path).status_code == 204
        assert served.client.post("/v1/chat", json=asked).json()["text"] != "In row B."
        for method in ("GET", "DELETE"):
            assert served.client.request(method, path).status_code == 404
    finally:
        (served.application.settings.home / "approved-answers.yaml").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("parking", {"questions": {}, "answers": {"en": "x"}}, "questions"),
        ("parking", {"questions": {"en": []}, "answers": {"en": "x"}}, "questions"),
        ("parking", {"questions": {"en": [" "]}, "answers": {"en": "x"}}, "questions"),
        ("parking", {"questions": {"fr": ["x"]}, "answers": {"en": "x"}}, "questions"),
        ("parking", {"questions": {"en": ["x"]}}, "answers"),
        ("no spaces", {"questions": {"en": ["x"]}, "answers": {"en": "x"}}, "id"),
    ],
)
def test_wrong_approved_answers_are_named(served: Served, name: str, body: dict[str, Any], said: str) -> None:
    reply = served.client.put(f"/v1/approved-answers/{name}", json=body)
    assert reply.status_code == 422
    assert said in error_of(reply)["message"]
    assert not (served.application.settings.home / "approved-answers.yaml").exists()


def test_status_tells_what_is_loaded(served: Served) -> None:
    status = served.client.get("/v1/status").json()
    assert status["ready"] is True
    assert [stage["state"] for stage in status["stages"]] == ["ready"] * 4
    assert status["index"]["documents"] > 20
    assert status["search_runs_on"]
    assert served.client.get("/readyz").json() == {"status": "ready"}


def test_before_anything_is_loaded_it_is_alive_and_says_what_it_waits_for(tmp_path: Path) -> None:
    with running(tmp_path, load_models=False) as service:
        assert service.client.get("/healthz").json() == {"status": "ok"}
        for method, path, body in (
            ("GET", "/readyz", None),
            ("POST", "/v1/chat", {"message": "Hello"}),
            ("GET", "/v1/search?q=x", None),
        ):
            reply = service.client.request(method, path, json=body)
            assert reply.status_code == 503
            assert error_of(reply)["code"] == "not_ready"
            assert reply.headers["retry-after"]
        status = service.client.get("/v1/status").json()
        assert status["ready"] is False
        assert {stage["state"] for stage in status["stages"]} == {"waiting"}


def test_a_missing_model_is_named_with_what_to_do(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert service.client.get("/healthz").status_code == 200
        reply = service.client.post("/v1/chat", json={"message": "Hello"})
        assert reply.status_code == 503
        assert error_of(reply)["code"] == "model_missing"
        assert "passerine models install" in error_of(reply)["hint"]


# Documentation


def test_the_reference_page_shows_every_route_without_a_script(served: Served) -> None:
    description = served.client.get("/openapi.json").json()
    page = served.client.get("/docs").text
    for path, operations in description["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in page
    assert "<script" not in page
    assert served.client.get("/docs/style.css").headers["content-type"].startswith("text/css")


def test_every_route_stands_in_the_documentation(served: Served) -> None:
    text = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    description = served.client.get("/openapi.json").json()
    for path, operations in description["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in text, f"{method.upper()} {path}"


def test_every_route_declares_its_errors_in_the_one_shape(served: Served) -> None:
    description = served.client.get("/openapi.json").json()
    for operations in description["paths"].values():
        for operation in operations.values():
            for status in ("422", "503"):
                schema = operation["responses"][status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorOut"}
    json.dumps(description)
