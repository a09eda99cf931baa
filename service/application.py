"""What a running Passerine consists of. `service/app.py` builds it; routes and commands are handed it."""

import json
from dataclasses import dataclass

from sqlalchemy import Engine

from indexing.types import Encoder
from service.approved import ApprovedStore
from service.asking import Asking
from service.config import Settings
from service.conversations import Conversations
from service.feedback import Feedback
from service.keys import Keys
from service.library import Library
from service.limits import RequestLimits
from service.memories import Memories
from service.metrics import Metrics
from service.pipeline import Parts
from service.refreshes import Refreshes, Worker
from service.rulebook import Rulebook
from service.sharing import Shares
from service.startup import Lazy, Startup
from service.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Application:
    """The parts that answer at once (database, rules) and those that are loaded beside them."""

    settings: Settings
    database: Engine
    conversations: Conversations
    shares: Shares
    feedback: Feedback
    memories: Memories
    keys: Keys
    limits: RequestLimits
    metrics: Metrics
    tracing: Tracing
    rulebook: Rulebook
    approved: ApprovedStore
    asking: Asking
    encoder: Lazy[Encoder]
    library: Lazy[Library]
    parts: Lazy[Parts]
    startup: Startup
    refreshes: Refreshes
    worker: Worker

    def recover(self) -> None:
        """Marks the questions that an earlier process left unanswered; called by the one process that serves."""
        error = {"code": "interrupted", "message": "The service ended while it answered.", "hint": "Ask again."}
        self.conversations.recover(json.dumps(error))

    def close(self) -> None:
        """Ends the refresh, keeping what it did, sends the last traces, and lets go of the database and the index."""
        self.worker.stop()
        self.asking.pool.shutdown(wait=False, cancel_futures=True)
        if self.library.stage.state == "ready":
            self.library.get().index.close()
        self.tracing.close()
        self.database.dispose()
