"""passerine source, and passerine refresh: where documents come from, and bringing the index up to date with it."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from indexing.refresh import RefreshReport
from indexing.types import Cancelled, Conflict
from service.application import Application
from service.console import STOPPED, bar, err, interruptible, out, show_error, show_table
from service.errors import explain
from service.jobs import Job
from service.library import rebuild_index, where
from service.sources import Kind, StoredSource, described, opened, tried
from service.watching import changes

LOG = logging.getLogger("passerine")
Reporting = Callable[[Callable[..., Any]], Callable[..., Any]]
FAILED, UNREAD, BUSY = 1, 3, 4
"""Exit statuses: a source could not be refreshed; documents could not be read; another refresh was running."""

SHOWN_FAILURES = 20
"""Failures of a source that a list shows; the interface gives all that are kept."""

Location = Annotated[
    str, typer.Argument(help="A folder or file, an address, s3://bucket/folder, or a database's SQLAlchemy URL.")
]
KindOption = Annotated[Kind | None, typer.Option(help="What it is; absent: guessed from the location.")]
QueryOption = Annotated[str, typer.Option(help="SQL: a row a document, with the columns text, title, id, url, ...")]


def add(cli: typer.Typer, application: Callable[..., Application], reporting: Reporting) -> None:
    """Puts these commands on `cli`."""

    def refresh(
        sources: Annotated[
            list[str] | None,
            typer.Argument(
                help="Names of sources, folders, files, addresses or buckets; absent: every source.", show_default=False
            ),
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
        rebuild: Annotated[bool, typer.Option("--rebuild", help="First make all vectors and postings anew.")] = False,
        empty_ok: Annotated[
            bool, typer.Option("--empty-ok", help="A source that is empty now is meant to be.")
        ] = False,
        watch: Annotated[
            bool, typer.Option("--watch", help="Go on: refresh again whenever something changes.")
        ] = False,
        cluster: Annotated[
            str | None, typer.Option(help="Ray cluster that reads and encodes for the table: local, auto or host:port.")
        ] = None,
        every: Annotated[int, typer.Option(min=1, help="--watch: seconds between looks at every source.")] = 900,
    ) -> None:
        """Bring the index up to date with its sources; only what changed is read again.

        Exit status: 0 when all is well, 1 when a source could not be refreshed, 3 when documents could not be read,
        4 when another refresh was running.
        """
        own = application(cluster=cluster)
        known = own.refreshes.sources
        chosen = [known.find(name) for name in sources] if sources else known.list()
        if not chosen and not rebuild:
            raise typer.BadParameter(
                "Name a folder, a file or an address, or add a source (or --rebuild).", param_hint="SOURCES"
            )
        with interruptible() as stopped:
            if rebuild:
                with bar() as progress:
                    count = rebuild_index(where(own.settings), own.encoder.now(), progress, stopped)
                out().print(f"{count} passages encoded anew")
            if not chosen:
                return
            run = _Run(own, dry_run, empty_ok, stopped)
            if watch:
                for names in changes(chosen, run.busy, every, stopped):
                    with suppress(Cancelled):
                        run.all(names)
                raise typer.Exit(STOPPED)
            status = run.all([source.name for source in chosen])
        if status:
            raise typer.Exit(status)

    cli.command("refresh")(reporting(refresh))
    cli.add_typer(source_commands(application, reporting), name="source")


class _Run:
    """Refreshes sources one after another; one that fails does not hinder the next. `busy` are those whose last refresh
    met another one, which is said once."""

    def __init__(self, application: Application, dry_run: bool, empty_ok: bool, stopped: Callable[[], bool]) -> None:
        self.refreshes, self.dry_run, self.empty_ok = application.refreshes, dry_run, empty_ok
        self.stopped = stopped
        self.busy: set[str] = set()
        application.library.now()  # what hinders every source is said once

    def all(self, names: Sequence[str]) -> int:
        """The exit status: of the worst that happened."""
        statuses = {self.one(name, f"{name}: " if len(names) > 1 else "") for name in names}
        return next((status for status in (FAILED, BUSY, UNREAD) if status in statuses), 0)

    def one(self, name: str, before: str) -> int:
        """Refreshes one source and says what became of it. Raises Cancelled."""
        said = name in self.busy
        self.busy.discard(name)
        try:
            with bar() as progress:
                report = self._report(name, progress)
        except (Cancelled, KeyboardInterrupt):
            raise
        except Conflict as error:
            self.busy.add(name)
            if not said:
                show_failure(error, before)
            return BUSY
        except Exception as error:
            LOG.debug("the refresh of %s failed", name, exc_info=error)
            show_failure(error, before)
            return FAILED
        for failure in report.failed:
            err().print(f"not read: {failure.url}: {failure.reason}", markup=False)
        out().print(f"{before}{'would be: ' if self.dry_run else ''}{report.counts}", markup=False)
        return UNREAD if report.failed else 0

    def _report(self, name: str, progress: Callable[[str, int, int], None]) -> RefreshReport:
        if self.dry_run:
            return self.refreshes.preview(name, progress, self.stopped, self.empty_ok)
        return self.refreshes.run(name, None, progress, self.stopped, self.empty_ok)


def show_failure(error: Exception, before: str) -> None:
    """Says why a source was not refreshed, after its name where there are several."""
    plain = explain(error)
    show_error(type(plain)(f"{before}{plain.message}", plain.hint))


def source_commands(application: Callable[[], Application], reporting: Reporting) -> typer.Typer:
    """passerine source add | list | remove | test"""
    group = typer.Typer(help="Where documents come from: add, list, remove, test.", no_args_is_help=True)

    def add_source(
        location: Location,
        name: Annotated[str, typer.Option(help="Absent: made from the location.")] = "",
        kind: KindOption = None,
        query: QueryOption = "",
    ) -> None:
        """Keep a source, to be refreshed by its name."""
        source = application().refreshes.sources.add(location, name, kind, query)
        out().print(f"{source.name}: {source.kind} {source.place}", markup=False)
        err().print(f"`passerine refresh {source.name}` reads it.", markup=False)

    def listing() -> None:
        """The sources, how their last refresh ended, and what it could not read."""
        refreshes = application().refreshes
        sources = refreshes.sources.list()
        if not sources:
            out().print("There is no source. `passerine source add LOCATION` adds one.", markup=False)
            return
        jobs = {source.name: refreshes.jobs.last(source.name) for source in sources}
        rows = [(source.name, source.kind, source.place, *told(jobs[source.name])) for source in sources]
        show_table("", ("name", "kind", "location", "last refresh", "result"), rows)
        for name, job in jobs.items():
            for failure in refreshes.jobs.failures(job.id, SHOWN_FAILURES) if job else ():
                out().print(f"{name}: not read: {failure.url}: {failure.reason}", markup=False)
            if job and job.failed > SHOWN_FAILURES:
                out().print(f"{name}: and {job.failed - SHOWN_FAILURES:,} more", markup=False)

    def remove(name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
        """Remove a source and its documents; a folder's own files stay where they are."""
        refreshes = application().refreshes
        count = refreshes.remove(refreshes.sources.get(name))
        out().print(f"{name} is removed, and {count:,} documents of it from the index.", markup=False)

    def test(
        location: Annotated[str, typer.Argument(help="A source's name, or a location as `source add` takes it.")],
        kind: KindOption = None,
        query: QueryOption = "",
    ) -> None:
        """Read the first documents of a source, and keep nothing."""
        own = application()
        names = {source.name: source for source in own.refreshes.sources.list()}
        source: StoredSource = names.get(location) or described(location, "", kind, query)
        with interruptible() as stopped, opened(source, own.refreshes.rules, stopped) as read:
            found = tried(read)
        for failure in found.failed:
            err().print(f"not read: {failure.url}: {failure.reason}", markup=False)
        rows = [
            (each.title, f"{each.published_at:%Y-%m-%d}" if each.published_at else "", each.language, len(each.text))
            for each in found.documents
        ]
        show_table("", ("title", "published", "language", "characters"), rows)
        out().print(f"{found.listed:,} listed, the first {len(found.documents)} read", markup=False)
        if not found.documents:
            raise typer.Exit(FAILED)

    own_commands: dict[str, Callable[..., None]] = {
        "add": add_source,
        "list": listing,
        "remove": remove,
        "test": test,
    }
    for name, function in own_commands.items():
        group.command(name)(reporting(function))
    return group


def told(job: Job | None) -> tuple[str, str]:
    """(when, how it is or ended) of a source's last refresh."""
    if job is None:
        return "never", ""
    when = f"{(job.finished_at or job.started_at or job.created_at).astimezone():%Y-%m-%d %H:%M}"
    if job.state == "running":
        left = f", {job.left_seconds:,.0f} s left" if job.left_seconds is not None else ""
        return when, f"running: {job.stage} {job.done:,} of {job.total:,}, {job.rate:,.1f}/s{left}"
    if job.state in ("failed", "died"):
        return when, f"{job.state}: {job.error}"
    return when, job.counts if job.state == "done" else job.state
