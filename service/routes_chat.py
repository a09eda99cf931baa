"""POST /v1/chat: one question, answered as one JSON object or as a stream of events."""

import logging
from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from indexing.types import Cancelled
from models.types import Cancelled as CancelledCheck
from service.access import application
from service.application import Application
from service.asking import Question
from service.events import Done, Event
from service.inputs import ChatIn
from service.schemas import AnswerOut
from service.stream import Flow, events, server_sent
from service.types import Answer

LOG = logging.getLogger("passerine.http")
LOOK = 0.2
"""Seconds between two looks whether a caller without a stream is still there."""
STREAM_HEADERS = {"x-accel-buffering": "no", "cache-control": "no-store"}
EXAMPLE = "event: accepted\ndata: {...}\n\nevent: plan\ndata: {...}\n\n... event: done\ndata: {...}\n\n"
STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"example": EXAMPLE}}}}


def router() -> APIRouter:
    routes = APIRouter(tags=["chat"])
    routes.add_api_route(
        "/v1/chat", chat, methods=["POST"], response_model=AnswerOut, responses=STREAMED, summary="Ask a question"
    )
    return routes


async def chat(body: ChatIn, request: Request, app: Annotated[Application, Depends(application)]) -> Response:
    """Answers with the exact words that support the answer, all candidates, and their judgements.

    With `"stream": true`: events `accepted`, `plan`, `search`, `candidates`, `judgement`, `answer` (pieces of the
    text), `citations`, then `done` with the same object, or `error`.
    """
    app.asking.check(body.message)
    app.library.get().filled()
    parts = app.parts.get()
    if body.conversation_id:
        app.conversations.get(body.conversation_id)
    question = Question(
        body.message, body.conversation_id or "", body.mode, body.filters.filters() if body.filters else None
    )

    def work(cancelled: CancelledCheck) -> Iterator[Event]:
        return app.asking.ask(question, parts, cancelled)

    pool = app.asking.pool
    if not body.stream:
        answer = await finished(events(work, pool, LOOK), request)
        return Response(AnswerOut.model_validate(answer).model_dump_json(), media_type="application/json")
    flow = events(work, pool, app.settings.keep_alive)
    first = await anext(flow)  # what fails before the question is kept has its own status
    stream = server_sent(first, flow, request.state.request_id, LOG.exception)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)


async def finished(flow: Flow, request: Request) -> Answer:
    """The finished answer. Raises Cancelled when the caller went away meanwhile."""
    async with aclosing(flow):
        async for event in flow:
            if isinstance(event, Done):
                return event.answer
            if await request.is_disconnected():
                break
    raise Cancelled("Stopped.", "Ask again when you like.")
