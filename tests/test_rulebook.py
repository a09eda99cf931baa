"""The rules as an operator sets them: over HTTP, obeyed by the next answer, kept across restarts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.app import build
from service.config import load
from tests.scripted import FixedRules
from tests.serving import Served, quick
from tests.test_api import error_of

RULE = "no-insults"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Its drafts keep one rule with a probability of 0.3, and every other."""
    with quick(tmp_path_factory.mktemp("home")) as service:
        made = service.application.parts._value
        made[0] = replace(made[0], rule=FixedRules({RULE: 0.3, "no-body": 1.0}))
        yield service


def ask(service: Served) -> dict[str, Any]:
    answer: dict[str, Any] = service.client.post("/v1/chat", json={"message": "What does the zebra do?"}).json()
    return answer


def change(service: Served, **chosen: object) -> dict[str, Any]:
    reply = service.client.patch(f"/v1/rules/{RULE}", json=chosen)
    assert reply.status_code == 200, reply.text
    rule: dict[str, Any] = reply.json()
    assert rule in service.client.get("/v1/rules").json()["rules"]
    return rule


def test_the_next_answer_obeys_and_a_restart_forgets_nothing(served: Served) -> None:
    usual = change(served, enabled=True)
    assert (usual["enabled"], usual["floor"]) == (True, usual["usual_floor"])
    answer = ask(served)
    assert answer["verdict"] == "answered"
    change(served, floor=0.4)
    refused = ask(served)
    assert (refused["verdict"], "insult" in refused["text"]) == ("refused", True), refused["text"]
    off = change(served, enabled=False)
    assert off["floor"] == 0.4, "what is left out stays"
    free = ask(served)
    assert (free["verdict"], list(free["judgements"][0]["rules"])) == ("answered", ["no-body"])
    assert free["judgements"][0]["score"] > answer["judgements"][0]["score"], "it weighs nothing"
    again = build(load({"home": served.application.settings.home}, {}))
    [kept] = [rule for rule in again.rulebook.list() if rule.id == RULE]
    again.close()
    assert (kept.enabled, kept.floor) == (False, 0.4)
    change(served, enabled=True, floor=0)
    assert ask(served)["verdict"] == "answered", "a floor of 0 is a floor"
    assert change(served, floor=None) == usual


@pytest.mark.parametrize(
    ("rule", "body", "status", "said"),
    [
        ("no-insult", {"enabled": False}, 404, "no-insult"),
        (RULE, {"floor": 1.5}, 422, "floor"),
        (RULE, {"floor": -0.1}, 422, "floor"),
        (RULE, {"floor": "high"}, 422, "floor"),
        (RULE, {"enabled": None}, 422, "enabled"),
        (RULE, {"enable": False}, 422, "enable"),
    ],
)
def test_what_cannot_be_is_named(served: Served, rule: str, body: dict[str, Any], status: int, said: str) -> None:
    reply = served.client.patch(f"/v1/rules/{rule}", json=body)
    assert (reply.status_code, said in error_of(reply)["message"]) == (status, True), reply.text
    if status == 404:
        assert RULE in error_of(reply)["hint"]
