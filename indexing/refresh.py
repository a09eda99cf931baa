"""Source -> index: a refresh touches only what changed, commits as it goes, and can be killed at any moment.

A file is looked at when its size or time of change differs from what was seen, read when its bytes do, and encoded
where the searched text of a passage does. Its state is remembered in the commit of its last document, so that a killed
refresh finds finished files by their state and finished documents of an unfinished file by their content hash.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from indexing.extract import content_hash, extract_file
from indexing.rows import FileState
from indexing.sources import Item, items
from indexing.split import split
from indexing.store import Changes, Entry, Index, searched_text
from indexing.types import (
    BadInput,
    Cancelled,
    Document,
    Encoder,
    ExtractFailed,
    Passage,
    Progress,
    Vectors,
)

COMMIT_SECONDS = 2.0
"""Work between commits: what is done can be asked after this long, and a kill loses no more (of small documents)."""

SLICE = 32
"""Passages encoded between two looks at `cancelled`: one or two seconds on a slow machine."""

_FIRST_BATCH, _LARGEST_BATCH = 32, 1024  # passages a commit, before and after the encoder's speed is known
KEPT = "Its earlier version stays in the index."


def never() -> bool:
    """The `cancelled` of a caller that never cancels."""
    return False


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
            report += _SourceRefresh(root, listing, index, _Writer(index, encoder, progress, cancelled, True)).run()
        return report
    with index.refreshing():
        writer = _Writer(index, encoder, progress, cancelled)
        for root, listing in listings:
            report += _SourceRefresh(root, listing, index, writer).run()
    return report


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


@dataclass(eq=False)
class _Writer:
    """Gathers documents, encodes them, and commits every couple of seconds."""

    index: Index
    encoder: Encoder
    progress: Progress | None
    cancelled: Callable[[], bool]
    dry: bool = False
    pending: list[tuple[Document, list[Passage], str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    files: list[FileState] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    encoded: int = 0
    waiting: int = 0
    batch: int = _FIRST_BATCH
    committed_at: float = field(default_factory=time.monotonic)

    def add(self, document: Document, passages: list[Passage], file: str) -> None:
        """Store a document at the next commit, which may be now."""
        if self.dry:
            return
        self.pending.append((document, passages, file))
        self.waiting += len(passages)
        if self.waiting >= self.batch:
            self.commit()

    def tick(self) -> None:
        """Commit when something has waited long enough; stop when the caller wants to."""
        if self.cancelled():
            self.commit()
            raise Cancelled("The refresh was stopped.", "What was done is kept; run it again to go on.")
        waits = self.pending or self.removed or self.files or self.forgotten
        if waits and time.monotonic() - self.committed_at > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Encode and commit all that waits. A document that was cancelled while it was encoded is left for later."""
        if self.dry or not (self.pending or self.removed or self.files or self.forgotten):
            return
        started, before = time.monotonic(), self.encoded
        vectors = self._encode()
        entries = [
            Entry(document, passages, found, file)
            for (document, passages, file), found in zip(self.pending, vectors, strict=True)
        ]
        self.index.commit(Changes(self.removed, entries, self.files, self.forgotten))
        self.pending, self.removed, self.files, self.forgotten, self.waiting = [], [], [], [], 0
        self.committed_at = time.monotonic()
        if self.encoded > before:
            rate = (self.encoded - before) / (self.committed_at - started)
            self.batch = int(np.clip(rate * COMMIT_SECONDS, _FIRST_BATCH, _LARGEST_BATCH))

    def _encode(self) -> list[Vectors]:
        """Vectors of each waiting document's passages; unchanged passages keep theirs, equal texts share one."""
        known: dict[str, Vectors] = {}
        texts: list[list[str]] = []
        for document, passages, _ in self.pending:
            known |= self.index.known_vectors(document.id)
            texts.append([searched_text(document, passage) for passage in passages])
        new = sorted({text for each in texts for text in each} - known.keys(), key=lambda text: (len(text), text))
        for start in range(0, len(new), SLICE):
            if self.cancelled():
                raise Cancelled("The refresh was stopped.", "What was done is kept; run it again to go on.")
            part = new[start : start + SLICE]
            known.update(zip(part, self.encoder.encode_passages(part), strict=True))
            self.encoded += len(part)
            if self.progress:
                self.progress("encode", self.encoded, 0)
        empty = np.zeros((0, self.encoder.dimension), np.float32)
        return [np.stack([known[text] for text in each]) if each else empty for each in texts]


class _SourceRefresh:
    """One source's files against what the index knows of them."""

    def __init__(self, root: Path, listing: list[Item], index: Index, writer: _Writer) -> None:
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
            state = _state(item, self.source)
            if known and (known.size, known.modified) == (state.size, state.modified):
                self._unchanged(item.key)
                return
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


def _state(item: Item, source: str) -> FileState:
    """The file as it is now. Raises OSError, and ExtractFailed for what is no file."""
    found = item.path.stat()
    if not item.path.is_file():
        raise ExtractFailed(f"{item.path.name} cannot be read as a file.")
    with item.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileState(source, item.key, found.st_size, found.st_mtime_ns, digest)


def sealed(document: Document) -> Document:
    """The document with its content hash, and without characters that cannot be stored (lone surrogates)."""
    text, title, url = _storable(document.text), _storable(document.title), _storable(document.url)
    if document.content_hash and (text, title, url) == (document.text, document.title, document.url):
        return document
    clean = replace(document, text=text, title=title, url=url)
    return replace(clean, content_hash=content_hash(clean))


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
