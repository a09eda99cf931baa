"""What a table holds, whether it is whole, and what can be mended: `inventory` and `rebuild` for a table.

A table is looked at as its files are, fragment by fragment, since one that cannot be read hinders every search.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexing.store import searched_text
from indexing.table import ATTEMPTS, FORMAT, FULL, READABLE, Table, failed
from indexing.table_rows import (
    Place,
    among,
    checked,
    damage,
    document_of,
    first_line,
    head_of,
    head_row,
    lance,
    passage_of,
    reading,
    schema,
    table_of,
)
from indexing.types import Cancelled, Conflict, Document, Encoder, IndexDamaged, PasserineError, Progress
from indexing.writer import SLICE, never

_ROWS = 1024
"""Rows read at a time: some megabytes of text."""
_UNIT = 2e-3
"""How far the length of a vector may be from 1 after its numbers were cut to 16 bits."""
_UNREACHABLE = re.compile(r"(?i)error sending request|connect|timed? ?out|denied|status code: (401|403|429|5\d\d)")
"""What Lance says of a file that may well be whole."""


@dataclass(frozen=True, slots=True)
class FragmentFacts:
    """One fragment: documents, passages and deleted rows, bytes of its data; "" or what is wrong."""

    number: int
    documents: int
    passages: int
    dead: int
    bytes: int
    problem: str = ""


@dataclass(slots=True)
class _Found:
    """What reading all rows of a version has shown."""

    fragments: list[FragmentFacts] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)  # their versions, by id
    passages: Counter[tuple[str, str]] = field(default_factory=Counter)  # of each document and version
    last: dict[tuple[str, str], int] = field(default_factory=dict)  # their highest ordinals
    heads: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)  # fragments that cannot be read
    damaged: set[str] = field(default_factory=set)  # keys of damaged rows, as they read
    versions: set[str] = field(default_factory=set)  # versions of documents that damaged rows belong to

    def incomplete(self) -> set[str]:
        """Documents that lack rows: their own, or one amid their passages."""
        return {
            key
            for (key, version), count in self.passages.items()
            if self.documents.get(key) != version or count != self.last[key, version] + 1
        }


def fragments(place: Place) -> list[FragmentFacts]:
    """The fragments of the newest version; reads each whole and names what is damaged. Raises IndexMissing,
    IndexDamaged, StorageFailed."""
    return _look(_opened(place), place).fragments


def verify(place: Place) -> list[str]:
    """What is wrong with the table, one sentence each; reads every row. Raises IndexMissing, StorageFailed."""
    try:
        return _look(_opened(place), place).problems
    except IndexDamaged as error:
        return [error.message]


def mend(place: Place) -> list[str]:
    """Take out what is damaged: documents with a row that fails its checksum or is missing, and fragments that cannot
    be read. Forget what was seen of files, so that the next refresh reads all of them; it encodes what is missing.
    Returns what was wrong.

    Nothing goes back to an earlier version, in which deleted documents would be there again; only the facts of the
    table are taken from there when they are lost. Raises IndexDamaged when no version has them, Conflict.
    """
    for _ in range(ATTEMPTS):
        dataset = _opened(place)
        found = _look(dataset, place)
        if not found.problems:
            return []
        of_damaged = {key for key, version in found.documents.items() if version in found.versions}
        bad = found.damaged | found.incomplete() | of_damaged
        condition = "kind IN ('head', 'item') OR kind IS NULL"
        if bad:
            condition += f" OR {among('key', bad)}"
        facts = found.heads[0] if len(found.heads) == 1 else _earlier(dataset, place, found)
        gone, changed = list(found.lost), []
        for fragment in dataset.get_fragments():
            if fragment.fragment_id not in found.lost:
                left = fragment.delete(condition)
                if left is None:
                    gone.append(fragment.fragment_id)
                else:
                    changed.append(left)
        head = table_of([head_row(facts)], dataset.schema)
        written = lance().fragment.write_fragments(
            head, place.uri, head.schema, mode="append", storage_options=place.options
        )
        operation = lance().LanceOperation.Update(
            removed_fragment_ids=gone, updated_fragments=changed, new_fragments=list(written), fields_modified=[]
        )
        try:
            lance().LanceDataset.commit(
                place.uri, operation, read_version=dataset.version, storage_options=place.options
            )
        except lance().commit.CommitConflictError:
            time.sleep(0.1)
            continue
        return found.problems
    raise Conflict("Other writers keep committing to the table.", "Try again in a moment.")


def rebuild(
    table: Table, encoder: Encoder, progress: Progress | None = None, cancelled: Callable[[], bool] = never
) -> int:
    """Make all vectors anew beside the live ones, for another encoder, then swap in one commit; returns passages
    encoded. Vectors of the same encoder are kept (shards make postings anew by themselves).

    What is committed meanwhile is made anew before the swap. Progress stage: "encode" (passages). Raises Conflict while
    a refresh runs, IndexDamaged for a damaged row, and Cancelled: a later call begins anew.
    """
    with table.refreshing():
        return _Rebuild(table, encoder, progress, cancelled).run()


class _Rebuild:
    def __init__(
        self, table: Table, encoder: Encoder, progress: Progress | None, cancelled: Callable[[], bool]
    ) -> None:
        self.table, self.encoder, self.progress, self.cancelled = table, encoder, progress, cancelled
        self.place, self.columns = table.place, schema(encoder.dimension)
        self.encoded, self.total = 0, table.counts().passages
        self.made: dict[str, list[Any]] = {}
        self.stopped: PasserineError | None = None

    def run(self) -> int:
        dataset = self.place.open()
        facts = {**self.table.meta(), "format": FORMAT, **self.table.made_by(self.encoder)}
        self.same = self.table.meta()["encoder_fingerprint"] == self.encoder.fingerprint
        while True:
            pieces = [self._piece(fragment) for fragment in dataset.get_fragments()]
            if self.place.open().version == dataset.version:
                head = self._written(table_of([head_row(facts)], self.columns))
                made = [each for piece in (*pieces, head) for each in piece]
                operation = lance().LanceOperation.Overwrite(self.columns, made)
                swapped = lance().LanceDataset.commit(
                    self.place.uri, operation, read_version=dataset.version, storage_options=self.place.options
                )
                if swapped.version == dataset.version + 1:
                    return self.encoded
                dataset = self.place.open(swapped.version - 1)  # somebody was quicker, and is not forgotten
            else:
                dataset = self.place.open()

    def _piece(self, fragment: Any) -> list[Any]:
        """The data files of a fragment made anew; made once, unless rows of it are deleted in the meantime."""
        name = f"{[file.path for file in fragment.metadata.files]} {fragment.metadata.deletion_file}"
        if name not in self.made:
            import pyarrow as pa

            batches = pa.RecordBatchReader.from_batches(self.columns, self._batches(fragment))
            self.made[name] = self._written(batches)
        return self.made[name]

    def _written(self, data: Any) -> list[Any]:
        try:
            return list(
                lance().fragment.write_fragments(
                    data, self.place.uri, self.columns, mode="overwrite", max_rows_per_file=FULL,
                    storage_options=self.place.options,
                )
            )  # fmt: skip
        except OSError as error:  # which is also what becomes of an error of the batches
            raise (self.stopped or failed(self.place, error)) from error

    def _batches(self, fragment: Any) -> Iterator[Any]:
        try:
            with reading(self.place.uri):
                yield from self._rows(fragment)
        except PasserineError as error:
            self.stopped = error
            raise

    def _rows(self, fragment: Any) -> Iterator[Any]:
        for batch in fragment.to_batches(batch_size=_ROWS, filter="kind != 'head'"):
            rows = checked(batch.to_pylist(), self.place.uri)
            if not self.same:
                self._encode([row for row in rows if row["kind"] == "passage"])
            yield from table_of(rows, self.columns).to_batches()

    def _encode(self, rows: list[dict[str, Any]]) -> None:
        rows = sorted(rows, key=lambda row: len(row["text"]))
        for start in range(0, len(rows), SLICE):
            if self.cancelled():
                raise Cancelled("The rebuild was stopped.", "The old table serves on; run it again to begin anew.")
            part = rows[start : start + SLICE]
            texts = [searched_text(Document("", "", row["title"], ""), passage_of(row)) for row in part]
            for row, vector in zip(part, self.encoder.encode_passages(texts), strict=True):
                row["vector"] = vector.astype(np.float16)
            self.encoded += len(part)
            if self.progress:
                self.progress("encode", self.encoded, self.total)


def _opened(place: Place) -> Any:
    """The newest version, whatever its files are like."""
    return Table(place).newest()


def _look(dataset: Any, place: Place) -> _Found:
    """Reads all rows of a version."""
    found = _Found()
    for fragment in dataset.get_fragments():
        documents = passages = 0
        size = sum(file.file_size_bytes or 0 for file in fragment.metadata.files)
        number, problem = fragment.fragment_id, ""
        part = _Found()
        try:
            for batch in fragment.to_batches(batch_size=_ROWS):
                kinds = [_note(row, part, place.uri) for row in batch.to_pylist()]
                documents, passages = documents + kinds.count("document"), passages + kinds.count("passage")
        except (ValueError, OSError, RuntimeError) as error:
            if _UNREACHABLE.search(str(error)):
                raise failed(place, error) from error
            problem = f"The fragment {number} of {place.uri} cannot be read: {first_line(error)}."
            found.lost.append(number)
            found.problems.append(problem)
        else:
            problem = part.problems[0] if part.problems else ""
            _add(found, part)
        dead = fragment.num_deletions
        found.fragments.append(FragmentFacts(number, documents, passages, dead, size, problem))
    if len(found.heads) != 1 and not found.lost:
        found.problems.append(f"The table {place.uri} has {len(found.heads)} rows of facts instead of one.")
    for key in sorted(found.incomplete() - found.damaged):
        found.problems.append(f"The table {place.uri} has lost a part of {key}.")
    return found


def _add(found: _Found, part: _Found) -> None:
    found.documents |= part.documents
    found.passages += part.passages
    for owner, ordinal in part.last.items():
        found.last[owner] = max(ordinal, found.last.get(owner, 0))
    found.heads += part.heads
    found.problems += part.problems
    found.damaged |= part.damaged
    found.versions |= part.versions


def _note(row: dict[str, Any], found: _Found, uri: str) -> str:
    """Notes what a row holds, or what is wrong with it; returns its kind."""
    wrong = damage(row) or _shapeless(row)
    if wrong:
        found.problems.append(f"The table {uri} {wrong}.")
        found.damaged.add(row["key"] or "")
        found.versions |= {row["hash"]} if row["hash"] else set()
    elif row["kind"] == "head":
        found.heads.append(head_of(row))
    elif row["kind"] == "document":
        found.documents[row["key"]] = document_of(row).content_hash
    elif row["kind"] == "passage":
        owner = row["key"], row["hash"]
        found.passages[owner] += 1
        found.last[owner] = max(row["ordinal"], found.last.get(owner, 0))
    return str(row["kind"])


def _shapeless(row: dict[str, Any]) -> str:
    """What is wrong with the vector of a passage: it has unit length."""
    if row["kind"] != "passage":
        return ""
    length = np.linalg.norm(np.array(row["vector"] if row["vector"] else [np.nan], np.float32))
    return "" if abs(length - 1) < _UNIT else f"holds a damaged vector ({row['id']})"


def _earlier(dataset: Any, place: Place, found: _Found) -> dict[str, str]:
    """The facts of the table as the newest version has them that still has files of this one. Raises IndexDamaged."""
    whole = [fragment for fragment in dataset.get_fragments() if fragment.fragment_id not in found.lost]
    kept = {file.path for fragment in whole for file in fragment.metadata.files}
    for each in reversed(dataset.versions()):
        if each["version"] >= dataset.version:
            continue
        try:
            before = place.open(each["version"])
            heads = _look(before, place).heads
        except (ValueError, OSError, RuntimeError):
            continue
        shared = any(file.path in kept for fragment in before.get_fragments() for file in fragment.metadata.files)
        if len(heads) == 1 and heads[0].get("format") in READABLE and (shared or not kept):
            return heads[0]
    raise IndexDamaged(
        f"The table {place.uri} has lost its facts, and no earlier version has them.",
        "Name another place for the table, and refresh all sources into it.",
    )
