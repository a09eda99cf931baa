"""API keys: who may use the service, how far, and how often.

A key is shown once, when it is made. What is kept is its SHA-256, which is enough for 256 random bits, and its first
letters, by which people tell keys apart.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from indexing.types import BadInput, NotFound
from service.database import KEYS
from service.errors import Unauthorized

Scope = Literal["read", "write", "admin"]
"""Each includes those before it."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
MARK = "psn_"
"""Every key begins so: a person and a scanner for leaked secrets know what it is."""
SHOWN = len(MARK) + 8
NAME_LENGTH = 100
MOST_PER_MINUTE = 100_000
LOCAL = "local"
"""Names what belongs to no key: asked on the machine itself, or before there were keys."""
EXIST_SECONDS = 0.5
USE_STEP = timedelta(minutes=1)
"""The last use is written no more often than this, so that reading does not become writing."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: `id` are its first letters. `per_minute` None: as many requests as it likes."""

    id: str
    name: str
    scope: Scope
    per_minute: int | None
    created_at: datetime
    used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def state(self) -> Literal["live", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else "live"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: a key, or whoever reaches a service that asks for none."""

    key: Key | None = None

    @property
    def owner(self) -> str:
        """Whose conversations and feedback these are."""
        return self.key.id if self.key else ""

    def may(self, scope: Scope) -> bool:
        return self.key is None or SCOPES.index(scope) <= SCOPES.index(self.key.scope)


class Keys:
    """The table of keys. Safe to use from several threads and processes."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine, self.clock = engine, clock
        self._exist: tuple[bool, float] | None = None
        self._turn = threading.Lock()

    def add(
        self, name: str, scope: Scope = "read", per_minute: int | None = None, expires_at: datetime | None = None
    ) -> tuple[Key, str]:
        """The key as it is kept, and the key itself, which nobody can show again. Raises BadInput."""
        name, now = " ".join(name.split()), datetime.now(UTC)
        if not 0 < len(name) <= NAME_LENGTH:
            raise BadInput(f"The name of a key has 1 to {NAME_LENGTH} characters.", "Say who or what will use it.")
        if per_minute is not None and not 0 < per_minute <= MOST_PER_MINUTE:
            raise BadInput(
                f"{per_minute} requests a minute cannot be.", f"1 to {MOST_PER_MINUTE:,}; leave it out for no limit."
            )
        if expires_at is not None and expires_at <= now:
            raise BadInput("The key would have expired already.", "Name a moment to come, or leave it out.")
        secret = MARK + secrets.token_urlsafe(32)
        key = Key(secret[:SHOWN], name, scope, per_minute, now, expires_at=expires_at)
        row = {field.name: getattr(key, field.name) for field in fields(key)}
        with self.engine.begin() as connection:
            connection.execute(insert(KEYS).values(hash=hashed(secret), **row))
        self._changed()
        return key, secret

    def find(self, secret: str) -> Key:
        """The live key, its use noted. Raises Unauthorized for one that is unknown, expired or revoked."""
        with self.engine.connect() as connection:
            row = connection.execute(select(*_COLUMNS).where(KEYS.c.hash == hashed(secret))).one_or_none()
        if row is None:
            raise Unauthorized(
                "This key is not known.", "Was it copied whole? `passerine key list` shows how each begins."
            )
        key, now = Key(*row), datetime.now(UTC)
        if key.state != "live":
            raise Unauthorized(f"The key {key.id} is {key.state}.", "`passerine key add NAME` makes a new one.")
        if key.used_at is None or now - key.used_at >= USE_STEP:
            # a full disk must not shut out those who only read
            with suppress(DBAPIError), self.engine.begin() as connection:
                connection.execute(update(KEYS).where(KEYS.c.id == key.id).values(used_at=now))
        return key

    def exist(self) -> bool:
        """Whether any key was made and not forgotten. An expired or revoked one counts: the service that asked for keys
        must not fall open with its last one.

        Asked at every request, and remembered for EXIST_SECONDS: so long a key that another process makes may go
        unnoticed; what this one makes is known at once.
        """
        now = self.clock()
        with self._turn:
            if self._exist is None or now >= self._exist[1]:
                with self.engine.connect() as connection:
                    found = connection.scalar(select(KEYS.c.id).limit(1)) is not None
                self._exist = found, now + EXIST_SECONDS
            return self._exist[0]

    def _changed(self) -> None:
        with self._turn:
            self._exist = None

    def list(self, limit: int = 50, offset: int = 0) -> "list[Key]":
        """Newest first, the revoked ones too."""
        order = (KEYS.c.created_at.desc(), KEYS.c.id)
        with self.engine.connect() as connection:
            found = connection.execute(select(*_COLUMNS).order_by(*order).limit(limit).offset(offset))
            return [Key(*row) for row in found]

    def count(self) -> int:
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(KEYS)) or 0

    def revoke(self, key_id: str) -> None:
        """From now on it opens nothing; a second time changes nothing. Raises NotFound."""
        once = func.coalesce(KEYS.c.revoked_at, datetime.now(UTC))
        with self.engine.begin() as connection:
            if not connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(revoked_at=once)).rowcount:
                raise unknown(key_id)

    def forget(self, key_id: str) -> None:
        """Also its row is gone; with the last row, a service on loopback asks for no key again. Raises NotFound."""
        with self.engine.begin() as connection:
            if not connection.execute(delete(KEYS).where(KEYS.c.id == key_id)).rowcount:
                raise unknown(key_id)
        self._changed()


_COLUMNS = [KEYS.c[field.name] for field in fields(Key)]


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def unknown(key_id: str) -> NotFound:
    return NotFound(f"There is no key '{key_id}'.", "`passerine key list` shows all, by their first letters.")
