"""Refreshes as jobs in a table: which waits, which runs and how far it is, and how each ended.

Any process may run one. It writes a heartbeat while it runs; a job whose heartbeat stops, or whose process is gone, has
died, and whoever reads the table next says so. What a dead job had done is kept, and the next refresh goes on from it.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Engine, Row, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from indexing.refresh import RefreshReport
from indexing.sources import Failure
from indexing.types import Conflict, NotFound
from service.database import FAILURES, JOBS
from service.errors import explain

LOG = logging.getLogger("passerine")
State = Literal["queued", "running", "done", "failed", "died"]
BEAT_SECONDS = 2.0
"""Between two heartbeats: as old as the figures that a person sees may be."""
DEAD_SECONDS = 30.0
"""Silence after which a job has died: many heartbeats, so that a slow disk or a busy machine kills nobody."""
KEPT_JOBS = 50
"""Finished jobs of a source that are kept."""
KEPT_FAILURES = 1000
"""Failures of a job that are kept with their reasons; all are counted."""
_COLUMNS = [column for column in JOBS.c if column.name != "owner"]


@dataclass(frozen=True, slots=True)
class Job:
    """One refresh of one source. `done` of `total` items are read, and `encoded` passages encoded; then the counts of
    documents, and of files whose kind is not read. `source` is a source's name, or the location of one not kept."""

    id: str
    source: str
    state: State
    stage: str
    done: int
    total: int
    encoded: int
    added: int
    changed: int
    removed: int
    same: int
    failed: int
    skipped: int
    skipped_endings: str
    created_at: datetime
    started_at: datetime | None
    beat_at: datetime | None
    finished_at: datetime | None
    error: str

    @property
    def counts(self) -> str:
        """The counts in one line, as a report gives them."""
        counts = ("added", "changed", "removed", "same", "failed")
        skipped = f", {self.skipped} skipped ({self.skipped_endings})" if self.skipped else ""
        return ", ".join(f"{getattr(self, name)} {name}" for name in counts) + skipped

    @property
    def seconds(self) -> float:
        """Time since it began, or that it took."""
        if self.started_at is None:
            return 0.0
        until = self.finished_at or self.beat_at or self.started_at
        return max(0.0, (until - self.started_at).total_seconds())

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def left_seconds(self) -> float | None:
        """Time that is left at this rate; None while that is unknown, or when nothing is left to do."""
        if self.state != "running" or not self.rate or not self.total:
            return None
        return (self.total - self.done) / self.rate


@dataclass
class Recorder:
    """What a running job writes here in memory, its heartbeat writes to the table."""

    stage: str = ""
    done: int = 0
    total: int = 0
    encoded: int = 0
    report: RefreshReport = field(default_factory=RefreshReport)

    def progress(self, stage: str, done: int, total: int) -> None:
        self.stage = stage
        if stage == "encode":
            self.encoded = done
        elif stage == "read":
            self.done, self.total = done, total

    def counted(self, report: RefreshReport) -> None:
        self.report = report

    def values(self) -> dict[str, object]:
        now, counts = datetime.now(UTC), ("added", "changed", "removed", "same")
        figures = {name: getattr(self, name) for name in ("stage", "done", "total", "encoded")}
        return {
            **figures,
            **{name: getattr(self.report, name) for name in counts},
            "failed": len(self.report.failed),
            "skipped": self.report.skipped.total(),
            "skipped_endings": self.report.skipped_endings,
            "beat_at": now,
        }


