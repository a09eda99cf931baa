"""/healthz, /readyz, /v1/status and /metrics: is it alive, can it answer, what is in it, and what it did."""

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.access import application, caller
from service.application import Application
from service.errors import NotReady
from service.jobs import Job
from service.keys import Caller
from service.metrics import exposition
from service.operator_schemas import IndexOut, LanguageOut, LimitsOut, ReadyOut, SourceOut, StageOut, StatusOut, WorkOut

App = Annotated[Application, Depends(application)]

TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


def router() -> APIRouter:
    routes = APIRouter(tags=["status"])
    routes.add_api_route("/healthz", health, methods=["GET"], summary="Is the process alive")
    routes.add_api_route("/readyz", ready, methods=["GET"], summary="Can it answer")
    routes.add_api_route("/v1/status", status, methods=["GET"], summary="What is loaded and indexed")
    routes.add_api_route(
        "/metrics", metrics, methods=["GET"], response_model=None, responses=TEXT, summary="Figures for Prometheus"
    )
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


def status(app: App, who: Annotated[Caller, Depends(caller)]) -> StatusOut:
    """Never fails: a stage that could not be loaded says why. Conversations and feedback are those of the caller."""
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
        conversations=app.conversations.of(who.owner).count(),
        feedback=app.feedback.count(who.owner),
        sharing=settings.sharing,
        memory=settings.memory,
        limits=LimitsOut(question=settings.question_limit, document=settings.document_limit, body=settings.body_limit),
    )


def metrics(app: App) -> PlainTextResponse:
    """Requests, answers by verdict, seconds of each stage, the queue, refreshes, the index; numbers only."""
    return PlainTextResponse(exposition(app), media_type=CONTENT_TYPE_LATEST)


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
        added_at=library.index.added_at(),
        sources=[SourceOut.model_validate(source) for source in library.index.sources()],
        languages=[LanguageOut(language=language, documents=count) for language, count in languages],
    )
