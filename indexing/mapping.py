"""A refresh whose reading, splitting and encoding is mapped over a cluster with Ray Data.

Workers read items and encode what is new in them; this process alone writes, through the same `refresh` as without a
cluster, which is given the items as they come back. A worker that is killed has written nothing: Ray hands its items to
another one.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from indexing.actors import connect
from indexing.collection import Collection
from indexing.extract import Extracted
from indexing.refresh import RefreshReport, refresh, sealed
from indexing.rows import FileState
from indexing.sources import Folder, Item, Listing, Reading, Source
from indexing.split import split
from indexing.store import searched_text
from indexing.types import ClusterFailed, Encoder, ExtractFailed, Progress, Vectors
from indexing.writer import never

Made = Callable[[], Encoder]
"""Makes the encoder in a worker, where `passerine` and its models are installed."""
ITEMS = 4
"""Items that a worker is given at a time: what is done again when it dies."""


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
    mapped = [_Mapped(s, table, ready, make, count) if isinstance(s, Folder) else s for s in given]
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
        found = _Stream(tasks, self.make, self.workers)
        items = [replace(item, read=partial(self._read, found, item.key)) for item in listing.items]
        return replace(listing, items=items)

    def _read(self, found: "_Stream", key: str, known: FileState | None) -> Reading:
        del known  # the worker was told
        done = found.wait(key)
        self.ready.vectors.update(done.vectors)
        if done.error:
            raise done.error
        assert done.reading
        return done.reading


class _Stream:
    """What workers found, by item; begun when the first item is asked for."""

    def __init__(self, tasks: Sequence[Task], make: Made, workers: int) -> None:
        self._tasks, self._make, self._workers = tasks, make, workers
        self._rows: Iterator[Any] | None = None
        self._early: dict[str, Done] = {}

    def wait(self, key: str) -> Done:
        """What was found in an item. Raises ClusterFailed when the cluster gives up."""
        from ray.exceptions import RayError

        try:
            if self._rows is None:
                self._rows = self._begin()
            while key not in self._early:
                done: Done = pickle.loads(next(self._rows)["done"])
                self._early[done.key] = done
        except RayError as error:
            raise ClusterFailed(
                f"The cluster could not read on: {str(error).splitlines()[0]}.",
                "What was committed is kept; run the refresh again to go on.",
            ) from error
        return self._early.pop(key)

    def _begin(self) -> Iterator[Any]:
        from ray import data

        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True  # of what comes early, nothing has to be kept
        rows = data.from_items([{"task": pickle.dumps(task)} for task in self._tasks])
        mapped = rows.map_batches(
            _Work,
            fn_constructor_args=(self._make,),
            batch_size=ITEMS,
            concurrency=self._workers,
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=-1,
        )
        return iter(mapped.iter_rows())


class _Work:
    """A worker: its encoder is made once."""

    def __init__(self, make: Made) -> None:
        self._encoder = make()

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {"done": [pickle.dumps(self._done(pickle.loads(task))) for task in batch["task"]]}

    def _done(self, task: Task) -> Done:
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
        vectors = dict(zip(texts, self._encoder.encode_passages(list(texts)), strict=True)) if texts else {}
        return Done(task.item.key, replace(reading, found=found), None, vectors)
