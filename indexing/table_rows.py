"""Between the rows of a table and the nouns.

A table is one Lance dataset, so that one commit covers all of it. Its rows are of four kinds:

    head      one row, which every commit replaces: facts of the table in `text`, as JSON
    item      what was seen of an item of a source, in `text`, as JSON
    document  the whole text, and all that is known of it; `facts` are its metadata, one JSON pair each
    passage   its span, its text and its vector, and of its document what searching and filtering take

`key` is the document's id in the rows of a document and its passages, that of the item in an item's row, and "" in the
head. `hash` is the document's version: its content hash. `seal` is the CRC-32 of the other columns, since Lance's files
have no checksum of their own; tables of the first format have no such column.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from indexing.rows import FileState, Label, checksum
from indexing.store import Entry
from indexing.types import BadInput, Document, Filters, IndexDamaged, Passage, Vectors

MEND_HINT = "`passerine index repair` takes out what is damaged, and the next refresh reads it again."


def lance() -> Any:
    """The package, of the extra `cluster`. Raises BadInput where it is not installed."""
    try:
        import lance
        import lance.commit
        import lance.fragment
    except ImportError as error:
        raise BadInput(
            "A table needs the packages of the extra `cluster`.", "Run `pip install 'passerine[cluster]'`."
        ) from error
    return lance


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table lies: the URI of its Lance dataset, and what the object store is told (see Lance's documentation).

    Without options Lance reads the usual variables of a bucket's vendor, such as AWS_ACCESS_KEY_ID.
    """

    uri: str
    options: Mapping[str, str] | None = None

    def open(self, version: int | None = None) -> Any:
        """The Lance dataset. Raises ValueError when there is none."""
        return lance().dataset(self.uri, version=version, storage_options=self.options)


def schema(dimension: int, sealed: bool = True) -> Any:
    """The columns of a table."""
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    columns = {
        "kind": text, "key": text, "hash": text, "source": text, "file": text, "url": text, "title": text,
        "published_at": text, "published": number, "fetched_at": text, "language": text, "facts": pa.list_(text),
        "id": text, "ordinal": whole, "start": whole, "end": whole, "heading": text, "page": whole,
        "text": pa.large_string(), "vector": pa.list_(pa.float16(), dimension),
    }  # fmt: skip
    return pa.schema([*columns.items(), ("seal", whole)] if sealed else list(columns.items()))


def table_of(rows: Iterable[Mapping[str, object]], columns: Any) -> Any:
    """An Arrow table with the columns of `schema`; what a row does not name is null."""
    import pyarrow as pa

    if "seal" in columns.names:
        rows = (row | {"seal": _seal(row, columns.names)} for row in map(dict, rows))
    return pa.Table.from_pylist(list(rows), columns)


def _seal(row: Mapping[str, Any], columns: Iterable[str]) -> int:
    values = {name: row.get(name) for name in columns if name != "seal"}
    if values["vector"] is not None:
        values["vector"] = np.asarray(values["vector"], np.float16).tobytes()
    return checksum(*values.values())


def damage(row: Mapping[str, Any]) -> str:
    """What is wrong with a row with all columns of its table, "" for a whole one."""
    if "seal" in row and row["seal"] != _seal(row, row):
        return f"holds a damaged {row['kind'] or 'row'} ({row['id'] or row['key']})"
    return ""


def checked(rows: Iterable[dict[str, Any]], uri: str) -> list[dict[str, Any]]:
    """The rows, with all columns of their table. Raises IndexDamaged for one that fails its checksum."""
    found = list(rows)
    for row in found:
        if wrong := damage(row):
            raise IndexDamaged(f"The table {uri} {wrong}.", MEND_HINT)
    return found