class Jobs:
    """The table. Safe to use from several threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def queue(self, source: str) -> Job:
        """A job that waits for a worker; the one that waits already, when there is one for the source."""
        with self.engine.begin() as connection:
            waits = (JOBS.c.source == source) & (JOBS.c.state == "queued")
            there = connection.scalar(select(JOBS.c.id).where(waits))
            job = there or self._insert(connection, source, state="queued", owner="")
        return self.get(job)

    def unqueue(self, source: str) -> None:
        """Removes the job of a source that waits."""
        self._delete((JOBS.c.source == source) & (JOBS.c.state == "queued"))

    def begin(self, source: str) -> Job:
        """A job that runs in this process from now on."""
        now = datetime.now(UTC)
        with self.engine.begin() as connection:
            job = self._insert(connection, source, state="running", owner=_owner(), started_at=now, beat_at=now)
        return self.get(job)

    def claim(self) -> Job | None:
        """The job that has waited longest, now running in this process; None when none waits."""
        with self.engine.connect() as connection:
            waiting = connection.scalars(
                select(JOBS.c.id).where(JOBS.c.state == "queued").order_by(JOBS.c.created_at)
            ).all()
        for job in waiting:
            now = datetime.now(UTC)
            values = {"state": "running", "owner": _owner(), "started_at": now, "beat_at": now}
            if self._update(job, "queued", values):
                return self.get(job)
        return None

    @contextmanager
    def recorded(self, job: Job, waits: bool = False) -> Iterator[Recorder]:
        """Runs a job's work: its figures are written while the block runs, and how it ended after.

        A job that met another refresh before it did anything waits in the queue again, or else leaves no trace.
        """
        recorder, stopped = Recorder(), threading.Event()

        def beat() -> None:
            while not stopped.wait(BEAT_SECONDS):
                try:
                    # also of one that was taken for dead while its machine slept
                    self._update(
                        job.id, None, {**recorder.values(), "state": "running", "finished_at": None, "error": ""}
                    )
                except DBAPIError as error:  # the next heartbeat may reach it again
                    LOG.warning("the job's heartbeat could not be written: %s", explain(error))

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield recorder
        except BaseException as error:
            stopped.set()
            thread.join()
            if isinstance(error, Conflict) and not recorder.stage:
                if waits:
                    self._update(job.id, None, {"state": "queued", "started_at": None, "beat_at": None, "owner": ""})
                else:
                    self._delete(JOBS.c.id == job.id)
            else:
                self._end(job, "failed", recorder, str(explain(error)))
            raise
        stopped.set()
        thread.join()
        self._end(job, "done", recorder)

    def list(self, source: str | None = None, limit: int = 50, offset: int = 0) -> list[Job]:
        """Newest first."""
        self._reap()
        chosen = select(*_COLUMNS).order_by(JOBS.c.created_at.desc(), JOBS.c.id).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            rows = connection.execute(chosen if source is None else chosen.where(JOBS.c.source == source))
            return [_job(row) for row in rows]

    def count(self, source: str | None = None) -> int:
        found = select(func.count()).select_from(JOBS)
        with self.engine.connect() as connection:
            return connection.scalar(found if source is None else found.where(JOBS.c.source == source)) or 0

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        self._reap()
        with self.engine.connect() as connection:
            row = connection.execute(select(*_COLUMNS).where(JOBS.c.id == job_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no job '{job_id}'.", "GET /v1/jobs lists them; old ones are not kept.")
        return _job(row)

    def last(self, source: str) -> Job | None:
        """The newest job of a source."""
        return next(iter(self.list(source, 1)), None)

    def current(self) -> Job | None:
        """The job that runs, else the newest."""
        jobs = self.list(limit=KEPT_JOBS)
        return next((job for job in jobs if job.state == "running"), next(iter(jobs), None))

    def by_state(self) -> dict[State, int]:
        """How many there are in each state."""
        self._reap()
        with self.engine.connect() as connection:
            found = connection.execute(select(JOBS.c.state, func.count()).group_by(JOBS.c.state)).all()
        return dict.fromkeys(get_args(State), 0) | {row[0]: row[1] for row in found}

    def failures(self, job_id: str, limit: int = KEPT_FAILURES) -> Sequence[Failure]:
        """What a job could not index, and why."""
        chosen = select(FAILURES.c.url, FAILURES.c.reason).where(FAILURES.c.job == job_id)
        with self.engine.connect() as connection:
            return [Failure(*row) for row in connection.execute(chosen.order_by(FAILURES.c.number).limit(limit))]

    def forget(self, source: str) -> None:
        """Removes the jobs of a source."""
        self._delete(JOBS.c.source == source)

    def _insert(self, connection: Any, source: str, **values: object) -> str:
        zeros = dict.fromkeys(("done", "total", "encoded", "added", "changed", "removed", "same", "failed"), 0)
        row = {"id": uuid.uuid4().hex, "source": source, "stage": "", "error": "", "created_at": datetime.now(UTC)}
        connection.execute(insert(JOBS).values({**zeros, **row, **values}))
        return str(row["id"])

    def _update(self, job_id: str, state: State | None, values: dict[str, Any]) -> bool:
        where = JOBS.c.id == job_id if state is None else (JOBS.c.id == job_id) & (JOBS.c.state == state)
        with self.engine.begin() as connection:
            return bool(connection.execute(update(JOBS).where(where).values(values)).rowcount)

    def _delete(self, where: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(JOBS).where(where))

    def _end(self, job: Job, state: State, recorder: Recorder, error: str = "") -> None:
        values = {**recorder.values(), "state": state, "finished_at": datetime.now(UTC), "error": error}
        rows = [{"job": job.id, "url": each.url, "reason": each.reason} for each in recorder.report.failed]
        finished = (JOBS.c.source == job.source) & JOBS.c.finished_at.is_not(None)
        old = select(JOBS.c.id).where(finished).order_by(JOBS.c.created_at.desc()).offset(KEPT_JOBS)
        with self.engine.begin() as connection:
            if not connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(values)).rowcount:
                return  # its source was removed meanwhile
            if rows:
                connection.execute(insert(FAILURES), rows[:KEPT_FAILURES])
            connection.execute(delete(JOBS).where(JOBS.c.id.in_(connection.scalars(old).all())))

    def _reap(self) -> None:
        """Says of running jobs whose worker is gone that they died."""
        with self.engine.connect() as connection:
            running = connection.execute(
                select(JOBS.c.id, JOBS.c.beat_at, JOBS.c.owner).where(JOBS.c.state == "running")
            ).all()
        now = datetime.now(UTC)
        for job_id, beat_at, owner in running:
            if now - beat_at > timedelta(seconds=DEAD_SECONDS) or not _alive(owner):
                error = (
                    "The process that ran it is gone. What it had done is kept; the next refresh goes on from there."
                )
                self._update(job_id, "running", {"state": "died", "finished_at": now, "error": error})


def _job(row: Row[Any]) -> Job:
    return Job(**row._mapping)


def _owner() -> str:
    return f"{socket.gethostname()} {os.getpid()}"


def _alive(owner: str) -> bool:
    """Whether a process may still be there; one of another machine is judged by its heartbeat alone."""
    host, _, number = owner.rpartition(" ")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True
