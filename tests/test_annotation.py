"""Pairs to compare tell neither policy nor score, each comes once, and what was compared adds up to ratings."""

from typing import Any

from tests.serving import Served
from tests.test_api import error_of


def pair_of(served: Served, answer_id: str) -> dict[str, Any] | None:
    pairs = served.client.get("/v1/feedback/pairs", params={"limit": 100}).json()["pairs"]
    return next((pair for pair in pairs if pair["answer_id"] == answer_id), None)


def test_a_pair_is_blind_comes_once_and_comes_back_when_it_is_taken_back(served: Served) -> None:
    answer = served.client.post("/v1/chat", json={"message": "Who was the first American in space?"}).json()
    pair = pair_of(served, answer["id"])
    assert pair is not None
    assert pair == pair_of(served, answer["id"]), "a second look shows the same order"
    assert set(pair["a"]) == set(pair["b"]) == {"index", "text", "quotes", "titles"}
    drafts = [answer["candidates"][pair[side]["index"]] for side in ("a", "b")]
    assert [draft["text"] for draft in drafts] == [pair["a"]["text"], pair["b"]["text"]]
    assert drafts[0]["origin"] != drafts[1]["origin"], "drafts of different policies say most"
    assert pair["dialogue"] == [{"role": "user", "text": "Who was the first American in space?"}]
    before = served.client.get("/v1/feedback/summary").json()
    body = {"kind": "pair", "answer_id": answer["id"], "a": pair["a"]["index"], "b": pair["b"]["index"], "choice": "a"}
    row = served.client.post("/v1/feedback", json=body).json()["id"]
    after = served.client.get("/v1/feedback/summary").json()
    assert after["pairs"] == before["pairs"] + 1
    ratings = {each["name"]: each for each in after["ratings"]}
    assert {draft["origin"] for draft in drafts} <= set(ratings)
    if not before["pairs"]:
        assert ratings[drafts[0]["origin"]]["rating"] > 1500 > ratings[drafts[1]["origin"]]["rating"]
    further = pair_of(served, answer["id"])
    assert further is None or {further["a"]["text"], further["b"]["text"]} != {pair["a"]["text"], pair["b"]["text"]}
    assert served.client.delete(f"/v1/feedback/{row}").status_code == 204
    assert pair_of(served, answer["id"]) == pair
    assert served.client.get("/v1/feedback/summary").json() == before
    assert error_of(served.client.delete(f"/v1/feedback/{row}"))["code"] == "not_found"


def test_rules_are_counted_kept_and_broken(served: Served) -> None:
    answer = served.client.post("/v1/chat", json={"message": "Who commanded Apollo 11?"}).json()
    body = {"kind": "rule", "answer_id": answer["id"], "candidate": answer["chosen"], "rule": "no-financial-advice"}
    rows = [
        served.client.post("/v1/feedback", json={**body, "kept": kept}).json()["id"] for kept in (True, False, True)
    ]
    rules = {each["rule"]: each for each in served.client.get("/v1/feedback/summary").json()["rules"]}
    for row in rows:
        served.client.delete(f"/v1/feedback/{row}")
    assert rules["no-financial-advice"] == {"rule": "no-financial-advice", "kept": 2, "broken": 1}
