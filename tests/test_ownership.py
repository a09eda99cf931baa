"""Whose conversations and feedback these are: never another key's."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from indexing.types import NotFound, StorageFailed
from service import annotation
from service.app import build
from service.asking import Question
from service.config import load
from service.conversations import Conversations, Once
from service.database import connect
from service.events import Accepted, Done
from service.feedback import Feedback, Opinion
from tests.scripted import document, hit, parts, quoting
from tests.serving import listening
from tests.test_cli import run

MOON = document("moon", "The Eagle landed on 20 July 1969.", "Moon")
EARLIER = """
CREATE TABLE properties (name VARCHAR NOT NULL, value VARCHAR, PRIMARY KEY (name));
CREATE TABLE conversations (id VARCHAR NOT NULL, title TEXT NOT NULL, created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL, PRIMARY KEY (id));
CREATE INDEX ix_conversations_updated_at ON conversations (updated_at);
CREATE TABLE turns (id VARCHAR NOT NULL, conversation_id VARCHAR NOT NULL, ordinal INTEGER NOT NULL,
    role VARCHAR NOT NULL, text TEXT NOT NULL, state VARCHAR NOT NULL, answer TEXT, error TEXT,
    created_at DATETIME NOT NULL, PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversations (id) ON DELETE CASCADE);
CREATE UNIQUE INDEX turns_in_order ON turns (conversation_id, ordinal);
CREATE TABLE feedback (number INTEGER NOT NULL, id VARCHAR NOT NULL, at DATETIME NOT NULL, kind VARCHAR NOT NULL,
    consent BOOLEAN NOT NULL, conversation_id VARCHAR NOT NULL, answer_id VARCHAR NOT NULL, "row" TEXT NOT NULL,
    PRIMARY KEY (number), UNIQUE (id));
CREATE TABLE jobs (id VARCHAR NOT NULL, source VARCHAR NOT NULL, state VARCHAR NOT NULL, stage VARCHAR NOT NULL,
    done INTEGER NOT NULL, total INTEGER NOT NULL, encoded INTEGER NOT NULL, added INTEGER NOT NULL,
    changed INTEGER NOT NULL, removed INTEGER NOT NULL, same INTEGER NOT NULL, failed INTEGER NOT NULL,
    created_at DATETIME NOT NULL, started_at DATETIME, beat_at DATETIME, finished_at DATETIME, owner VARCHAR NOT NULL,
    error TEXT NOT NULL, PRIMARY KEY (id));
INSERT INTO properties VALUES ('schema', '1');
INSERT INTO conversations VALUES ('c', 'When?', '2026-01-01 10:00:00', '2026-01-01 10:00:01');
INSERT INTO turns VALUES ('q', 'c', 0, 'user', 'When?', 'done', NULL, NULL, '2026-01-01 10:00:00');
INSERT INTO turns VALUES ('a', 'c', 1, 'assistant', 'In 1969.', 'done', '{"verdict": "answered", "chosen": null,
    "candidates": [], "judgements": []}', NULL, '2026-01-01 10:00:01');
INSERT INTO feedback VALUES (1, 'f', '2026-01-01 10:00:02', 'vote', 1, 'c', 'a', '{"id": "f"}');
INSERT INTO feedback VALUES (2, 'g', '2026-01-01 10:00:03', 'pair', 0, 'c', 'a', '{"id": "g", "label": 1.0,
    "a": {"origin": "extractive"}, "b": {"origin": "mixed"}}');
