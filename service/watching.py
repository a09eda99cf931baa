"""`passerine refresh --watch`: which sources may have changed, told as it happens."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from indexing.files import DOCUMENT_TYPES
from service.sources import StoredSource

LOOK_SECONDS = 0.2
"""Between two looks at whether to stop."""
BUSY_SECONDS = 5.0
"""Between two tries of a refresh that met another one: as often as a service looks at its queue."""


def changes(
    sources: Sequence[StoredSource], busy: Collection[str], every: float, stopped: Callable[[], bool]
) -> Iterator[list[str]]:
    """Names of the sources to refresh now: folders and files when something in them changes, those in `busy` after a
    few seconds, and all of them every so many. Begins with all; ends when `stopped` says so. The watch is on before the
    first refresh."""
    changed: queue.SimpleQueue[str] = queue.SimpleQueue()
    over = threading.Event()
    for source in sources:
        if source.kind == "path":
            arguments = (source.name, Path(source.location), changed, over)
            threading.Thread(target=_watch, args=arguments, name="watch", daemon=True).start()
    try:
        while not stopped():
            yield [source.name for source in sources]
            due, again = time.monotonic() + every, time.monotonic() + BUSY_SECONDS
            while not stopped() and time.monotonic() < due:
                names = _taken(changed)
                if names or (busy and time.monotonic() >= again):
                    yield list(dict.fromkeys((*names, *busy)))
                    again = time.monotonic() + BUSY_SECONDS
    finally:
        over.set()


def _taken(changed: "queue.SimpleQueue[str]") -> list[str]:
    """The names that wait, each once; empty after a moment without any."""
    names: dict[str, None] = {}
    try:
        names[changed.get(timeout=LOOK_SECONDS)] = None
        while True:
            names[changed.get_nowait()] = None
    except queue.Empty:
        return list(names)


def _watch(name: str, root: Path, changed: "queue.SimpleQueue[str]", over: threading.Event) -> None:
    """Tells of changes below a folder, or of a file. Where the system cannot, the regular refresh finds them."""
    from watchfiles import Change, watch

    def wanted(change: Change, path: str) -> bool:
        """Documents, and folders: not what the index itself writes when it lies in the folder."""
        del change
        if root.is_dir():
            return Path(path).suffix.lower() in (*DOCUMENT_TYPES, "")
        return Path(path) == root

    folder = root if root.is_dir() else root.parent
    try:
        for _ in watch(folder, watch_filter=wanted, stop_event=over, recursive=root.is_dir(), debounce=500, step=50):
            changed.put(name)
    except OSError:
        return
