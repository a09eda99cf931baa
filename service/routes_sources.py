"""/v1/sources and /v1/jobs: where documents come from, and how their refreshes go."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.access import application, caller
from service.application import Application
from service.config import LOOPBACK
from service.errors import Forbidden
from service.inputs import Offset, SourceIn
from service.jobs import Job
from service.keys import Caller
from service.operator_schemas import (
    JobFailuresOut,
    JobOut,
    JobsOut,
    RefetchedOut,
    SourcesOut,
    StoredSourceOut,
    TriedOut,
)
from service.sources import LOCAL, Kind, StoredSource, described, guessed, opened, tried

App = Annotated[Application, Depends(application)]
Limit = Annotated[int, Query(ge=1, le=500)]
Who = Annotated[Caller, Depends(caller)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["sources"])
    routes.add_api_route("/sources", listing, methods=["GET"], summary="List the sources")
    routes.add_api_route("/sources", add, methods=["POST"], status_code=201, summary="Add a source")
    routes.add_api_route("/sources/test", test, methods=["POST"], summary="Try a source before adding it")
    routes.add_api_route("/sources/{name}", one, methods=["GET"], summary="Read a source")
    routes.add_api_route(
        "/sources/{name}", remove, methods=["DELETE"], status_code=204, summary="Remove a source and its documents"
    )
    routes.add_api_route(
        "/sources/{name}/refresh", refresh, methods=["POST"], status_code=202, summary="Queue a refresh of a source"
    )
    routes.add_api_route(
        "/documents/{document_id:path}/refresh",
        refetch,
        methods=["POST"],
        summary="Read a document anew",
    )
    routes.add_api_route("/jobs", jobs, methods=["GET"], summary="List refreshes")
    routes.add_api_route("/jobs/{job_id}", job, methods=["GET"], summary="Read a refresh and its failures")
    return routes


def listing(app: App, limit: Limit = 200, offset: Offset = 0) -> SourcesOut:
    """By name, each with its last refresh."""
    sources = app.refreshes.sources.list()
    page = [shown(app, source) for source in sources[offset : offset + limit]]
    return SourcesOut(sources=page, total=len(sources), offset=offset)


def add(body: SourceIn, app: App, who: Who) -> StoredSourceOut:
    """Keeps a source; its documents are read when it is refreshed."""
    check(app, who, body.kind or guessed(body.location, body.query))
    return shown(app, app.refreshes.sources.add(body.location, body.name, body.kind, body.query))


def test(body: SourceIn, app: App, who: Who) -> TriedOut:
    """The first documents of a source, read and not kept."""
    check(app, who, body.kind or guessed(body.location, body.query))
    with opened(described(body.location, body.name, body.kind, body.query), app.refreshes.rules) as read:
        return TriedOut.model_validate(tried(read))


def one(name: str, app: App) -> StoredSourceOut:
    """A source with its last refresh; `GET /v1/jobs/{job_id}` gives what that could not read."""
    return shown(app, app.refreshes.sources.get(name))


def remove(name: str, app: App, who: Who) -> None:
    """Stops its refresh if it runs here; when this returns, its documents are in no answer."""
    source = app.refreshes.sources.get(name)
    check(app, who, source.kind)
    app.worker.cancel(name)
    app.refreshes.remove(source)


def refresh(name: str, app: App) -> JobOut:
    """Waits its turn: refreshes run one at a time. The job that waits already, when there is one."""
    app.refreshes.sources.get(name)
    return JobOut.model_validate(app.worker.submit(name))


def refetch(document_id: str, app: App, who: Who) -> RefetchedOut:
    """Answers when what it holds now can be searched. A document that came over HTTP is sent again instead."""
    app.library.get()
    source, _ = app.refreshes.origin(document_id)
    check(app, who, source.kind)
    return RefetchedOut.model_validate(app.refreshes.refetch(document_id))


def jobs(app: App, source: str | None = None, limit: Limit = 50, offset: Offset = 0) -> JobsOut:
    """Newest first, of one source or all."""
    kept = app.refreshes.jobs
    page = [JobOut.model_validate(each) for each in kept.list(source, limit, offset)]
    return JobsOut(jobs=page, total=kept.count(source), offset=offset)


def job(job_id: str, app: App) -> JobFailuresOut:
    """How far a refresh is, or how it ended, and what it could not read."""
    found = app.refreshes.jobs.get(job_id)
    return JobFailuresOut.model_validate({"job": found, "failures": app.refreshes.jobs.failures(job_id)})


def shown(app: Application, source: StoredSource) -> StoredSourceOut:
    last: Job | None = app.refreshes.jobs.last(source.name)
    return StoredSourceOut(
        name=source.name,
        kind=source.kind,
        location=source.place,
        query=source.query,
        key=source.key,
        created_at=source.created_at,
        last_job=JobOut.model_validate(last) if last else None,
    )


def check(app: Application, who: Caller, kind: Kind) -> None:
    """Raises Forbidden for this machine's files and databases when anybody on the network may ask without a key; not
    even whether there is such a file is told."""
    if who.key is None and app.settings.host not in LOOPBACK and kind in LOCAL:
        raise Forbidden(
            f"Sources of the kind {kind} are not kept for other machines without a key.",
            "Use `passerine source` on the machine itself, or make a key: `passerine key add NAME --scope admin`.",
        )
