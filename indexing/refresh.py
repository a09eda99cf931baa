"""Source -> index: a refresh touches only what changed, commits as it goes, and can be killed at any moment.

An item (a file, a page, the rows of a query) is read unless its source can tell that it is as it was, and encoded
where the searched text of a passage changed. Its state is remembered in the commit of its last document, so that a
killed refresh finds finished items by their state and finished documents of an unfinished item by their content hash.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from indexing.collection import Collection
from indexing.extract import Extracted, content_hash, detect_language, document_id
from indexing.sources import Failure, Folder, Gone, Item, Listing, Source
from indexing.split import split
from indexing.store import Changes
from indexing.types import BadInput, Cancelled, Conflict, Document, Encoder, ExtractFailed, Mark, Progress
from indexing.writer import Writer, never

UPLOADED = "api"
"""The source of documents that came over HTTP."""

KEPT = "Its earlier version stays in the index."

SHOWN_ENDINGS = 5
"""Kinds of skipped files that a line of counts names: a folder of programs has dozens."""

COUNT_SECONDS = 1.0
"""Time between two reports of the counts: often enough for a person who watches."""


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """Documents added, changed, removed and found the same, and what failed. `skipped` counts by their endings the
    files whose kind nothing here reads."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    failed: tuple[Failure, ...] = ()
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> str:
        """The counts in one line; skipped files where there are any."""
        skipped = f", {self.skipped.total()} skipped ({self.skipped_endings})" if self.skipped else ""
        return (
            f"{self.added} added, {self.changed} changed, {self.removed} removed, {self.same} same, "
            f"{len(self.failed)} failed{skipped}"
        )

    @property
    def skipped_endings(self) -> str:
        """The endings of skipped files, the most frequent first."""
        endings = sorted(self.skipped, key=lambda ending: (-self.skipped[ending], ending))
        return ", ".join(endings[:SHOWN_ENDINGS]) + (", …" if len(endings) > SHOWN_ENDINGS else "")

    def __add__(self, other: "RefreshReport") -> "RefreshReport":
        return RefreshReport(
            self.added + other.added,
            self.changed + other.changed,
            self.removed + other.removed,
            self.same + other.same,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )


def refresh(
    sources: Sequence[Path | Source],
    index: Collection,
    encoder: Encoder,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
    dry_run: bool = False,
    empty_ok: bool = False,
    counted: Callable[[RefreshReport], None] | None = None,
) -> RefreshReport:
    """Bring the index up to date with sources; a path is one, named by its absolute path.

    What fails is reported and its earlier version kept. A source that is missing, or one that has become empty (an
    unmounted disk looks so) unless `empty_ok`, is refused and nothing of it removed. With `dry_run` nothing is
    written. Progress stages: "list" (sources), "read" (items), "encode" (passages), "merge". `counted` is told the
    counts about every second.

    Raises BadInput or ExtractFailed for such a source, EncoderMismatch, Conflict when another refresh runs,
    StorageFailed, and Cancelled after the work done so far has been committed.
    """
    index.check(encoder)
    given = (Folder(each.expanduser().resolve()) if isinstance(each, Path) else each for each in sources)
    opened = {source.name: source for source in given}.values()
    report = RefreshReport()
    with nullcontext() if dry_run else index.refreshing():
        listings = []
        for done, source in enumerate(opened):
            if progress:
                progress("list", done, len(opened))
            listings.append((source, _listing(source, index, empty_ok)))
        if progress:
            progress("list", len(opened), len(opened))
        writer = Writer(index, encoder, progress, cancelled, dry_run)
        for source, listing in listings:
            report += _SourceRefresh(source, listing, index, writer, _after(report, counted)).run()
    if not dry_run:
        index.settle(progress)
    return report


