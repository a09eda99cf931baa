"""What people said of themselves, kept from turn to turn where the setting `memory` is on (models/memory.py says which
sentences). It belongs to a key, or to "", as conversations do, and only its owner sees, changes or deletes it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update

from indexing.types import BadInput, NotFound
from models.memory import LONGEST, bids, facts
from service.database import MEMORIES

MOST = 100
"""Facts of an owner; what is said beyond them is not kept, so that none vanishes unseen."""


@dataclass(frozen=True, slots=True)
class Memory:
    """One fact in the person's own words."""

    id: str
    text: str
    created_at: datetime


class Memories:
    """The memory of one owner. Safe to use from several threads."""

    def __init__(self, engine: Engine, owner: str = "") -> None:
        self.engine, self.owner = engine, owner

    def of(self, owner: str) -> "Memories":
        return self if owner == self.owner else Memories(self.engine, owner)

    def list(self) -> list[Memory]:
        """Oldest first."""
        columns = (MEMORIES.c.id, MEMORIES.c.text, MEMORIES.c.created_at)
        statement = select(*columns).where(self._owned()).order_by(MEMORIES.c.created_at, MEMORIES.c.id)
        with self.engine.connect() as connection:
            return [Memory(*row) for row in connection.execute(statement)]

    def texts(self) -> tuple[str, ...]:
        return tuple(memory.text for memory in self.list())

    def learn(self, said: str) -> Sequence[str]:
        """Keeps the facts of a user's turn that are not known yet; returns them."""
        stated = facts(said)
        if not stated:
            return ()
        known = {text.casefold() for text in self.texts()}
        fresh = [fact for fact in stated if fact.casefold() not in known][: max(0, MOST - len(known))]
        for fact in fresh:
            row = {"id": uuid.uuid4().hex, "owner": self.owner, "text": fact, "created_at": datetime.now(UTC)}
            with self.engine.begin() as connection:
                connection.execute(insert(MEMORIES).values(row))
        return fresh

    def edit(self, memory_id: str, text: str) -> Memory:
        """Puts it in other words. Raises NotFound, and BadInput for what is no short plain statement."""
        said = " ".join(text.split())
        if not said or len(said) > LONGEST or bids(said):
            raise BadInput(
                "This is not kept: it is empty, too long, or asks for something.",
                f"Write one plain sentence about yourself of at most {LONGEST} characters.",
            )
        with self.engine.begin() as connection:
            if not connection.execute(update(MEMORIES).where(self._own(memory_id)).values(text=said)).rowcount:
                raise unknown(memory_id)
        return next(memory for memory in self.list() if memory.id == memory_id)

    def forget(self, memory_id: str) -> None:
        """Raises NotFound."""
        with self.engine.begin() as connection:
            if not connection.execute(delete(MEMORIES).where(self._own(memory_id))).rowcount:
                raise unknown(memory_id)

    def clear(self) -> int:
        """Forgets all; returns how many there were."""
        with self.engine.begin() as connection:
            return connection.execute(delete(MEMORIES).where(self._owned())).rowcount

    def _owned(self) -> "ColumnElement[bool]":
        return MEMORIES.c.owner == self.owner

    def _own(self, memory_id: str) -> "ColumnElement[bool]":
        return self._owned() & (MEMORIES.c.id == memory_id)


def unknown(memory_id: str) -> NotFound:
    return NotFound(f"Nothing is remembered under '{memory_id}'.", "GET /v1/memory lists what is.")
