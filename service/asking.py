"""One question from a person: kept, answered, kept again. The command line and the HTTP routes both ask here."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from indexing.types import BadInput, Cancelled, Filters, TooLarge
from models.types import Cancelled as CancelledCheck
from models.types import Conversation, never
from service.config import Settings
from service.conversations import Conversations, Once
from service.errors import explain
from service.events import Done, Event
from service.logs import ACCESS
from service.memories import Memories
from service.metrics import Metrics
from service.pipeline import FAST, Counts, Parts, answer
from service.rulebook import Rulebook
from service.schemas import answer_json
from service.tracing import Tracing
from service.types import Answer

LOG = logging.getLogger(ACCESS)
THREADS = 128
"""Streams open at once; all but `workers` of them wait at the turnstile. Threads are reused, as the index keeps a
database connection for each."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person sent. `conversation_id` "" begins a conversation; `mode` None takes the setting; `owner` is whose
    conversation it is; `once` names a question that may be sent again."""

    message: str
    conversation_id: str = ""
    mode: Literal["careful", "fast"] | None = None
    filters: Filters | None = None
    owner: str = ""
    once: Once | None = None


class Turnstile:
    """Lets so many questions be worked on at once; those who wait can be cancelled."""

    def __init__(self, places: int) -> None:
        self._places, self._lock = threading.Semaphore(places), threading.Lock()
        self.working = self.waiting = 0

    @contextmanager
    def passed(self, cancelled: CancelledCheck) -> Iterator[None]:
        self._count(waiting=1)
        try:
            while not self._places.acquire(timeout=0.05):
                if cancelled():
                    raise Cancelled("Stopped.", "Ask again when you like.")
        finally:
            self._count(waiting=-1)
        self._count(working=1)
        try:
            yield
        finally:
            self._count(working=-1)
            self._places.release()

    def _count(self, working: int = 0, waiting: int = 0) -> None:
        with self._lock:
            self.working += working
            self.waiting += waiting


class Asking:
    """Answers questions with stored conversations."""

    def __init__(
        self,
        settings: Settings,
        conversations: Conversations,
        metrics: Metrics | None = None,
        rulebook: Rulebook | None = None,
        tracing: Tracing | None = None,
        memories: Memories | None = None,
    ) -> None:
        self.settings, self.conversations, self.rulebook = settings, conversations, rulebook
        self.memories = memories if settings.memory else None
        self.metrics, self.tracing = metrics or Metrics(), tracing or Tracing()
        self.turnstile = Turnstile(settings.workers)
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="answer")

    def check(self, message: str) -> None:
        """Raises BadInput for an empty question, TooLarge for an over-long one."""
        if not message.strip():
            raise BadInput("The question is empty.", "Write what you want to know.")
        limit = self.settings.question_limit
        if len(message) > limit:
            raise TooLarge(
                f"The question has {len(message)} characters; {limit} are allowed.",
                "Shorten it, or raise the setting question_limit.",
            )

    def ask(self, question: Question, parts: Parts, cancelled: CancelledCheck = never) -> Iterator[Event]:
        """The flow's events. The user's turn is kept before the first, the answer before Done is given out.

        Raises what the flow raises, after the turn was marked stopped or failed; NotFound for an unknown conversation.
        """
        self.check(question.message)
        kept = self.conversations.of(question.owner)
        conversation_id, turn_id = kept.begin(question.message, question.conversation_id, question.once)
        try:
            conversation = kept.read(conversation_id, turn_id, self.settings.conversation_limit)
            memories = self.memories.of(question.owner) if self.memories else None
            if memories:
                conversation = replace(conversation, memory=memories.texts())
            flow = self._flow(conversation, parts, question.mode, question.filters, cancelled)
            yield next(flow)  # Accepted: at once, whoever else is being answered
            with self.turnstile.passed(cancelled):
                for event in flow:
                    if isinstance(event, Done):
                        said = event.answer
                        owner = kept.finish(conversation_id, turn_id, said.id, said.text, answer_json(said))
                        if memories:
                            memories.of(owner).learn(question.message)
                        self._answered(said)
                    yield event
        except BaseException as error:
            self._failed(turn_id, error)
            raise

    def answered(
        self,
        conversation: Conversation,
        parts: Parts,
        mode: Literal["careful", "fast"] | None = None,
        filters: Filters | None = None,
        cancelled: CancelledCheck = never,
    ) -> Iterator[Event]:
        """The flow's events for a conversation that somebody else keeps. Raises what the flow raises."""
        flow = self._flow(conversation, parts, mode, filters, cancelled)
        yield next(flow)
        with self.turnstile.passed(cancelled):
            for event in flow:
                if isinstance(event, Done):
                    self._answered(event.answer)
                yield event

    def _flow(
        self,
        conversation: Conversation,
        parts: Parts,
        mode: Literal["careful", "fast"] | None,
        filters: Filters | None,
        cancelled: CancelledCheck,
    ) -> Iterator[Event]:
        """Under the rules as they are set now."""
        obeying = self.rulebook.applied(parts) if self.rulebook else parts
        return answer(conversation, obeying, self.counts(mode), filters, cancelled, self.tracing.stage)

    def _answered(self, answer: Answer) -> None:
        self.metrics.answered(answer)
        self.tracing.answered(answer.verdict)
        told = {"answer_id": answer.id, "verdict": answer.verdict, "timings": dict(answer.timings)}
        LOG.info("answered", extra=told)
        if answer.failed:
            LOG.warning("answered without the second policy: %s", answer.failed, extra={"answer_id": answer.id})

    def _failed(self, turn_id: str, error: BaseException) -> None:
        stopped = isinstance(error, Cancelled | GeneratorExit | KeyboardInterrupt)
        plain = Cancelled("Stopped.", "Ask again when you like.") if stopped else explain(error)
        body = {"code": plain.code, "message": plain.message, "hint": plain.hint}
        how = "stopped" if stopped else "failed"
        self.metrics.unfinished(how)
        self.conversations.fail(turn_id, how, json.dumps(body, ensure_ascii=False))

    def counts(self, mode: Literal["careful", "fast"] | None) -> Counts:
        settings = self.settings
        if (mode or settings.mode) == "fast":
            return replace(FAST, nearest=settings.nearest)
        return Counts(
            settings.candidates_without_evidence, settings.queries, settings.passages_per_query, settings.nearest
        )
