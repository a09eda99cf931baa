"""POST /v1/chat: one question, answered as one JSON object or as a stream of events."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from indexing.types import Cancelled
from models.types import Cancelled as CancelledCheck
from service.access import application, caller
from service.application import Application
from service.asking import Question
from service.conversations import Once
from service.events import Done, Event
from service.inputs import ChatIn
from service.keys import Caller
from service.pipeline import Parts
from service.schemas import AnswerOut
from service.stream import Flow, events, sent_again, server_sent
from service.types import Answer

LOG = logging.getLogger("passerine.http")
LOOK = 0.2
"""Seconds between two looks whether a caller without a stream is still there."""
IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="a name for this question; sent again, it gets the first answer"),
]
STREAM_HEADERS = {"x-accel-buffering": "no", "cache-control": "no-store"}
EXAMPLE = "event: accepted\ndata: {...}\n\nevent: plan\ndata: {...}\n\n... event: done\ndata: {...}\n\n"
STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"example": EXAMPLE}}}}


def router() -> APIRouter:
    routes = APIRouter(tags=["chat"])
    routes.add_api_route(
        "/v1/chat", chat, methods=["POST"], response_model=AnswerOut, responses=STREAMED, summary="Ask a question"
    )
    return routes


async def chat(
    body: ChatIn,
    request: Request,
    app: Annotated[Application, Depends(application)],
    who: Annotated[Caller, Depends(caller)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answers with the exact words that support the answer, all candidates, and their judgements.

    With `"stream": true`: events `accepted`, `plan`, `search`, `candidates`, `judgement`, `answer` (pieces of the
    text), `citations`, then `done` with the same object, or `error`.
    """
    once = Once(idempotency_key, fingerprint(body)) if idempotency_key else None
    if answer := await run_in_threadpool(answered_before, app, body, who.owner, once):
        return again(answer, body.stream)
    parts = await run_in_threadpool(ready, app)
    filters = body.filters.filters() if body.filters else None
    question = Question(body.message, body.conversation_id or "", body.mode, filters, who.owner, once)

    def work(cancelled: CancelledCheck) -> Iterator[Event]:
        return app.asking.ask(question, parts, cancelled)

    pool = app.asking.pool
    if not body.stream:
        said = await finished(events(work, pool, LOOK), request)
        return Response(AnswerOut.model_validate(said).model_dump_json(), media_type="application/json")
    flow = events(work, pool, app.settings.keep_alive)
    first = await anext(flow)  # what fails before the question is kept has its own status
    stream = server_sent(first, flow, request.state.request_id, LOG.exception)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)


def answered_before(app: Application, body: ChatIn, owner: str, once: Once | None) -> str | None:
    """The stored answer (JSON) to a question that was sent before. Raises BadInput, TooLarge, NotFound for a question
    that cannot be asked."""
    app.asking.check(body.message)
    kept = app.conversations.of(owner)
    if body.conversation_id:
        kept.get(body.conversation_id)
    return kept.repeated(once) if once else None


def ready(app: Application) -> Parts:
    """What answers. Raises IndexMissing, ModelMissing."""
    app.library.get().filled()
    return app.parts.get()


def fingerprint(body: ChatIn) -> str:
    """Of what is asked; whether it is streamed makes no other question."""
    return hashlib.sha256(body.model_dump_json(exclude={"stream"}).encode()).hexdigest()


def again(answer: str, stream: bool) -> Response:
    """The reply to a question that was answered before."""
    told = {"idempotent-replayed": "true"}
    if stream:
        return StreamingResponse(sent_again(answer), media_type="text/event-stream", headers={**STREAM_HEADERS, **told})
    return Response(answer, media_type="application/json", headers=told)


async def finished(flow: Flow, request: Request) -> Answer:
    """The finished answer. Raises Cancelled when the caller went away meanwhile."""
    async with aclosing(flow):
        async for event in flow:
            if isinstance(event, Done):
                return event.answer
            if await request.is_disconnected():
                break
    raise Cancelled("Stopped.", "Ask again when you like.")
