"""Refreshes of sources: run here and now, or by the worker of a running service, one at a time."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from indexing.collection import Collection
from indexing.fetch import FetchRules
from indexing.refresh import RefreshReport, remove_source
from indexing.sources import Item, Listing, Source
from indexing.types import BadInput, Conflict, ExtractFailed, IndexMissing, NotFound, PasserineError, Progress
from models.types import Cancelled, never
from service.errors import explain
from service.jobs import Job, Jobs
from service.library import Library
from service.sources import Sources, StoredSource, opened
from service.startup import Lazy

LOG = logging.getLogger("passerine")
LOOK_SECONDS = 5.0
"""Between two looks at the queue when nobody rings, and at the lock of a refresh that another process runs."""


@dataclass(frozen=True, slots=True)
class Refreshes:
    """What a refresh needs: the index, the sources, the table of jobs, and how pages are fetched."""

    library: Lazy[Library]
    sources: Sources
    jobs: Jobs
    rules: FetchRules
    open_index: Callable[[], Collection]

    def run(
        self,
        name: str,
        job: Job | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled = never,
        empty_ok: bool = False,
    ) -> RefreshReport:
        """Brings the index up to date with a source, by its name or location, as a job: a new one, or one that waited.

        Raises NotFound, Conflict when another refresh runs in any process, and whatever else a refresh raises.
        """
        begun = job or self.jobs.begin(self.sources.find(name).name)
        with self.jobs.recorded(begun, waits=job is not None) as recorder:

            def both(stage: str, done: int, total: int) -> None:
                recorder.progress(stage, done, total)
                if progress:
                    progress(stage, done, total)

            library = self.library.now()
            with opened(self.sources.find(name), self.rules, cancelled) as source:
                return library.refresh([source], both, cancelled, empty_ok=empty_ok, counted=recorder.counted)

    def queue(self, name: str) -> Job:
        """A job for a worker, by a source's name or location. Raises what `Sources.find` raises."""
        return self.jobs.queue(self.sources.find(name).name)

    def preview(
        self, name: str, progress: Progress | None = None, cancelled: Cancelled = never, empty_ok: bool = False
    ) -> RefreshReport:
        """What a refresh would do; nothing is written."""
        library = self.library.now()
        with opened(self.sources.find(name), self.rules, cancelled) as source:
            return library.refresh([source], progress, cancelled, dry_run=True, empty_ok=empty_ok)

    def origin(self, document_id: str) -> tuple[StoredSource, str]:
        """The source of a document, and the item of it that holds the document. Raises NotFound, and BadInput for one
        that came over HTTP."""
        owner = self.library.now().index.catalogue.owner(document_id)
        if owner is None:
            raise NotFound(f"There is no document {document_id}.", "Its id stands in the search results.")
        key, item, _ = owner
        kept = next((source for source in self.sources.list() if source.key == key), None)
        if kept is None and not (Path(key).is_absolute() or "://" in key):
            raise BadInput("This document was sent to Passerine and has no source.", "Send it again to replace it.")
        return kept or self.sources.find(key), item

    def refetch(self, document_id: str) -> RefreshReport:
        """Reads a document anew from its source, with the others of its file or page. Raises what `origin` raises,
        Conflict while another refresh runs, and ExtractFailed when it cannot be read: then it stays as it is."""
        stored, item = self.origin(document_id)
        with opened(stored, self.rules) as source:
            report = self.library.now().refresh([OneItem(source, item)])
        if report.failed:
            raise ExtractFailed(report.failed[0].reason)
        return report

    def remove(self, source: StoredSource) -> int:
        """Removes a source, its documents first; returns how many they were. Raises Conflict while it is refreshed."""
        if any(job.state == "running" for job in self.jobs.list(source.name)):
            raise Conflict(f"The source '{source.name}' is being refreshed.", "Stop that, or wait for its end.")
        removed = 0
        with suppress(IndexMissing):
            index = self.open_index()
            try:
                removed = remove_source(source.key, index)
            finally:
                index.close()
        self.sources.remove(source.name)
        self.jobs.forget(source.name)
        return removed


