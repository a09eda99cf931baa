"""The tables of what Passerine keeps beside the index, in SQLite unless a URL names another database."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.schema import CreateIndex, CreateTable

from indexing.catalogue import write_ahead
from indexing.types import BadInput, Progress, StorageFailed
from service.console import bar
from service.errors import explain

SCHEMA = "4"
"""Raised by one with every change of a table, not with a new one; a database of an earlier schema is brought up to it,
one of another is refused, never half read."""
Step = str | Callable[[Connection, Progress], None]
STEPS: Mapping[str, tuple[str, Sequence[Step]]] = {
    "1": (
        "2",  # whose conversations and feedback: those from before belong to nobody's key
        [
            "ALTER TABLE conversations ADD COLUMN owner VARCHAR DEFAULT '' NOT NULL",
            "ALTER TABLE feedback ADD COLUMN owner VARCHAR DEFAULT '' NOT NULL",
        ],
    ),
    "2": (
        "3",  # what sums of feedback are made of, so that they need not read every row
        [
            "ALTER TABLE feedback ADD COLUMN rule VARCHAR",
            "ALTER TABLE feedback ADD COLUMN origin_a VARCHAR",
            "ALTER TABLE feedback ADD COLUMN origin_b VARCHAR",
            "ALTER TABLE feedback ADD COLUMN label FLOAT",
            lambda connection, progress: fill_summed(connection, progress),
        ],
    ),
    "3": (
        "4",  # what a refresh passed over
        [
            "ALTER TABLE jobs ADD COLUMN skipped INTEGER DEFAULT '0' NOT NULL",
            "ALTER TABLE jobs ADD COLUMN skipped_endings VARCHAR DEFAULT '' NOT NULL",
        ],
    ),
}
"""From each earlier schema: the next one, and what leads there, on SQLite and PostgreSQL alike."""


class Moment(TypeDecorator[datetime]):
    """A moment with its offset; databases without time zones keep it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


METADATA = MetaData()
PROPERTIES = Table("properties", METADATA, Column("name", String, primary_key=True), Column("value", String))
CONVERSATIONS = Table(
    "conversations",
    METADATA,
    Column("id", String, primary_key=True),
    Column("title", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False, index=True),
    Column("owner", String, nullable=False, server_default=""),
    Index("conversations_of_owner", "owner", "updated_at"),
)
TURNS = Table(
    "turns",
    METADATA,
    Column("id", String, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("role", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("answer", Text),
    Column("error", Text),
    Column("created_at", Moment, nullable=False),
    Index("turns_in_order", "conversation_id", "ordinal", unique=True),
)
FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, unique=True, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("consent", Boolean, nullable=False),
    Column("conversation_id", String, nullable=False, index=True),
    Column("answer_id", String, nullable=False, index=True),
    Column("row", Text, nullable=False),
    Column("owner", String, nullable=False, server_default=""),
    Column("rule", String),
    Column("origin_a", String),
    Column("origin_b", String),
    Column("label", Float),
    Index("feedback_sums", "kind", "rule", "origin_a", "origin_b", "label"),
)
MEMORIES = Table(
    "memories",
    METADATA,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)
REPEATS = Table(
    "repeats",
    METADATA,
    Column("owner", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("turn_id", String, nullable=False, index=True),
    Column("answer_id", String),
    Column("created_at", Moment, nullable=False),
)
KEYS = Table(
    "keys",
    METADATA,
    Column("id", String, primary_key=True),
    Column("hash", String, unique=True, nullable=False),
    Column("name", Text, nullable=False),
    Column("scope", String, nullable=False),
    Column("per_minute", Integer),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)
RULES = Table(
    "rules",
    METADATA,
    Column("id", String, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("floor", Float),
)
SHARES = Table(
    "shares",
    METADATA,
    Column("token", String, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("turns", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)
SOURCES = Table(
    "sources",
    METADATA,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("location", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)
JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("source", String, nullable=False, index=True),
    Column("state", String, nullable=False, index=True),
    Column("stage", String, nullable=False),
    *(
        Column(name, Integer, nullable=False)
        for name in ("done", "total", "encoded", "added", "changed", "removed", "same", "failed")
    ),
    Column("skipped", Integer, nullable=False, server_default="0"),
    Column("skipped_endings", String, nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("beat_at", Moment),
    Column("finished_at", Moment),
    Column("owner", String, nullable=False),
    Column("error", Text, nullable=False),
)
FAILURES = Table(
    "failures",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("reason", Text, nullable=False),
)


def connect(url: str) -> Engine:
    """An engine whose tables exist. Raises BadInput for a wrong URL, StorageFailed for a database of another schema."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, hide_parameters=True)  # else a trace in the log would hold what people asked
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise BadInput(
            f"database_url is not usable: {error}.",
            "Write for example sqlite:////path/to/file.db or postgresql+psycopg://user@host/name "
            "(its driver must be installed).",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", prepare_sqlite)
    try:
        create(engine, [PROPERTIES])
        check_schema(engine)
        create(engine, METADATA.sorted_tables)
    except DBAPIError as error:
        engine.dispose()
        raise explain(error) from error
    return engine


def prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001
    """Readers beside one writer (WAL), waiting instead of failing, and foreign keys that hold."""
    cursor = connection.cursor()
    for pragma in ("busy_timeout=5000", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    write_ahead(connection)


def create(engine: Engine, tables: Sequence[Table]) -> None:
    """The tables and indices that are not there yet; another process may be creating them too."""
    with engine.begin() as connection:
        for table in tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


def summed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that sums are made of, as a row of feedback says them itself."""
    origins = {f"origin_{side}": (row.get(side) or {}).get("origin") for side in ("a", "b")}
    return {"rule": row.get("rule"), "label": row.get("label"), **origins}


def fill_summed(connection: Connection, progress: Progress) -> None:
    """Fills them for rows that were written before there were such columns, a thousand at a time. Progress stage:
    "feedback" (rows)."""
    numbered, last, done = FEEDBACK.c.number, 0, 0
    total = connection.scalar(select(func.count()).select_from(FEEDBACK)) or 0
    fill = update(FEEDBACK).where(numbered == bindparam("of"))
    while rows := connection.execute(
        select(numbered, FEEDBACK.c.row).where(numbered > last).order_by(numbered).limit(1000)
    ).all():
        last = rows[-1].number
        connection.execute(fill, [{"of": number, **summed(json.loads(row))} for number, row in rows])
        done += len(rows)
        progress("feedback", done, total)


def check_schema(engine: Engine) -> None:
    """Marks a new database, and brings one of an earlier schema up to this one. Raises StorageFailed for another."""
    named = PROPERTIES.c.name == "schema"
    for earlier, (later, steps) in STEPS.items():
        with engine.begin() as connection:
            mark = update(PROPERTIES).where(named, PROPERTIES.c.value == earlier).values(value=later)
            # The mark first: it locks the database, and of two processes that start only one finds the earlier schema.
            if connection.execute(mark).rowcount:
                with bar() as progress:
                    for step in steps:
                        if isinstance(step, str):
                            connection.execute(text(step))
                        else:
                            step(connection, progress)
    with suppress(IntegrityError), engine.begin() as connection:  # marked already
        connection.execute(insert(PROPERTIES).values(name="schema", value=SCHEMA))
    with engine.connect() as connection:
        found = connection.scalar(select(PROPERTIES.c.value).where(named))
    if found != SCHEMA:
        raise StorageFailed(
            f"The database has schema {found}, this version of Passerine works with {SCHEMA}.",
            "Use the version that wrote it, or name another one with database_url.",
        )
