"""Documents and passages in a Lance dataset on a shared folder or bucket: what `store` is on one machine, for several.

Every commit replaces the one row of the head beside the rows that it is about. Two commits that began from the same
version therefore always collide, on whatever storage: Lance lets the first through, and the second is worked out again
from what the first has left. So no document is ever stored twice, and a writer that is killed leaves files that no
version names, which `tidy` removes. Readers hold a version, which never changes under them.
"""

import random
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from indexing.catalogue import SourceCount
from indexing.lexical import Parameters, Rows
from indexing.lock import locked
from indexing.rows import FileState, Label
from indexing.shard import Choice, LocalShards, Part, Shard, Shards
from indexing.spelling import Speller
from indexing.store import REBUILD_HINT, REFRESH_HINT, Changes, Counts, searched_text
from indexing.table_rows import (
    Place,
    among,
    checked,
    document_of,
    entry_rows,
    first_line,
    head_of,
    head_row,
    item_key,
    item_row,
    lance,
    passage_of,
    quoted,
    reading,
    replaced,
    schema,
    state_of,
    table_of,
    vector_of,
)
from indexing.table_view import TableView
from indexing.tokenize import Analyser
from indexing.types import (
    Conflict,
    Document,
    Encoder,
    EncoderMismatch,
    Filters,
    IndexDamaged,
    IndexMissing,
    NotFound,
    Passage,
    Progress,
    StorageFailed,
    Vectors,
)

FORMAT = "table 2"
READABLE = ("table 1", FORMAT)
"""Formats that are read and written to; rows of the first have no checksum."""
LOOK_SECONDS = 0.5
"""Between two looks for a newer version, so that a search on a bucket does not begin with a request."""
ATTEMPTS = 60
"""Times that a commit is worked out again; beside three writers that commit without a pause a few are needed."""
SMALL = 8
"""Fragments below `FULL` rows that are left alone; more are joined."""
FULL = 1 << 20
"""Rows of a fragment at most: what one shard makes searchable at a time, some 20 seconds of work, and half a minute for
its lists."""
UNTIDY = 64
"""Commits after which a writer tidies up in the middle of its work."""
OLD = timedelta(hours=1)
"""Age from which versions are removed that are not the newest: no search and no commit takes as long."""


