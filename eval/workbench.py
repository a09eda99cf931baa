"""A Passerine for measuring: the product's own index, policy and judges over the documents of the data folder.

The index is made once by the same path that `POST /v1/documents` takes, and kept while data and encoder are the same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval import datasets
from eval.datasets import Entry
from eval.vectors import CachedEncoder
from indexing.refresh import add_documents
from indexing.rerank import RerankedRetriever
from indexing.search import Searcher
from indexing.split import split
from indexing.store import Index
from indexing.types import Document, Encoder, PasserineError, Progress, Retriever
from models.encoder import TrunkEncoder
from models.types import Conversation, Turn
from rewards.rules import load_rules
from service.app import make_base, make_encoder, make_parts
from service.config import Settings
from service.events import Done
from service.library import Library
from service.pipeline import CAREFUL, Counts, Parts, answer
from service.types import Answer

SLICE = 256
"""Documents a call of the index: progress is seen, and a stopped run keeps what it committed."""


@dataclass(frozen=True, eq=False)
class Workbench:
    """Everything that answers a question, over one index."""

    library: Library
    parts: Parts
    counts: Counts
    encoder: Encoder

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer | str:
        """The answer, or the sentence that says why there is none."""
        conversation = Conversation((*history, Turn("user", question)))
        try:
            for event in answer(conversation, self.parts, self.counts):
                if isinstance(event, Done):
                    return event.answer
        except PasserineError as error:
            return str(error)
        return "The flow ended without an answer."


def documents_of(entries: Sequence[Entry]) -> list[Document]:
    """The collection's texts as the service would be sent them."""
    return [
        Document(entry.id, f"eval:{entry.id}", entry.title, entry.text, language=entry.language, source="eval")
        for entry in entries
    ]


def open_corpus(data: Path) -> list[Entry]:
    """All passages of squad-ir and drcd-ir, and the encyclopedia leads as further distractors."""
    squad, drcd = datasets.collection(data, "squad-ir"), datasets.collection(data, "drcd-ir")
    return [*squad.entries, *drcd.entries, *datasets.leads(data)]


def make_index(
    folder: Path, documents: Sequence[Document], encoder: Encoder, progress: Progress | None = None
) -> Index:
    """The index of these documents, made or completed in `folder`."""
    index = Index.create(folder, encoder)
    known = index.counts().documents
    if known >= len(documents):
        return index
    for start in range(known - known % SLICE, len(documents), SLICE):
        add_documents(documents[start : start + SLICE], index, encoder)
        if progress is not None:
            progress("index", min(start + SLICE, len(documents)), len(documents))
    return index


def place(home: Path, documents: Sequence[Document], encoder: Encoder) -> Path:
    """Where the index of these documents, split as they are now, by this encoder is kept."""
    texts = hashlib.sha256()
    for document in documents:
        borders = [passage.start for passage in split(document)]
        texts.update(f"{document.id}\0{document.title}\0{document.text}\0{borders}\0".encode())
    return home / "cache" / "indexes" / f"{encoder.fingerprint[:12]}-{texts.hexdigest()[:12]}"


def base_of(home: Path) -> TrunkEncoder:
    """The encoder that the heads sit on, with the default settings."""
    settings = Settings.model_validate({"home": home})
    return make_base(settings, make_encoder(settings))


def over(parts: Parts, searcher: Searcher) -> Parts:
    """The same parts over another index."""
    was = parts.retriever
    if isinstance(was, RerankedRetriever):
        first = over_searcher(was.retriever, searcher)
        return replace(parts, retriever=RerankedRetriever(first, was.reranker, was.weight, was.depth))
    return replace(parts, retriever=over_searcher(was, searcher))


def over_searcher(was: Retriever, searcher: Searcher) -> Searcher:
    """The other index, seen as it was."""
    return searcher.seeing(was.seen if isinstance(was, Searcher) else None)


def workbench(
    home: Path,
    documents: Sequence[Document],
    folder: Path | None = None,
    progress: Progress | None = None,
    like: Workbench | None = None,
    settings: Settings | None = None,
) -> Workbench:
    """Index, policy and judges over these documents, with the default settings where none are given; the loaded models
    of `like`, if given.

    The vectors of known texts come from home/cache/vectors; questions are always encoded by the encoder itself, so
    that latencies are real.
    """
    settings = settings or Settings.model_validate({"home": home})
    encoder = like.encoder if like else make_encoder(settings)
    cached = CachedEncoder(encoder, home / "cache" / "vectors", progress)
    index = make_index(folder or place(home, documents, encoder), documents, cached, progress)
    searcher = Searcher(index, encoder, per_document=settings.passages_per_document)
    library = Library(index, encoder, searcher, settings.document_limit)
    parts = over(like.parts, searcher) if like else make_parts(settings, encoder, library, load_rules())
    return Workbench(library, parts, CAREFUL, encoder)
