"""/healthz, /readyz and /v1/status: is it alive, can it answer, and what is in it."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends

from service.access import application
from service.application import Application
from service.errors import NotReady
from service.jobs import Job
from service.schemas import IndexOut, LanguageOut, LimitsOut, ReadyOut, SourceOut, StageOut, StatusOut, WorkOut

App = Annotated[Application, Depends(application)]


def router() -> APIRouter:
    routes = APIRouter(tags=["status"])
    routes.add_api_route("/healthz", health, methods=["GET"], summary="Is the process alive")
    routes.add_api_route("/readyz", ready, methods=["GET"], summary="Can it answer")
    routes.add_api_route("/v1/status", status, methods=["GET"], summary="What is loaded and indexed")
    return routes


async def health() -> ReadyOut:
    """Answers from the first moment, whatever is still being loaded."""
    return ReadyOut(status="ok")


def ready(app: App) -> ReadyOut:
    """503 naming what is waited for, until a question can be answered."""
    app.library.get().filled()
    app.parts.get()
    if not app.startup.ready:
        raise NotReady("Passerine is starting: it is answering a first question.", "Ask again in a few seconds.")
    return ReadyOut(status="ready")


def status(app: App) -> StatusOut:
    """Never fails: a stage that could not be loaded says why."""
    settings = app.settings
    loaded = app.library.stage.state == "ready"
    return StatusOut(
        version=version("passerine"),
        ready=app.startup.ready,
        stages=[StageOut.model_validate(stage) for stage in app.startup.stages()],
        index=index_of(app) if loaded else None,
        refresh=work_of(app.refreshes.jobs.current()),
        policy=settings.policy,
        mode=settings.mode,
        encoder=settings.encoder,
        search_runs_on=app.library.get().runs_on if loaded else "",
        conversations=app.conversations.count(),
        feedback=app.feedback.count(),
        limits=LimitsOut(question=settings.question_limit, document=settings.document_limit, body=settings.body_limit),
    )


def work_of(job: Job | None) -> WorkOut:
    """The newest job in a few words, for the page."""
    if job is None:
        return WorkOut(running=False, stage="", done=0, total=0, seconds=0.0, report="", error="")
    return WorkOut(
        running=job.state == "running",
        stage=job.stage,
        done=job.done,
        total=job.total,
        seconds=job.seconds,
        report=job.counts if job.state == "done" else "",
        error=job.error,
    )


def index_of(app: Application) -> IndexOut:
    library = app.library.get()
    counts = library.counts()
    languages = library.index.catalogue.languages()
    return IndexOut(
        documents=counts.documents,
        passages=counts.passages,
        bytes=counts.bytes,
        added_at=added_at(library.index.folder),
        sources=[SourceOut.model_validate(source) for source in library.index.sources()],
        languages=[LanguageOut(language=language, documents=count) for language, count in languages],
    )


def added_at(folder: Path) -> datetime | None:
    """When the newest segment was written; None for an empty index."""
    written = [path.stat().st_mtime for path in (folder / "segments").glob("*.seg")]
    return datetime.fromtimestamp(max(written), UTC) if written else None
