"""The SQLite side of an index: text, what is known of files, and the list of segments that are live.

SQLite is the source of truth. A commit writes its segment file first and then, in one transaction, the texts, the
removal of what they replace, and the segment's row: a segment that no row names does not exist for anyone.
A passage stores no text of its own, only its span in its document.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.rows import DAMAGED_TEXT_HINT, DOCUMENT, FileState, SegmentRow, conditions, read_document, read_passage
from indexing.types import Conflict, Document, Filters, IndexDamaged, Passage, StorageFailed

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents(
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, file TEXT NOT NULL,
    url TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, crc INTEGER NOT NULL,
    published_at TEXT, published REAL, fetched_at TEXT, language TEXT NOT NULL, metadata TEXT NOT NULL,
    content_hash TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_by_file ON documents(source, file);
CREATE TABLE IF NOT EXISTS passages(
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document INTEGER NOT NULL REFERENCES documents(key) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL, page INTEGER);
CREATE INDEX IF NOT EXISTS passages_by_document ON passages(document, ordinal);
CREATE TABLE IF NOT EXISTS files(
    source TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY(source, file)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments(
    name TEXT PRIMARY KEY, first INTEGER NOT NULL, passages INTEGER NOT NULL, dead BLOB NOT NULL,
    build TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How much of a source is indexed."""

    source: str
    documents: int
    passages: int


