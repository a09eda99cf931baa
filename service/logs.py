"""The log: plain lines for a person, or JSON lines for a program, each with the id of its request.

What people asked and what their documents say is in no record: requests are named by the template of their route, and
the database and the schemas leave values out of their errors.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Set by the guard; threads that work for a request see it too."""
ACCESS = "passerine.access"
"""The logger of requests and answers: every one in JSON, none in text unless --debug asks for it."""
OWN = ("passerine", "uvicorn")
USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, request_id, what else the record was given, trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line |= {name: value for name, value in vars(record).items() if name not in USUAL}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_stderr(debug: bool, level: int = logging.WARNING, form: Format = "text") -> None:
    """Logs of this project on stderr, from `level` on; other libraries only speak up when something is wrong."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else plain)
    for name in OWN:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger("passerine").setLevel(logging.DEBUG if debug else level)
    logging.getLogger(ACCESS).setLevel(logging.INFO if debug or form == "json" else logging.WARNING)
