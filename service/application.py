"""What a running Passerine consists of. `service/app.py` builds it; routes and commands are handed it."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from sqlalchemy import Engine

from indexing.types import Encoder
from rewards.types import Rule
from service.asking import Asking
from service.config import Settings
from service.conversations import Conversations
from service.feedback import Feedback
from service.library import Library
from service.pipeline import Parts
from service.startup import Lazy, Startup


@dataclass(frozen=True, slots=True)
class Work:
    """How far a refresh that runs beside the service is. `total` is 0 while unknown; `error` ends it."""

    running: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    report: str = ""
    error: str = ""


class Board:
    """Where the refresh beside the service writes how far it is, for /v1/status and the page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work = Work()
        self._began = 0.0

    def begin(self) -> None:
        with self._lock:
            self._began, self._work = monotonic(), Work(running=True, stage="starting")

    def progress(self, stage: str, done: int, total: int) -> None:
        with self._lock:
            self._work = Work(True, stage, done, total, monotonic() - self._began)

    def end(self, report: str = "", error: str = "") -> None:
        with self._lock:
            last = self._work
            seconds = monotonic() - self._began
            self._work = Work(False, last.stage, last.done, last.total, seconds, report, error)

    @property
    def work(self) -> Work:
        with self._lock:
            return self._work


@dataclass(frozen=True, slots=True)
class Application:
    """The parts that answer at once (database, rules) and those that are loaded beside them."""

    settings: Settings
    database: Engine
    conversations: Conversations
    feedback: Feedback
    rules: Sequence[Rule]
    asking: Asking
    encoder: Lazy[Encoder]
    library: Lazy[Library]
    parts: Lazy[Parts]
    startup: Startup
    board: Board = field(default_factory=Board)

    def recover(self) -> None:
        """Marks the questions that an earlier process left unanswered; called by the one process that serves."""
        error = {"code": "interrupted", "message": "The service ended while it answered.", "hint": "Ask again."}
        self.conversations.recover(json.dumps(error))

    def close(self) -> None:
        """Lets go of the database and the index."""
        self.asking.pool.shutdown(wait=False, cancel_futures=True)
        if self.library.stage.state == "ready":
            self.library.get().index.close()
        self.database.dispose()
