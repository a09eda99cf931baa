"""The nouns that cross layers, the errors, and the contracts of retrieval.

PasserineError
├─ BadInput           422  the caller's input is wrong; the hint says what to send
├─ NotFound           404  no such document, conversation, model or route
├─ TooLarge           413  over a stated limit
├─ Conflict           409  another writer holds the lock, a name is taken
├─ ExtractFailed      422  one document cannot be read; the reason is kept, nothing stops
│  └─ FetchFailed     502  an address, or a database, cannot be read from; the reason is kept
├─ IndexMissing       503  nothing has been indexed yet
├─ IndexDamaged       503  a file of the index fails its checksum or cannot be read
├─ EncoderMismatch    503  the index was made with another encoder
├─ ModelMissing       503  a model is not installed
├─ ModelDamaged       503  a model's files fail their checksum
├─ ClusterFailed      503  a machine of the cluster does not answer
├─ StorageFailed      507  the disk is full or cannot be written
└─ Cancelled          499  the caller stopped the work
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total); total is 0 while it is unknown."""


class PasserineError(Exception):
    """Base of every error a person may see: a code, one sentence, and a hint that says what to do."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(PasserineError):
    code, status = "bad_input", 422


class NotFound(PasserineError):
    code, status = "not_found", 404


class TooLarge(PasserineError):
    code, status = "too_large", 413


class Conflict(PasserineError):
    code, status = "conflict", 409


class ExtractFailed(PasserineError):
    code, status = "extract_failed", 422


class FetchFailed(ExtractFailed):
    code, status = "fetch_failed", 502


class IndexMissing(PasserineError):
    code, status = "index_missing", 503


class IndexDamaged(PasserineError):
    code, status = "index_damaged", 503


class EncoderMismatch(PasserineError):
    code, status = "encoder_mismatch", 503


class ModelMissing(PasserineError):
    code, status = "model_missing", 503


class ModelDamaged(PasserineError):
    code, status = "model_damaged", 503


class ClusterFailed(PasserineError):
    code, status = "cluster_failed", 503


class StorageFailed(PasserineError):
    code, status = "storage_failed", 507


class Cancelled(PasserineError):
    code, status = "cancelled", 499


@dataclass(frozen=True, slots=True)
class Document:
    """One text with where it came from.

    `source` names the Source that owns it: a refresh of one source never touches another's documents.
    `content_hash` covers everything that a person can see (title, text, url, dates, metadata).
    `language` is an ISO 639-1 code, "" when unknown.
    """

    id: str
    url: str
    title: str
    text: str
    published_at: datetime | None = None
    fetched_at: datetime | None = None
    language: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_hash: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a heading or a page begins in a document's text. `page` counts from 1."""

    position: int
    heading: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document: `document.text[start:end] == passage.text`, always."""

    id: str
    document_id: str
    ordinal: int
    start: int
    end: int
    text: str
    heading: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage with scores.

    `score` is the fused score in [0, 1]; `lexical` is BM25 (> 0) and `dense` the cosine in [-1, 1],
    each None when that side did not return the passage.
    """

    passage: Passage
    document: Document
    score: float
    lexical: float | None = None
    dense: float | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """`origin` says who wrote it: "user", "rewrite", "keywords", "history", "decomposition" or "expansion"."""

    text: str
    origin: str = "user"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit must satisfy; an empty field admits everything. Dates are inclusive."""

    sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    published_from: datetime | None = None
    published_to: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facets:
    """How many of the documents found are of each source, language and year (of publication), the most first."""

    source: Mapping[str, int] = field(default_factory=dict)
    language: Mapping[str, int] = field(default_factory=dict)
    year: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Encoder(Protocol):
    """Text to unit vectors. `fingerprint` changes whenever the vectors would."""

    name: str
    dimension: int
    fingerprint: str

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        ...


class Retriever(Protocol):
    """Passages for a query, best first."""

    def search(self, query: Query, k: int, filters: Filters = ...) -> list[Hit]:
        """At most k hits; never one that neither side found."""
        ...

    def search_many(self, queries: Sequence[Query], k: int, filters: Filters = ...) -> list[list[Hit]]:
        """One list of hits a query, encoded and scored as a batch."""
        ...


class Reranker(Protocol):
    """A second look at a few passages."""

    def score(self, query: str, passages: Sequence[str]) -> Vectors:
        """float32 [n], higher is better."""
        ...
