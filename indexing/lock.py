"""One writer at a time: a lock on a file, which names its owner and ends with him.

The operating system drops the lock when its owner ends in whatever way, so that a lock never outlives its owner;
the file's content (process id and time) only serves the message to the one who has to wait.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from indexing.types import Conflict, StorageFailed

_POLL = 0.02


@contextmanager
def locked(path: Path, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path` inside the block; `what` completes "Another process (pid) is ...".

    Waits at most `wait` seconds. Raises Conflict naming the owner, StorageFailed when the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageFailed(f"{path} cannot be opened: {error.strerror}.", "Check the folder's permissions.") from error
    try:
        _acquire(handle, path, what, wait)
        owner = f"{os.getpid()} {datetime.now(UTC).isoformat(timespec='seconds')}\n".encode()
        os.pwrite(handle, owner, 0)
        os.ftruncate(handle, len(owner))  # last: a file that is emptied first, ext4 flushes to disk, some 5 ms
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, what: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                owner, _, since = path.read_text(encoding="utf-8").strip().partition(" ")
                raise Conflict(
                    f"Another process ({owner or 'unknown'}, since {since or 'just now'}) is {what}.",
                    "Wait until it is done, or end it; its finished work is kept.",
                ) from None
            time.sleep(_POLL)
