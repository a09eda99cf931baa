"""Chat models behind OpenAI-compatible servers, by the Generator contract."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import BaseModel

from indexing.types import BadInput, Cancelled, PasserineError
from models.generator import cut
from models.types import Cancelled as CancelledCheck
from models.types import Generation, OnText, Prompt, Sampling, never

PARALLEL = 8
"""Most requests of one call on their way at a time."""
LOOK_S = 0.05
"""Seconds between two looks at whether the caller has gone."""


class GeneratorFailed(PasserineError):
    """A remote model did not answer in time or to the end, or answered with an error."""

    code, status = "generator_failed", 502


class RemoteGenerator:
    """Any server with OpenAI's `/chat/completions` route.

    A request is tried three times with growing pauses when the server is busy or the line breaks, and never
    when it says that the request is wrong.
    """

    TRIES = 3

    def __init__(self, name: str, base_url: str, model: str, key: str = "", timeout_s: float = 60.0) -> None:
        self.name, self.model, self.key = name, model, key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None)
        self.client = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=timeout_s, limits=limits)

    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: CancelledCheck = never,
    ) -> list[list[Generation]]:
        """n generations a prompt, all asked for at once, each by a request of its own: many servers ignore `n`.

        Returns at once when `cancelled()` turns true, and stops all others when one fails. Raises GeneratorFailed.
        """
        calls = Calls(cancelled)
        pool = ThreadPoolExecutor(min(PARALLEL, max(1, len(prompts) * n)), "remote")
        try:
            asked = [
                [
                    pool.submit(self.complete, prompt, sampling, draft, on_text if first == draft == 0 else None, calls)
                    for draft in range(n)
                ]
                for first, prompt in enumerate(prompts)
            ]
            calls.finish([one for drafts in asked for one in drafts])
            return [[one.result() for one in drafts] for drafts in asked]
        finally:
            calls.end()
            pool.shutdown(wait=False, cancel_futures=True)

    def complete(
        self, prompt: Prompt, sampling: Sampling, draft: int, on_text: OnText | None, calls: "Calls"
    ) -> Generation:
        """One reply, read as it comes so that ending the calls closes the line."""
        body = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.text} for message in prompt],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed + draft,
            "stream": True,
            **({"stop": list(sampling.stop)} if sampling.stop else {}),
        }
        text, reason = "", ""
        reply = self.send(body, calls)
        try:
            for choice in self.choices(reply, calls):
                text += choice.text
                reason = choice.finish_reason or reason
                if on_text is not None:
                    on_text(text)
        except httpx.HTTPError as error:
            raise self.failure(f"the reply broke off ({type(error).__name__})") from error
        finally:
            reply.close()
        if not text and not reason:
            raise self.failure("the reply is empty")
        return Generation(cut(text, sampling.stop), (), reason == "stop")

    def send(self, body: dict[str, Any], calls: "Calls") -> httpx.Response:
        """An opened reply. Raises GeneratorFailed after the last try, or at once for a refused request."""
        problem = ""
        for attempt in range(self.TRIES):
            if attempt:
                calls.pause(0.5 * 2**attempt)
            try:
                reply = self.client.send(self.client.build_request("POST", "/chat/completions", json=body), stream=True)
            except httpx.LocalProtocolError:  # its text holds the headers
                raise self.failure("the key holds a character that cannot be sent") from None
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__} {error}"
                continue
            if reply.status_code < 300:
                return reply
            problem = refusal(reply)
            if reply.status_code < 500 and reply.status_code not in (408, 409, 429):
                break
        raise self.failure(problem)

    def choices(self, reply: httpx.Response, calls: "Calls") -> Iterator["Choice"]:
        """The choices of a reply. Raises GeneratorFailed where it is no chat reply, tells of an error or is cut off."""
        ended = False
        for data in events(reply, calls):
            if data == "[DONE]":
                ended = True
                continue
            try:
                event = Event.model_validate_json(data)
            except ValueError as error:
                raise self.failure("what it sent is no chat reply") from error
            if event.error:
                raise self.failure(event.problem)
            for choice in event.choices or []:
                ended = ended or choice.last
                yield choice
        if not ended:
            raise self.failure("the reply broke off before its end")

    def failure(self, problem: str) -> GeneratorFailed:
        """The error a person sees. A server may repeat the key in what it says; the error does not."""
        address = self.client.base_url.copy_with(userinfo=b"")
        said = problem.replace(self.key, "(key)") if self.key else problem
        return GeneratorFailed(
            f"The chat model at {address} did not answer: {said[:200]}.",
            "Check the settings generator_url, generator and generator_key, and that the server runs.",
        )

    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        """Not offered by the chat route. Raises BadInput."""
        raise BadInput("A remote chat model gives no log-probabilities of a given reply.", "Use a local generator.")


@dataclass
class Calls:
    """Requests that end together: when all are answered, when one fails, or when the caller has gone."""

    cancelled: CancelledCheck
    ended: threading.Event = field(default_factory=threading.Event)

    def finish(self, asked: Sequence[Future[Generation]]) -> None:
        """Wait for them. Raises Cancelled soon after the caller has gone, and what the first that failed raised."""
        left: set[Future[Generation]] = set(asked)
        while left:
            if self.cancelled():
                raise Cancelled("The generation was stopped.")
            done, left = wait(left, LOOK_S, FIRST_EXCEPTION)
            for one in done:
                one.result()

    def end(self) -> None:
        """Have those still on their way stop at their next line."""
        self.ended.set()

    def look(self) -> None:
        """Raises Cancelled when they have ended."""
        if self.ended.is_set():
            raise Cancelled("The generation was stopped.")

    def pause(self, seconds: float) -> None:
        """Sleep, unless they end. Raises Cancelled then."""
        self.ended.wait(seconds)
        self.look()


class Words(BaseModel):
    """Part of a reply, or all of it."""

    content: str | None = None


class Choice(BaseModel):
    """`delta` is what a streamed reply goes on with, `message` all of one that is not streamed."""

    delta: Words | None = None
    message: Words | None = None
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        words = self.delta or self.message
        return words.content or "" if words else ""

    @property
    def last(self) -> bool:
        """Whether the reply is whole with it. Some servers send all so far as `message` beside each `delta`."""
        return bool(self.finish_reason) or (self.delta is None and self.message is not None)


class Event(BaseModel):
    """What a chat model sends at a time."""

    choices: list[Choice] | None = None
    error: Any = None

    @property
    def problem(self) -> str:
        """The error in words."""
        return str(self.error.get("message") or self.error if isinstance(self.error, dict) else self.error)


def events(reply: httpx.Response, calls: Calls) -> Iterator[str]:
    """The data of each event of a streamed reply. A server that does not stream sends one event: its whole reply."""
    streamed, rest = False, ""
    for line in reply.iter_lines():
        calls.look()
        if line.startswith("data:"):
            streamed = True
            yield line.removeprefix("data:").strip()
        elif not streamed:
            rest += line
    if not streamed:
        yield rest


def refusal(reply: httpx.Response) -> str:
    """The status of an error reply and the start of what it says, where that can be read. Closes the reply."""
    status = f"{reply.status_code} {reply.reason_phrase}"
    try:
        with closing(reply):
            return f"{status} {next(reply.iter_text(2000), '')}".strip()
    except httpx.HTTPError:
        return status
