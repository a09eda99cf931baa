"""What an operator and a person wait for: a refresh beside the bare encoder, and answers from a real server.

The server listens on loopback in a thread of this process and answers over HTTP, over the same index as
`passerine evaluate answers`.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import uvicorn

from eval import datasets
from eval.datasets import Entry
from eval.report import Figure
from eval.workbench import documents_of, open_corpus, workbench
from indexing.refresh import refresh
from indexing.store import Index, searched_text
from indexing.types import BadInput, Encoder, Progress
from service.api import create_api
from service.app import build
from service.application import Application
from service.config import Settings

ENTRIES = 480
"""Entries of test collections that are written as files and refreshed."""
PARAGRAPHS = 3
ROUNDS = 3
ASKED = 60
TARGET_REFRESH = 0.9
TARGET_FIRST_MS = 50.0
TARGET_ANSWER_MS = 500.0


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Passages a second, one value a round: of refreshes of a folder, and of the encoder alone on the same texts."""

    passages: int
    refreshed: tuple[float, ...]
    encoded: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of our rate over the encoder's."""
        return median(a / b for a, b in zip(self.refreshed, self.encoded, strict=True))


def refresh_speed(entries: Sequence[Entry], encoder: Encoder, rounds: int = ROUNDS) -> Refreshed:
    """Refresh a folder of Markdown files into an empty index, and encode the passages that came of it, in turns."""
    refreshed, encoded, texts = [], [], []
    with tempfile.TemporaryDirectory(prefix="passerine-speed-") as folder:
        documents = Path(folder) / "documents"
        write_files(documents, entries)
        for number in range(rounds):
            index = Index.create(Path(folder) / f"index-{number}", encoder)
            began = time.perf_counter()
            refresh([documents], index, encoder)
            took = time.perf_counter() - began
            stored = index.documents(limit=len(entries))
            texts = [searched_text(own, one) for own in stored for one in index.passages(own.id)]
            index.close()
            began = time.perf_counter()
            encoder.encode_passages(texts)
            encoded.append(len(texts) / (time.perf_counter() - began))
            refreshed.append(len(texts) / took)
    return Refreshed(len(texts), tuple(refreshed), tuple(encoded))


def write_files(folder: Path, entries: Sequence[Entry]) -> None:
    """PARAGRAPHS entries a Markdown file, each under its heading."""
    folder.mkdir()
    for number in range(0, len(entries), PARAGRAPHS):
        parts = [f"# {entry.title}\n\n{entry.text}\n" for entry in entries[number : number + PARAGRAPHS]]
        (folder / f"{number:05}.md").write_text("\n".join(parts), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Waited:
    """Milliseconds from the request to its first event and to its last, one value a question."""

    passages: int
    first: tuple[float, ...]
    last: tuple[float, ...]


def answer_speed(data: Path, settings: Settings, count: int = ASKED, progress: Progress | None = None) -> Waited:
    """Ask `count` test questions, every second one Chinese, of a server over the corpus of `evaluate answers`."""
    documents = documents_of(open_corpus(data))
    bench = workbench(settings.home, documents, progress=progress)
    passages, folder = bench.library.index.counts().passages, bench.library.index.folder
    bench.library.index.close()
    sets = [datasets.stratified(datasets.questions(data, f"{name}.test"), count // 2) for name in ("squad", "drcd")]
    questions = [question.text for pair in zip(*sets, strict=False) for question in pair]
    first, last = [], []
    with tempfile.TemporaryDirectory(prefix="passerine-speed-") as home:
        (Path(home) / "models").symlink_to((settings.home / "models").resolve())
        (Path(home) / "index").symlink_to(folder.resolve())
        with serving(settings.model_copy(update={"home": Path(home)})) as client:
            for number, question in enumerate(questions):
                times = event_times(client, question)
                first.append(times[0])
                last.append(times[-1])
                if progress is not None:
                    progress("ask", number + 1, len(questions))
    return Waited(passages, tuple(first), tuple(last))


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the service, warm, until the block ends."""
    application = build(settings)
    failures: list[BaseException] = []
    with listening(application) as client:
        application.startup.start(failures.append)
        if not application.startup.wait(120) or failures:
            raise BadInput("The service did not start.", "Run `passerine doctor`.")
        yield client


@contextmanager
def listening(application: Application) -> Iterator[httpx.Client]:
    """A client of the application's own server on loopback; both end with the block."""
    server = uvicorn.Server(uvicorn.Config(create_api(application), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        [port] = [socket.getsockname()[1] for listener in server.servers for socket in listener.sockets]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        application.close()


def event_times(client: httpx.Client, question: str) -> list[float]:
    """Milliseconds after the request at which each event of the answer came."""
    began = time.perf_counter()
    with client.stream("POST", "/v1/chat", json={"message": question, "stream": True}) as reply:
        if reply.status_code != 200:
            raise BadInput(f"The service said {reply.status_code}.", json.loads(reply.read())["error"]["message"])
        return [1000 * (time.perf_counter() - began) for line in reply.iter_lines() if line.startswith("event: ")]


def clock_figures(refreshed: Refreshed, waited: Waited) -> dict[str, Figure]:
    """The figures of both."""
    n = len(waited.first)
    return {
        "speed/refresh/passages": Figure(
            median(refreshed.refreshed), refreshed.passages, baseline=median(refreshed.encoded), unit="/s"
        ),
        "speed/refresh/ratio": Figure(refreshed.ratio, len(refreshed.encoded), target=TARGET_REFRESH, unit="x"),
        "speed/answer/passages in the index": Figure(float(waited.passages), 1),
        "speed/answer/first event p50": milliseconds(waited.first, 50, n, TARGET_FIRST_MS),
        "speed/answer/first event p95": milliseconds(waited.first, 95, n, TARGET_FIRST_MS),
        "speed/answer/whole p50": milliseconds(waited.last, 50, n, TARGET_ANSWER_MS),
        "speed/answer/whole p95": milliseconds(waited.last, 95, n),
    }


def milliseconds(values: Sequence[float], percent: int, n: int, target: float | None = None) -> Figure:
    """A percentile."""
    return Figure(float(np.percentile(values, percent)), n, target=target, unit="ms", better="lower")
