"""What the command line shows: answers, hits, tables, progress bars, and errors for people."""

import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from indexing.types import Cancelled, Hit, PasserineError
from indexing.types import Progress as Report
from service.errors import explain
from service.types import Answer

P = ParamSpec("P")
R = TypeVar("R")
PIPED = 1000
"""Columns of a table that no terminal shows."""
STOPPED = 130
"""Exit status of a command ended by Ctrl-C, as shells have it."""


def out() -> Console:
    """Where results go. A pipe has no width, so that nothing is cut for it."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED)


def err() -> Console:
    """Where everything else goes: a result can be piped away from it."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def reported(debug: Callable[[], bool]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turns what a command raises into one sentence with a hint and an exit status: 1, or 130 for Ctrl-C.

    This is the command line's process edge. With `debug()` true the trace is shown.
    """

    def around(command: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return command(*args, **kwargs)
            except (typer.Exit, typer.BadParameter):
                raise
            except (KeyboardInterrupt, Cancelled) as error:
                show_error(explain(error))
                raise typer.Exit(STOPPED) from None
            except BrokenPipeError:
                sys.stderr.close()  # the reader of our output has gone; nothing is left to say
                raise typer.Exit(1) from None
            except Exception as error:
                if debug():
                    raise
                plain = explain(error)
                show_error(plain)
                if not isinstance(error, PasserineError) and plain.code == "server_failed":
                    err().print(f"  ({type(error).__name__}: {escape(str(error))}) Add --debug for the trace.")
                raise typer.Exit(1) from None

        return run

    return around


def show_error(error: PasserineError) -> None:
    console = err()
    console.print(f"[bold red]{escape(error.message)}[/]")
    if error.hint:
        console.print(f"  {escape(error.hint)}")


class Rate(ProgressColumn):
    """Finished items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C only turns what is given true, so that finished work is kept; a second one ends."""
    stopped = threading.Event()

    def stop(number: int, frame: object) -> None:
        del number, frame
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()
        err().print("Stopping; what is read so far is being kept. (Ctrl-C again stops at once.)")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def bar() -> Iterator[Report]:
    """A progress bar that takes (stage, done, total); one line a stage, with rate and time left. Only on a terminal:
    cron would send it as a mail."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    tasks: dict[str, int] = {}
    console = err()
    with Progress(*columns, console=console, transient=False, disable=not console.is_terminal) as progress:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = int(progress.add_task(escape(stage), total=total or None))
            progress.update(tasks[stage], completed=done, total=total or None)  # type: ignore[arg-type]

        yield report


def show_answer(answer: Answer) -> None:
    """The text with its numbered quotes, then what was only read or came near."""
    console = out()
    console.print(escape(answer.text))
    for citation in answer.citations:
        page = f", p. {citation.page}" if citation.page else ""
        date = f", {citation.published_at:%Y-%m-%d}" if citation.published_at else ""
        console.print(
            f"\n[bold]\\[{citation.number}][/] {escape(citation.title)}{page}{date}  [dim]{escape(citation.url)}[/]"
        )
        console.print(f"    “{escape(citation.quote)}”")
    for title, hits in (("Nearest", answer.nearest), ("Also read", answer.read)):
        if hits and (title == "Nearest" or answer.verdict == "answered"):
            console.print(f"\n[dim]{title}: {escape('; '.join(dict.fromkeys(hit.document.title for hit in hits)))}[/]")
    if answer.verdict in ("abstained", "refused"):
        console.print(f"[dim]{escape(answer.reason)}[/]")


def show_hits(hits: Sequence[Hit]) -> None:
    console = out()
    if not hits:
        console.print("Nothing was found.")
    for number, hit in enumerate(hits, 1):
        heading = "" if hit.passage.heading == hit.document.title else hit.passage.heading
        where = " · ".join(filter(None, (heading, f"p. {hit.passage.page}" if hit.passage.page else "")))
        console.print(f"[bold]{number}. {escape(hit.document.title)}[/] {escape(where)}  [dim]{hit.score:.3f}[/]")
        console.print(f"   {escape(' '.join(hit.passage.text.split()))}")
        console.print(f"   [dim]{escape(hit.document.url)}[/]")


def show_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(*heads, title=title or None, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    out().print(table)
