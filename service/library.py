"""The documents: what is indexed, found, added and removed. Everything that touches the index goes through here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexing import table_upkeep
from indexing.collection import Collection
from indexing.rebuild import mend, rebuild, verify
from indexing.refresh import RefreshReport, Stored, add_documents, refresh, remove_source
from indexing.search import Searcher
from indexing.sources import Source
from indexing.store import Counts, Index
from indexing.table import Table
from indexing.table_rows import Place
from indexing.types import (
    Document,
    Encoder,
    EncoderMismatch,
    Filters,
    Hit,
    IndexMissing,
    Mark,
    NotFound,
    Passage,
    Progress,
    Query,
    TooLarge,
)
from models.types import Cancelled, never
from service.config import Settings

Mapped = Callable[..., RefreshReport]
"""`refresh` with its work done by a cluster; see `indexing.mapping`."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A passage with the text of its document just before and after it."""

    passage: Passage
    before: str
    after: str


class Library:
    """One index. Any number of threads may read and write; the index itself lets one commit at a time."""

    def __init__(
        self,
        index: Collection,
        encoder: Encoder,
        searcher: Searcher,
        document_limit: int,
        mapped: Mapped | None = None,
    ) -> None:
        """`mapped` refreshes sources over a cluster."""
        self.index, self.encoder, self.searcher, self.document_limit = index, encoder, searcher, document_limit
        self.mapped = mapped

    def filled(self) -> "Library":
        """Itself. Raises IndexMissing when nothing has been indexed, which no search can mend."""
        if self.index.empty():
            raise IndexMissing(
                "Nothing has been indexed yet.", "Run `passerine refresh PATH`, or POST documents to /v1/documents."
            )
        return self

    def search(self, query: str, k: int, filters: Filters) -> list[Hit]:
        """Raises IndexMissing."""
        return self.filled().searcher.search(Query(query), k, filters)

    def add(self, documents: Sequence[Document], marks: Sequence[Sequence[Mark]] = ()) -> list[Stored]:
        """Indexes documents (`marks`: headings and pages of each); when it returns they can be found.

        Raises TooLarge for one over the limit.
        """
        for document in documents:
            if len(document.text) > self.document_limit:
                raise TooLarge(
                    f"The document '{document.title}' has {len(document.text)} characters; "
                    f"{self.document_limit} are allowed.",
                    "Split it, or raise the setting document_limit.",
                )
        return add_documents(documents, self.index, self.encoder, marks=marks)

    def refresh(
        self,
        sources: Sequence[Path | Source],
        progress: Progress | None = None,
        cancelled: Cancelled = never,
        dry_run: bool = False,
        empty_ok: bool = False,
        counted: Callable[[RefreshReport], None] | None = None,
    ) -> RefreshReport:
        """Brings the index up to date with sources; commits as it goes."""
        if self.mapped and not dry_run:
            return self.mapped(
                sources, self.index, self.encoder, progress=progress, cancelled=cancelled, empty_ok=empty_ok,
                counted=counted,
            )  # fmt: skip
        return refresh(sources, self.index, self.encoder, progress, cancelled, dry_run, empty_ok, counted)

    def drop_examples(self, folder: Path) -> int:
        """Removes the bundled examples once there are documents of one's own; returns how many they were."""
        sources = [count.source for count in self.index.sources()]
        own = str(folder.resolve())
        return remove_source(own, self.index) if own in sources and len(sources) > 1 else 0

    def delete(self, document_id: str) -> None:
        """Raises NotFound."""
        self.index.document(document_id)
        self.index.delete([document_id])

    def surroundings(self, document: Document, passage_id: str, reach: int) -> Surroundings:
        """`reach` characters on either side of a passage. Raises NotFound when it is not the document's."""
        passage = self.index.passage(passage_id)
        if passage.document_id != document.id:
            raise NotFound(f"The document has no passage '{passage_id}'.", "It may have changed; search again.")
        before = document.text[max(0, passage.start - reach) : passage.start]
        return Surroundings(passage, before, document.text[passage.end : passage.end + reach])

    @property
    def runs_on(self) -> str:
        """What searches the vectors, and where."""
        return self.searcher.describe()

    def counts(self) -> Counts:
        return self.index.counts()


def where(settings: Settings) -> Path | Place:
    """Where the documents are: the folder of the index, or the place of a table."""
    return Place(settings.table) if settings.table else settings.index_folder


def open_collection(where: Path | Place) -> Collection:
    """The index folder or the table, without the encoder, for what searches nothing. Raises IndexMissing."""
    return Table.open(where) if isinstance(where, Place) else Index.open(where)


def rebuild_index(
    where: Path | Place, encoder: Encoder, progress: Progress | None, cancelled: Cancelled = never
) -> int:
    """Vectors and postings made anew, for another encoder or after damage; returns passages encoded.

    Raises IndexMissing, and Cancelled after which a later call goes on (of a table: begins anew).
    """
    index = open_collection(where)
    try:
        return _rebuilt(index, encoder, progress, cancelled)
    finally:
        index.close()


def _rebuilt(index: Collection, encoder: Encoder, progress: Progress | None, cancelled: Cancelled) -> int:
    if isinstance(index, Table):
        return table_upkeep.rebuild(index, encoder, progress, cancelled)
    assert isinstance(index, Index)
    return rebuild(index, encoder, progress, cancelled)


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did: what was wrong and is taken out, one sentence each, and passages encoded, None where the rest
    was whole."""

    removed: list[str]
    encoded: int | None

    def __str__(self) -> str:
        lost = (
            "What was damaged is taken out; `passerine refresh` reads it again, but for documents that came over HTTP, "
            "which have to be sent again. "
        )
        made = "All the rest is whole."
        if self.encoded is not None:
            made = f"The index was made anew from its texts, {self.encoded:,} passages encoded."
        return (lost if self.removed else "") + made


def repair_index(
    where: Path | Place, encoder: Encoder, progress: Progress | None, cancelled: Cancelled = never
) -> Repair:
    """Takes out damaged documents, and makes damaged segments, or all for another encoder, anew from the texts. Raises
    IndexMissing, Cancelled, and IndexDamaged for what cannot be mended."""
    removed = table_upkeep.mend(where) if isinstance(where, Place) else []
    index = open_collection(where)
    try:
        if isinstance(index, Index):
            removed, damaged = mend(index), bool(verify(index))
        else:
            damaged = False
        try:
            index.check(encoder)
        except EncoderMismatch:
            damaged = True
        return Repair(removed, _rebuilt(index, encoder, progress, cancelled) if damaged else None)
    finally:
        index.close()


def problems(where: Path | Place) -> list[str]:
    """What is wrong with the index or the table, one sentence each. Raises IndexMissing."""
    if isinstance(where, Place):
        return table_upkeep.verify(where)
    index = Index.open(where)
    try:
        return verify(index)
    finally:
        index.close()
