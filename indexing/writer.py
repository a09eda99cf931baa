"""Documents on their way into an index: gathered, encoded, and committed every couple of seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from indexing.collection import Collection
from indexing.rows import FileState
from indexing.store import Changes, Entry, searched_text
from indexing.types import Cancelled, Document, Encoder, Passage, Progress, Vectors

COMMIT_SECONDS = 2.0
"""Work between commits: what is done can be asked after this long, and a kill loses no more (of small documents)."""

SLICE = 96
"""Passages encoded between two looks at `cancelled`: a few seconds on a slow machine."""

_FIRST_BATCH, _LARGEST_BATCH = 32, 1024  # passages a commit, before and after the encoder's speed is known


def never() -> bool:
    """The `cancelled` of a caller that never cancels."""
    return False


@dataclass(eq=False)
class Writer:
    """Gathers documents, encodes them, and commits every couple of seconds."""

    index: Collection
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
        self.index.commit(Changes(self.removed, entries, self.files, self.forgotten), self.encoder)
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
