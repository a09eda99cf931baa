"""Source -> index: a refresh touches only what changed, commits as it goes, and can be killed at any moment.

A file is looked at when its size or time of change differs from what was seen, read when its bytes do, and encoded
where the searched text of a passage does. Its state is remembered in the commit of its last document, so that a killed
refresh finds finished files by their state and finished documents of an unfinished file by their content hash.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from indexing.extract import content_hash, detect_language, document_id, extract_file
from indexing.rows import FileState
from indexing.sources import Item, items
from indexing.split import split
from indexing.store import Changes, Index
from indexing.types import BadInput, Conflict, Document, Encoder, ExtractFailed, Mark, Progress
from indexing.writer import Writer, never

UPLOADED = "api"
"""The source of documents that came over HTTP."""

KEPT = "Its earlier version stays in the index."


@dataclass(frozen=True, slots=True)
class Failure:
    """A file or document that was not indexed, and why."""

    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """Documents added, changed, removed and found the same, and the files that failed."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    failed: tuple[Failure, ...] = ()

    def __add__(self, other: "RefreshReport") -> "RefreshReport":
        return RefreshReport(
            self.added + other.added,
            self.changed + other.changed,
            self.removed + other.removed,
            self.same + other.same,
            self.failed + other.failed,
        )


def refresh(
    paths: Sequence[Path],
    index: Index,
    encoder: Encoder,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
    dry_run: bool = False,
    empty_ok: bool = False,
) -> RefreshReport:
    """Bring the index up to date with folders and files; each path is a source, named by its absolute path.

    A file that fails is reported and its earlier version kept. A path that is missing, or a folder that has become
    empty (an unmounted disk looks so) unless `empty_ok`, is refused and nothing of it removed. With `dry_run` nothing
    is written. Progress stages: "read" (files), "encode" (passages).

    Raises BadInput for such a path, EncoderMismatch, Conflict when another refresh runs, StorageFailed, and Cancelled
    after the work done so far has been committed.
    """
    index.check(encoder)
    roots = [path.expanduser().resolve() for path in paths]
    listings = [(root, _listing(root, index, empty_ok)) for root in dict.fromkeys(roots)]
    report = RefreshReport()
    if dry_run:
        for root, listing in listings:
            report += _SourceRefresh(root, listing, index, Writer(index, encoder, progress, cancelled, True)).run()
        return report
    with index.refreshing():
        writer = Writer(index, encoder, progress, cancelled)
        for root, listing in listings:
            report += _SourceRefresh(root, listing, index, writer).run()
    return report


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one document: its id, and whether it was added, changed, or there already."""

    id: str
    outcome: Literal["added", "changed", "same"]


def add_documents(
    documents: Sequence[Document],
    index: Index,
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


def remove_source(source: str, index: Index) -> int:
    """Remove all documents of a source; returns how many there were."""
    with index.refreshing():
        files = index.catalogue.files(source)
        ids = [key for each in index.catalogue.ids_by_file(source).values() for key in each]
        index.commit(Changes(removed=ids, forgotten=[(source, file) for file in files]))
    return len(ids)


def _listing(root: Path, index: Index, empty_ok: bool) -> list[Item]:
    known = index.catalogue.files(str(root))
    stays = f" The {len(known)} files indexed from it stay in the index." if known else ""
    try:
        if root.is_dir():
            next(root.iterdir(), None)  # a folder without permission would merely look empty
        root.stat()
    except OSError as error:
        raise BadInput(
            f"{root} cannot be read: {error.strerror}.{stays}", "Check the path and its permissions."
        ) from None
    listing = list(items(root))
    if known and not listing and not empty_ok:
        raise BadInput(
            f"{root} holds no files now.{stays}",
            "Is its disk mounted? If it is meant to be empty, say so (--empty-ok).",
        )
    return listing


class _SourceRefresh:
    """One source's files against what the index knows of them."""

    def __init__(self, root: Path, listing: list[Item], index: Index, writer: Writer) -> None:
        self.root, self.listing, self.index, self.writer = root, listing, index, writer
        self.source = str(root)
        self.known = index.catalogue.files(self.source)
        self.ids = index.catalogue.ids_by_file(self.source)
        self.present = {item.key for item in listing}
        self.seen: set[str] = set()
        self.failed: list[Failure] = []
        self.added = self.changed = self.removed = self.same = 0

    def run(self) -> RefreshReport:
        for done, item in enumerate(self.listing):
            if self.writer.progress:
                self.writer.progress("read", done, len(self.listing))
            self._file(item)
            self.writer.tick()
        for file in sorted((self.known.keys() | self.ids.keys()) - self.present - {""}):
            self._vanished(file)
        self.writer.commit()
        if self.writer.progress:
            self.writer.progress("read", len(self.listing), len(self.listing))
        return RefreshReport(self.added, self.changed, self.removed, self.same, tuple(self.failed))

    def _file(self, item: Item) -> None:
        known = self.known.get(item.key)
        try:
            seen = item.path.stat()
            if known and (known.size, known.modified) == (seen.st_size, seen.st_mtime_ns):
                self._unchanged(item.key)
                return
            state = FileState(self.source, item.key, seen.st_size, seen.st_mtime_ns, _digest(item.path))
            if known and known.digest == state.digest:
                self._unchanged(item.key)
            elif not self._documents(item):
                return
            self.writer.files.append(state)
        except ExtractFailed as error:
            self._fail(item, error.message)
        except OSError as error:
            self._fail(item, f"{item.path.name} cannot be read: {error.strerror}.")

    def _unchanged(self, file: str) -> None:
        ids = self.ids.get(file, [])
        self.seen.update(ids)
        self.same += len(ids)

    def _fail(self, item: Item, reason: str) -> None:
        ids = self.ids.get(item.key, [])
        self.seen.update(ids)
        self.failed.append(Failure(item.url, f"{reason} {KEPT}" if ids else reason))

    def _documents(self, item: Item) -> bool:
        """Store a file's new and changed documents and remove those that are no longer in it.

        Returns whether all of it could be read; if not, nothing is removed, and the next refresh looks again.
        """
        problems: list[ExtractFailed] = []
        for found in extract_file(item.path, self.source, self.root, on_failure=problems.append):
            document = sealed(found.document)
            owner = self.index.catalogue.owner(document.id)
            if document.id in self.seen or (owner and not self._ours(owner[0], owner[1], item.key)):
                problems.append(ExtractFailed(f"{item.path.name}: the id {document.id} is used by another document."))
                continue
            self.seen.add(document.id)
            if owner == (self.source, item.key, document.content_hash):
                self.same += 1
                continue
            self.added += owner is None
            self.changed += owner is not None
            self.writer.add(document, split(document, found.marks), item.key)
            self.writer.tick()
        self.failed.extend(Failure(item.url, problem.message) for problem in problems)
        left = [key for key in self.ids.get(item.key, []) if key not in self.seen]
        if problems:
            self.seen.update(left)
        else:
            self._remove(left)
        return not problems

    def _ours(self, source: str, file: str, key: str) -> bool:
        """Whether the document came from this file, or from one of this source that is gone (it moved)."""
        return source == self.source and (file == key or file not in self.present)

    def _vanished(self, file: str) -> None:
        """Remove a file's documents when it is really gone, not merely out of reach."""
        path = self.root if self.root.is_file() else self.root / file
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.failed.append(Failure(str(path), f"{error.strerror}. {KEPT}"))
            return
        self._remove([key for key in self.ids.get(file, []) if key not in self.seen])
        self.writer.forgotten.append((self.source, file))

    def _remove(self, ids: list[str]) -> None:
        self.removed += len(ids)
        self.writer.removed.extend(ids)


def _digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError, and ExtractFailed for what is no file."""
    if not path.is_file():
        raise ExtractFailed(f"{path.name} cannot be read as a file.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(document: Document) -> Document:
    """The document with its content hash, and without characters that cannot be stored (lone surrogates)."""
    text, title, url = _storable(document.text), _storable(document.title), _storable(document.url)
    if document.content_hash and (text, title, url) == (document.text, document.title, document.url):
        return document
    clean = replace(document, text=text, title=title, url=url)
    return replace(clean, content_hash=content_hash(clean))


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
