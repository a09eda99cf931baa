"""The HTTP interface: its routes, its errors, its page. Nothing here knows how an answer is made."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Scope

from indexing.types import BadInput, NotFound, PasserineError
from service import (
    routes_approved,
    routes_chat,
    routes_completions,
    routes_conversations,
    routes_documents,
    routes_feedback,
    routes_keys,
    routes_memory,
    routes_rules,
    routes_sharing,
    routes_sources,
    routes_status,
)
from service.access import NEEDED, admitted, permitted
from service.application import Application
from service.config import LOOPBACK
from service.errors import Forbidden, MethodNotAllowed, ServerFailed, did_you_mean, explain, headers_of, shape
from service.guard import Guard
from service.inputs import Taken
from service.keys import Caller
from service.logs import ACCESS
from service.reference import STYLE, reference_page
from service.schemas import ErrorOut

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ACCESS_LOG = logging.getLogger(ACCESS)
WEB = Path(__file__).parent / "web"
PAGES = ("/", "/documents", "/annotate", "/admin")
"""Paths of the page; what each shows stands in service/web/page.js."""
STATUSES = {
    401: "a key is needed, and none came that is good",
    403: "foreign Host or Origin, or the key may less",
    404: "no such thing",
    405: "the route exists, not with this method",
    409: "something of that name is there, or another writer is at work",
    413: "over a limit",
    422: "wrong input",
    429: "the key sent more requests than it may in a minute",
    500: "a fault of Passerine",
    502: "a source, or the language model's server, cannot be reached",
    503: "starting, nothing indexed yet, or a model or index that cannot be used",
    507: "the disk is full or cannot be written",
}
DESCRIPTION = (
    "Answers from your documents with the exact words that support them. Every error has one shape: "
    '`{"error": {"code", "message", "hint", "request_id"}}`.'
)


def create_api(application: Application) -> Guard:
    """The ASGI application, guarded. The caller starts and stops what the application loads."""
    api = Described(
        title="Passerine",
        version=version("passerine"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(permitted)],
        responses={status: {"model": ErrorOut, "description": text} for status, text in STATUSES.items()},
    )
    api.state.application = application
    for routes in (
        routes_chat,
        routes_completions,
        routes_documents,
        routes_conversations,
        routes_sharing,
        routes_memory,
        routes_feedback,
        routes_rules,
        routes_approved,
        routes_keys,
        routes_sources,
        routes_status,
    ):
        api.include_router(routes.router())
    api.add_api_route("/docs", documentation, include_in_schema=False)
    api.add_api_route("/docs/style.css", documentation_style, include_in_schema=False)
    for path in PAGES:
        api.add_api_route(path, page, include_in_schema=False)
    api.add_api_route("/shared/{token}", routes_sharing.page, include_in_schema=False)
    api.add_api_route("/opensearch.xml", search_engine, include_in_schema=False)
    api.mount("/static", StaticFiles(directory=WEB, check_dir=False), name="static")
    api.add_exception_handler(PasserineError, on_error)
    api.add_exception_handler(RequestValidationError, on_wrong_input)
    api.add_exception_handler(HTTPException, on_http)
    api.add_exception_handler(Exception, on_error)
    settings = application.settings
    hosts = {*LOOPBACK, settings.host, *(name.rpartition(":")[0] or name for name in settings.allowed_hosts)}
    edges = partial(admitted, application), partial(observed, application), application.tracing.request
    return Guard(api, hosts | set(settings.allowed_hosts), settings.body_limit, *edges)


def observed(application: Application, scope: Scope, status: int, seconds: float) -> None:
    """Counts and logs a request by the template of its route: an address may hold what somebody asked, and a label that
    strangers choose grows without end."""
    template = getattr(scope.get("route"), "path_format", None)
    route = template or ("/static" if scope["path"].startswith("/static/") else "other")
    method = scope["method"] if scope["method"] in METHODS else "other"
    application.metrics.request(method, route, status, seconds)
    application.tracing.replied(method, route, status, scope["state"]["request_id"])
    caller = scope["state"].get("caller") or Caller()
    told = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
    ACCESS_LOG.info("request", extra={**told, "key": caller.owner})


class Described(FastAPI):
    """Its OpenAPI description says which scope each route needs."""

    def openapi(self) -> dict[str, Any]:
        description = super().openapi()
        if "securitySchemes" not in description["components"]:
            bearer = {"type": "http", "scheme": "bearer", "description": "`passerine key add NAME` makes a key."}
            description["components"]["securitySchemes"] = {"key": bearer}
            for path, operations in description["paths"].items():
                for method, operation in operations.items():
                    if scope := NEEDED.get(f"{method.upper()} {path}"):
                        operation["security"] = [{"key": [scope]}, {}]  # {}: loopback asks for none until one is made
                        operation["description"] += f"\n\nNeeds the scope `{scope}` where keys are asked for."
        return description


async def page() -> FileResponse:
    if not (WEB / "index.html").is_file():
        raise NotFound("The page is not installed.", "Install Passerine again; the HTTP interface works without it.")
    return FileResponse(WEB / "index.html", media_type="text/html")


async def search_engine(request: Request) -> Response:
    """What a browser needs to offer Passerine among its search engines."""
    where = quoteattr(f"{request.url.scheme}://{request.url.netloc}/?q={{searchTerms}}")
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">'
        f'<ShortName>Passerine</ShortName><Description>Passerine</Description><Url type="text/html" template={where}/>'
        "</OpenSearchDescription>"
    )
    return Response(text, media_type="application/opensearchdescription+xml")


async def documentation(request: Request) -> HTMLResponse:
    """The reference of the HTTP interface, without a script."""
    return HTMLResponse(reference_page(request.app.openapi()))


async def documentation_style() -> Response:
    return Response(STYLE, media_type="text/css")


def reply(error: PasserineError, request: Request) -> JSONResponse:
    return JSONResponse(shape(error, request.state.request_id), error.status, headers_of(error))


def on_error(request: Request, error: Exception) -> JSONResponse:
    """Errors with a name as they are; others as a fault of ours, whose trace the guard logs."""
    return reply(explain(error), request)


def on_http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: unknown routes and methods."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        return reply(NotFound(f"There is nothing at {path}.", "GET /docs lists the routes."), request)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        return reply(MethodNotAllowed(f"{path} does not take {request.method}.", f"It takes {allowed}."), request)
    if error.status_code == 403:
        return reply(Forbidden(str(error.detail)), request)
    if error.status_code < 500:
        return reply(BadInput(f"The request cannot be read: {error.detail}.", "GET /docs shows examples."), request)
    return reply(ServerFailed(str(error.detail)), request)


def on_wrong_input(request: Request, error: Exception) -> JSONResponse:
    """The first thing wrong with the input, by the name of its field."""
    assert isinstance(error, RequestValidationError)
    first = max(error.errors(), key=telling)
    place = ".".join(str(part) for part in first["loc"][1:] if not is_class(part)) or str(first["loc"][0])
    kind = first["type"]
    hint = "GET /docs shows examples."
    if kind == "json_invalid":
        message = f"The body is not JSON: {first.get('ctx', {}).get('error', 'it cannot be read')}."
    elif kind == "extra_forbidden":
        message = f"The field '{place}' is not known."
        hint = did_you_mean(place.rpartition(".")[2], known_fields()) + hint
    elif kind == "missing":
        message = f"The field '{place}' is missing."
        if "json" not in request.headers.get("content-type", "json") and request.method != "GET":
            hint = "Send JSON, with the header Content-Type: application/json."
    elif kind in ("too_short", "string_too_short") and not str(first.get("input") or "").strip("[] \t\r\n"):
        message = f"The field '{place}' is empty."
    else:
        message = f"The field '{place}' is wrong: {first['msg'].removeprefix('Value error, ')}."
        if "json" not in request.headers.get("content-type", "json"):
            hint = "Send JSON, with the header Content-Type: application/json."
    return reply(BadInput(message, hint), request)


def telling(error: Mapping[str, Any]) -> tuple[bool, int]:
    """Of the errors of a body that may be one thing or a list, the one of the branch that was meant: the deepest."""
    wrong_branch = error["type"] in ("model_attributes_type", "model_type", "list_type", "dict_type")
    return not wrong_branch, len(error["loc"])


def is_class(part: object) -> bool:
    """Whether a part of a location names a branch of a union ("DocumentIn", "list[DocumentIn]"), not a field."""
    return isinstance(part, str) and (part[:1].isupper() or "[" in part)


def known_fields() -> Iterable[str]:
    """Names of all fields that any route takes."""
    return {field.alias or name for model in Taken.__subclasses__() for name, field in model.model_fields.items()}
