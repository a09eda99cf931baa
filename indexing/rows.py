"""Between SQLite's rows and the nouns: documents, passages, segments, filters."""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from indexing.types import Document, Filters, IndexDamaged, Passage

DOCUMENT = "id, url, title, text, published_at, fetched_at, language, metadata, content_hash, source, crc"
"""Columns that `read_document` takes, in order."""

DAMAGED_TEXT_HINT = "Move the index folder away and run `passerine refresh` on your documents again."


@dataclass(frozen=True, slots=True)
class FileState:
    """What was seen of a file when it was indexed: bytes, time of change in nanoseconds, SHA-256 of its content."""

    source: str
    file: str
    size: int
    modified: int
    digest: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment as the catalogue knows it.

    `first` is its lowest passage key, `dead` the keys of its passages that are gone, `build` "" for a live segment
    and the name of the rebuild that makes it otherwise.
    """

    name: str
    first: int
    passages: int
    dead: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    build: str = ""


def read_document(row: Sequence[object], where: object) -> Document:
    """The document of a row. Raises IndexDamaged, naming the file `where`, when its text fails its checksum, or its
    dates or facts cannot be read."""
    key, url, title, text, published, fetched, language, facts, digest, source, crc = row[:11]
    if zlib.crc32(str(text).encode()) != crc:
        raise IndexDamaged(f"{where} holds a damaged text (document {key}).", DAMAGED_TEXT_HINT)
    try:
        moments, known = (_moment(published), _moment(fetched)), json.loads(str(facts))
    except ValueError:
        raise IndexDamaged(f"{where} holds a damaged document ({key}).", DAMAGED_TEXT_HINT) from None
    return Document(
        str(key), str(url), str(title), str(text), *moments, str(language), known, str(digest), str(source)
    )  # fmt: skip


def insert_document(connection: sqlite3.Connection, document: Document, file: str) -> int:
    """Store a document; returns its key."""
    published = _aware(document.published_at)
    values = (
        document.id,
        document.source,
        file,
        document.url,
        document.title,
        document.text,
        zlib.crc32(document.text.encode()),
        published.isoformat() if published else None,
        published.timestamp() if published else None,
        document.fetched_at.isoformat() if document.fetched_at else None,
        document.language,
        json.dumps(dict(document.metadata), ensure_ascii=False),
        document.content_hash,
    )
    marks = ",".join("?" * len(values))
    columns = "id, source, file, url, title, text, crc, published_at, published, fetched_at, language, metadata"
    cursor = connection.execute(f"INSERT INTO documents({columns}, content_hash) VALUES ({marks})", values)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_passages(connection: sqlite3.Connection, owner: int, passages: Iterable[Passage]) -> list[int]:
    """Store a document's passages; returns their keys."""
    keys = []
    sql = 'INSERT INTO passages(id, document, ordinal, start, "end", heading, page) VALUES (?,?,?,?,?,?,?)'
    for p in passages:
        cursor = connection.execute(sql, (p.id, owner, p.ordinal, p.start, p.end, p.heading, p.page))
        assert cursor.lastrowid is not None
        keys.append(cursor.lastrowid)
    return keys


def insert_segment(connection: sqlite3.Connection, row: SegmentRow) -> None:
    """List a segment."""
    values = (row.name, row.first, row.passages, row.dead.astype("<i8").tobytes(), row.build)
    connection.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?)", values)


def read_passage(row: Sequence[object], document: Document) -> Passage:
    """The passage of (id, document id, ordinal, start, end, heading, page), its text cut out of the document's."""
    passage_id, document_id, ordinal, start, end, heading, page = row
    return Passage(
        str(passage_id),
        str(document_id),
        int(str(ordinal)),
        int(str(start)),
        int(str(end)),
        document.text[int(str(start)) : int(str(end))],
        str(heading),
        None if page is None else int(str(page)),
    )


def conditions(filters: Filters) -> tuple[list[str], list[object]]:
    """SQL conditions on the table of documents, and their values."""
    found: list[str] = []
    values: list[object] = []
    choices: Mapping[str, tuple[str, ...]] = {"source": filters.sources, "language": filters.languages}
    for column, allowed in choices.items():
        if allowed:
            found.append(f"{column} IN ({','.join('?' * len(allowed))})")
            values += allowed
    for sign, moment in ((">=", filters.published_from), ("<=", filters.published_to)):
        aware = _aware(moment)
        if aware:
            found.append(f"published {sign} ?")
            values.append(aware.timestamp())
    for name, value in filters.metadata.items():
        found.append("EXISTS (SELECT 1 FROM json_each(metadata) WHERE json_each.key = ? AND json_each.value = ?)")
        values += [name, value]
    return found, values


def _aware(moment: datetime | None) -> datetime | None:
    """A moment without a time zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
