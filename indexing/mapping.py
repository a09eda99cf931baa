"""A refresh whose reading, splitting and encoding is mapped over the actors of a Ray cluster.

Workers read items and encode what is new in them; this process alone writes, through the same `refresh` as without a
cluster, which is given the items in their order. A worker that is killed has written nothing: its items go to another
one. Ray Data is not used: what a dead machine had been given waits there for the same actors to be started anew, which
takes free processors, and it talks on the terminal.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from indexing.actors import connect, ray
from indexing.collection import Collection
from indexing.extract import Extracted
from indexing.fetch import stopped
from indexing.refresh import RefreshReport, refresh, sealed
from indexing.rows import FileState
from indexing.sources import Folder, Item, Listing, Reading, Source
from indexing.split import split
from indexing.store import searched_text
from indexing.types import ClusterFailed, Encoder, ExtractFailed, PasserineError, Progress, Vectors
from indexing.writer import never

Made = Callable[[], Encoder]
"""Makes the encoder in a worker, where `passerine` and its models are installed."""
AHEAD = 8
"""Items that a worker is given: enough to do while this process commits; what is done again when it dies."""
DEATHS = 3
"""Workers that may die over an item, before it is taken for the cause."""
START_SECONDS = 300.0
"""Wait for the first worker: its machine may have to import everything from a cold disk."""

TURN_SECONDS = 0.5
"""Between two looks for workers that have started, while one is waited for."""


@dataclass(frozen=True, slots=True)
class Task:
    """An item, what is remembered of it, and the content hashes of its documents."""

    item: Item
    known: FileState | None
    hashes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker found: the reading or why there is none, and the vector of each text that it encoded."""

    key: str
    reading: Reading | None
    error: ExtractFailed | OSError | None
    vectors: Mapping[str, Vectors]


def refresh_mapped(
    sources: Sequence[Path | Source],
    table: Collection,
    encoder: Encoder,
    make: Made,
    address: str,
    workers: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
    empty_ok: bool = False,
    counted: Callable[[RefreshReport], None] | None = None,
) -> RefreshReport:
    """`refresh` with the work of each item done by `workers` of the cluster (0: one a processor, less one).

    Their machines see the files under the same paths. Pages and queries are read here: a host is asked at one pace.
    Raises what `refresh` does, and ClusterFailed.
    """
    module = connect(address)
    count = workers or max(1, int(module.cluster_resources().get("CPU", 1)) - 1)
    ready = Ready(encoder)
    given = [Folder(each.expanduser().resolve()) if isinstance(each, Path) else each for each in sources]
    mapped = [_Mapped(s, table, ready, make, count, cancelled) if isinstance(s, Folder) else s for s in given]
    return refresh(mapped, table, ready, progress, cancelled, empty_ok=empty_ok, counted=counted)


class Ready:
    """The encoder, with the vectors that workers have made already."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.dimension, self.fingerprint = encoder.name, encoder.dimension, encoder.fingerprint
        self.encoder = encoder
        self.vectors: dict[str, Vectors] = {}

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encoder.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors that are there are given away; the others are encoded here."""
        missing = [text for text in texts if text not in self.vectors]
        if missing:
            self.vectors.update(zip(missing, self.encoder.encode_passages(missing), strict=True))
        return np.stack([self.vectors.pop(text) for text in texts])


@dataclass(frozen=True, eq=False)
class _Mapped:
    """A source whose items are read by workers, in the order in which they are listed."""

    source: Source
    table: Collection
    ready: Ready
    make: Made
    workers: int
    cancelled: Callable[[], bool]

    @property
    def name(self) -> str:
        return self.source.name

    def listing(self) -> Listing:
        listing = self.source.listing()
        files, ids = self.table.catalogue.files(self.name), self.table.catalogue.ids_by_file(self.name)
        tasks = []
        for item in listing.items:
            owners = [self.table.catalogue.owner(key) for key in ids.get(item.key, [])]
            tasks.append(Task(item, files.get(item.key), frozenset(owner[2] for owner in owners if owner)))
        found = _Stream(tasks, self.make, self.workers, self.cancelled)
        items = [replace(item, read=partial(self._read, found)) for item in listing.items]
        return replace(listing, items=items)

    def _read(self, found: "_Stream", known: FileState | None) -> Reading:
        del known  # the worker was told
        done = found.next()
        self.ready.vectors.update(done.vectors)
        if done.error:
            raise done.error
        assert done.reading
        return done.reading


