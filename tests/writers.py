"""Somebody else who writes to an index while it is read."""

from pathlib import Path

import pytest

from indexing.refresh import add_documents
from indexing.store import Index
from indexing.types import Document
from tests.hashing import HashingEncoder, document


def commits_meanwhile(index: Index, count: int, monkeypatch: pytest.MonkeyPatch) -> list[Document]:
    """Has another writer commit so many documents, one by one, when `index` first looks for the file of a segment.
    Returns those that are not committed yet."""
    path, waiting = index.path, [document(f"late{i}", "A late quokka.") for i in range(count)]

    def busy(segment: str) -> Path:
        while waiting:
            add_documents([waiting.pop()], Index.open(index.folder), HashingEncoder())
        return path(segment)

    monkeypatch.setattr(index, "path", busy)
    return waiting
