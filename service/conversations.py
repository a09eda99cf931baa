"""Turns and answers, kept so that follow-up questions and reloads work.

The user's turn is written before work starts, the answer (the whole object, as JSON) after, in the place behind it that
was left free: of questions asked at the same time, each keeps its own answer. A turn's `state` is "working", "done",
"stopped" or "failed"; one that a crash left "working" becomes "failed" at the next start.

A conversation belongs to the key that began it, or to "": the command line and a service that asks for no key. Another
owner's conversation is not found, whatever is done with it.
"""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from indexing.types import BadInput, Conflict, NotFound
from models.types import Conversation, Turn
from service.citations import without_markers
from service.database import CONVERSATIONS, FEEDBACK, MEMORIES, REPEATS, TURNS

TITLE_LENGTH = 80
REMEMBERED = timedelta(days=1)
"""How long a question that may be sent again is known: programs try again within minutes."""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One turn as kept. `answer` and `error` are JSON, of an assistant's turn and of a failed one."""

    id: str
    role: str
    text: str
    state: str
    created_at: datetime
    answer: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """A question that its sender may send again without asking it twice: the name that it goes by, and a hash of it."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int = 0


class Conversations:
    """The conversations of one owner. Safe to use from several threads."""

    def __init__(self, engine: Engine, owner: str = "", unwritten: dict[str, tuple[str, str]] | None = None) -> None:
        self.engine, self.owner = engine, owner
        self._unwritten = {} if unwritten is None else unwritten

    def of(self, owner: str) -> "Conversations":
        return self if owner == self.owner else Conversations(self.engine, owner, self._unwritten)

    def begin(self, text: str, conversation_id: str = "", once: Once | None = None) -> tuple[str, str]:
        """Keeps the user's turn; a new conversation when no id is given. Returns (conversation id, turn id).

        Raises NotFound for an unknown conversation, Conflict when `once` goes by a name that is in use.
        """
        self._write_failures()
        now, turn_id = datetime.now(UTC), uuid.uuid4().hex
        with self.engine.begin() as connection:
            if not conversation_id:
                conversation_id = uuid.uuid4().hex
                row = {"id": conversation_id, "title": title_of(text), "created_at": now, "updated_at": now}
                connection.execute(insert(CONVERSATIONS).values(**row, owner=self.owner))
            else:
                self._touch(connection, conversation_id, now)
            free = select(func.coalesce(func.max(TURNS.c.ordinal) + 2, 0))  # + 1 is for the answer to the last question
            ordinal = connection.scalar(free.where(TURNS.c.conversation_id == conversation_id))
            turn = {"id": turn_id, "conversation_id": conversation_id, "ordinal": ordinal, "created_at": now}
            connection.execute(insert(TURNS).values(**turn, role="user", text=text, state="working"))
            if once is not None:
                self._name(connection, once, turn_id, now)
            return conversation_id, turn_id

    def finish(self, conversation_id: str, turn_id: str, answer_id: str, text: str, answer: str) -> str:
        """Keeps the answer (JSON) to a user's turn, as a turn with the answer's id. Returns whose it is: a key may have
        taken the conversation over meanwhile.

        A conversation that was deleted meanwhile stays deleted.
        """
        now = datetime.now(UTC)
        done = update(TURNS).where(TURNS.c.id == turn_id).values(state="done").returning(TURNS.c.ordinal)
        touched = update(CONVERSATIONS).where(CONVERSATIONS.c.id == conversation_id).values(updated_at=now)
        with self.engine.begin() as connection:
            asked = connection.scalar(done)
            if asked is None:
                return self.owner
            turn = {"id": answer_id, "conversation_id": conversation_id, "ordinal": asked + 1, "created_at": now}
            connection.execute(insert(TURNS).values(**turn, role="assistant", text=text, state="done", answer=answer))
            connection.execute(update(REPEATS).where(REPEATS.c.turn_id == turn_id).values(answer_id=answer_id))
            return connection.scalar(touched.returning(CONVERSATIONS.c.owner)) or ""

    def repeated(self, once: Once) -> str | None:
        """The answer (JSON) to the question when it was sent before; None when it was not, or got no answer.

        Raises BadInput when its name belongs to another question, Conflict while the first one is being answered.
        """
        self._write_failures()
        own = (REPEATS.c.owner == self.owner) & (REPEATS.c.name == once.name)
        known = own & (REPEATS.c.created_at >= datetime.now(UTC) - REMEMBERED)
        with self.engine.begin() as connection:
            found = connection.execute(select(REPEATS).where(known)).one_or_none()
            if found is None:
                return None
            if found.fingerprint != once.fingerprint:
                raise BadInput(
                    f"The Idempotency-Key '{once.name}' was sent with another question.", "Give each question its own."
                )
            answer = connection.scalar(select(TURNS.c.answer).where(TURNS.c.id == found.answer_id))
            if answer is None:
                if connection.scalar(select(TURNS.c.state).where(TURNS.c.id == found.turn_id)) == "working":
                    raise in_use(once)
                connection.execute(delete(REPEATS).where(own))  # stopped, failed or deleted: it may be asked again
            return answer

    def fail(self, turn_id: str, state: str, error: str) -> None:
        """Notes why a user's turn has no answer: `state` is "stopped" or "failed", `error` JSON.

        What the database does not take now is written as soon as it does when turns are read or a question comes.
        """
        self._unwritten[turn_id] = state, error
        self._write_failures()

    def recover(self, error: str) -> int:
        """Marks what an earlier process left "working" as failed, whoever asked; returns how many turns that were."""
        statement = update(TURNS).where(TURNS.c.state == "working").values(state="failed", error=error)
        with self.engine.begin() as connection:
            return connection.execute(statement).rowcount

    def read(self, conversation_id: str, turn_id: str, limit: int) -> Conversation:
        """What a policy reads: the last `limit` turns up to the user's turn `turn_id`.

        Earlier questions that got no answer are left out, and so are citation markers. Raises NotFound.
        """
        turns = self.turns(conversation_id)
        own = next(place for place, turn in enumerate(turns) if turn.id == turn_id)
        kept = [*(turn for turn in turns[:own] if turn.state == "done"), turns[own]]
        said = (
            Turn("user", turn.text) if turn.role == "user" else Turn("assistant", without_markers(turn.text))
            for turn in kept[-limit:]
        )
        return Conversation(tuple(said), conversation_id)

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """Every turn, each question with its answer behind it, oldest first. Raises NotFound."""
        self._write_failures()
        self.get(conversation_id)
        columns = [TURNS.c[name] for name in ("id", "role", "text", "state", "created_at", "answer", "error")]
        statement = select(*columns).where(TURNS.c.conversation_id == conversation_id).order_by(TURNS.c.ordinal)
        with self.engine.connect() as connection:
            return [StoredTurn(*row) for row in connection.execute(statement)]

    def get(self, conversation_id: str) -> Summary:
        """Raises NotFound."""
        with self.engine.connect() as connection:
            row = connection.execute(_summaries().where(self._own(conversation_id))).one_or_none()
        if row is None:
            raise unknown(conversation_id)
        return Summary(*row)

    def list(self, limit: int = 50, offset: int = 0, text: str = "") -> list[Summary]:
        """Newest first; with `text`, those whose title or turns hold it."""
        order = (CONVERSATIONS.c.updated_at.desc(), CONVERSATIONS.c.id)
        found = _summaries().where(self._owned(), *_holding(text)).order_by(*order).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            return [Summary(*row) for row in connection.execute(found)]

    def count(self, text: str = "") -> int:
        found = select(func.count()).select_from(CONVERSATIONS).where(self._owned(), *_holding(text))
        with self.engine.connect() as connection:
            return connection.scalar(found) or 0

    def total(self) -> int:
        """Of all owners."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(CONVERSATIONS)) or 0

    def take_over(self, owner: str) -> int:
        """Makes another owner's conversations, feedback and memory this one's, and the names of questions that may be
        sent again; returns how many conversations those were."""
        named = select(REPEATS.c.name).where(REPEATS.c.owner == self.owner)
        with self.engine.begin() as connection:
            fresh = (REPEATS.c.owner == owner) & REPEATS.c.name.not_in(named)
            connection.execute(update(REPEATS).where(fresh).values(owner=self.owner))
            for table in (FEEDBACK, MEMORIES):
                connection.execute(update(table).where(table.c.owner == owner).values(owner=self.owner))
            found = update(CONVERSATIONS).where(CONVERSATIONS.c.owner == owner).values(owner=self.owner)
            return connection.execute(found).rowcount

    def rename(self, conversation_id: str, title: str) -> None:
        """Raises NotFound."""
        statement = update(CONVERSATIONS).where(self._own(conversation_id)).values(title=title)
        with self.engine.begin() as connection:
            if not connection.execute(statement).rowcount:
                raise unknown(conversation_id)

    def delete(self, conversation_id: str) -> None:
        """Removes the conversation, and what was said about it without consent to keep it. Raises NotFound."""
        private = (FEEDBACK.c.conversation_id == conversation_id) & FEEDBACK.c.consent.is_(False)
        with self.engine.begin() as connection:
            if not connection.execute(delete(CONVERSATIONS).where(self._own(conversation_id))).rowcount:
                raise unknown(conversation_id)
            connection.execute(delete(FEEDBACK).where(private))

    def _owned(self) -> "ColumnElement[bool]":
        return CONVERSATIONS.c.owner == self.owner

    def _own(self, conversation_id: str) -> "ColumnElement[bool]":
        return self._owned() & (CONVERSATIONS.c.id == conversation_id)

    def _name(self, connection: Connection, once: Once, turn_id: str, now: datetime) -> None:
        connection.execute(delete(REPEATS).where(REPEATS.c.created_at < now - REMEMBERED))
        row = {"owner": self.owner, "name": once.name, "fingerprint": once.fingerprint}
        try:
            connection.execute(insert(REPEATS).values(**row, turn_id=turn_id, created_at=now))
        except IntegrityError:
            raise in_use(once) from None

    def _touch(self, connection: Connection, conversation_id: str, now: datetime) -> None:
        statement = update(CONVERSATIONS).where(self._own(conversation_id)).values(updated_at=now)
        if not connection.execute(statement).rowcount:
            raise unknown(conversation_id)

    def _write_failures(self) -> None:
        failures = self._unwritten.copy()
        if not failures:
            return
        with suppress(SQLAlchemyError):  # still locked or full: they are kept until it is not
            with self.engine.begin() as connection:
                for turn_id, (state, error) in failures.items():
                    unfinished = (TURNS.c.id == turn_id) & (TURNS.c.state == "working")
                    connection.execute(update(TURNS).where(unfinished).values(state=state, error=error))
            for turn_id in failures:
                self._unwritten.pop(turn_id, None)


