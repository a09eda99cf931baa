"""`passerine serve`: models and a first index when there are none, then the service on its address.

One's own documents are read beside the running service, not before it: the page opens at once, each commit can be
asked two seconds after it was read, and the page shows how far the refresh is. The bundled examples, which take
seconds, are read before, so that the first question of a new user finds them all.
"""

import logging
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from indexing.types import Cancelled, PasserineError, Progress
from models import weights
from service.api import create_api
from service.app import EXAMPLES, report_failure
from service.application import Application
from service.config import LOOPBACK, Settings
from service.console import bar, err, show_error
from service.errors import Forbidden, PortInUse, explain

LOG = logging.getLogger("passerine")


def check_address(settings: Settings) -> None:
    """Raises Forbidden for an address that others reach, PortInUse (naming a free port) for a taken one."""
    if settings.host not in LOOPBACK and not settings.insecure_listen:
        raise Forbidden(
            f"Passerine would be open to everybody who reaches {settings.host}: it asks for no key yet.",
            "Listen on 127.0.0.1 behind a proxy that checks who comes, or add --insecure-listen on a safe network.",
        )
    if not is_free(settings.host, settings.port):
        above = range(settings.port + 1, min(settings.port + 100, 65536))
        following = next((port for port in above if is_free(settings.host, port)), None)
        hint = f"Use --port {following}, which is free." if following else "Use another --port."
        raise PortInUse(f"Port {settings.port} of {settings.host} is in use.", hint)


def is_free(host: str, port: int) -> bool:
    """Whether a server may listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def install_models(settings: Settings) -> None:
    """The base models that the settings name, when they are ours to install and absent or damaged."""
    wanted = [settings.encoder]
    if settings.policy != "extractive" and not settings.generator_url:
        wanted.append(settings.generator)
    for name in wanted:
        folder = settings.home / "models" / name
        if name in weights.MODELS and not folder.is_dir():
            err().print(f"Installing {name} ...")
            with bar() as progress:
                weights.install(name, settings.home, progress=progress)


def first_index(application: Application) -> None:
    """The examples, when nothing has been indexed and no documents were named."""
    library = application.library.now()
    if library.counts().documents == 0 and EXAMPLES.is_dir():
        err().print("Nothing is indexed yet: reading the example documents.")
        with bar() as progress:
            library.refresh([EXAMPLES], progress)


def refresh_beside(application: Application, paths: Sequence[Path], stopped: Callable[[], bool]) -> threading.Thread:
    """Reads documents in a thread while the service answers; the board says how far it is."""
    thread = threading.Thread(target=refresh_now, args=(application, paths, stopped), name="refresh", daemon=True)
    thread.start()
    return thread


def refresh_now(application: Application, paths: Sequence[Path], stopped: Callable[[], bool]) -> None:
    """The refresh of that thread. The examples leave when the first own document is there."""
    board = application.board
    board.begin()
    try:
        library = application.library.now()
        with bar() as shown:
            report = library.refresh(paths, both(board.progress, shown), stopped)
        library.drop_examples(EXAMPLES)
    except Cancelled:
        board.end(error="The refresh was stopped; it goes on at the next start.")
    except Exception as error:
        plain = explain(error)
        LOG.error("the refresh failed: %s", plain, exc_info=None if isinstance(error, PasserineError) else error)
        board.end(error=str(plain))
    else:
        line = (
            f"{report.added} added, {report.changed} changed, {report.removed} removed, {report.same} same, "
            f"{len(report.failed)} failed"
        )
        LOG.info("the documents are read: %s", line)
        for failure in report.failed:
            LOG.warning("not read: %s: %s", failure.url, failure.reason)
        board.end(report=line)


def both(first: Progress, second: Progress) -> Progress:
    """Tells two at once: the board that the page reads, and the terminal."""

    def report(stage: str, done: int, total: int) -> None:
        first(stage, done, total)
        second(stage, done, total)

    return report


def serve(application: Application, docs: Sequence[Path], open_page: bool, debug: bool) -> None:
    """Serves until it is stopped. What is not loaded yet is loaded beside the open port."""
    settings = application.settings
    stop = threading.Event()
    application.startup.start(report_failure(show_error))
    worker = refresh_beside(application, docs, stop.is_set) if docs else None
    config = uvicorn.Config(
        create_api(application),
        host=settings.host,
        port=settings.port,
        log_level="debug" if debug else "warning",
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    err().print(f"Passerine is at [bold]{settings.url}[/]  (Ctrl-C stops it)")
    if open_page:
        threading.Timer(1.0, webbrowser.open, [settings.url]).start()
    try:
        uvicorn.Server(config).run()
    finally:
        stop.set()
        application.startup.stop(30)
        if worker:
            worker.join(30)
        application.close()