class Table:
    """A table of documents and passages with the verbs of `Index`; safe to share between threads.

    >>> table = Table.create(Place("/mnt/shared/passerine.lance"), encoder)
    >>> Searcher(table, encoder).search(Query("Who landed on the Moon first?"), k=5)
    """

    def __init__(self, place: Place, shards: Shards | None = None) -> None:
        """`shards` search it; absent: one, in this process."""
        self.place, self.analyser = place, Analyser()
        self.shards: Shards = shards or LocalShards([Shard(place)])
        self._speller = Speller(self.analyser, self._sample)
        self._version: _Version | None = None
        self._view: TableView | None = None
        self._guard, self._loading = threading.Lock(), threading.Lock()
        self._looked_at = 0.0
        self._commits = 0

    @classmethod
    def open(cls, place: Place, shards: Shards | None = None) -> "Table":
        """Raises IndexMissing, IndexDamaged, BadInput without the extra `cluster`."""
        table = cls(place, shards)
        table.meta()
        return table

    @classmethod
    def create(
        cls, place: Place, encoder: Encoder, parameters: Parameters | None = None, shards: Shards | None = None
    ) -> "Table":
        """Open the table, made when there is none. Raises EncoderMismatch, StorageFailed."""
        table, parameters = cls(place, shards), parameters or Parameters()
        try:
            table.meta()
        except IndexMissing:
            facts = {"format": FORMAT, "k1": str(parameters.k1), "b": str(parameters.b), **table.made_by(encoder)}
            head = table_of([head_row(facts)], schema(encoder.dimension))
            try:
                lance().write_dataset(head, place.uri, mode="create", storage_options=place.options)
            except OSError as error:
                if "already exists" not in str(error):  # else another process was quicker
                    raise failed(place, error) from error
        table.check(encoder)
        return table

    def close(self) -> None:
        """Let go of the shards."""
        self.shards.close()
        self._version = self._view = None

    @property
    def catalogue(self) -> "Table":
        """What is known of documents and items: the table itself."""
        return self

    def meta(self) -> dict[str, str]:
        """The table's own facts: format, encoder, encoder_fingerprint, dimension, analyser, k1, b."""
        return self._now().head

    @property
    def generation(self) -> int:
        """The number of the newest version."""
        return self._now().number

    def made_by(self, encoder: Encoder) -> dict[str, str]:
        """The facts that bind a table to its encoder and analyser."""
        return {
            "encoder": encoder.name,
            "encoder_fingerprint": encoder.fingerprint,
            "dimension": str(encoder.dimension),
            "analyser": self.analyser.fingerprint,
        }

    def check(self, encoder: Encoder) -> None:
        """Raise EncoderMismatch when the table was made by another encoder, or by another analyser."""
        meta = self.meta()
        if meta["encoder_fingerprint"] != encoder.fingerprint:
            raise EncoderMismatch(
                f"The table was made with the encoder {meta['encoder']}, and this one is {encoder.name}.",
                REBUILD_HINT,
            )
        if meta["analyser"] != self.analyser.fingerprint:
            raise EncoderMismatch("The table was made by another version of the analyser.", REBUILD_HINT)

    # Reading

    def newest(self) -> Any:
        """The newest version of the dataset, whatever its files are like. Raises IndexMissing, IndexDamaged for a
        version that cannot be read, StorageFailed."""
        try:
            return self.place.open()
        except ValueError as error:
            if "not found" not in str(error):
                raise IndexDamaged(f"The table {self.place.uri} cannot be read: {first_line(error)}.") from error
            raise IndexMissing(f"There is no table {self.place.uri}.", REFRESH_HINT) from None
        except OSError as error:
            raise failed(self.place, error) from error

    def _now(self, newest: bool = False) -> "_Version":
        """The latest version, or one that was it half a second ago."""
        with self._guard:
            known = self._version
            if known and not newest and time.monotonic() - self._looked_at < LOOK_SECONDS:
                return known
            try:
                old = known is None or known.dataset.latest_version != known.number
            except OSError as error:
                raise failed(self.place, error) from error
            if old or known is None:
                known = self._version = _Version(self.newest())
            self._looked_at = time.monotonic()
            return known

    def snapshot(self) -> TableView:
        """The latest version, searchable; cheap when nothing was committed since the last call."""
        now = self._now()
        with self._loading:
            if self._view is None or self._view.version < now.number:
                meta = now.head
                parameters = Parameters(float(meta["k1"]), float(meta["b"]))
                fragments = {f.fragment_id: f.physical_rows for f in now.dataset.get_fragments()}
                parts = [Part(now.number, part, parameters) for part in self.shards.divide(fragments)]
                self._view = TableView(now.dataset, self.shards, parts, meta["encoder_fingerprint"])
            return self._view

    def admitted(self, filters: Filters, snapshot: TableView, without: Sequence[int] = ()) -> Choice | None:
        """What every shard leaves of its own passages; None for all."""
        del snapshot
        chosen = Choice(filters, tuple(without))
        return None if chosen == Choice(Filters()) else chosen

    def read(self, keys: Sequence[int], snapshot: TableView) -> dict[int, tuple[Passage, Document]]:
        """Passages with their documents by row address. Raises IndexDamaged."""
        return snapshot.read(keys)

    def keys(self, document_id: str, snapshot: TableView) -> dict[str, int]:
        """The row addresses of a document's passages by their ids, in order."""
        return snapshot.keys(document_id)

    def labels(self, passages: Rows, snapshot: TableView) -> dict[int, tuple[str, Label]]:
        """The id of its document, and what that is sorted by, of each passage."""
        return snapshot.labels(passages.tolist())

    def did_you_mean(self, query: str) -> str:
        """The query with its misspelt English words replaced by words of the table, "" where none is."""
        snapshot = self.snapshot()
        return self._speller.did_you_mean(query, snapshot.lexical, len(snapshot))

    def _sample(self, texts: int, characters: int) -> list[str]:
        """The beginnings of some of the English texts, from every fragment."""
        fragments, condition = self._now().dataset.get_fragments(), "kind = 'document' AND language = 'en'"
        some = -(-texts // len(fragments))
        found = (each.to_table(columns=["text"], filter=condition, limit=some)["text"] for each in fragments)
        return [text[:characters] for column in found for text in column.to_pylist()]

    def document(self, document_id: str) -> Document:
        """Raises NotFound."""
        found = self._documents([document_id])
        if not found:
            raise NotFound(f"There is no document {document_id}.", "Its id stands in the search results.")
        return found[0]

    def documents(
        self, source: str | None = None, after: str = "", limit: int = 100, named: str = ""
    ) -> list[Document]:
        """Documents in the order of their ids, those past the id `after`, with `named` in their title or address."""
        now = self._now()
        if named:
            wanted = quoted(named.lower())
            condition = f"kind = 'document' AND (contains(lower(title), {wanted}) OR contains(lower(url), {wanted}))"
            ids = sorted(row["key"] for row in now.rows(["key"], condition))
        else:
            ids = now.ids
        later = (ids[place] for place in range(bisect_right(ids, after), len(ids)))
        chosen = (key for key in later if source is None or now.owners.get(key, ("",))[0] == source)
        return self._documents(list(islice(chosen, limit)))

    def _documents(self, ids: Sequence[str]) -> list[Document]:
        if not ids:
            return []
        rows = self._now().whole_rows(f"kind = 'document' AND {among('key', ids)}")
        return sorted(map(document_of, rows), key=lambda document: document.id)

    def passage(self, passage_id: str) -> Passage:
        """Raises NotFound."""
        rows = self._now().whole_rows(f"kind = 'passage' AND id = {quoted(passage_id)}")
        if not rows:
            raise NotFound(f"There is no passage {passage_id}.", "Its document may have changed; search again.")
        return passage_of(rows[0])

    def passages(self, document_id: str) -> list[Passage]:
        """The passages of a document, in order; empty when there is none."""
        rows = self._now().whole_rows(f"kind = 'passage' AND key = {quoted(document_id)}")
        return sorted(map(passage_of, rows), key=lambda passage: passage.ordinal)

    def known_vectors(self, document_id: str) -> dict[str, Vectors]:
        """Stored vectors of a document's passages by searched text, so that an edit encodes only what it changed."""
        if self.owner(document_id) is None:
            return {}
        document = self.document(document_id)
        rows = self._now().whole_rows(f"kind = 'passage' AND key = {quoted(document_id)}")
        return {searched_text(document, passage_of(row)): vector_of(row) for row in rows}

    def sources(self) -> list[SourceCount]:
        """Every source with the number of its documents and passages."""
        return self._now().sources

    def counts(self) -> Counts:
        """How much is in the table; `segments` are its fragments."""
        return self._now().counts

    def empty(self) -> bool:
        """Whether no search can find anything."""
        return self.counts().passages == 0

    def languages(self) -> list[tuple[str, int]]:
        """Every language with the number of its documents, the most frequent first."""
        return self._now().languages

    def added_at(self) -> datetime | None:
        """When the newest version was written; None for an empty table."""
        now = self._now()
        return now.written_at if now.counts.documents else None

    def files(self, source: str) -> dict[str, FileState]:
        """What is known of the items of a source, by their keys in it."""
        condition = f"kind = 'item' AND source = {quoted(source)}"
        return {row["file"]: state_of(row) for row in self._now(True).rows(["source", "file", "text"], condition)}

    def ids_by_file(self, source: str) -> dict[str, list[str]]:
        """Ids of a source's documents by the item they came from."""
        found: dict[str, list[str]] = {}
        for key, (owner, file, _) in self._now(True).owners.items():
            if owner == source:
                found.setdefault(file, []).append(key)
        return found

    def owner(self, document_id: str) -> tuple[str, str, str] | None:
        """(source, item, content hash) of a document, None when it is not there."""
        return self._now().owners.get(document_id)

    # Writing

    @contextmanager
    def refreshing(self) -> Iterator[None]:
        """Hold the lock of a refresh, where the table lies in a folder; tidies up at its end. Raises Conflict.

        A bucket has no such lock: two refreshes at once do the work twice, and store each document once.
        """
        if "://" in self.place.uri:
            yield
        else:
            with locked(Path(self.place.uri) / "refresh.lock", "refreshing the table"):
                yield
        self.tidy()

    def commit(self, changes: Changes, encoder: Encoder | None = None) -> None:
        """Do all of `changes` or nothing. Raises EncoderMismatch, StorageFailed, Conflict."""
        documents = list(dict.fromkeys([*changes.removed, *(entry.document.id for entry in changes.entries)]))
        items = [item_key(state.source, state.file) for state in changes.files]
        items += [item_key(*each) for each in changes.forgotten]
        fragments: list[Any] = []
        for attempt in range(ATTEMPTS):
            now = self._now(newest=True)
            if encoder:
                self.check(encoder)
            try:
                if not fragments:
                    fragments = self._written(now, changes)
                changed = _without(now.dataset, replaced(documents, items))
                operation = lance().LanceOperation.Update(
                    removed_fragment_ids=changed[0], updated_fragments=changed[1], new_fragments=fragments,
                    fields_modified=[],
                )  # fmt: skip
                dataset = lance().LanceDataset.commit(
                    self.place.uri, operation, read_version=now.number, storage_options=self.place.options
                )
            except lance().commit.CommitConflictError:
                time.sleep(random.uniform(0, 0.05 * min(attempt + 1, 10)))
                continue
            except OSError as error:
                raise failed(self.place, error) from error
            self._advance(now, _Version(dataset), documents, changes)
            self._commits += 1
            if self._commits % UNTIDY == 0:
                self.tidy()
            return
        raise Conflict("Other writers keep committing to the table.", "Try again in a moment.")

    def _written(self, now: "_Version", changes: Changes) -> list[Any]:
        """Data files that no version names yet."""
        rows = [head_row(now.head), *map(item_row, changes.files)]
        for entry in changes.entries:
            rows += entry_rows(entry)
        data = table_of(rows, schema(int(now.head["dimension"]), "seal" in now.dataset.schema.names))
        options = self.place.options
        return list(
            lance().fragment.write_fragments(data, self.place.uri, data.schema, mode="append", storage_options=options)
        )

    def _advance(self, before: "_Version", after: "_Version", documents: Sequence[str], changes: Changes) -> None:
        """Know the new version, and who owns its documents without reading them all again."""
        with self._guard:
            if "owners" in before.__dict__ and after.number == before.number + 1:
                owners = after.__dict__["owners"] = before.owners
                for key in documents:
                    owners.pop(key, None)
                for entry in changes.entries:
                    document = entry.document
                    owners[document.id] = (document.source, entry.file, document.content_hash)
            self._version, self._looked_at = after, time.monotonic()

    def delete(self, document_ids: Sequence[str]) -> int:
        """Remove documents; returns how many there were. They are in no later answer. Raises StorageFailed."""
        self._now(newest=True)
        there = [key for key in dict.fromkeys(document_ids) if self.owner(key)]
        if there:
            self.commit(Changes(removed=there))
        return len(there)

    def settle(self, progress: Progress | None = None) -> None:
        """Nothing is left to wait for."""
        del progress

    def tidy(self, old: timedelta = OLD) -> None:
        """Join small fragments, bring the index of keys up to date, and remove files of versions older than `old`.

        Gives way to a writer: what collides with a commit is left for the next time.
        """
        dataset = self._now(newest=True).dataset
        try:
            if sum(fragment.physical_rows < FULL // 2 for fragment in dataset.get_fragments()) > SMALL:
                dataset.optimize.compact_files(target_rows_per_fragment=FULL)
                if any(index.name == "keys" for index in dataset.describe_indices()):
                    dataset.optimize.optimize_indices()
                else:
                    dataset.create_scalar_index("key", "BTREE", name="keys")
            dataset.cleanup_old_versions(older_than=old)
        except (lance().commit.CommitConflictError, OSError, RuntimeError):
            return
        finally:
            self._now(newest=True)


class _Version:
    """One version of the dataset, and what is read of it once."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.number = dataset, int(dataset.version)

    def rows(self, columns: Sequence[str], condition: str) -> list[dict[str, Any]]:
        """The rows that satisfy a condition."""
        with reading(self.dataset.uri):
            found: list[dict[str, Any]] = self.dataset.to_table(columns=list(columns), filter=condition).to_pylist()
        return found

    def whole_rows(self, condition: str) -> list[dict[str, Any]]:
        """The same with all columns. Raises IndexDamaged for a row that fails its checksum."""
        return checked(self.rows(self.dataset.schema.names, condition), self.dataset.uri)

    @cached_property
    def head(self) -> dict[str, str]:
        rows = self.rows(["text"], "kind = 'head'")
        facts = head_of(rows[0]) if len(rows) == 1 else {}
        if facts.get("format") not in READABLE:
            raise IndexDamaged(f"{self.dataset.uri} is not a table of passages.", "Name another place.")
        return facts

    @cached_property
    def owners(self) -> dict[str, tuple[str, str, str]]:
        rows = self.rows(["key", "source", "file", "hash"], "kind = 'document'")
        return {row["key"]: (row["source"], row["file"], row["hash"]) for row in rows}

    @cached_property
    def ids(self) -> list[str]:
        return sorted(self.owners)

    @cached_property
    def sources(self) -> list[SourceCount]:
        rows = self.rows(["kind", "source"], "kind IN ('document', 'passage')")
        found = Counter((row["source"], row["kind"]) for row in rows)
        return [SourceCount(s, found[s, "document"], found[s, "passage"]) for s in sorted({s for s, _ in found})]

    @cached_property
    def languages(self) -> list[tuple[str, int]]:
        found = Counter(row["language"] for row in self.rows(["language"], "kind = 'document'"))
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))

    @cached_property
    def counts(self) -> Counts:
        fragments = self.dataset.get_fragments()
        size = sum(file.file_size_bytes or 0 for fragment in fragments for file in fragment.metadata.files)
        documents, passages = sum(s.documents for s in self.sources), sum(s.passages for s in self.sources)
        return Counts(documents, passages, len(self.sources), len(fragments), size)

    @cached_property
    def written_at(self) -> datetime:
        found = next(v["timestamp"] for v in reversed(self.dataset.versions()) if v["version"] == self.number)
        return datetime.fromtimestamp(found.timestamp(), UTC)


def _without(dataset: Any, condition: str) -> tuple[list[int], list[Any]]:
    """(fragments of which nothing is left, the other ones that lose rows) when the rows of a condition go."""
    found = dataset.scanner(columns=["kind"], filter=condition, with_row_address=True).to_table()["_rowaddr"]
    removed, updated = [], []
    for number in np.unique(found.to_numpy() >> np.uint64(32)).tolist():
        left = dataset.get_fragment(int(number)).delete(condition)
        if left is None:
            removed.append(int(number))
        else:
            updated.append(left)
    return removed, updated


def failed(place: Place, error: Exception) -> StorageFailed:
    """What to raise for a folder or bucket that does not do as it is told."""
    return StorageFailed(
        f"The table {place.uri} could not be read or written: {first_line(error)}.",
        "Is its folder or bucket there, with room and permission? What was committed before is untouched.",
    )
