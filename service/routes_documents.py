"""/v1/search, /v1/similar and /v1/documents: finding passages, and reading, adding and removing documents."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from indexing.types import Document
from indexing.types import Query as SearchQuery
from service.access import application
from service.application import Application
from service.inputs import DocumentIn, SearchIn, SimilarIn, UploadIn
from service.schemas import (
    AddedDocumentsOut,
    AddedOut,
    DocumentOut,
    DocumentsOut,
    DocumentTextOut,
    FacetsOut,
    HitOut,
    PassageOut,
    SearchOut,
    SnippetOut,
)
from service.snippets import snippet
from service.uploads import read_upload

App = Annotated[Application, Depends(application)]
Posted = Annotated[DocumentIn | Annotated[list[DocumentIn], Body(min_length=1, max_length=1000)], Body()]


FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["documents"])
    routes.add_api_route("/search", search, methods=["GET"], summary="Find passages")
    routes.add_api_route("/similar", similar, methods=["GET"], summary="More like a passage")
    routes.add_api_route("/documents", add, methods=["POST"], summary="Add or replace documents")
    routes.add_api_route("/files", upload, methods=["POST"], openapi_extra=FILE_BODY, summary="Add a file")
    routes.add_api_route("/documents", listing, methods=["GET"], summary="List documents")
    routes.add_api_route("/documents/{document_id:path}", one, methods=["GET"], summary="Read a document")
    routes.add_api_route(
        "/documents/{document_id:path}", delete, methods=["DELETE"], status_code=204, summary="Delete a document"
    )
    return routes


def search(asked: Annotated[SearchIn, Query()], app: App) -> SearchOut:
    """Passages by words and by meaning, best first; never one that neither side found."""
    app.asking.check(asked.q)
    library = app.library.get()
    end = asked.offset + asked.k
    # one more tells whether there is a further page
    found, facets = library.filled().searcher.faceted(SearchQuery(asked.q), end + 1, asked.filters())
    shown = found[asked.offset : end]
    snippets = [snippet(hit.passage.text, asked.q, library.index.analyser) for hit in shown]
    return SearchOut(
        query=asked.q,
        hits=[HitOut.model_validate(hit) for hit in shown],
        snippets=[SnippetOut.model_validate(each) for each in snippets],
        offset=asked.offset,
        more=len(found) > end,
        facets=FacetsOut.model_validate(facets),
        did_you_mean=library.index.did_you_mean(asked.q),
    )


def similar(asked: Annotated[SimilarIn, Query()], app: App) -> SearchOut:
    """Passages of other documents that say what this one says, best first. `query` is the title of its document."""
    library = app.library.get()
    found = library.searcher.similar(asked.passage, asked.k, asked.filters())
    title = library.index.document(library.index.passage(asked.passage).document_id).title
    snippets = [snippet(hit.passage.text, title, library.index.analyser) for hit in found]
    return SearchOut(
        query=title,
        hits=[HitOut.model_validate(hit) for hit in found],
        snippets=[SnippetOut.model_validate(each) for each in snippets],
    )


def add(body: Posted, app: App) -> AddedDocumentsOut:
    """One document or a list. Answers when they can be searched; the same id again replaces the document."""
    library = app.library.get()
    given = body if isinstance(body, list) else [body]
    documents = [
        Document(item.id or "", item.url, item.title, item.text, item.published_at, metadata=item.metadata)
        for item in given
    ]
    stored = library.add(documents)
    return AddedDocumentsOut(documents=[AddedOut.model_validate(each) for each in stored])


async def upload(asked: Annotated[UploadIn, Query()], request: Request, app: App) -> AddedDocumentsOut:
    """The file as the body: text, Markdown, HTML, PDF, DOCX, XLSX, CSV or JSON Lines. Answers when it can be
    searched; the same name again replaces its document."""
    data = await request.body()
    stored = await run_in_threadpool(add_file, app, asked, data)
    return AddedDocumentsOut(documents=stored)


def add_file(app: Application, asked: UploadIn, data: bytes) -> list[AddedOut]:
    library = app.library.get()
    found = read_upload(asked.name, data, asked.modified)
    stored = library.add([each.document for each in found], [each.marks for each in found])
    return [AddedOut.model_validate(each) for each in stored]


def listing(
    app: App,
    source: str | None = None,
    q: Annotated[str, Query(max_length=200, description="part of a title or an address")] = "",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> DocumentsOut:
    """In the order of their ids; `next` is the `after` of the following page, null on the last."""
    library = app.library.get()
    found = library.index.documents(source, after, limit + 1, q)
    shown = [DocumentOut.model_validate(document) for document in found[:limit]]
    following = shown[-1].id if len(found) > limit else None
    return DocumentsOut(documents=shown, next=following, total=library.counts().documents)


def one(
    document_id: str,
    app: App,
    passage: str | None = None,
    around: Annotated[int, Query(ge=0, le=100_000)] = 600,
) -> DocumentTextOut:
    """With `passage`: that passage with `around` characters before and after it. Without: the whole text."""
    library = app.library.get()
    document = library.index.document(document_id)
    head = DocumentOut.model_validate(document)
    if passage is None:
        return DocumentTextOut(document=head, text=document.text, passage=None, before="", after="")
    found = library.surroundings(document, passage, around)
    shown = PassageOut.model_validate(found.passage)
    return DocumentTextOut(document=head, text=None, passage=shown, before=found.before, after=found.after)


def delete(document_id: str, app: App) -> None:
    """Gone from every answer when this returns."""
    app.library.get().delete(document_id)