class Catalogue:
    """The SQLite file of an index; one connection a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._guard = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            with self.reported():
                connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA foreign_keys=ON")
            self._local.connection = connection
            with self._guard:
                self._open.append(connection)
        return connection

    def close(self) -> None:
        """Close every thread's connection; the catalogue opens again when it is next used."""
        with self._guard:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._local = threading.local()

    def create(self) -> None:
        """Make the tables."""
        with self.reported():
            self.connection.executescript(SCHEMA)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _translated(error, self.path) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it, seen by others at its end."""
        connection = self.connection
        with self.reported():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All reads of the block see one commit."""
        connection = self.connection
        with self.reported():
            connection.execute("BEGIN")
            try:
                yield
            finally:
                connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self.reported():
            return self.connection.execute(sql, values).fetchall()

    # What is stored

    def meta(self) -> dict[str, str]:
        """Settings of the index and its generation."""
        return {str(name): str(value) for name, value in self.rows("SELECT name, value FROM meta")}

    def generation(self) -> int:
        """Raised by every commit."""
        found = self.rows("SELECT value FROM meta WHERE name = 'generation'")
        return int(str(found[0][0])) if found else -1

    def segments(self, build: str | None = "") -> list[SegmentRow]:
        """Segments in the order of their passages' keys: live ones, those of a rebuild, or (None) all."""
        where, values = ("", ()) if build is None else ("WHERE build = ?", (build,))
        found = self.rows(f"SELECT name, first, passages, dead, build FROM segments {where} ORDER BY first", values)
        return [
            SegmentRow(str(n), int(f), int(p), np.frombuffer(d, dtype="<i8"), str(b))  # type: ignore[call-overload]
            for n, f, p, d, b in found
        ]

    def document(self, document_id: str) -> Document | None:
        """The document of an id. Raises IndexDamaged when its text fails its checksum."""
        found = self.rows(f"SELECT {DOCUMENT} FROM documents WHERE id = ?", (document_id,))
        return read_document(found[0], self.path) if found else None

    def documents(self, source: str | None, after: str, limit: int, named: str = "") -> list[Document]:
        """Documents in the order of their ids, of one source or all, with `named` in their title or address."""
        where, values = ("", ()) if source is None else ("AND source = ?", (source,))
        sql = f"""SELECT {DOCUMENT} FROM documents WHERE id > ? {where}
                  AND (instr(lower(title), lower(?)) OR instr(lower(url), lower(?))) ORDER BY id LIMIT ?"""
        return [read_document(row, self.path) for row in self.rows(sql, (after, *values, named, named, limit))]

    def languages(self) -> list[tuple[str, int]]:
        """Every language with the number of its documents, the most frequent first."""
        sql = "SELECT language, count(*) FROM documents GROUP BY language ORDER BY 2 DESC, 1"
        return [(str(language), int(str(count))) for language, count in self.rows(sql)]

    def sources(self) -> list[SourceCount]:
        """Every source with its counts, by name."""
        sql = """SELECT source, count(DISTINCT documents.key), count(passages.key) FROM documents
                 LEFT JOIN passages ON passages.document = documents.key GROUP BY source ORDER BY source"""
        return [SourceCount(str(s), int(str(d)), int(str(p))) for s, d, p in self.rows(sql)]

    def files(self, source: str) -> dict[str, FileState]:
        """What is known of the files of a source, by their keys in it."""
        sql = "SELECT source, file, size, modified, digest FROM files WHERE source = ?"
        return {str(row[1]): FileState(*row) for row in self.rows(sql, (source,))}  # type: ignore[arg-type]

    def ids_by_file(self, source: str) -> dict[str, list[str]]:
        """Ids of a source's documents by the file they came from."""
        found: dict[str, list[str]] = {}
        for file, key in self.rows("SELECT file, id FROM documents WHERE source = ?", (source,)):
            found.setdefault(str(file), []).append(str(key))
        return found

    def owner(self, document_id: str) -> tuple[str, str, str] | None:
        """(source, file, content hash) of a document, None when it is not there."""
        found = self.rows("SELECT source, file, content_hash FROM documents WHERE id = ?", (document_id,))
        return (str(found[0][0]), str(found[0][1]), str(found[0][2])) if found else None

    def passages(self, keys: Sequence[int]) -> dict[int, tuple[Passage, Document]]:
        """Passages with their documents by key; keys that are no longer there are left out."""
        marks = ",".join("?" * len(keys))
        sql = f"""SELECT p.key, p.id, d.id, p.ordinal, p.start, p."end", p.heading, p.page, p.document
                  FROM passages p JOIN documents d ON d.key = p.document WHERE p.key IN ({marks})"""
        with self.reading():
            found = self.rows(sql, list(keys))
            owners = sorted({int(str(row[8])) for row in found})
            marks = ",".join("?" * len(owners))
            texts = self.rows(f"SELECT {DOCUMENT}, key FROM documents WHERE key IN ({marks})", owners)
            documents = {row[-1]: read_document(row, self.path) for row in texts}
        return {int(str(row[0])): (read_passage(row[1:8], documents[row[8]]), documents[row[8]]) for row in found}

    def passage_key(self, passage_id: str) -> int | None:
        """The key of a passage's id."""
        found = self.rows("SELECT key FROM passages WHERE id = ?", (passage_id,))
        return int(str(found[0][0])) if found else None

    def passage_keys(self, document_id: str) -> list[int]:
        """The keys of a document's passages, in order."""
        sql = """SELECT key FROM passages WHERE document = (SELECT key FROM documents WHERE id = ?) ORDER BY ordinal"""
        return [int(str(row[0])) for row in self.rows(sql, (document_id,))]

    def keys_after(self, key: int, limit: int) -> list[int]:
        """Keys of passages greater than `key`, ascending."""
        found = self.rows("SELECT key FROM passages WHERE key > ? ORDER BY key LIMIT ?", (key, limit))
        return [int(str(row[0])) for row in found]

    def owners(self, keys: Sequence[int]) -> dict[int, int]:
        """The document's key by passage key."""
        marks = ",".join("?" * len(keys))
        found = self.rows(f"SELECT key, document FROM passages WHERE key IN ({marks})", list(keys))
        return {int(str(key)): int(str(owner)) for key, owner in found}

    def problems(self) -> list[str]:
        """What is wrong with the file: SQLite's own check, and texts that fail their checksum."""
        found = [str(row[0]) for row in self.rows("PRAGMA integrity_check(5)")]
        problems = [f"{self.path} is damaged: {line}." for line in found if line != "ok"]
        if problems:
            return problems
        for (document_id,) in self.rows("SELECT id FROM documents ORDER BY id"):
            try:
                self.document(str(document_id))
            except IndexDamaged as error:
                problems.append(error.message)
        return problems

    def admitted(self, filters: Filters) -> NDArray[np.int64]:
        """Keys of the documents that satisfy the filters, ascending. A document without a date satisfies no date."""
        found, values = conditions(filters)
        sql = f"SELECT key FROM documents WHERE {' AND '.join(found) or '1'} ORDER BY key"
        return np.array([row[0] for row in self.rows(sql, values)], dtype=np.int64)

    # Changes, inside a transaction

    def advance(self, connection: sqlite3.Connection) -> None:
        """Say that there is something new to see."""
        connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'generation'")

    def remove(self, connection: sqlite3.Connection, document_ids: Iterable[str]) -> None:
        """Remove documents and their passages, and list the passages as dead in their segments."""
        sql = "SELECT key FROM passages WHERE document = (SELECT key FROM documents WHERE id = ?)"
        dead: list[int] = []
        for document_id in document_ids:
            dead += [row[0] for row in connection.execute(sql, (document_id,))]
            connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
        if not dead:
            return
        segments = self.segments()
        places = np.searchsorted([row.first for row in segments], np.array(dead), side="right") - 1
        for place in np.unique(places[places >= 0]):
            row = segments[place]
            gone = np.union1d(row.dead, np.array(dead)[places == place]).astype("<i8")
            connection.execute("UPDATE segments SET dead = ? WHERE name = ?", (gone.tobytes(), row.name))

    def remember(
        self, connection: sqlite3.Connection, files: Iterable[FileState], forgotten: Iterable[tuple[str, str]]
    ) -> None:
        """Store the state of files, and forget files given as (source, file)."""
        connection.executemany("DELETE FROM files WHERE source = ? AND file = ?", forgotten)
        values = [(f.source, f.file, f.size, f.modified, f.digest) for f in files]
        connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)


def _translated(error: sqlite3.DatabaseError, path: Path) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or name.startswith("SQLITE_CORRUPT"):
        return IndexDamaged(f"{path} is damaged: {error}.", DAMAGED_TEXT_HINT)
    if name.startswith("SQLITE_BUSY") or name == "SQLITE_LOCKED":
        return Conflict(f"{path} is in use by another process.", "Try again in a moment.")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return StorageFailed(
            f"{path} could not be read or written: {error}.",
            "Free some space or check the permissions; what was indexed before is untouched.",
        )
    if isinstance(error, sqlite3.OperationalError) and name in ("", "SQLITE_ERROR"):
        # A text that is no UTF-8, or a table that is not there: our queries are right for every whole catalogue.
        return IndexDamaged(f"{path} is damaged: {str(error)[:100]}.", DAMAGED_TEXT_HINT)
    return error
