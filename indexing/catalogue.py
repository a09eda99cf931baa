"""The SQLite side of an index: text, what is known of files, and the list of segments that are live.

SQLite is the source of truth. A commit writes its segment file first and then, in one transaction, the texts, the
removal of what they replace, and the segment's row: a segment that no row names does not exist for anyone.
A passage stores no text of its own, only its span in its document. Rows are sealed (see `rows`).
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.rows import (
    DAMAGED_FILE_HINT,
    DOCUMENT,
    PASSAGE,
    SEALED,
    SEGMENT,
    FileState,
    Label,
    SegmentRow,
    checksum,
    conditions,
    insert_segment,
    read_document,
    read_label,
    read_passage,
    read_segment,
)
from indexing.types import Conflict, Document, Filters, IndexDamaged, Passage, StorageFailed

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents(
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, file TEXT NOT NULL,
    url TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, crc INTEGER NOT NULL,
    published_at TEXT, published REAL, fetched_at TEXT, language TEXT NOT NULL, metadata TEXT NOT NULL,
    content_hash TEXT NOT NULL, seal INTEGER);
CREATE INDEX IF NOT EXISTS documents_by_file ON documents(source, file);
CREATE TABLE IF NOT EXISTS passages(
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document INTEGER NOT NULL REFERENCES documents(key) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL, page INTEGER,
    seal INTEGER);
CREATE INDEX IF NOT EXISTS passages_by_document ON passages(document, ordinal);
CREATE TABLE IF NOT EXISTS files(
    source TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY(source, file)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments(
    name TEXT PRIMARY KEY, first INTEGER NOT NULL, passages INTEGER NOT NULL, dead BLOB NOT NULL,
    build TEXT NOT NULL, seal INTEGER) WITHOUT ROWID;
"""
FACTS = ("encoder", "encoder_fingerprint", "dimension", "analyser", "k1", "b")
"""What an index says of itself and is sealed as one."""


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
        self.sealed = True
        """Whether the rows have seals; an index of an older format gets them when it is next written to."""
        self._open: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection. Whoever opens one closes those of threads that have ended."""
        thread = threading.current_thread()
        connection = self._open.get(thread)
        if connection is None:
            with self.reported():
                connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
                write_ahead(connection)
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA foreign_keys=ON")
            with self._guard:
                for ended in [other for other in self._open if not other.is_alive()]:
                    self._open.pop(ended).close()
                self._open[thread] = connection
        return connection

    def close(self) -> None:
        """Close every thread's connection; the catalogue opens again when it is next used."""
        with self._guard:
            for connection in self._open.values():
                connection.close()
            self._open.clear()

    def release(self) -> None:
        """Close the connection of this thread, which is about to end."""
        with self._guard:
            connection = self._open.pop(threading.current_thread(), None)
        if connection:
            connection.close()

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
        except UnicodeDecodeError as error:  # of SQLite's own sentence, in which it repeats what it could not read
            raise IndexDamaged(f"{self.path} is damaged: its schema is no text.", DAMAGED_FILE_HINT) from error

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

    @property
    def _seal(self) -> str:
        """What is read as the seal of a row; one that is not there fits no row."""
        return "ifnull(seal, -1)" if self.sealed else "NULL"

    # What is stored

    def meta(self) -> dict[str, str]:
        """Settings of the index and its generation. Raises IndexDamaged when they fail their checksum."""
        found = {str(name): str(value) for name, value in self.rows("SELECT name, value FROM meta")}
        if "seal" in found and found["seal"] != _seal_of(found):
            lost = ", ".join(name for name in FACTS if name not in found)
            raise IndexDamaged(
                f"{self.path} is damaged: {f'it lacks {lost}' if lost else 'its settings fail their checksum'}.",
                DAMAGED_FILE_HINT,
            )
        return found

    def generation(self) -> int:
        """Raised by every commit."""
        found = self.rows("SELECT value FROM meta WHERE name = 'generation'")
        return int(str(found[0][0])) if found else -1

    def segments(self, build: str | None = "", checked: bool = True) -> list[SegmentRow]:
        """Segments in the order of their passages' keys: live ones, those of a rebuild, or (None) all.

        Raises IndexDamaged for a row that fails its checksum, unless they are not to be `checked`.
        """
        where, values = ("", ()) if build is None else ("WHERE build = ?", (build,))
        seal = self._seal if checked else "NULL"
        found = self.rows(f"SELECT {SEGMENT}, {seal} FROM segments {where} ORDER BY first", values)
        return [read_segment(row, self.path) for row in found]

    def document(self, document_id: str) -> Document | None:
        """The document of an id. Raises IndexDamaged when it fails its checksum."""
        found = self._documents("id = ?", (document_id,))
        return found[0][1] if found else None

    def _documents(self, where: str, values: Sequence[object]) -> list[tuple[int, Document]]:
        found = self.rows(f"SELECT {DOCUMENT}, {self._seal}, text FROM documents WHERE {where}", values)
        return [(int(str(row[0])), read_document(row, self.path)) for row in found]

    def documents(self, source: str | None, after: str, limit: int, named: str = "") -> list[Document]:
        """Documents in the order of their ids, of one source or all, with `named` in their title or address."""
        where, values = ("", ()) if source is None else ("AND source = ?", (source,))
        sql = f"""id > ? {where}
                  AND (instr(lower(title), lower(?)) OR instr(lower(url), lower(?))) ORDER BY id LIMIT ?"""
        return [document for _, document in self._documents(sql, (after, *values, named, named, limit))]

    def sample(self, language: str, n: int, length: int) -> list[str]:
        """The beginnings, of `length` characters, of about n whole texts in a language, evenly over the index."""
        first, last = self.rows("SELECT ifnull(min(key), 0), ifnull(max(key), 0) FROM documents")[0]
        step = max(1, (int(str(last)) - int(str(first))) // n)
        sql = "SELECT text, crc FROM documents WHERE key % ? = 0 AND language = ? LIMIT ?"
        found = self.rows(sql, (step, language, 2 * n))
        return [str(text)[:length] for text, crc in found if checksum(text) == crc]

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
        """Passages with their documents by key; keys that are no longer there are left out. Raises IndexDamaged."""
        with self.reading():
            found = self._passages("key", keys)
            owners = sorted({int(str(row[2])) for row in found})
            documents = dict(self._documents(f"key IN ({','.join('?' * len(owners))})", owners))
        try:
            return {
                int(str(row[0])): (
                    read_passage(row, documents[int(str(row[2]))], self.path),
                    documents[int(str(row[2]))],
                )
                for row in found
            }
        except KeyError:
            raise IndexDamaged(f"{self.path} holds passages of no document.", DAMAGED_FILE_HINT) from None

    def _passages(self, column: str, values: Sequence[int]) -> list[tuple[object, ...]]:
        marks = ",".join("?" * len(values))
        return self.rows(f"SELECT {PASSAGE}, {self._seal} FROM passages WHERE {column} IN ({marks})", values)

    def passage_key(self, passage_id: str) -> int | None:
        """The key of a passage's id."""
        found = self.rows("SELECT key FROM passages WHERE id = ?", (passage_id,))
        return int(str(found[0][0])) if found else None

    def passage_keys(self, document_id: str) -> dict[str, int]:
        """The keys of a document's passages by their ids, in order."""
        sql = """SELECT id, key FROM passages WHERE document = (SELECT key FROM documents WHERE id = ?)
                 ORDER BY ordinal"""
        return {str(passage_id): int(str(key)) for passage_id, key in self.rows(sql, (document_id,))}

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
        """What is wrong with the file: SQLite's own check, and rows that fail their checksum."""
        found = [str(row[0]) for row in self.rows("PRAGMA integrity_check(5)")]
        problems = [f"{self.path} is damaged: {line}." for line in found if line != "ok"]
        return problems or [problem for _, problem in self.damaged()]

    def damaged(self) -> Iterator[tuple[int, str]]:
        """(key, what is wrong) of each document that fails its checksum, or lacks a passage, or has a damaged one."""
        for (key,) in self.rows("SELECT key FROM documents ORDER BY key"):
            try:
                with self.reading():
                    found, rows = self._documents("key = ?", (key,)), self._passages("document", [int(str(key))])
                for _, document in found:
                    held = sorted(read_passage(row, document, self.path).ordinal for row in rows)
                    if held != list(range(len(held))) or (not held and document.text.strip()):
                        yield int(str(key)), f"{self.path} has lost passages of a document ({document.id})."
            except IndexDamaged as error:
                yield int(str(key)), error.message

    def admitted(self, filters: Filters, after: int = 0) -> NDArray[np.int64]:
        """Keys past `after` of the documents that satisfy the filters, ascending. A document without a date satisfies
        no date."""
        found, values = conditions(filters)
        sql = f"SELECT key FROM documents WHERE {' AND '.join(['key > ?', *found])} ORDER BY key"
        return np.array([row[0] for row in self.rows(sql, (after, *values))], dtype=np.int64)

    def labels(self, owners: Sequence[int]) -> dict[int, Label]:
        """What documents are sorted by, by their keys. Raises IndexDamaged."""
        marks = ",".join("?" * len(owners))
        found = self.rows(f"SELECT {DOCUMENT}, {self._seal} FROM documents WHERE key IN ({marks})", owners)
        return {int(str(row[0])): read_label(row, self.path) for row in found}

    # Changes, inside a transaction

    def advance(self, connection: sqlite3.Connection) -> None:
        """Say that there is something new to see."""
        connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'generation'")

    def remove(self, connection: sqlite3.Connection, document_ids: Iterable[str]) -> None:
        """Remove documents and their passages, and list the passages as dead in their segments."""
        sql = "SELECT key FROM documents WHERE id = ?"
        self.bury(
            connection, self.erase(connection, [r[0] for i in document_ids for r in connection.execute(sql, (i,))])
        )

    def erase(self, connection: sqlite3.Connection, keys: Iterable[int]) -> list[int]:
        """Remove documents by their keys; returns the keys of their passages, which are to be buried."""
        dead: list[int] = []
        for key in keys:
            dead += [row[0] for row in connection.execute("SELECT key FROM passages WHERE document = ?", (key,))]
            connection.execute("DELETE FROM documents WHERE key = ?", (key,))
        return dead

    def bury(self, connection: sqlite3.Connection, passages: Sequence[int]) -> None:
        """List passages as dead in their segments. Raises IndexDamaged, before it writes, for a damaged list."""
        if not passages:
            return
        dead, segments = np.array(passages), self.segments()
        places = np.searchsorted([row.first for row in segments], dead, side="right") - 1
        for place in np.unique(places[places >= 0]):
            row = segments[place]
            connection.execute("DELETE FROM segments WHERE name = ?", (row.name,))
            insert_segment(connection, replace(row, dead=np.union1d(row.dead, dead[places == place])))

    def forget(self, connection: sqlite3.Connection, keys: Iterable[int]) -> None:
        """Forget the files that documents came from, so that a refresh reads them again: all files where a damaged row
        names one that is not known."""
        sql = "SELECT source, file FROM documents WHERE key = ?"
        named = {row for key in keys for row in connection.execute(sql, (key,)) if row[1]}
        if named <= set(connection.execute("SELECT source, file FROM files")):
            self.remember(connection, (), named)
        else:
            connection.execute("DELETE FROM files")

    def next_key(self, connection: sqlite3.Connection, table: str) -> int:
        """A key that no row of the table has had."""
        sql = (
            f"SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = ?), 0), ifnull(max(key), 0)) FROM {table}"
        )
        return int(connection.execute(sql, (table,)).fetchone()[0]) + 1

    def establish(self, connection: sqlite3.Connection, facts: Mapping[str, str]) -> None:
        """Store facts, and seal them all."""
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts.items())
        found = {str(name): str(value) for name, value in connection.execute("SELECT name, value FROM meta")}
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('seal', ?)", (_seal_of(found),))

    def seal(self, connection: sqlite3.Connection) -> None:
        """Give a seal to every row that has none, save documents whose text is damaged: those fit none from now on."""
        connection.create_function("checksum", -1, checksum, deterministic=True)
        for table, columns in SEALED.items():
            there = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if "seal" not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN seal INTEGER")
            whole = "AND crc = checksum(text)" if table == "documents" else ""
            connection.execute(f"UPDATE {table} SET seal = checksum({columns}) WHERE seal IS NULL {whole}")

    def remember(
        self, connection: sqlite3.Connection, files: Iterable[FileState], forgotten: Iterable[tuple[str, str]]
    ) -> None:
        """Store the state of files, and forget files given as (source, file)."""
        connection.executemany("DELETE FROM files WHERE source = ? AND file = ?", forgotten)
        values = [(f.source, f.file, f.size, f.modified, f.digest) for f in files]
        connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Readers beside one writer (WAL). SQLite does not wait here for others that open a database which is not yet so;
    this does, for five seconds. Raises sqlite3.OperationalError."""
    until = time.monotonic() + 5
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _seal_of(meta: Mapping[str, str]) -> str:
    return str(checksum(*(meta.get(name) for name in FACTS)))


def _translated(error: sqlite3.DatabaseError, path: Path) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or name.startswith("SQLITE_CORRUPT"):
        return IndexDamaged(f"{path} is damaged: {error}.", DAMAGED_FILE_HINT)
    if name.startswith("SQLITE_BUSY") or name == "SQLITE_LOCKED":
        return Conflict(f"{path} is in use by another process.", "Try again in a moment.")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return StorageFailed(
            f"{path} could not be read or written: {error}.",
            "Free some space or check the permissions; what was indexed before is untouched.",
        )
    if isinstance(error, sqlite3.OperationalError) and name in ("", "SQLITE_ERROR"):
        # A text that is no UTF-8, or a table that is not there: our queries are right for every whole catalogue.
        return IndexDamaged(f"{path} is damaged: {str(error)[:100]}.", DAMAGED_FILE_HINT)
    return error