def title_of(question: str) -> str:
    """The title of a conversation that begins so."""
    return " ".join(question.split())[:TITLE_LENGTH]


def _summaries() -> "Select[str, str, datetime, datetime, int]":
    columns = (CONVERSATIONS.c.id, CONVERSATIONS.c.title, CONVERSATIONS.c.created_at, CONVERSATIONS.c.updated_at)
    joined = CONVERSATIONS.outerjoin(TURNS, TURNS.c.conversation_id == CONVERSATIONS.c.id)
    return select(*columns, func.count(TURNS.c.id)).select_from(joined).group_by(*columns)


def _holding(text: str) -> "list[ColumnElement[bool]]":
    """The condition of a search among conversations; none for an empty text."""
    if not text:
        return []
    said = select(TURNS.c.conversation_id).where(TURNS.c.text.icontains(text, autoescape=True))
    return [CONVERSATIONS.c.title.icontains(text, autoescape=True) | CONVERSATIONS.c.id.in_(said)]


def unknown(conversation_id: str) -> NotFound:
    return NotFound(f"There is no conversation '{conversation_id}'.", "GET /v1/conversations lists them.")


def in_use(once: Once) -> Conflict:
    return Conflict(
        f"The question with the Idempotency-Key '{once.name}' is being answered.", "Send it again in a few seconds."
    )
