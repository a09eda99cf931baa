"""Keys: made, shown once, found, ended; and how many requests a minute they may send."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from indexing.types import BadInput, NotFound
from service.database import KEYS, connect
from service.errors import Unauthorized
from service.keys import Caller, Keys
from service.limits import RequestLimits
from tests.test_cli import plain, run


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(connect(f"sqlite:///{tmp_path / 'passerine.db'}"))


def test_a_key_is_found_by_itself_and_kept_only_as_a_hash(keys: Keys, tmp_path: Path) -> None:
    key, secret = keys.add("search  box", "write", 60)
    assert keys.find(secret).name == "search box"
    assert secret.startswith(key.id)
    assert len(secret) >= 40
    with keys.engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM keys")).all())
    assert secret not in kept
    assert secret[len(key.id) :] not in kept
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_its_use_is_noted(keys: Keys) -> None:
    key, secret = keys.add("import")
    assert keys.list()[0].used_at is None
    keys.find(secret)
    first = keys.list()[0].used_at
    assert first is not None
    assert first >= key.created_at
    keys.find(secret)
    assert keys.list()[0].used_at == first, "not written at every request"


@pytest.mark.parametrize("wrong", ["", "psn_", "psn_nothing", "x" * 50, "ключ"])
def test_an_unknown_key_opens_nothing(keys: Keys, wrong: str) -> None:
    keys.add("another")
    with pytest.raises(Unauthorized, match="not known"):
        keys.find(wrong)


def test_the_visible_letters_alone_open_nothing(keys: Keys) -> None:
    key, secret = keys.add("one")
    for part in (key.id, secret[:-1], secret + "x"):
        with pytest.raises(Unauthorized):
            keys.find(part)


def test_a_revoked_key_opens_nothing_and_stays_on_the_list_until_it_is_forgotten(keys: Keys) -> None:
    key, secret = keys.add("one")
    keys.revoke(key.id)
    with pytest.raises(Unauthorized, match="revoked"):
        keys.find(secret)
    [listed] = keys.list()
    keys.revoke(key.id)
    assert keys.list() == [listed], "a second time changes nothing"
    assert keys.exist(), "the service does not fall open with its last key"
    keys.forget(key.id)
    assert (keys.list(), keys.exist()) == ([], False)
    for act in (keys.revoke, keys.forget):
        with pytest.raises(NotFound, match=key.id):
            act(key.id)


def test_the_first_key_of_another_process_is_noticed_within_a_second(keys: Keys) -> None:
    now = 1000.0
    serving, command = Keys(keys.engine, lambda: now), keys
    assert not serving.exist()
    key, _ = command.add("one")
    now += 1
    assert serving.exist()
    command.forget(key.id)
    now += 1
    assert not serving.exist()
    serving.add("another")
    assert serving.exist(), "its own at once"


def test_a_key_expires(keys: Keys) -> None:
    key, secret = keys.add("one", expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert keys.find(secret).state == "live"
    with keys.engine.begin() as connection:
        connection.execute(update(KEYS).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(Unauthorized, match=f"{key.id} is expired"):
        keys.find(secret)
    assert keys.exist()


def test_wrong_keys_are_named(keys: Keys) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for arguments in (("  ",), ("x" * 101,), ("x", "read", 0), ("x", "read", None, yesterday)):
        with pytest.raises(BadInput):
            keys.add(*arguments)  # type: ignore[arg-type]
    assert not keys.exist()


def test_each_scope_includes_those_before_it(keys: Keys) -> None:
    may = {
        scope: [Caller(keys.add("x", scope)[0]).may(needed) for needed in ("read", "write", "admin")]
        for scope in ("read", "write", "admin")
    }
    assert may == {"read": [True, False, False], "write": [True, True, False], "admin": [True, True, True]}
    assert Caller().may("admin"), "where no key is asked for"


def test_no_minute_has_more_requests_than_the_limit() -> None:
    now = 1000.0
    limits = RequestLimits(lambda: now)
    assert [limits.take("a", 3).remaining for _ in range(3)] == [2, 1, 0]
    now += 20
    refused = limits.take("a", 3)
    assert (refused.granted, refused.reset) == (False, 40)
    assert refused.headers()["retry-after"] == "40"
    assert limits.take("b", 3).granted, "another key"
    now += 40
    again = limits.take("a", 3)
    assert (again.granted, again.remaining) == (True, 2), "refused requests do not count"
    assert "retry-after" not in again.headers()


def test_the_command_makes_lists_and_ends_keys(tmp_path: Path) -> None:
    status, out, _ = run("--home", tmp_path, "key", "list")
    assert (status, "There is no key" in out) == (0, True)
    status, out, err = run("--home", tmp_path, "key", "add", "import", "--scope", "write", "--days", 30)
    assert status == 0
    secret = out.strip()
    keys = Keys(connect(f"sqlite:///{tmp_path / 'passerine.db'}"))
    key = keys.find(secret)
    assert key.id in err
    assert secret not in err
    _, out, _ = run("--home", tmp_path, "key", "list")
    assert all(word in out for word in (key.id, "import", "write", "until 20"))
    assert secret not in out
    assert run("--home", tmp_path, "key", "revoke", key.id)[0] == 0
    assert "revoked" in run("--home", tmp_path, "key", "list")[1]
    assert run("--home", tmp_path, "key", "revoke", key.id, "--forget")[0] == 0
    status, _, err = run("--home", tmp_path, "key", "revoke", key.id)
    assert (status, "There is no key" in plain(err)) == (1, True)
