"""Chat models behind OpenAI-compatible servers, by the Generator contract."""

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import httpx

from indexing.types import BadInput, Cancelled, PasserineError
from models.generator import cut
from models.types import Cancelled as CancelledCheck
from models.types import Generation, OnText, Prompt, Sampling, never

PARALLEL = 8
"""Most requests of one call on their way at a time."""
LOOK_S = 0.05
"""Seconds between two looks at whether the caller has gone."""


class GeneratorFailed(PasserineError):
    """A remote model did not answer in time or answered with an error."""

    code, status = "generator_failed", 502


class RemoteGenerator:
    """Any server with OpenAI's `/chat/completions` route.

    A request is tried three times with growing pauses when the server is busy or the line breaks, and never
    when it says that the request is wrong.
    """

    TRIES = 3

    def __init__(self, name: str, base_url: str, model: str, key: str = "", timeout_s: float = 60.0) -> None:
        self.name, self.model = name, model
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
            for choice in choices(reply, calls):
                text += choice.get("delta", {}).get("content") or ""
                reason = choice.get("finish_reason") or reason
                if on_text is not None:
                    on_text(text)
        except (httpx.TransportError, ValueError) as error:
            raise self.failure(f"the reply broke off ({type(error).__name__})") from error
        finally:
            reply.close()
        return Generation(cut(text, sampling.stop), (), reason == "stop")

    def send(self, body: dict[str, Any], calls: "Calls") -> httpx.Response:
        """An opened reply. Raises GeneratorFailed after the last try, or at once for a refused request."""
        problem = ""
        for attempt in range(self.TRIES):
            if attempt:
                calls.pause(0.5 * 2**attempt)
            try:
                reply = self.client.send(self.client.build_request("POST", "/chat/completions", json=body), stream=True)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__} {error}"
                continue
            if reply.status_code < 400:
                return reply
            problem = f"{reply.status_code} {reply.read()[:200].decode(errors='replace')}"
            reply.close()
            if reply.status_code < 500 and reply.status_code not in (408, 409, 429):
                break
        raise self.failure(problem)

    def failure(self, problem: str) -> GeneratorFailed:
        """The error a person sees."""
        return GeneratorFailed(
            f"The chat model at {self.client.base_url} did not answer: {problem}.",
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


def choices(reply: httpx.Response, calls: Calls) -> Iterator[dict[str, Any]]:
    """The choices of a streamed reply's events. Raises ValueError where an event is no JSON."""
    for line in reply.iter_lines():
        calls.look()
        if line.startswith("data:") and line.removeprefix("data:").strip() != "[DONE]":
            yield from json.loads(line.removeprefix("data:")).get("choices", [])