class _Stream:
    """What workers found, in the order of the tasks; begun when the first is asked for.

    A worker is given tasks when it has started, so that none waits for one that finds no room. What one that died had
    been given goes to others, and another one is started in its place.
    """

    def __init__(self, tasks: Sequence[Task], make: Made, count: int, cancelled: Callable[[], bool]) -> None:
        self._tasks, self._make, self._count, self._cancelled = tasks, make, count, cancelled
        self._workers: list[_Worker] = []
        self._given: deque[_Given] = deque()
        self._deaths: Counter[str] = Counter()
        self._taken = self._unborn = 0  # tasks given; workers that died before any was ready

    def next(self) -> Done:
        """What was found in the next item. Raises Cancelled, ClusterFailed when no worker starts, what one raises."""
        from ray.exceptions import RayError, RayTaskError

        while True:
            self._give()
            first = self._given[0]
            if not self._ended([first.result]):
                continue  # other workers may have started
            try:
                done: Done = ray().get(first.result)
            except RayTaskError as error:
                if isinstance(error.cause, PasserineError):
                    raise error.cause from None
                raise _gave_up(error) from error
            except RayError:
                self._died(first)  # the process, or the machine with what it had found
                continue
            self._given.popleft()
            first.worker.given -= 1
            self._unborn = 0
            if self._taken == len(self._tasks) and not self._given:
                self._workers = []  # nobody holds them, and they end
            return done

    def _give(self) -> None:
        """Hand out what comes next, as far as the workers that have started take it."""
        while len(self._workers) < self._count:
            self._workers.append(_Worker(self._make))
        while self._taken < len(self._tasks):
            free = self._free(wait=not self._given)
            if free is None or free.given >= AHEAD:
                return
            self._given.append(_Given(self._tasks[self._taken], free))
            self._taken += 1

    def _free(self, wait: bool) -> "_Worker | None":
        """The worker with the fewest tasks of those that have started; None where there is none and no `wait`."""
        until = time.monotonic() + START_SECONDS
        while True:
            ready = [worker for worker in self._workers if self._started(worker)]
            if ready or not wait:
                return min(ready, key=lambda worker: worker.given, default=None)
            if time.monotonic() > until:
                raise ClusterFailed(
                    f"No worker of the cluster started in {START_SECONDS:.0f} seconds.",
                    "Look at the cluster with `ray status`: one of its processors has to be free.",
                )
            self._ended([worker.started for worker in self._workers])

    def _ended(self, results: list[Any]) -> bool:
        """Whether one of them is there after a turn, well or not. Raises Cancelled."""
        if self._cancelled():
            raise stopped()
        return bool(ray().wait(results, timeout=TURN_SECONDS)[0])

    def _started(self, worker: "_Worker") -> bool:
        """Whether a worker can be given tasks; one that died before that is replaced."""
        from ray.exceptions import RayError

        if not worker.ready and ray().wait([worker.started], timeout=0)[0]:
            try:
                ray().get(worker.started)
                worker.ready = True
            except RayError as error:
                self._unborn += 1
                if self._unborn > DEATHS * self._count:
                    raise _gave_up(error) from error
                self._workers[self._workers.index(worker)] = _Worker(self._make)
        return worker.ready

    def _died(self, first: "_Given") -> None:
        """Replace the worker of what is waited for, and give its tasks to others: it died over the first of them."""
        dead = first.worker
        ray().kill(dead.actor)
        self._workers[self._workers.index(dead)] = _Worker(self._make)
        self._deaths[first.task.item.key] += 1
        for place, given in enumerate(self._given):
            if given.worker is dead:
                free = self._free(wait=True)
                assert free
                self._given[place] = _Given(given.task, free, self._deaths[given.task.item.key] >= DEATHS)


class _Worker:
    """A process of the cluster, how many tasks it has, and whether it has started."""

    def __init__(self, make: Made) -> None:
        kind = ray().remote(_Work).options(num_cpus=1, scheduling_strategy="SPREAD")
        self.actor = kind.remote(make)
        self.started = self.actor.started.remote()
        self.ready, self.given = False, 0


class _Given:
    """A task that a worker has been given; one over which workers keep dying is given up (`fatal`)."""

    def __init__(self, task: Task, worker: _Worker, fatal: bool = False) -> None:
        self.task, self.worker = task, worker
        worker.given += 1
        if fatal:
            said = f"{task.item.key.rpartition('/')[2]} ended the process that read it, {DEATHS} times."
            self.result = ray().put(Done(task.item.key, None, ExtractFailed(said), {}))
        else:
            self.result = worker.actor.done.remote(task)


def _gave_up(error: Exception) -> ClusterFailed:
    return ClusterFailed(
        f"The cluster could not read on: {str(error).strip().splitlines()[-1][:200]}.",
        "What was committed is kept; are Passerine and its models on every machine, under the same paths?",
    )


class _Work:
    """What runs in a worker: its encoder is made once, by the first task that has something for it."""

    def __init__(self, make: Made) -> None:
        self._make = make
        self._encoder: Encoder | None = None

    def started(self) -> None:
        """Answers when the process is there."""

    def done(self, task: Task) -> Done:
        """The documents of an item, and the vectors of what is new in them."""
        try:
            reading = task.item.read(task.known)
            found = None if reading.found is None else list(reading.found)
        except (ExtractFailed, OSError) as error:
            return Done(task.item.key, None, error, {})
        texts: dict[str, None] = {}
        for each in found or ():
            if isinstance(each, Extracted):
                document = sealed(each.document)
                if document.content_hash not in task.hashes:
                    texts |= dict.fromkeys(searched_text(document, p) for p in split(document, each.marks))
        if texts and self._encoder is None:
            self._encoder = self._make()
        made = self._encoder.encode_passages(list(texts)) if self._encoder and texts else ()
        vectors = dict(zip(texts, made, strict=True))
        return Done(task.item.key, replace(reading, found=found), None, vectors)