@dataclass(frozen=True, slots=True)
class OneItem:
    """A source of which one item is looked at, whether or not it seems to have changed; nothing else is removed."""

    source: Source
    key: str

    @property
    def name(self) -> str:
        return self.source.name

    def listing(self) -> Listing:
        """Raises ExtractFailed when the source holds the item no more."""
        items = [item for item in self.source.listing().items if item.key == self.key]
        if not items:
            raise ExtractFailed("Its source does not list it any more.", "A refresh of the source removes it.")
        return Listing([anew(item) for item in items], complete=False)


def anew(item: Item) -> Item:
    """The item as one of which nothing is remembered."""
    return replace(item, read=lambda _: item.read(None))


@contextmanager
def unseen() -> Iterator[Progress]:
    """The progress of a job that nobody watches on a terminal."""
    yield lambda stage, done, total: None  # noqa: ARG005


class Worker:
    """Runs queued jobs in a thread of the service, one at a time, the longest waiting first.

    While another process refreshes, the jobs wait. `examples` are the bundled documents: they leave when a job has
    brought documents of one's own.
    """

    def __init__(self, refreshes: Refreshes, examples: Path) -> None:
        self.refreshes, self.examples = refreshes, examples
        self._bell, self._stopped, self._guard = threading.Event(), threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._job = self._cancelled = ""  # the ids of the job that runs, and of the one that is to stop

    def start(self, watched: Callable[[], AbstractContextManager[Progress]] = unseen) -> None:
        """Begins to look at the queue, unless it does already; `watched` shows a job's progress on a terminal."""
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(watched,), name="refresh", daemon=True)
                self._thread.start()

    def submit(self, source: str) -> Job:
        """Queues a refresh of a source, by its name or path."""
        job = self.refreshes.queue(source)
        self.start()
        self._bell.set()
        return job

    def cancel(self, source: str, seconds: float = 30.0) -> None:
        """Takes a source off the queue; stops its refresh when it runs here, and waits for the end."""
        self.refreshes.jobs.unqueue(source)
        running = self._job
        if running not in {job.id for job in self.refreshes.jobs.list(source)}:
            return
        self._cancelled = running
        until = time.monotonic() + seconds
        while self._job == running and time.monotonic() < until:
            time.sleep(0.05)

    def stop(self, seconds: float = 30.0) -> None:
        """Stops what runs, keeping what it did, and ends the thread."""
        self._stopped.set()
        self._bell.set()
        if self._thread:
            self._thread.join(seconds)

    def _run(self, watched: Callable[[], AbstractContextManager[Progress]]) -> None:
        while not self._stopped.is_set():
            self._bell.clear()
            try:
                worked = self._next(watched)
            except Exception as error:  # the edge of this thread
                LOG.error("the queue of refreshes failed: %s", explain(error), exc_info=error)
                worked = False
            if not worked:
                self._bell.wait(LOOK_SECONDS)

    def _next(self, watched: Callable[[], AbstractContextManager[Progress]]) -> bool:
        """Runs the next job; whether there was one that could run."""
        job = self.refreshes.jobs.claim()
        if job is None:
            return False
        self._job = job.id
        try:
            with watched() as progress:
                report = self.refreshes.run(job.source, job, progress, self._over)
        except Conflict as error:
            LOG.info("the refresh of %s met another one: %s", job.source, error)
            return False
        except Exception as error:  # noqa: BLE001 - the edge of this job: kept with it, and logged
            self._failed(job, error)
        else:
            LOG.info("%s is read: %s", job.source, report.counts)
            for failure in report.failed:
                LOG.warning("not read: %s: %s", failure.url, failure.reason)
            if self.refreshes.sources.find(job.source).key != str(self.examples.resolve()):
                self.refreshes.library.now().drop_examples(self.examples)
        finally:
            self._job = ""
        return True

    def _failed(self, job: Job, error: Exception) -> None:
        """Says so; a job that the end of the service cut short waits for its next start."""
        if self._stopped.is_set():
            self.refreshes.queue(job.source)
            return
        trace = None if isinstance(error, PasserineError) else error
        LOG.error("the refresh of %s failed: %s", job.source, explain(error), exc_info=trace)

    def _over(self) -> bool:
        return self._stopped.is_set() or self._cancelled == self._job != ""
