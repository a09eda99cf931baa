"""Many people at once: streams that all begin together, each followed to its end and compared with what was kept.

A stream is whole when its events came in their order without an error and its pieces joined are the text of its answer;
an answer is kept when its conversation gives the same object afterwards.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from eval.clock import asked, milliseconds, over_corpus
from eval.report import Figure, Report, figure_table, write
from indexing.types import Progress
from service.config import Settings

STREAMS = 100
ORDER = ["accepted", "plan", "search", "candidates", "judgement", "answer", "citations", "done"]
PATIENCE = 600.0
"""Seconds for the last of all: on two cores a hundred answers take a minute."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """One stream: milliseconds to its first and last event, its answer, and what went wrong ("" when nothing did)."""

    first: float
    last: float
    answer: dict[str, Any] | None
    fault: str = ""


def run(data: Path, settings: Settings, out: Path, progress: Progress | None = None, limit: int = STREAMS) -> Report:
    """`passerine evaluate load`: `limit` streams at once; writes load.md and load.json into `out`."""
    questions = asked(data, limit)
    with over_corpus(data, settings, progress) as (server, passages):
        began = time.perf_counter()
        streams = ask_all(str(server.client.base_url), questions)
        seconds = time.perf_counter() - began
        kept = [is_kept(server.client, stream) for stream in streams]
    report = reported(streams, kept, seconds, passages)
    write(report, out)
    return report


def ask_all(url: str, questions: Sequence[str], headers: dict[str, str] | None = None) -> list[Streamed]:
    """Every question in a stream of its own, all begun at once."""

    async def together() -> list[Streamed]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits, headers=headers) as client:
            return list(await asyncio.gather(*(ask(client, question) for question in questions)))

    return asyncio.run(together())


async def ask(client: httpx.AsyncClient, question: str) -> Streamed:
    """One stream to its end; a fault ends it and is named."""
    began, times, names = time.perf_counter(), [0.0], []
    text, answer, fault = "", None, ""
    try:
        async with client.stream("POST", "/v1/chat", json={"message": question, "stream": True}) as reply:
            if reply.status_code != 200:
                return Streamed(0.0, 0.0, None, f"status {reply.status_code}")
            async for line in reply.aiter_lines():
                if line.startswith("event: "):
                    names.append(line.removeprefix("event: "))
                    times.append(1000 * (time.perf_counter() - began))
                elif line.startswith("data: "):
                    sent = json.loads(line.removeprefix("data: "))
                    text += sent["delta"] if names[-1] == "answer" else ""
                    answer = sent if names[-1] == "done" else answer
                    fault = sent["error"]["message"] if names[-1] == "error" else fault
    except httpx.HTTPError as error:
        fault = f"{type(error).__name__}: {error}"
    if not fault and list(dict.fromkeys(names)) != ORDER:
        fault = f"the events were {', '.join(dict.fromkeys(names))}"
    if not fault and answer and answer["text"] != text:
        fault = "the pieces are not the answer"
    return Streamed(times[min(1, len(times) - 1)], times[-1], answer, fault)


def is_kept(client: httpx.Client, stream: Streamed) -> bool:
    """Whether the conversation gives the answer that was streamed."""
    if stream.answer is None:
        return False
    reply = client.get(f"/v1/conversations/{stream.answer['conversation_id']}")
    return reply.status_code == 200 and reply.json()["turns"][-1]["answer"] == stream.answer


def reported(streams: Sequence[Streamed], kept: Sequence[bool], seconds: float, passages: int) -> Report:
    """Times are those of the streams that came whole."""
    n, whole = len(streams), [stream for stream in streams if not stream.fault]
    first, last = [stream.first for stream in whole] or [0.0], [stream.last for stream in whole] or [0.0]
    figures = {
        "load/streams whole": Figure(len(whole) / n, n, failures=n - len(whole), target=1.0),
        "load/answers kept": Figure(sum(kept) / n, n, failures=n - sum(kept), target=1.0),
        "load/answers a second": Figure(len(whole) / seconds, n, unit="/s"),
        "load/first event p50": milliseconds(first, 50, len(whole)),
        "load/first event p95": milliseconds(first, 95, len(whole)),
        "load/whole p50": milliseconds(last, 50, len(whole)),
        "load/whole p95": milliseconds(last, 95, len(whole)),
    }
    faults = sorted({stream.fault for stream in streams if stream.fault})
    settings = {"streams at once": str(n), "passages": f"{passages:,}"}
    table = figure_table("Streams at once, over loopback", figures)
    notes = tuple(f"Fault: {fault}" for fault in faults)
    return Report("load", "passerine evaluate load", (table,), figures, settings, notes=notes)
