"""Figures for Prometheus, and the log: numbers and names, never what people asked."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from service.keys import Scope
from service.logs import ACCESS, JsonFormatter
from tests.serving import Served, events, running, wait_until

QUESTION = "Which quokka was launched by Skylab?"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Served]:
    with running(tmp_path / "home", load_models=False) as service:
        yield service


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Every record of the project, as `log_format: json` writes them."""
    written, logger, access = io.StringIO(), logging.getLogger("passerine"), logging.getLogger(ACCESS)
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    before = logger.level, access.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    access.setLevel(logging.DEBUG)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(before[0])
    access.setLevel(before[1])


def figures(service: Served) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, read as Prometheus reads them."""
    reply = service.client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(reply.text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value for family in families for sample in family.samples
    }


def records(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def traced(record: dict[str, Any], request_id: str) -> bool:
    return record.get("request_id") == request_id and "OperationalError" in record.get("trace", "")


def test_an_answer_is_counted_with_its_verdict_and_every_stage(served: Served) -> None:
    before = figures(served)
    answer = served.client.post("/v1/chat", json={"message": "When was Skylab launched?"}).json()
    after = figures(served)

    def grew(*sample: str) -> float:
        return after[sample] - before.get(sample, 0.0)

    assert grew("passerine_answers_total", answer["verdict"]) == 1
    for stage in answer["timings"]:
        assert grew("passerine_stage_seconds_count", stage) == 1
    assert grew("passerine_stage_seconds_sum", "total") == pytest.approx(answer["timings"]["total"], abs=0.002)
    assert grew("passerine_requests_total", "/v1/chat", "200", "POST") == 1
    index = served.client.get("/v1/status").json()["index"]
    for name in ("documents", "passages", "bytes"):
        assert after[(f"passerine_index_{name}",)] == index[name]
    assert after[("passerine_ready",)] == 1
    served.client.post("/v1/chat", json={"message": "When was Skylab launched?"})
    again = figures(served)
    for cache in ("passages", "judged"):
        hit, miss = (("passerine_cache_total", *sorted((cache, outcome))) for outcome in ("hit", "miss"))
        assert (again[hit] > after[hit], again[miss]) == (True, after[miss]), "asked again, nothing is read anew"
    assert (after["passerine_questions", "working"], after["passerine_questions", "waiting"]) == (0, 0)


def test_a_stopped_question_is_counted_as_stopped(served: Served) -> None:
    before = figures(served)["passerine_unfinished_total", "stopped"]
    with served.application.asking.turnstile.passed(lambda: False):
        assert figures(served)["passerine_questions", "working"] == 1
        flow = events(served.client, {"message": "When was Mir launched?"})
        next(flow)
        wait_until(lambda: figures(served)["passerine_questions", "waiting"] == 1)
        flow.close()
        wait_until(lambda: figures(served)["passerine_unfinished_total", "stopped"] == before + 1)


def test_before_anything_is_loaded_there_are_figures_and_no_addresses_among_the_labels(bare: Served) -> None:
    for path in ("/v1/documents/a-secret-name", "/v1/another-secret", "/static/page.js", "/"):
        bare.client.get(path)
    bare.client.request("SECRET", "/v1/status")
    with bare.application.refreshes.jobs.recorded(bare.application.refreshes.jobs.begin("reports")):
        found = figures(bare)
    assert found[("passerine_ready",)] == 0
    assert found["passerine_jobs", "running"] == 1
    assert found["passerine_jobs", "died"] == 0
    assert found["passerine_answers_total", "abstained"] == 0
    assert found["passerine_requests_total", "/v1/documents/{document_id}", "503", "GET"] == 1
    assert found["passerine_requests_total", "404", "GET", "other"] == 1
    assert not any("secret" in part for sample in found for part in sample)
    assert ("passerine_index_documents",) not in found


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_where_keys_are_asked_for_the_figures_need_one(bare: Served, scope: Scope) -> None:
    _, secret = bare.application.keys.add("prometheus", scope)
    assert bare.client.get("/metrics").status_code == 401
    assert bare.client.get("/metrics", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_the_log_has_every_request_and_answer_under_one_id_and_no_word_of_them(
    served: Served, log: io.StringIO
) -> None:
    document = {"id": "quokka-1", "title": "The quokka", "text": "The quokka ferry was built by Skylab in 1931."}
    served.client.post("/v1/documents", json=document)
    try:
        asked = served.client.post("/v1/chat", json={"message": QUESTION})
        list(events(served.client, {"message": QUESTION}))
        served.client.get("/v1/search", params={"q": "quokka"})
        wait_until(lambda: sum(record["message"] == "request" for record in records(log)) == 4)
    finally:
        served.client.delete("/v1/documents/quokka-1")
    written = records(log)
    assert "quokka ferry" not in log.getvalue().lower()
    assert QUESTION.lower() not in log.getvalue().lower()
    own = [record for record in written if record.get("request_id") == asked.headers["x-request-id"]]
    assert [record["message"] for record in own] == ["answered", "request"]
    answered, request = own
    assert answered["verdict"] == asked.json()["verdict"]
    assert answered["timings"].keys() == asked.json()["timings"].keys()
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/chat", 200)
    assert all(set(record) >= {"time", "level", "logger", "message"} for record in written)


def test_a_fault_is_traced_under_the_requests_id_without_what_was_asked(bare: Served, log: io.StringIO) -> None:
    with bare.application.database.begin() as connection:
        connection.execute(text("DROP TABLE turns"))
        connection.execute(text("DROP TABLE conversations"))
    for reply in (
        bare.client.get("/v1/conversations", params={"q": "quokka"}),
        bare.client.patch("/v1/conversations/x", json={"title": "quokka"}),
    ):
        assert reply.status_code == 507
        assert "quokka" not in reply.text
        request_id = reply.headers["x-request-id"]
        wait_until(lambda own=request_id: any(traced(record, own) for record in records(log)))
    assert "quokka" not in log.getvalue()
