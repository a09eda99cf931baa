"""/v1/keys: who may use the service. /v1/session: the page's own key, in a cookie that no script can read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from service.access import SESSION, application, caller, cookie_name, identified, keys_needed
from service.application import Application
from service.config import LOOPBACK
from service.errors import Forbidden, Unauthorized
from service.inputs import KeyIn, Offset, SessionIn
from service.keys import Caller
from service.operator_schemas import KeyOut, KeysOut, MadeKeyOut, SessionOut

App = Annotated[Application, Depends(application)]
MONTH = 30 * 24 * 3600
"""Seconds that a browser keeps the page's key."""


def router() -> APIRouter:
    routes = APIRouter(tags=["keys"])
    routes.add_api_route("/v1/keys", listing, methods=["GET"], summary="List keys")
    routes.add_api_route("/v1/keys", add, methods=["POST"], status_code=201, summary="Make a key")
    routes.add_api_route("/v1/keys/{key_id}", revoke, methods=["DELETE"], status_code=204, summary="Revoke a key")
    routes.add_api_route(SESSION, session, methods=["GET"], summary="Whether a key is needed, and which one came")
    routes.add_api_route(SESSION, begin, methods=["POST"], summary="Keep a key for the page")
    routes.add_api_route(SESSION, end, methods=["DELETE"], status_code=204, summary="Forget the page's key")
    return routes


def listing(app: App, limit: Annotated[int, Query(ge=1, le=200)] = 50, offset: Offset = 0) -> KeysOut:
    """Newest first, without the keys themselves; revoked ones stay listed."""
    shown = [KeyOut.model_validate(key) for key in app.keys.list(limit, offset)]
    return KeysOut(keys=shown, total=app.keys.count(), offset=offset)


def add(body: KeyIn, app: App, who: Annotated[Caller, Depends(caller)]) -> MadeKeyOut:
    """Gives the key once; what is kept is only its hash. From the first key on, every request needs one."""
    if who.key is None and app.settings.host not in LOOPBACK:
        raise Forbidden(
            "The first key is not made from another machine.", "Use `passerine key add NAME` on the machine itself."
        )
    key, secret = app.keys.add(body.name, body.scope, body.per_minute, body.expires_at)
    if body.takes_over:
        app.conversations.of(key.id).take_over("")
    return MadeKeyOut(key=KeyOut.model_validate(key), secret=secret)


def revoke(key_id: str, app: App) -> None:
    """When this returns, the key opens nothing. Its conversations are kept, and shown to nobody else."""
    app.keys.revoke(key_id)


def session(request: Request, app: App) -> SessionOut:
    """`key` is null when none came, none is needed, or the one that came is not good."""
    try:
        found = identified(app, request.headers).key
    except Unauthorized:
        found = None
    return SessionOut(needed=keys_needed(app), key=KeyOut.model_validate(found) if found else None)


def begin(body: SessionIn, request: Request, response: Response, app: App) -> SessionOut:
    """Sets a cookie that only this service gets, that no script can read and no other site can make a browser send."""
    key = app.keys.find(body.key.strip())
    response.set_cookie(
        cookie_name(app),
        body.key.strip(),
        max_age=MONTH,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return SessionOut(needed=True, key=KeyOut.model_validate(key))


def end(response: Response, app: App) -> None:
    """Removes the cookie; the key itself stays good."""
    response.delete_cookie(cookie_name(app), httponly=True, samesite="strict")
