"""What a person sees when something goes wrong: one shape, whatever went wrong.

The tree of indexing.types, with the leaves that only a service has:

PasserineError
├─ Unauthorized       401  no key, or one that opens nothing
├─ Forbidden          403  a foreign Host or Origin header, or a key that may less
├─ MethodNotAllowed   405  the route exists, not with this method
├─ NotReady           503  models or index are still being loaded; asking again later works
├─ PortInUse          409  another program listens there
├─ RateLimited        429  a key sent more requests than it may in a minute
└─ ServerFailed       500  a fault of ours; the log has the trace under the request id
"""

import errno
import uuid
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from sqlalchemy.exc import DBAPIError

from indexing.types import BadInput, Cancelled, PasserineError, StorageFailed, TooLarge

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class Unauthorized(PasserineError):
    code, status = "unauthorized", 401


class Forbidden(PasserineError):
    code, status = "forbidden", 403


class MethodNotAllowed(PasserineError):
    code, status = "method_not_allowed", 405


class NotReady(PasserineError):
    code, status = "not_ready", 503


class PortInUse(PasserineError):
    code, status = "port_in_use", 409


class RateLimited(PasserineError):
    """`headers` say how many requests there may be, and when the next one is free."""

    code, status = "rate_limited", 429

    def __init__(self, message: str, hint: str, headers: Mapping[str, str]) -> None:
        super().__init__(message, hint)
        self.headers = headers


class ServerFailed(PasserineError):
    code, status = "server_failed", 500


def new_request_id() -> str:
    """An id that a person can read aloud to whoever keeps the log."""
    return uuid.uuid4().hex[:12]


def explain(error: BaseException) -> PasserineError:
    """The error as a person should see it. A PasserineError is returned as it is."""
    if isinstance(error, PasserineError):
        return error
    if isinstance(error, OSError):
        return from_os(error)
    if isinstance(error, DBAPIError):
        return from_database(error)
    if isinstance(error, MemoryError):
        return TooLarge("There is not enough memory for this.", "Close other programs, or send less at once.")
    if isinstance(error, KeyboardInterrupt):
        return Cancelled("Stopped.", "What was already stored is kept; the same command goes on from there.")
    return ServerFailed("Something broke inside Passerine.", "The log has the details under this request id.")


def from_os(error: OSError) -> PasserineError:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in DISK:
        return StorageFailed(
            f"The disk is full or cannot be written{where}.", "Free some space and run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return StorageFailed(
            f"No permission to read or write{where}.", "Give this user access, or choose another folder with --home."
        )
    if error.errno == errno.ENOENT:
        return BadInput(f"There is no such file or folder{where}.", "Check the path.")
    return StorageFailed(f"The system refused: {error.strerror or error}{where}.", "`passerine doctor` looks closer.")


def from_database(error: DBAPIError) -> PasserineError:
    cause = str(error.orig).lower()
    if "full" in cause or "readonly" in cause or "read-only" in cause or "disk i/o" in cause:
        return StorageFailed("The database cannot be written: the disk is full or read-only.", "Free some space.")
    if "locked" in cause:
        return StorageFailed("The database is locked by another program.", "Close it, then try again.")
    if "not a database" in cause or "malformed" in cause:
        return StorageFailed(
            "The database file is damaged.",
            "Move passerine.db in the data folder aside; Passerine begins a new one, documents are not affected.",
        )
    return StorageFailed(f"The database refused: {error.orig}.", "Check database_url; `passerine doctor` looks closer.")


def shape(error: PasserineError, request_id: str) -> dict[str, dict[str, str]]:
    """The one JSON shape of an error on every route and in every stream."""
    return {
        "error": {"code": error.code, "message": error.message, "hint": error.hint, "request_id": request_id},
    }


def headers_of(error: PasserineError) -> dict[str, str]:
    """The headers that go with an error: when to come again, and how to say who one is."""
    match error:
        case RateLimited():
            return dict(error.headers)
        case NotReady():
            return {"retry-after": "2"}
        case Unauthorized():
            return {"www-authenticate": 'Bearer realm="passerine"'}
    return {}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question naming the nearest known word, or nothing when none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean '{near[0]}'? " if near else ""
