"""Who may do what over HTTP, on a real server that has no model loaded."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from service import serving
from service.access import NEEDED, SESSION
from service.app import build
from service.config import load
from service.errors import Forbidden
from service.keys import SCOPES, Scope
from tests.serving import Served, listening, running
from tests.test_api import error_of


def unused() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Served]:
    """A service without documents, models and keys."""
    with running(tmp_path / "home", load_models=False) as service:
        yield service


def made(service: Served, scope: Scope = "read", per_minute: int | None = None) -> dict[str, str]:
    """The headers of a new key."""
    return {"authorization": f"Bearer {service.application.keys.add('test', scope, per_minute)[1]}"}


def test_every_route_declares_its_scope_and_every_scope_its_route(bare: Served) -> None:
    paths = bare.client.get("/openapi.json").json()["paths"]
    routes = {
        f"{method.upper()} {path}" for path, operations in paths.items() for method in operations
        if path not in ("/healthz", "/readyz")
    }  # fmt: skip
    assert routes == set(NEEDED)


def test_without_keys_loopback_is_open_whatever_a_client_sends(bare: Served) -> None:
    for sent in ({}, {"authorization": "Bearer none"}, {"authorization": "Basic eDp5"}):
        assert bare.client.get("/v1/conversations", headers=sent).status_code == 200
    assert bare.client.get(SESSION).json() == {"needed": False, "key": None}


def test_from_the_first_key_on_every_route_needs_one(bare: Served) -> None:
    made(bare)
    for route, scope in NEEDED.items():
        method, path = route.split()
        reply = bare.client.request(method, path)
        if scope is None:
            assert reply.status_code in (200, 204, 422), route
            continue
        assert (reply.status_code, error_of(reply)["code"]) == (401, "unauthorized"), route
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert "passerine key add" in error_of(reply)["hint"]


def test_what_holds_nothing_private_needs_no_key(bare: Served) -> None:
    made(bare)
    for path in ("/healthz", "/", "/static/page.js", "/docs", "/openapi.json"):
        assert bare.client.get(path).status_code == 200, path


def test_a_key_reaches_the_routes_of_its_scope_only(bare: Served) -> None:
    keys = {scope: made(bare, scope) for scope in get_args(Scope)}
    for route, needed in NEEDED.items():
        method, path = route.split()
        for scope, headers in keys.items():
            reply = bare.client.request(method, path, headers=headers)
            if needed is None or SCOPES.index(needed) <= SCOPES.index(scope):
                assert reply.status_code not in (401, 500), (route, scope, reply.text)
                assert "has the scope" not in reply.text, (route, scope, reply.text)
            else:
                assert (reply.status_code, error_of(reply)["code"]) == (403, "forbidden"), (route, scope)
                assert f"--scope {needed}" in error_of(reply)["hint"]


def test_a_wrong_key_is_refused_before_the_body_is_read(bare: Served) -> None:
    made(bare)
    body = b"x" * (bare.application.settings.body_limit + 1)
    for sent in ("Bearer psn_wrong", "Bearer", "Basic eDp5", "psn_x", "Bearer \u00e9"):
        headers = {"authorization": sent.encode("latin-1"), "content-type": "application/json"}
        reply = bare.client.post("/v1/documents", headers=headers, content=body)
        assert (reply.status_code, error_of(reply)["code"]) == (401, "unauthorized"), sent


def test_a_limit_is_told_and_kept(bare: Served) -> None:
    headers, other = made(bare, per_minute=2), made(bare)
    replies = [bare.client.get("/v1/rules", headers=headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [reply.headers["ratelimit-remaining"] for reply in replies] == ["1", "0", "0"]
    assert {reply.headers["ratelimit-limit"] for reply in replies} == {"2"}
    assert error_of(replies[2])["code"] == "rate_limited"
    assert 0 < int(replies[2].headers["retry-after"]) <= 60
    assert "retry-after" not in replies[1].headers
    free = bare.client.get("/v1/rules", headers=other)
    assert free.status_code == 200
    assert "ratelimit-limit" not in free.headers


def test_keys_are_made_listed_and_revoked_over_http(bare: Served) -> None:
    first = bare.client.post("/v1/keys", json={"name": "me", "scope": "admin"})
    assert first.status_code == 201
    admin = {"authorization": f"Bearer {first.json()['secret']}"}
    body = {"name": "box", "per_minute": 5, "expires_at": "2999-01-01"}
    second = bare.client.post("/v1/keys", json=body, headers=admin).json()
    listed = bare.client.get("/v1/keys", headers=admin)
    assert [key["name"] for key in listed.json()["keys"]] == ["box", "me"]
    assert second["secret"] not in listed.text
    page = bare.client.get("/v1/keys", params={"limit": 1, "offset": 1}, headers=admin).json()
    assert ([key["name"] for key in page["keys"]], page["total"], page["offset"]) == (["me"], 2, 1)
    reader = {"authorization": f"Bearer {second['secret']}"}
    assert bare.client.get("/v1/rules", headers=reader).status_code == 200
    assert bare.client.delete(f"/v1/keys/{second['key']['id']}", headers=admin).status_code == 204
    refused = bare.client.get("/v1/rules", headers=reader)
    assert (refused.status_code, "revoked" in error_of(refused)["message"]) == (401, True)
    assert bare.client.delete("/v1/keys/none", headers=admin).status_code == 404


def test_wrong_keys_are_refused_and_none_is_made(bare: Served) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "per_minute": 0}, "per_minute"),
        ({"name": "x", "expires_at": "soon"}, "date"),
        ({"name": "x", "expires_at": "2001-01-01"}, "expired"),
    ]
    for body, said in wrong:
        reply = bare.client.post("/v1/keys", json=body)
        assert reply.status_code == 422, body
        assert said in error_of(reply)["message"]
    assert not bare.application.keys.exist()


def test_the_page_keeps_its_key_in_a_cookie_that_no_script_reads(bare: Served) -> None:
    key, secret = bare.application.keys.add("mine")
    with httpx.Client(base_url=bare.url) as browser:
        assert browser.get(SESSION).json() == {"needed": True, "key": None}
        refused = browser.post(SESSION, json={"key": "psn_wrong"})
        assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
        begun = browser.post(SESSION, json={"key": f" {secret}\n"})
        cookie = begun.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
        assert begun.json()["key"]["id"] == key.id
        assert browser.get("/v1/rules").status_code == 200
        assert browser.get(SESSION).json()["key"]["id"] == key.id
        foreign = browser.post(SESSION, json={"key": secret}, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert browser.delete(SESSION).status_code == 204
        assert browser.get("/v1/rules").status_code == 401
        browser.post(SESSION, json={"key": secret})
        bare.application.keys.revoke(key.id)
        assert browser.get("/v1/rules").status_code == 401
        assert browser.get(SESSION).json() == {"needed": True, "key": None}


def test_beyond_loopback_a_key_is_needed_even_when_none_exists(tmp_path: Path) -> None:
    application = build(load({"home": tmp_path, "host": "0.0.0.0", "port": unused()}, {}))
    with pytest.raises(Forbidden, match="no key yet") as caught:
        serving.check_address(application.settings, application.keys)
    assert "passerine key add" in caught.value.hint
    assert "--insecure-listen" in caught.value.hint
    with listening(application) as client:
        assert client.get("/v1/rules").status_code == 401
        _, secret = application.keys.add("one")
        assert client.get("/v1/rules", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    serving.check_address(application.settings, application.keys)


def test_who_listens_insecurely_is_open_but_gives_strangers_no_keys(tmp_path: Path) -> None:
    application = build(load({"home": tmp_path, "host": "0.0.0.0", "insecure_listen": True}, {}))
    with listening(application) as client:
        assert client.get("/v1/rules").status_code == 200
        assert client.post("/v1/keys", json={"name": "mine", "scope": "admin"}).status_code == 403
        _, secret = application.keys.add("one", "admin")
        assert client.get("/v1/rules").status_code == 401
        admin = {"authorization": f"Bearer {secret}"}
        assert client.post("/v1/keys", json={"name": "x"}, headers=admin).status_code == 201


def test_the_description_names_the_scope_of_each_route(bare: Served) -> None:
    description = bare.client.get("/openapi.json").json()
    assert description["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for route, scope in NEEDED.items():
        method, path = route.split()
        operation = description["paths"][path][method.lower()]
        assert operation.get("security") == ([{"key": [scope]}, {}] if scope else None), route
    assert "Needs the scope <code>admin</code>" in bare.client.get("/docs").text
