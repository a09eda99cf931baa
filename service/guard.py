"""What every request passes before a route sees it, and every reply on its way out.

A request id; foreign Host and Origin headers refused (a page of another site must not talk to a service on loopback);
the caller's key, where one is needed; a limit on the body; headers that keep the browser from running anything but the
page's own script; and the last resort for an error that no handler knew.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexing.types import Cancelled, PasserineError, TooLarge
from service.errors import Forbidden, explain, headers_of, new_request_id, shape
from service.keys import Caller
from service.logs import REQUEST_ID

LOG = logging.getLogger("passerine.http")
Observe = Callable[[Scope, int, float], None]
Trace = Callable[[Headers], AbstractContextManager[None]]
Admit = Callable[[str, Headers], Awaitable[tuple[Caller | None, Mapping[str, str]]]]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from another host, and no text that becomes markup: the browser refuses `innerHTML`."""
SECURITY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware around the whole application. `hosts` are names without a port, lower case.

    `admit` says who the caller is, by path and headers, and what headers the reply has for it; `observe` is told of
    each request with its status (499 when nobody waited for one) and its seconds; `trace` is open around it.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], body_limit: int, admit: Admit, observe: Observe, trace: Trace
    ) -> None:
        self.app, self.hosts, self.body_limit = app, frozenset(host.lower() for host in hosts), body_limit
        self.admit, self.observe, self.trace = admit, observe, trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self.trace(Headers(scope=scope)):
            await self.guarded(scope, receive, send)

    async def guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its headers to the end of its reply."""
        request_id = new_request_id()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        REQUEST_ID.set(request_id)
        began, status, own = time.perf_counter(), Cancelled.status, {"x-request-id": request_id, **SECURITY}
        started = False

        async def outward(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in own.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store" if scope["path"].startswith("/v1/") else "no-cache"
            await send(message)

        try:
            sent = Headers(scope=scope)
            self.check(sent)
            state["caller"], told = await self.admit(scope["path"], sent)
            own.update(told)
            await self.app(scope, await self.bounded(receive), outward)
        except PasserineError as error:
            await refuse(error, request_id, outward)
        except Exception as error:  # the process edge: logged with its trace, reported in the one shape
            LOG.exception("request %s failed", request_id)
            if not started:
                await refuse(explain(error), request_id, outward)
        finally:
            self.observe(scope, status, time.perf_counter() - began)

    def check(self, headers: Headers) -> None:
        """Raises Forbidden for a foreign Host or Origin."""
        host = headers.get("host", "")
        if name_of(host) not in self.hosts:
            raise Forbidden(
                f"This service does not answer for the host '{host[:200]}'.",
                "Use the address that `passerine serve` printed, or add the name to the setting allowed_hosts.",
            )
        origin = headers.get("origin")
        if origin is None:
            return
        parts = urlsplit(origin)
        if parts.netloc.lower() != host.lower() or parts.scheme not in ("http", "https"):
            raise Forbidden(
                f"Pages of '{origin[:200]}' may not use this service.", "Open the page that the service itself serves."
            )

    async def bounded(self, receive: Receive) -> Receive:
        """The body, read up to the limit and handed on in one piece. Raises TooLarge."""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return replay(message, receive)
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.body_limit:
                raise TooLarge(
                    f"The request is larger than {self.body_limit} bytes.",
                    "Send fewer documents at once, or raise the setting body_limit.",
                )
        return replay({"type": "http.request", "body": bytes(body), "more_body": False}, receive)


def replay(first: Message, receive: Receive) -> Receive:
    """A receive that gives `first`, then what comes from the client."""
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def name_of(host: str) -> str:
    """The name in a Host header, without its port: "[::1]:8000" is "::1"."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def refuse(error: PasserineError, request_id: str, send: Send) -> None:
    """Sends the error in the one shape."""
    body = json.dumps(shape(error, request_id), ensure_ascii=False).encode()
    more = {"content-type": "application/json", "content-length": str(len(body)), **headers_of(error)}
    headers = [(name.encode(), value.encode()) for name, value in more.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
