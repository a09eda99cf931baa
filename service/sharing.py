"""Conversations shared by link: an unguessable token opens one of them, to be read, as it was when it was shared."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from indexing.types import NotFound
from service.conversations import Conversations, StoredTurn, Summary, title_of
from service.database import CONVERSATIONS, SHARES, TURNS

TOKEN_BYTES = 24
"""192 random bits: nobody finds a link by trying."""


@dataclass(frozen=True, slots=True)
class Share:
    """A link that works: it opens the `turns` that the conversation had at `created_at`."""

    token: str
    turns: int
    created_at: datetime


class Shares:
    """The store of links, at most one a conversation. Safe to use from several threads."""

    def __init__(self, engine: Engine, conversations: Conversations) -> None:
        self.engine, self.conversations = engine, conversations

    def of(self, owner: str) -> "Shares":
        """The links of an owner's conversations."""
        return Shares(self.engine, self.conversations.of(owner))

    def get(self, conversation_id: str) -> Share | None:
        """The link of a conversation, None when it is not shared. Raises NotFound."""
        self.conversations.get(conversation_id)
        columns = (SHARES.c.token, SHARES.c.turns, SHARES.c.created_at)
        with self.engine.connect() as connection:
            row = connection.execute(select(*columns).where(_of(conversation_id))).one_or_none()
        return Share(*row) if row else None

    def share(self, conversation_id: str) -> Share:
        """Opens the conversation as it is now; the link that there is stays the same. Raises NotFound."""
        self.conversations.get(conversation_id)
        try:
            self._open(conversation_id)
        except IntegrityError:  # somebody shared it at the same moment
            self._open(conversation_id)
        shared = self.get(conversation_id)
        assert shared is not None, "written just now"
        return shared

    def _open(self, conversation_id: str) -> None:
        """Writes first and reads meanwhile: SQLite gives no turn to write to one who has begun to read."""
        now = datetime.now(UTC)
        before = (TURNS.c.conversation_id == conversation_id) & (TURNS.c.created_at <= now)
        turns = select(func.count()).select_from(TURNS).where(before).scalar_subquery()
        with self.engine.begin() as connection:
            changed = update(SHARES).where(_of(conversation_id)).values(turns=turns, created_at=now)
            if not connection.execute(changed).rowcount:
                token = secrets.token_urlsafe(TOKEN_BYTES)
                row = {"token": token, "conversation_id": conversation_id, "turns": turns, "created_at": now}
                connection.execute(insert(SHARES).values(row))

    def revoke(self, conversation_id: str) -> None:
        """The link opens nothing from now on. Raises NotFound."""
        self.conversations.get(conversation_id)
        with self.engine.begin() as connection:
            connection.execute(delete(SHARES).where(_of(conversation_id)))

    def read(self, token: str) -> tuple[Summary, Sequence[StoredTurn]]:
        """What a link opens, under the title that its first question gives; the owner may call it something else.

        Raises NotFound for one that does not work, or does no more.
        """
        with self.engine.connect() as connection:
            row = connection.execute(
                select(SHARES.c.conversation_id, SHARES.c.created_at, CONVERSATIONS.c.owner)
                .join(CONVERSATIONS, CONVERSATIONS.c.id == SHARES.c.conversation_id)
                .where(SHARES.c.token == token)
            ).one_or_none()
        if row is None:
            raise NotFound("This link opens nothing.", "It may have been taken back; ask who gave it to you.")
        kept = self.conversations.of(row.owner)
        turns = [turn for turn in kept.turns(row.conversation_id) if turn.created_at <= row.created_at]
        title = title_of(turns[0].text) if turns else ""
        return replace(kept.get(row.conversation_id), title=title), turns


def _of(conversation_id: str) -> ColumnElement[bool]:
    return SHARES.c.conversation_id == conversation_id
