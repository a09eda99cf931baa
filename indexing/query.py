"""A source that is a query: each row of a database is a document.

The column `text` holds what is searched; `title`, `url`, `id`, `published_at` and `metadata` (JSON) mean what they mean
in JSON Lines, and other columns become metadata. Nothing is written: the transaction is read-only where the database
knows that, and rolled back everywhere.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from indexing.extract import Extracted, record_document
from indexing.rows import FileState
from indexing.sources import Item, Listing, Reading
from indexing.types import BadInput, ExtractFailed, FetchFailed

ROWS = "rows"
"""The one item of such a source."""

_BATCH = 500  # rows fetched at once


@dataclass(frozen=True, slots=True)
class Query:
    """The rows of `statement` in the database at `url`, an SQLAlchemy URL. Every refresh reads all of them."""

    name: str
    url: str
    statement: str

    def listing(self) -> Listing:
        check_query(self.url, self.statement)
        return Listing([Item(ROWS, shown(self.url), self._read)])

    def _read(self, known: FileState | None) -> Reading:
        return Reading(None, self._rows())

    def _rows(self) -> Iterator[Extracted | ExtractFailed]:
        """Raises FetchFailed when the database fails, and when there is no row: an emptied table removes nothing."""
        count, now = 0, datetime.now(UTC)
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                _read_only(connection)
                found = connection.execution_options(yield_per=_BATCH).execute(text(self.statement))
                columns = [name.lower() for name in found.keys()]  # noqa: SIM118 - not a mapping
                for count, row in enumerate(found, 1):
                    where = f"Row {count} of {self.name}"
                    try:
                        yield record_document(_record(columns, row), self.name, ROWS, now, where)
                    except ExtractFailed as error:
                        yield error
                connection.rollback()
        except SQLAlchemyError as error:
            raise FetchFailed(f"The query of {self.name} failed: {_reason(error)}.", "Try it by hand.") from None
        finally:
            engine.dispose()
        if not count:
            raise FetchFailed(
                f"The query of {self.name} gives no rows.", "If that is meant, remove the source: its documents go too."
            )


def check_query(url: str, statement: str) -> None:
    """Raises BadInput for a URL that names no database that can be used, or a query that is none."""
    try:
        parsed = make_url(url)
        create_engine(parsed).dispose()
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise BadInput(
            f"{shown(url)} is no database that can be used: {str(error).splitlines()[0]}.",
            "Write for example sqlite:////path/to/file.db or postgresql+psycopg://user@host/name "
            "(its driver must be installed).",
        ) from None
    file = parsed.database
    if parsed.get_backend_name() == "sqlite" and not (file and Path(file).is_file()):  # SQLite would make an empty one
        raise BadInput(f"There is no database {file or ':memory:'}.", "Four slashes begin an absolute path.")
    if not statement.strip():
        raise BadInput("A database needs a query.", 'Add --query "SELECT id, title, text FROM ...".')


def shown(url: str) -> str:
    """The URL as a person may see it, without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.rpartition("@")[2]


def _read_only(connection: Connection) -> None:
    """As far as the database knows such a thing."""
    name = connection.dialect.name
    if name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only=ON")
    elif name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _record(columns: list[str], row: Any) -> Mapping[str, object]:
    """The row as a record: a value that JSON has not is written out, bytes and nulls are left out."""
    record: dict[str, object] = {}
    for name, value in zip(columns, row, strict=True):
        if value is None or isinstance(value, bytes | bytearray | memoryview):
            continue
        if name == "metadata" and isinstance(value, str):
            try:
                record[name] = json.loads(value)
            except ValueError:
                record["metadata_text"] = value
        elif name in ("id", "title", "text", "url"):
            record[name] = str(value)
        elif isinstance(value, str | int | float | bool | dict | list) or name == "published_at":
            record[name] = value
        else:
            record[name] = value.isoformat() if isinstance(value, date) else str(value)
    return record


def _reason(error: SQLAlchemyError) -> str:
    """What the database itself says, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".")
