"""POST /v1/chat/completions and GET /v1/models: for clients that speak OpenAI's protocol.

The conversation comes with every request and nothing of it is kept. System messages and the settings of sampling are
taken and have no effect: Passerine says what its documents say. Citations, the verdict and the nearest passages come in
fields of their own beside OpenAI's.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from indexing.types import BadInput, NotFound, PasserineError
from models.types import Cancelled as CancelledCheck
from models.types import Conversation, Turn
from models.words import units
from service.access import application
from service.application import Application
from service.errors import explain, shape
from service.events import Delta, Done, Event
from service.inputs import FiltersIn, Name, whole
from service.routes_chat import LOOK, STREAM_HEADERS, finished, ready
from service.schemas import CitationOut, HitOut
from service.stream import COMMENT, Flow, events
from service.types import Answer, Verdict

LOG = logging.getLogger("passerine.http")
Mode = Literal["careful", "fast"]
MODELS: dict[str, Mode | None] = {"passerine": None, "passerine-careful": "careful", "passerine-fast": "fast"}
"""Model names and the mode that each chooses; the first takes the service's setting."""


class PartIn(BaseModel):
    """A piece of a message's content; only text can be read."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"]
    text: str


def joined(content: object) -> object:
    """Content as one text; a list of text parts is joined."""
    if isinstance(content, list):
        return "\n".join(PartIn.model_validate(part).text for part in content)
    return whole("" if content is None else content)


class MessageIn(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(joined)]


class StreamOptionsIn(BaseModel):
    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class CompletionIn(BaseModel):
    """Fields of OpenAI's that are not named here are taken and have no effect."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {"model": "passerine", "messages": [{"role": "user", "content": "Who was the first woman in space?"}]}
            ]
        },
    )

    model: Name
    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=1000)]
    stream: bool = False
    stream_options: StreamOptionsIn | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    filters: FiltersIn | None = Field(None, description="Passerine's own: as in POST /v1/chat")


class SaidOut(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str


class ChoiceOut(BaseModel):
    index: int = 0
    message: SaidOut
    finish_reason: Literal["stop"] = "stop"


class UsageOut(BaseModel):
    """Counted in words and Chinese characters: Passerine has no tokens of its own."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionOut(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: UsageOut
    verdict: Verdict
    citations: list[CitationOut]
    nearest: list[HitOut]


class ModelOut(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "passerine"


class ModelsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"example": 'data: {"object": "chat.completion.chunk", ...}\n\n'}}}
}


def router() -> APIRouter:
    routes = APIRouter(tags=["OpenAI's protocol"])
    routes.add_api_route(
        "/v1/chat/completions", complete, methods=["POST"], response_model=CompletionOut, responses=STREAMED,
        summary="Ask as a client of OpenAI's would",
    )  # fmt: skip
    routes.add_api_route("/v1/models", models, methods=["GET"], summary="Model names")
    routes.add_api_route("/v1/models/{name}", model, methods=["GET"], summary="One model name")
    return routes


async def models() -> ModelsOut:
    """The names that `model` may have."""
    return ModelsOut(data=[ModelOut(id=name) for name in MODELS])


async def model(name: str) -> ModelOut:
    """One of them."""
    return ModelOut(id=known(name))


def known(name: str) -> str:
    """Raises NotFound for another name."""
    if name not in MODELS:
        raise NotFound(f"There is no model '{name}'.", f"The models: {', '.join(MODELS)}.")
    return name


async def complete(body: CompletionIn, request: Request, app: Annotated[Application, Depends(application)]) -> Response:
    """Answers the last user message of the conversation that comes with the request."""
    mode = MODELS[known(body.model)]
    conversation = conversation_of(body, app.settings.conversation_limit)
    app.asking.check(conversation.question)
    parts = await run_in_threadpool(ready, app)
    filters = body.filters.filters() if body.filters else None

    def work(cancelled: CancelledCheck) -> Iterator[Event]:
        return app.asking.answered(conversation, parts, mode, filters, cancelled)

    created = int(time.time())
    if not body.stream:
        answer = await finished(events(work, app.asking.pool, LOOK), request)
        return Response(completion(answer, conversation, body.model, created), media_type="application/json")
    flow = events(work, app.asking.pool, app.settings.keep_alive)
    first = await anext(flow)  # what fails at once has its own status
    usage = body.stream_options is not None and body.stream_options.include_usage
    stream = chunks(first, flow, conversation, body.model, created, usage, request.state.request_id)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)


def conversation_of(body: CompletionIn, most: int) -> Conversation:
    """The turns of user and assistant, the newest `most`. Raises BadInput when the last one is not the user's."""
    turns = [
        Turn("assistant" if message.role == "assistant" else "user", message.content)
        for message in body.messages
        if message.role in ("user", "assistant") and message.content.strip()
    ]
    if not turns or turns[-1].role != "user":
        raise BadInput("The last message is not the user's.", "End `messages` with one of role user.")
    return Conversation(tuple(turns[-most:]))


def completion(answer: Answer, conversation: Conversation, name: str, created: int) -> str:
    """OpenAI's object with Passerine's fields."""
    return CompletionOut(
        id=answer.id,
        created=created,
        model=name,
        choices=[ChoiceOut(message=SaidOut(content=answer.text))],
        usage=usage_of(answer, conversation),
        verdict=answer.verdict,
        citations=[CitationOut.model_validate(citation) for citation in answer.citations],
        nearest=[HitOut.model_validate(hit) for hit in answer.nearest],
    ).model_dump_json()


def usage_of(answer: Answer, conversation: Conversation) -> UsageOut:
    asked = sum(len(units(turn.text)) for turn in conversation.turns)
    said = len(units(answer.text))
    return UsageOut(prompt_tokens=asked, completion_tokens=said, total_tokens=asked + said)


async def chunks(
    first: Event | None, flow: Flow, conversation: Conversation, name: str, created: int, usage: bool, request_id: str
) -> AsyncIterator[str]:
    """The answer's pieces as OpenAI's chunks; the last but `[DONE]` carries the citations."""
    identity = getattr(first, "answer_id", "")

    def chunk(delta: dict[str, str] | None, reason: str | None = None, **more: object) -> str:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
        body = {"id": identity, "object": "chat.completion.chunk", "created": created, "model": name}
        return f"data: {json.dumps({**body, 'choices': choices, **more}, ensure_ascii=False)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    try:
        async with aclosing(flow):
            async for event in flow:
                if event is None:
                    yield COMMENT
                elif isinstance(event, Delta):
                    yield chunk({"content": event.text})
                elif isinstance(event, Done):
                    own = json.loads(completion(event.answer, conversation, name, created))
                    yield chunk({}, "stop", **{key: own[key] for key in ("verdict", "citations", "nearest")})
                    if usage:
                        yield chunk(None, usage=own["usage"])
        yield "data: [DONE]\n\n"
    except Exception as error:
        if not isinstance(error, PasserineError):
            LOG.exception("request %s failed", request_id)
        yield f"data: {json.dumps(shape(explain(error), request_id), ensure_ascii=False)}\n\n"