@contextmanager
def reading(uri: str) -> Iterator[None]:
    """Says in one sentence what Lance raises for a file that makes no sense to it. Raises IndexDamaged."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise IndexDamaged(f"A file of the table {uri} is damaged: {first_line(error)}.", MEND_HINT) from error


def first_line(error: BaseException) -> str:
    """What Lance says, without the place in its own source."""
    return str(error).partition("\n")[0].partition(", /")[0][:200].rstrip(". ")


def entry_rows(entry: Entry) -> list[dict[str, object]]:
    """A document's row, and one for each of its passages."""
    document, published = entry.document, _aware(entry.document.published_at)
    shared: dict[str, object] = {
        "key": document.id,
        "hash": document.content_hash,
        "source": document.source,
        "title": document.title,
        "language": document.language,
        "published": published.timestamp() if published else None,
        "published_at": published.isoformat() if published else None,
        "facts": [json.dumps(pair, ensure_ascii=False) for pair in document.metadata.items()],
    }
    rows = [
        shared
        | {
            "kind": "document",
            "file": entry.file,
            "url": document.url,
            "text": document.text,
            "fetched_at": document.fetched_at.isoformat() if document.fetched_at else None,
        }
    ]
    for p, vector in zip(entry.passages, entry.vectors.astype(np.float16), strict=True):
        rows.append(
            shared
            | {"kind": "passage", "id": p.id, "ordinal": p.ordinal, "start": p.start, "end": p.end}
            | {"heading": p.heading, "page": p.page, "text": p.text, "vector": vector}
        )
    return rows


def item_row(state: FileState) -> dict[str, object]:
    """The row of an item."""
    seen = json.dumps([state.size, state.modified, state.digest])
    key = item_key(state.source, state.file)
    return {"kind": "item", "key": key, "source": state.source, "file": state.file, "text": seen}


def item_key(source: str, file: str) -> str:
    """What an item's row is found by."""
    return json.dumps([source, file])


def head_row(facts: Mapping[str, str]) -> dict[str, object]:
    """The row that every commit replaces."""
    return {"kind": "head", "key": "", "text": json.dumps(dict(facts))}


def head_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a table."""
    facts: dict[str, str] = json.loads(row["text"])
    return facts


def state_of(row: Mapping[str, Any]) -> FileState:
    """An item's state."""
    return FileState(row["source"], row["file"], *json.loads(row["text"]))


def document_of(row: Mapping[str, Any]) -> Document:
    """The document of a row."""
    return Document(
        row["key"], row["url"], row["title"], row["text"], _moment(row["published_at"]), _moment(row["fetched_at"]),
        row["language"], dict(json.loads(pair) for pair in row["facts"] or ()), row["hash"], row["source"],
    )  # fmt: skip


def label_of(row: Mapping[str, Any]) -> Label:
    """What the document of a row is sorted by."""
    return Label(row["source"], row["language"], _moment(row["published_at"]))


def passage_of(row: Mapping[str, Any]) -> Passage:
    """The passage of a row."""
    return Passage(
        row["id"], row["key"], row["ordinal"], row["start"], row["end"], row["text"], row["heading"], row["page"]
    )  # fmt: skip


def vector_of(row: Mapping[str, Any]) -> Vectors:
    """float32 [dimension] of a passage, as it is stored (16 bits)."""
    return np.array(row["vector"], np.float32)


def replaced(documents: Sequence[str], items: Sequence[str]) -> str:
    """The rows that a commit removes: the head, documents with their passages, and items, by their keys."""
    found = ["kind = 'head'"]
    if documents:
        found.append(f"(kind IN ('document', 'passage') AND {among('key', documents)})")
    if items:
        found.append(f"(kind = 'item' AND {among('key', items)})")
    return " OR ".join(found)


def admitting(filters: Filters) -> str:
    """The passages that satisfy the filters. A document without a date satisfies no date."""
    found = ["kind = 'passage'"]
    if filters.sources:
        found.append(among("source", filters.sources))
    if filters.languages:
        found.append(among("language", filters.languages))
    for sign, moment in ((">=", filters.published_from), ("<=", filters.published_to)):
        aware = _aware(moment)
        if aware:
            found.append(f"published {sign} {aware.timestamp()!r}")
    for pair in filters.metadata.items():
        found.append(f"array_has(facts, {quoted(json.dumps(pair, ensure_ascii=False))})")
    return " AND ".join(found)


def among(column: str, values: Iterable[str]) -> str:
    """A condition: the column is one of the values."""
    return f"{column} IN ({', '.join(map(quoted, values))})"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _aware(moment: datetime | None) -> datetime | None:
    """A moment without a time zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
