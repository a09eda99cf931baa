"""What an operator and a person wait for: a refresh beside the bare encoder, and answers from a real server.

Answers come over HTTP from `passerine serve` in a process of its own, over the same index as `passerine evaluate
answers`.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import numpy as np

from eval import datasets
from eval.datasets import Entry
from eval.report import Figure
from eval.workbench import documents_of, open_corpus, place, workbench
from indexing.refresh import refresh
from indexing.store import Index, searched_text
from indexing.types import BadInput, Encoder, Progress
from service.config import Settings

ENTRIES = 480
"""Entries of test collections that are written as files and refreshed."""
PARAGRAPHS = 3
ROUNDS = 3
ASKED = 60
TARGET_REFRESH = 0.9
TARGET_FIRST_MS = 50.0
TARGET_ANSWER_MS = 500.0
TARGET_SLOWEST_MS = 1500.0
TARGET_FAST_MS = 350.0
TARGET_START_S = 10.0
TARGET_MEMORY_MIB = 1536.0


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
    """Milliseconds from the request to its first event and to its last, one value a question; `fast` to the last in
    fast mode. `start` is the seconds from the command until it is ready, `memory` the most MiB it held (None where the
    system does not say)."""

    passages: int
    start: float
    memory: float | None
    first: tuple[float, ...]
    last: tuple[float, ...]
    fast: tuple[float, ...]


def answer_speed(data: Path, settings: Settings, count: int = ASKED, progress: Progress | None = None) -> Waited:
    """Ask `count` test questions, every second one Chinese, of a server over the corpus of `evaluate answers`."""
    questions = asked(data, count)
    with over_corpus(data, settings, progress) as (server, passages):
        times: dict[str, list[list[float]]] = {"careful": [], "fast": []}
        event_times(server.client, questions[0])
        for number, question in enumerate(questions):
            for mode, own in times.items():
                own.append(event_times(server.client, question, mode))
            if progress is not None:
                progress("ask", number + 1, len(questions))
        memory = server.memory()
    first, last = zip(*((own[0], own[-1]) for own in times["careful"]), strict=True)
    return Waited(passages, server.seconds, memory, first, last, tuple(own[-1] for own in times["fast"]))


def asked(data: Path, count: int) -> list[str]:
    """`count` test questions, every second one Chinese."""
    sets = [datasets.stratified(datasets.questions(data, f"{name}.test"), -(-count // 2)) for name in ("squad", "drcd")]
    return [question.text for pair in zip(*sets, strict=False) for question in pair][:count]


@contextmanager
def over_corpus(data: Path, settings: Settings, progress: Progress | None) -> Iterator[tuple["Started", int]]:
    """A server over the corpus of `evaluate answers`, and how many passages that is."""
    documents = documents_of(open_corpus(data))
    bench = workbench(settings.home, documents, progress=progress)
    passages, folder = bench.library.index.counts().passages, place(settings.home, documents, bench.encoder)
    bench.library.index.close()
    with tempfile.TemporaryDirectory(prefix="passerine-speed-") as home:
        (Path(home) / "models").symlink_to((settings.home / "models").resolve())
        (Path(home) / "index").symlink_to(folder.resolve())
        with started(Path(home)) as server:
            yield server, passages


@dataclass(frozen=True, slots=True)
class Started:
    """`passerine serve` in a process of its own: seconds until it was ready, and a client."""

    process: "subprocess.Popen[bytes]"
    seconds: float
    client: httpx.Client

    def memory(self) -> float | None:
        """The most MiB that the process has held so far; None where /proc does not say."""
        path = Path("/proc") / str(self.process.pid) / "status"
        lines = path.read_text().splitlines() if path.is_file() else []
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


@contextmanager
def started(home: Path, wait: float = 120.0) -> Iterator[Started]:
    """The service over `home`, ready, until the block ends. Raises BadInput when it does not become ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start = "from service.cli import main; main()"
    command = [sys.executable, "-c", start, "--home", str(home), "serve", "--port", port]
    with tempfile.TemporaryFile("w+") as said, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        try:
            while not is_ready(client):
                if process.poll() is not None or time.perf_counter() - began > wait:
                    said.seek(0)
                    raise BadInput("The service did not start.", (said.read().splitlines() or [""])[-1])
                time.sleep(0.02)
            yield Started(process, time.perf_counter() - began, client)
        finally:
            process.terminate()
            process.wait(30)


def is_ready(client: httpx.Client) -> bool:
    """Whether the service answers that it is ready."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def event_times(client: httpx.Client, question: str, mode: str = "careful") -> list[float]:
    """Milliseconds after the request at which each event of the answer came."""
    began = time.perf_counter()
    body = {"message": question, "stream": True, "mode": mode}
    with client.stream("POST", "/v1/chat", json=body) as reply:
        if reply.status_code != 200:
            raise BadInput(f"The service said {reply.status_code}.", json.loads(reply.read())["error"]["message"])
        return [1000 * (time.perf_counter() - began) for line in reply.iter_lines() if line.startswith("event: ")]


def clock_figures(refreshed: Refreshed, waited: Waited) -> dict[str, Figure]:
    """The figures of both."""
    n = len(waited.first)
    memory = {}
    if waited.memory is not None:
        memory["speed/memory"] = Figure(waited.memory, 1, target=TARGET_MEMORY_MIB, unit="MiB", better="lower")
    return {
        "speed/refresh/passages": Figure(
            median(refreshed.refreshed), refreshed.passages, baseline=median(refreshed.encoded), unit="/s"
        ),
        "speed/refresh/ratio": Figure(refreshed.ratio, len(refreshed.encoded), target=TARGET_REFRESH, unit="x"),
        "speed/answer/size of the index": Figure(float(waited.passages), 1, unit="passages"),
        "speed/answer/first event p50": milliseconds(waited.first, 50, n, TARGET_FIRST_MS),
        "speed/answer/first event p95": milliseconds(waited.first, 95, n, TARGET_FIRST_MS),
        "speed/answer/whole p50": milliseconds(waited.last, 50, n, TARGET_ANSWER_MS),
        "speed/answer/whole p95": milliseconds(waited.last, 95, n, TARGET_SLOWEST_MS),
        "speed/answer/fast mode p50": milliseconds(waited.fast, 50, n, TARGET_FAST_MS),
        "speed/answer/fast mode p95": milliseconds(waited.fast, 95, n),
        "speed/start": Figure(waited.start, 1, target=TARGET_START_S, unit="s", better="lower"),
        **memory,
    }


def milliseconds(values: Sequence[float], percent: int, n: int, target: float | None = None) -> Figure:
    """A percentile."""
    return Figure(float(np.percentile(values, percent)), n, target=target, unit="ms", better="lower")