def _after(done: RefreshReport, counted: Callable[[RefreshReport], None] | None) -> Callable[[RefreshReport], None]:
    """`counted`, told of the earlier sources too."""
    return (lambda report: counted(done + report)) if counted else (lambda _: None)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one document: its id, and whether it was added, changed, or there already."""

    id: str
    outcome: Literal["added", "changed", "same"]


def add_documents(
    documents: Sequence[Document],
    index: Collection,
    encoder: Encoder,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
    marks: Sequence[Sequence[Mark]] = (),
) -> list[Stored]:
    """Store documents that came over HTTP, replacing those of the same id; on return they can be searched.

    A document without an id gets one from its url, or from its text where it has no url. The source is "api" unless
    it names one. `marks` holds the headings and pages of each document. Runs beside a refresh.

    Raises BadInput for a document without text or an id given twice, Conflict for an id that a refreshed file owns,
    EncoderMismatch, StorageFailed, Cancelled (documents committed before it stay).
    """
    index.check(encoder)
    ready = [_uploaded(document) for document in documents]
    ids = [document.id for document in ready]
    if len(set(ids)) < len(ids):
        raise BadInput("Two of the documents have the same id.", "Give each its own, or send one of them later.")
    owners = [index.catalogue.owner(document.id) for document in ready]
    for document, owner in zip(ready, owners, strict=True):
        if owner and owner[0] != document.source:
            raise Conflict(f"The id {document.id} belongs to the source {owner[0]}.", "Use another id.")
    writer = Writer(index, encoder, progress, cancelled)
    stored = []
    for i, (document, owner) in enumerate(zip(ready, owners, strict=True)):
        same = owner is not None and owner[2] == document.content_hash
        if not same:
            writer.add(document, split(document, marks[i] if marks else ()), "")
            writer.tick()
        stored.append(Stored(document.id, "same" if same else "changed" if owner else "added"))
    writer.commit()
    return stored


def _uploaded(document: Document) -> Document:
    document = sealed(document)
    if not document.text.strip():
        raise BadInput(f"The document {document.title or document.id!r} has no text.", 'Put it in the field "text".')
    source = document.source or UPLOADED
    return replace(
        document,
        id=document.id or document_id(source, document.url or document.text),
        source=source,
        language=document.language or detect_language(document.text),
        fetched_at=document.fetched_at or datetime.now(UTC),
    )


def remove_source(source: str, index: Collection) -> int:
    """Remove all documents of a source; returns how many there were. Runs beside a refresh of another source; one of
    this source would bring them back."""
    files = index.catalogue.files(source)
    ids = [key for each in index.catalogue.ids_by_file(source).values() for key in each]
    index.commit(Changes(removed=ids, forgotten=[(source, file) for file in files]))
    return len(ids)


def _listing(source: Source, index: Collection, empty_ok: bool) -> Listing:
    known = index.catalogue.files(source.name)
    stays = f" The {len(known)} files indexed from it stay in the index." if known else ""
    try:
        listing = source.listing()
    except (BadInput, ExtractFailed) as error:
        raise type(error)(f"{error.message}{stays}", error.hint) from None
    if known and listing.complete and not listing.items and not empty_ok:
        raise BadInput(
            f"{source.name} holds no files now.{stays}",
            "Is its disk mounted? If it is meant to be empty, say so (--empty-ok).",
        )
    return listing


class _SourceRefresh:
    """One source's items against what the index knows of them."""

    def __init__(
        self,
        source: Source,
        listing: Listing,
        index: Collection,
        writer: Writer,
        counted: Callable[[RefreshReport], None],
    ) -> None:
        self.source, self.listing, self.index, self.writer, self.counted = source, listing, index, writer, counted
        self.known = index.catalogue.files(source.name)
        self.ids = index.catalogue.ids_by_file(source.name)
        self.present = {item.key for item in listing.items}
        self.seen: set[str] = set()
        self.failed = list(listing.failed)
        self.added = self.changed = self.removed = self.same = 0
        self.counted_at = time.monotonic()

    def run(self) -> RefreshReport:
        items = self.listing.items
        self.listing.ahead(self.known)
        for done, item in enumerate(items):
            if self.writer.progress:
                self.writer.progress("read", done, len(items))
            self._item(item)
            self._tick()
        if self.listing.complete:
            for key in sorted((self.known.keys() | self.ids.keys()) - self.present - {""}):
                self._vanished(key)
        self.writer.commit()
        if self.writer.progress:
            self.writer.progress("read", len(items), len(items))
        self.counted(self.report)
        return self.report

    @property
    def report(self) -> RefreshReport:
        failed, skipped = tuple(self.failed), self.listing.skipped
        return RefreshReport(self.added, self.changed, self.removed, self.same, failed, skipped)

    def _tick(self) -> None:
        self.writer.tick()
        if time.monotonic() - self.counted_at > COUNT_SECONDS:
            self.counted(self.report)
            self.counted_at = time.monotonic()

    def _item(self, item: Item) -> None:
        known = self.known.get(item.key)
        try:
            reading = item.read(known)
            if reading.found is None:
                self._unchanged(item.key)
            elif not self._documents(item, reading.found):
                return
            if reading.state and reading.state != known:
                self.writer.files.append(reading.state)
        except Gone as error:
            self.failed.append(Failure(item.url, error.message))
            self._forget(item.key)
        except ExtractFailed as error:
            self._fail(item, error.message)
        except OSError as error:
            self._fail(item, f"{item.key.rpartition('/')[2]} cannot be read: {error.strerror}.")
        except Cancelled:
            self.writer.tick()
            raise

    def _unchanged(self, key: str) -> None:
        ids = self.ids.get(key, [])
        self.seen.update(ids)
        self.same += len(ids)

    def _fail(self, item: Item, reason: str) -> None:
        ids = self.ids.get(item.key, [])
        self.seen.update(ids)
        self.failed.append(Failure(item.url, f"{reason} {KEPT}" if ids else reason))

    def _documents(self, item: Item, found: Iterable[Extracted | ExtractFailed]) -> bool:
        """Store an item's new and changed documents and remove those that are no longer in it.

        Returns whether all of it could be read; if not, nothing is removed, and the next refresh looks again.
        """
        problems: list[ExtractFailed] = []
        for each in found:
            if isinstance(each, ExtractFailed):
                problems.append(each)
                continue
            document = sealed(each.document)
            owner = self.index.catalogue.owner(document.id)
            if document.id in self.seen or (owner and not self._ours(owner[0], owner[1], item.key)):
                name = item.key.rpartition("/")[2]
                problems.append(ExtractFailed(f"{name}: the id {document.id} is used by another document."))
                continue
            self.seen.add(document.id)
            if owner == (self.source.name, item.key, document.content_hash):
                self.same += 1
                continue
            self.added += owner is None
            self.changed += owner is not None
            self.writer.add(document, split(document, each.marks), item.key)
            self._tick()
        self.failed.extend(Failure(item.url, problem.message) for problem in problems)
        left = [key for key in self.ids.get(item.key, []) if key not in self.seen]
        if problems:
            self.seen.update(left)
        else:
            self._remove(left)
        return not problems

    def _ours(self, source: str, file: str, key: str) -> bool:
        """Whether the document came from this item, or from one of this source that is gone (it moved)."""
        return source == self.source.name and (file == key or file not in self.present)

    def _vanished(self, key: str) -> None:
        """Remove an item's documents when it is really gone, not merely out of reach."""
        if reason := self.listing.out_of_reach(key):
            self.failed.append(Failure(f"{self.source.name}/{key}", f"{reason} {KEPT}"))
        else:
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._remove([each for each in self.ids.get(key, []) if each not in self.seen])
        if key in self.known:
            self.writer.forgotten.append((self.source.name, key))

    def _remove(self, ids: list[str]) -> None:
        self.removed += len(ids)
        self.writer.removed.extend(ids)


def sealed(document: Document) -> Document:
    """The document with its content hash, and without characters that cannot be stored (lone surrogates)."""
    text, title, url = _storable(document.text), _storable(document.title), _storable(document.url)
    if document.content_hash and (text, title, url) == (document.text, document.title, document.url):
        return document
    clean = replace(document, text=text, title=title, url=url)
    return replace(clean, content_hash=content_hash(clean))


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
