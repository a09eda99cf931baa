"""A question that is sent again is not asked twice."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, update

from service.conversations import REMEMBERED
from service.database import REPEATS
from tests.serving import Served, events, quick, wait_until
from tests.test_api import error_of

QUESTION = {"message": "Where does the zebra graze?"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with quick(tmp_path_factory.mktemp("home")) as service:
        yield service


def ask(served: Served, name: str, **more: Any) -> httpx.Response:
    return served.client.post("/v1/chat", json={**QUESTION, **more}, headers={"idempotency-key": name})


def test_sent_again_it_gets_the_first_answer_and_keeps_no_second_turn(served: Served) -> None:
    first, second = ask(served, "a"), ask(served, "a")
    assert first.json() == second.json()
    assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
    turns = served.client.get(f"/v1/conversations/{first.json()['conversation_id']}").json()["turns"]
    assert len(turns) == 2
    with httpx.Client(base_url=served.url, headers={"idempotency-key": "a"}) as client:
        sent = list(events(client, QUESTION))
    assert [event.name for event in sent] == ["accepted", "done"]
    assert sent[1].data == first.json()
    assert sent[0].data == {key: first.json()[own] for key, own in (("answer_id", "id"), ("conversation_id",) * 2)}


def test_without_a_name_it_is_asked_again(served: Served) -> None:
    answers = [served.client.post("/v1/chat", json=QUESTION).json() for _ in range(2)]
    assert answers[0]["id"] != answers[1]["id"]


def test_a_name_belongs_to_one_question(served: Served) -> None:
    ask(served, "b")
    for more in ({"message": "Where else?"}, {"mode": "fast"}, {"filters": {"language": ["en"]}}):
        reply = ask(served, "b", **more)
        assert (reply.status_code, "another question" in error_of(reply)["message"]) == (422, True)
    assert ask(served, "x" * 256).status_code == 422


def test_while_the_first_is_being_answered_the_second_waits_outside(served: Served) -> None:
    kept = served.application.conversations
    with (
        served.application.asking.turnstile.passed(lambda: False),
        httpx.Client(base_url=served.url, headers={"idempotency-key": "c"}) as first,
    ):
        flow = events(first, QUESTION)
        conversation = next(flow).data["conversation_id"]
        reply = ask(served, "c")
        assert (reply.status_code, error_of(reply)["code"]) == (409, "conflict")
        flow.close()
        wait_until(lambda: kept.turns(conversation)[0].state == "stopped")
    again = ask(served, "c")
    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False), "it got no answer: asked anew"
    assert ask(served, "c").json() == again.json()


def test_what_failed_while_the_database_was_locked_is_failed_when_it_is_free_and_asked_anew(tmp_path: Path) -> None:
    with quick(tmp_path) as service:
        database = service.application.database
        event.listen(database, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout=100"))
        with (
            closing(sqlite3.connect(tmp_path / "passerine.db", isolation_level=None)) as other,
            httpx.Client(base_url=service.url, headers={"idempotency-key": "e"}) as client,
        ):
            with service.application.asking.turnstile.passed(lambda: False):
                flow = events(client, QUESTION)
                conversation = next(flow).data["conversation_id"]
                other.execute("BEGIN IMMEDIATE")
            *_, error = flow
            assert error.data["error"]["message"] == "The database is locked by another program."
            other.execute("ROLLBACK")
        again = ask(service, "e")
        assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)
        [turn] = service.client.get(f"/v1/conversations/{conversation}").json()["turns"]
        assert (turn["state"], turn["error"]["code"]) == ("failed", "storage_failed")


def test_while_a_question_waits_for_a_locked_database_the_others_are_heard(tmp_path: Path) -> None:
    patience = [100]  # milliseconds
    with (
        quick(tmp_path) as service,
        ThreadPoolExecutor() as pool,
        closing(sqlite3.connect(tmp_path / "passerine.db", isolation_level=None)) as other,
    ):
        database = service.application.database
        event.listen(database, "checkout", lambda own, *_: own.execute(f"PRAGMA busy_timeout={patience[0]}"))
        other.execute("BEGIN IMMEDIATE")
        service.application.conversations.fail("a turn", "failed", "{}")  # to be written with the next question
        patience[0] = 60_000
        waits = pool.submit(ask, service, "f")
        for _ in range(10):
            assert service.client.get("/healthz").status_code == 200
            time.sleep(0.05)
        assert not waits.done()
        other.execute("ROLLBACK")
        assert waits.result().status_code == 200


def test_two_keys_may_use_the_same_name_and_see_only_their_own(tmp_path: Path) -> None:
    with quick(tmp_path) as service:
        answers = []
        for name in ("Ada", "Ida"):
            _, secret = service.application.keys.add(name)
            headers = {"authorization": f"Bearer {secret}", "idempotency-key": "same"}
            answers.append(service.client.post("/v1/chat", json=QUESTION, headers=headers).json())
        assert answers[0]["conversation_id"] != answers[1]["conversation_id"]


def test_a_day_later_and_after_a_deletion_the_name_is_free(served: Served) -> None:
    first = ask(served, "d").json()
    served.client.delete(f"/v1/conversations/{first['conversation_id']}")
    second = ask(served, "d").json()
    assert second["id"] != first["id"]
    with served.application.database.begin() as connection:
        yesterday = datetime.now(UTC) - REMEMBERED
        connection.execute(update(REPEATS).where(REPEATS.c.name == "d").values(created_at=yesterday))
    assert ask(served, "d").json()["id"] != second["id"]
