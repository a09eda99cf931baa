"""`passerine serve`: models and a first index when there are none, then the service on its address.

One's own documents are read beside the running service, not before it (`refreshes.Worker`): the page opens at once,
each commit can be asked two seconds after it was read, and the page shows how far the refresh is. The bundled examples,
which take seconds, are read before, so that the first question of a new user finds them all.
"""

import logging
import socket
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from models import weights
from service.api import create_api
from service.app import EXAMPLES, report_failure
from service.application import Application
from service.config import LOOPBACK, Settings
from service.console import bar, err, show_error
from service.errors import Forbidden, PortInUse
from service.keys import Keys
from service.tracing import provider

LOG = logging.getLogger("passerine")


def check_address(settings: Settings, keys: Keys) -> None:
    """Raises Forbidden for an address that others reach while there is no key, PortInUse for a taken one, naming a
    free one."""
    if settings.host not in LOOPBACK and not settings.insecure_listen and not keys.exist():
        raise Forbidden(
            f"Passerine would be open to everybody who reaches {settings.host}: there is no key yet.",
            "Make one with `passerine key add NAME`, or add --insecure-listen on a safe network.",
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


def serve(application: Application, docs: Sequence[Path], open_page: bool, debug: bool) -> None:
    """Serves until it is stopped. What is not loaded yet is loaded beside the open port."""
    settings = application.settings
    application.tracing.start(provider(settings))
    application.startup.start(report_failure(show_error))
    application.worker.start(bar)
    for path in docs:
        application.worker.submit(str(path.expanduser().resolve()))
    config = uvicorn.Config(
        create_api(application),
        host=settings.host,
        port=settings.port,
        log_level="debug" if debug else "warning",
        timeout_graceful_shutdown=3,
        server_header=False,
        log_config=None,
    )
    if settings.log_format == "json":
        LOG.info("listening", extra={"url": settings.url})
    else:
        err().print(f"Passerine is at [bold]{settings.url}[/]  (Ctrl-C stops it)")
    if open_page:
        threading.Timer(1.0, webbrowser.open, [settings.url]).start()
    try:
        uvicorn.Server(config).run()
    finally:
        application.startup.stop(30)
        application.close()
