"""Between SQLite's rows and the nouns: documents, passages, segments, filters.

Each row carries a seal, the CRC-32 of its other columns, since SQLite's pages have no checksum of their own. It finds
a damaged disk, and is no seal against forgery. An index of format 1 or 2 has none until it is next written to.
"""

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from indexing.segment import REPAIR_HINT
from indexing.types import Document, Filters, IndexDamaged, Passage

DOCUMENT = (
    "key, id, source, file, url, title, crc, published_at, published, fetched_at, language, metadata, content_hash"
)
"""What the seal of a document covers, in order; its text by the text's own CRC-32."""

PASSAGE = 'key, id, document, ordinal, start, "end", heading, page'
"""What the seal of a passage covers, in order."""

SEGMENT = "name, first, passages, dead, build"
"""What the seal of a segment covers, in order."""

SEALED = {"documents": DOCUMENT, "passages": PASSAGE, "segments": SEGMENT}

DAMAGED_ROW_HINT = "`passerine index repair` takes it out; the next refresh reads it again."
DAMAGED_FILE_HINT = (
    "If `passerine index repair` cannot mend it, move the index folder away and run `passerine refresh` on your "
    "documents again."
)


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


@dataclass(frozen=True, slots=True)
class Label:
    """What a document is sorted and counted by."""

    source: str
    language: str
    published_at: datetime | None


def checksum(*values: object) -> int:
    """The CRC-32 of some columns, as text."""
    return zlib.crc32("\0".join([value.hex() if isinstance(value, bytes) else str(value) for value in values]).encode())


def read_document(row: Sequence[object], where: object) -> Document:
    """The document of (DOCUMENT, seal or None for none, text). Raises IndexDamaged, naming the file `where`, when its
    text or another column fails its checksum, or its dates or facts cannot be read."""
    *sealed, seal, text = row
    _, key, source, _, url, title, crc, published, _, fetched, language, facts, digest = sealed
    if checksum(text) != crc:
        raise IndexDamaged(f"{where} holds a damaged text (document {key}).", DAMAGED_ROW_HINT)
    try:
        if seal is not None and seal != checksum(*sealed):
            raise ValueError
        moments, known = (_moment(published), _moment(fetched)), json.loads(str(facts))
    except ValueError:
        raise IndexDamaged(f"{where} holds a damaged document ({key}).", DAMAGED_ROW_HINT) from None
    return Document(
        str(key), str(url), str(title), str(text), *moments, str(language), known, str(digest), str(source)
    )  # fmt: skip


def read_label(row: Sequence[object], where: object) -> Label:
    """The label of (DOCUMENT, seal or None for none). Raises IndexDamaged when it fails its checksum."""
    *sealed, seal = row
    if seal is not None and seal != checksum(*sealed):
        raise IndexDamaged(f"{where} holds a damaged document ({sealed[1]}).", DAMAGED_ROW_HINT)
    return Label(str(sealed[2]), str(sealed[10]), _moment(sealed[7]))


def insert_document(connection: sqlite3.Connection, key: int, document: Document, file: str) -> None:
    """Store a document under a key."""
    published = _aware(document.published_at)
    sealed = (
        key,
        document.id,
        document.source,
        file,
        document.url,
        document.title,
        checksum(document.text),
        published.isoformat() if published else None,
        published.timestamp() if published else None,
        document.fetched_at.isoformat() if document.fetched_at else None,
        document.language,
        json.dumps(dict(document.metadata), ensure_ascii=False),
        document.content_hash,
    )
    _insert(connection, "documents", f"{DOCUMENT}, seal, text", [(*sealed, checksum(*sealed), document.text)])


def insert_passages(connection: sqlite3.Connection, first: int, owner: int, passages: Sequence[Passage]) -> None:
    """Store the passages of the document with the key `owner`, under keys that begin with `first`."""
    rows = [
        (key, p.id, owner, p.ordinal, p.start, p.end, p.heading, p.page) for key, p in enumerate(passages, start=first)
    ]
    _insert(connection, "passages", f"{PASSAGE}, seal", [(*row, checksum(*row)) for row in rows])


def insert_segment(connection: sqlite3.Connection, row: SegmentRow) -> None:
    """List a segment."""
    sealed = (row.name, row.first, row.passages, row.dead.astype("<i8").tobytes(), row.build)
    _insert(connection, "segments", f"{SEGMENT}, seal", [(*sealed, checksum(*sealed))])


def _insert(connection: sqlite3.Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(f"INSERT INTO {table}({columns}) VALUES ({','.join('?' * len(rows[0]))})", rows)


def read_segment(row: Sequence[object], where: object) -> SegmentRow:
    """The segment of (SEGMENT, seal or None for none). Raises IndexDamaged when it fails its checksum."""
    *sealed, seal = row
    if seal is not None and seal != checksum(*sealed):
        raise IndexDamaged(f"{where} holds a damaged row (segment {sealed[0]}).", REPAIR_HINT)
    name, first, passages, dead, build = sealed
    gone = np.frombuffer(dead, dtype="<i8")  # type: ignore[call-overload]
    return SegmentRow(str(name), int(str(first)), int(str(passages)), gone, str(build))


def read_passage(row: Sequence[object], document: Document, where: object) -> Passage:
    """The passage of (PASSAGE, seal or None for none), its text cut out of the document's. Raises IndexDamaged, naming
    the file `where`, when it fails its checksum."""
    *sealed, seal = row
    if seal is not None and seal != checksum(*sealed):
        raise IndexDamaged(f"{where} holds a damaged passage (of document {document.id}).", DAMAGED_ROW_HINT)
    _, passage_id, _, ordinal, start, end, heading, page = sealed
    begin, finish = int(str(start)), int(str(end))
    return Passage(
        str(passage_id),
        document.id,
        int(str(ordinal)),
        begin,
        finish,
        document.text[begin:finish],
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
