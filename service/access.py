"""Who may do what over HTTP: the scope of every route, the caller of a request, and the limit of a key.

A service on loopback asks for no key until one is made; one that other machines reach always does, unless the setting
insecure_listen says otherwise. A key comes as `Authorization: Bearer KEY`, or in the cookie of the page's session.
"""

from collections.abc import Mapping

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from service.application import Application
from service.config import LOOPBACK
from service.errors import Forbidden, RateLimited, Unauthorized
from service.keys import Caller, Scope

SESSION = "/v1/session"
NEEDED: Mapping[str, Scope | None] = {
    "POST /v1/chat": "read",
    "POST /v1/chat/completions": "read",
    "GET /v1/models": "read",
    "GET /v1/models/{name}": "read",
    "GET /v1/search": "read",
    "GET /v1/similar": "read",
    "GET /v1/documents": "read",
    "GET /v1/documents/{document_id}": "read",
    "GET /v1/conversations": "read",
    "GET /v1/conversations/{conversation_id}": "read",
    "GET /v1/conversations/{conversation_id}/export": "read",
    "PATCH /v1/conversations/{conversation_id}": "read",
    "DELETE /v1/conversations/{conversation_id}": "read",
    "GET /v1/conversations/{conversation_id}/suggestions": "read",
    "GET /v1/conversations/{conversation_id}/share": "read",
    "POST /v1/conversations/{conversation_id}/share": "read",
    "DELETE /v1/conversations/{conversation_id}/share": "read",
    "GET /v1/memory": "read",
    "DELETE /v1/memory": "read",
    "PATCH /v1/memory/{memory_id}": "read",
    "DELETE /v1/memory/{memory_id}": "read",
    "POST /v1/feedback": "read",
    "DELETE /v1/feedback/{feedback_id}": "read",
    "GET /v1/feedback/pairs": "admin",
    "GET /v1/feedback/summary": "admin",
    "GET /v1/rules": "read",
    "PATCH /v1/rules/{rule_id}": "admin",
    "GET /v1/approved-answers": "read",
    "GET /v1/approved-answers/{id}": "read",
    "GET /v1/status": "read",
    "GET /metrics": "read",
    "POST /v1/documents": "write",
    "POST /v1/files": "write",
    "POST /v1/documents/{document_id}/refresh": "write",
    "DELETE /v1/documents/{document_id}": "write",
    "GET /v1/sources": "write",
    "GET /v1/sources/{name}": "write",
    "POST /v1/sources/{name}/refresh": "write",
    "GET /v1/jobs": "write",
    "GET /v1/jobs/{job_id}": "write",
    "POST /v1/sources": "admin",
    "POST /v1/sources/test": "admin",
    "DELETE /v1/sources/{name}": "admin",
    "PUT /v1/approved-answers/{id}": "admin",
    "DELETE /v1/approved-answers/{id}": "admin",
    "GET /v1/keys": "admin",
    "POST /v1/keys": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    f"GET {SESSION}": None,
    f"POST {SESSION}": None,
    f"DELETE {SESSION}": None,
}
"""What each route asks of a key; None: open to everybody. One's own conversations and feedback are part of reading;
sources make the service fetch and read, so that only an administrator adds one."""


def guarded(path: str) -> bool:
    """Whether a path asks for a key. The page, its files and the documentation do not: they hold nothing private."""
    return (path.startswith("/v1/") and path != SESSION) or path == "/metrics"


def keys_needed(app: Application) -> bool:
    settings = app.settings
    return app.keys.exist() or (settings.host not in LOOPBACK and not settings.insecure_listen)


async def admitted(app: Application, path: str, headers: Headers) -> tuple[Caller | None, dict[str, str]]:
    """Who sends a request, before its body is read, and headers for the reply; nobody is asked for where no key is
    needed by anybody. Raises Unauthorized, RateLimited."""
    if not guarded(path):
        return None, {}
    caller = await run_in_threadpool(identified, app, headers)
    key = caller.key
    if key is None or key.per_minute is None:
        return caller, {}
    allowance = app.limits.take(key.id, key.per_minute)
    if not allowance.granted:
        raise RateLimited(
            f"The key {key.id} may send {key.per_minute} requests a minute, and has.",
            f"Ask again in {allowance.reset} seconds.",
            allowance.headers(),
        )
    return caller, allowance.headers()


def identified(app: Application, headers: Headers) -> Caller:
    """The caller by the key that came with the request. Raises Unauthorized when a key is needed and none is good."""
    if not keys_needed(app):
        return Caller()
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise Unauthorized(f"Passerine knows no authorization '{scheme[:40]}'.", "Send `Authorization: Bearer KEY`.")
    secret = sent.strip() or cookie_parser(headers.get("cookie", "")).get(cookie_name(app), "")
    if not secret:
        raise Unauthorized(
            "This service asks for a key.", "Send `Authorization: Bearer KEY`; `passerine key add NAME` makes one."
        )
    return Caller(app.keys.find(secret))


def cookie_name(app: Application) -> str:
    """Cookies of one host are shared by its ports: two services there must not overwrite each other's."""
    return f"passerine-{app.settings.port}"


async def application(request: Request) -> Application:
    """The application this interface was created for."""
    found: Application = request.app.state.application
    return found


async def caller(request: Request) -> Caller:
    """Who sent the request, as the guard found out. Raises Unauthorized when it did not ask."""
    found: Caller | None = request.state.caller
    if found is None:
        raise Unauthorized("This service does not know who asks.", "Send `Authorization: Bearer KEY`.")
    return found


async def permitted(request: Request) -> None:
    """Raises Forbidden when the caller's key may less than the route needs; one that says nothing needs admin."""
    path = request.scope["route"].path_format
    if not guarded(path):
        return
    needed, found = NEEDED.get(f"{request.method} {path}", "admin"), await caller(request)
    if needed and found.key and not found.may(needed):
        raise Forbidden(
            f"The key {found.key.id} has the scope {found.key.scope}; this needs {needed}.",
            f"`passerine key add NAME --scope {needed}` makes one that may.",
        )
