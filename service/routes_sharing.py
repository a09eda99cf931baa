"""Sharing a conversation by link, and the page behind the link; closed unless the setting `sharing` is on."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from indexing.types import NotFound
from service.access import application, caller
from service.application import Application
from service.errors import Forbidden
from service.keys import Caller
from service.schemas import ShareOut
from service.shared_page import gone_page, shared_page
from service.sharing import Share, Shares

App = Annotated[Application, Depends(application)]
PAGE_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex"}


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])
    path = "/{conversation_id}/share"
    routes.add_api_route(path, get, methods=["GET"], summary="The link of a conversation")
    routes.add_api_route(path, share, methods=["POST"], summary="Share a conversation by link")
    routes.add_api_route(path, revoke, methods=["DELETE"], status_code=204, summary="Take a link back")
    return routes


async def own(app: App, who: Annotated[Caller, Depends(caller)]) -> Shares:
    """The links of the caller's conversations."""
    return app.shares.of(who.owner)


Own = Annotated[Shares, Depends(own)]


async def allowed(app: App, shares: Own) -> Shares:
    """Raises Forbidden when the operator does not allow links."""
    if not app.settings.sharing:
        raise Forbidden("Sharing by link is not allowed here.", "The operator allows it with the setting `sharing`.")
    return shares


Allowed = Annotated[Shares, Depends(allowed)]


def get(conversation_id: str, shares: Allowed) -> ShareOut:
    """`path` is null while the conversation is not shared."""
    return given(shares.get(conversation_id))


def share(conversation_id: str, shares: Allowed) -> ShareOut:
    """Who has the link reads the conversation as it is now; sharing again opens the turns since then too."""
    return given(shares.share(conversation_id))


def revoke(conversation_id: str, shares: Own) -> None:
    """The link opens nothing when this returns."""
    shares.revoke(conversation_id)


def given(share: Share | None) -> ShareOut:
    if share is None:
        return ShareOut(path=None, turns=0, created_at=None)
    return ShareOut(path=f"/shared/{share.token}", turns=share.turns, created_at=share.created_at)


def page(token: str, request: Request, app: App) -> HTMLResponse:
    """The shared conversation, for whoever has the link; nothing else can be reached from it."""
    try:
        if not app.settings.sharing:
            raise NotFound("This link opens nothing.")
        return HTMLResponse(shared_page(*app.shares.read(token)), headers=PAGE_HEADERS)
    except NotFound:
        text = gone_page(request.headers.get("accept-language", ""))
        return HTMLResponse(text, status_code=404, headers=PAGE_HEADERS)