"""
"""A database as schema 1 was, with a conversation, a vote and a comparison."""


@dataclass(frozen=True)
class Two:
    """Two keys of one service, a client for each, and an answer of the first."""

    first: httpx.Client
    second: httpx.Client
    answer: dict[str, Any]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    application = build(load({"home": tmp_path}, {}))
    (one, secret), (_, another) = application.keys.add("one"), application.keys.add("another")
    scripted = parts(quoting(MOON.text), {"first": [hit(MOON)]})
    *_, done = application.asking.ask(Question("When did it land?", owner=one.id), scripted)
    assert isinstance(done, Done)
    answer = {"id": done.answer.id, "conversation_id": done.answer.conversation_id}
    with listening(application) as client:
        keyed = [
            httpx.Client(base_url=client.base_url, headers={"authorization": f"Bearer {each}"})
            for each in (secret, another)
        ]
        yield Two(*keyed, answer)
        for each in keyed:
            each.close()


def test_nothing_of_another_key_is_listed_read_changed_or_judged(two: Two) -> None:
    path = f"/v1/conversations/{two.answer['conversation_id']}"
    vote = {"kind": "vote", "thumb": "up", "answer_id": two.answer["id"], "consent": True}
    for method, where, body in (
        ("GET", path, None),
        ("GET", f"{path}/export", None),
        ("GET", f"{path}/export?format=json", None),
        ("PATCH", path, {"title": "mine now"}),
        ("DELETE", path, None),
        ("POST", "/v1/feedback", vote),
    ):
        reply = two.second.request(method, where, json=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found"), (method, where)
    for q in ("", "land"):
        assert two.second.get("/v1/conversations", params={"q": q}).json()["total"] == 0
        assert two.second.get("/v1/conversations", params={"q": q}).json()["conversations"] == []
    assert two.second.get("/v1/status").json()["conversations"] == 0

    kept = two.first.get(path).json()
    assert (kept["title"], len(kept["turns"])) == ("When did it land?", 2)
    assert two.first.post("/v1/feedback", json=vote).status_code == 201
    status = two.first.get("/v1/status").json()
    assert (status["conversations"], status["feedback"]) == (1, 1)
    assert two.second.get("/v1/status").json()["feedback"] == 0
    assert two.first.delete(path).status_code == 204


def test_a_follow_up_in_another_keys_conversation_is_refused_and_keeps_nothing(two: Two, tmp_path: Path) -> None:
    conversation = two.answer["conversation_id"]
    for stream in (True, False):
        body = {"message": "And then?", "conversation_id": conversation, "stream": stream}
        assert two.second.post("/v1/chat", json=body).status_code == 404
    kept = Conversations(connect(f"sqlite:///{tmp_path / 'passerine.db'}"))
    with pytest.raises(NotFound, match="no conversation"):
        kept.of("another").begin("And then?", conversation)
    assert len(two.first.get(f"/v1/conversations/{conversation}").json()["turns"]) == 2


def test_what_was_asked_on_the_machine_belongs_to_no_key_until_one_takes_it_over(tmp_path: Path) -> None:
    application = build(load({"home": tmp_path}, {}))
    made, _ = application.conversations.begin("Who?")
    key, _ = application.keys.add("one")
    assert application.conversations.of(key.id).list() == []
    status, out, err = run("--home", tmp_path, "key", "add", "mine", "--takes-over", "local")
    assert (status, "1 conversations" in err) == (0, True)
    mine = application.keys.find(out.strip())
    assert [each.id for each in application.conversations.of(mine.id).list()] == [made]
    assert application.conversations.list() == []
    application.close()


def test_an_answer_in_flight_goes_to_the_key_that_takes_the_conversation_over(tmp_path: Path) -> None:
    application = build(load({"home": tmp_path, "memory": True}, {}))
    once, name = Once("again", "hash"), "I live in Oslo."
    scripted = parts(quoting(MOON.text), {"first": [hit(MOON)]})
    flow = application.asking.ask(Question(f"{name} When did it land?", once=once), scripted)
    accepted = next(flow)
    assert isinstance(accepted, Accepted)
    key, _ = application.keys.add("one")
    mine = application.conversations.of(key.id)
    assert mine.take_over("") == 1
    *_, done = flow
    assert isinstance(done, Done)
    question, answer = mine.turns(accepted.conversation_id)
    assert (question.state, answer.id) == ("done", done.answer.id)
    assert mine.repeated(once) == answer.answer
    assert application.memories.of(key.id).texts() == (name,)
    application.close()


def test_a_key_that_takes_over_keeps_the_names_of_its_own_questions(tmp_path: Path) -> None:
    kept = Conversations(connect(f"sqlite:///{tmp_path / 'passerine.db'}"))
    once = Once("same", "hash")
    for owner in ("one", "another"):
        conversation, turn = kept.of(owner).begin("Who?", once=once)
        kept.of(owner).finish(conversation, turn, owner, owner, owner)
    assert kept.of("one").take_over("another") == 1
    assert kept.of("one").repeated(once) == "one"


def test_a_database_of_schema_1_is_brought_up_without_loss_by_whoever_starts_first(tmp_path: Path) -> None:
    file = tmp_path / "passerine.db"
    with sqlite3.connect(file) as old:
        old.executescript(EARLIER)
    old.close()
    engines: list[Any] = []
    threads = [threading.Thread(target=lambda: engines.append(connect(f"sqlite:///{file}"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engines) == 4
    kept, feedback = Conversations(engines[0]), Feedback(engines[0])
    assert [turn.text for turn in kept.turns("c")] == ["When?", "In 1969."]
    assert list(feedback.export()) == [{"id": "f"}]
    assert feedback.add(Opinion("vote", "a", thumb="up"))
    summary = annotation.summary(engines[0])
    assert (summary.pairs, [each.name for each in summary.ratings]) == (1, ["extractive", "mixed"])
    assert kept.of("psn_x").count() == 0

    def shape(path: Path) -> dict[str, set[tuple[Any, ...]]]:
        with sqlite3.connect(path) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {name: {row[1:] for row in connection.execute(f"PRAGMA table_info({name})")} for name in names}
            indices = connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'")
            return {**found, "": set(indices)}

    connect(f"sqlite:///{tmp_path / 'new.db'}").dispose()
    assert shape(file) == shape(tmp_path / "new.db")
    for engine in engines:
        engine.dispose()


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "passerine.db"
    with sqlite3.connect(file) as old:
        old.executescript(EARLIER)
        old.execute("ALTER TABLE feedback ADD COLUMN owner TEXT")  # the last statement of the step fails
    old.close()
    with pytest.raises(StorageFailed, match="database refused"):
        connect(f"sqlite:///{file}")
    with sqlite3.connect(file) as after:
        assert after.execute("SELECT value FROM properties").fetchall() == [("1",)]
        columns = [row[1] for row in after.execute("PRAGMA table_info(conversations)")]
        assert "owner" not in columns
        assert json.loads(after.execute('SELECT "row" FROM feedback').fetchone()[0]) == {"id": "f"}
    after.close()
