"""The answer flow as an asynchronous stream: the flow works in a thread, the event loop only passes on.

A caller that goes away cancels the flow: `cancelled()` turns true, and the flow stops at its next look.
"""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from contextvars import copy_context

from pydantic import BaseModel, TypeAdapter

from indexing.types import PasserineError
from models.types import Cancelled as CancelledCheck
from service.errors import explain, shape
from service.events import Accepted, Cited, Delta, Done, Event, Judged, Planned, Proposed, Searched
from service.schemas import AnswerOut, CandidateOut, CitationOut, Given, HitOut, JudgementOut, PlanOut, QueryOut

Work = Callable[[CancelledCheck], Iterator[Event]]
Flow = AsyncGenerator[Event | None, None]
"""Events; None stands for a silence."""
COMMENT = ": keep-alive\n\n"


class AcceptedOut(Given):
    answer_id: str
    conversation_id: str


class SearchedOut(Given):
    queries: list[QueryOut]
    evidence: list[HitOut]


class ProposedOut(Given):
    candidates: list[CandidateOut]


class JudgedOut(Given):
    judgements: list[JudgementOut]
    chosen: int | None
    verdict: str
    reason: str
    final: bool


class DeltaOut(BaseModel):
    delta: str


class CitedOut(Given):
    citations: list[CitationOut]
    read: list[HitOut]
    nearest: list[HitOut]


ERROR = TypeAdapter(dict[str, dict[str, str]])


async def events(work: Work, pool: Executor, keep_alive: float) -> Flow:
    """Runs `work` in a thread of `pool` and gives its events; None after `keep_alive` seconds of silence.

    Raises what the work raised. Leaving the iterator, however it happens, cancels the work.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
    stopped = threading.Event()

    def put(item: Event | BaseException | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def run() -> None:
        try:
            for event in work(stopped.is_set):
                put(event)
            put(None)
        except Exception as error:  # noqa: BLE001 - carried to the request's own edge, which reports it
            put(error)

    pool.submit(copy_context().run, run)  # records of the thread carry the request's id
    try:
        while True:
            try:
                item = await asyncio.wait_for(queue.get(), keep_alive)
            except TimeoutError:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()


async def server_sent(
    first: Event | None, flow: Flow, request_id: str, log: Callable[[str], None]
) -> AsyncIterator[str]:
    """`first` and the rest of `flow` as text/event-stream; a failure is the last event, in the shape of every error."""
    try:
        async with aclosing(flow):
            yield COMMENT if first is None else frame(first)
            async for event in flow:
                yield COMMENT if event is None else frame(event)
    except Exception as error:  # noqa: BLE001 - the edge of a stream whose status is already sent
        if not isinstance(error, PasserineError):
            log(f"request {request_id} failed")
        yield line("error", ERROR.dump_json(shape(explain(error), request_id)).decode())


async def sent_again(answer: str) -> AsyncIterator[str]:
    """A stored answer (JSON) as a short stream: `accepted` and `done`."""
    stored = json.loads(answer)
    accepted = AcceptedOut(answer_id=stored["id"], conversation_id=stored["conversation_id"])
    yield line("accepted", accepted.model_dump_json())
    yield line("done", answer)


def frame(event: Event) -> str:
    """One event with its name and one line of JSON."""
    match event:
        case Accepted():
            return line("accepted", AcceptedOut.model_validate(event).model_dump_json())
        case Planned():
            return line("plan", PlanOut.model_validate(event.plan).model_dump_json())
        case Searched():
            return line("search", SearchedOut.model_validate(event).model_dump_json())
        case Proposed():
            return line("candidates", ProposedOut.model_validate(event).model_dump_json())
        case Judged():
            return line("judgement", JudgedOut.model_validate(event).model_dump_json())
        case Delta():
            return line("answer", DeltaOut(delta=event.text).model_dump_json())
        case Cited():
            return line("citations", CitedOut.model_validate(event).model_dump_json())
        case Done():
            return line("done", AnswerOut.model_validate(event.answer).model_dump_json())


def line(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
