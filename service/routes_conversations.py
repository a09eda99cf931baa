"""/v1/conversations: what was asked and answered, to go on with, rename and delete."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from service.access import application
from service.application import Application
from service.conversations import StoredTurn
from service.inputs import RenameIn
from service.schemas import ConversationOut, ConversationsOut, ConversationTurnsOut, TurnOut
from service.transcript import markdown

App = Annotated[Application, Depends(application)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])
    routes.add_api_route("", listing, methods=["GET"], summary="List conversations, newest first")
    routes.add_api_route("/{conversation_id}", one, methods=["GET"], summary="Read a conversation")
    routes.add_api_route("/{conversation_id}/export", export, methods=["GET"], summary="Download a conversation")
    routes.add_api_route("/{conversation_id}", rename, methods=["PATCH"], summary="Rename a conversation")
    routes.add_api_route(
        "/{conversation_id}", delete, methods=["DELETE"], status_code=204, summary="Delete a conversation"
    )
    return routes


def listing(
    app: App,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
    q: Annotated[str, Query(max_length=200, description="words of the title or of a turn")] = "",
) -> ConversationsOut:
    """Newest first."""
    found = [ConversationOut.model_validate(summary) for summary in app.conversations.list(limit, offset, q)]
    return ConversationsOut(conversations=found, total=app.conversations.count(q), offset=offset)


def one(conversation_id: str, app: App) -> ConversationTurnsOut:
    """Every turn; an assistant's turn holds the whole answer as it was sent."""
    summary = app.conversations.get(conversation_id)
    return ConversationTurnsOut(
        id=summary.id,
        title=summary.title,
        created_at=summary.created_at,
        updated_at=summary.updated_at,
        turns=[shown(turn) for turn in app.conversations.turns(conversation_id)],
    )


def export(conversation_id: str, app: App, format: Literal["markdown", "json"] = "markdown") -> Response:
    """As Markdown with the quotes as footnotes, or as JSON: what GET /v1/conversations/{conversation_id} gives."""
    if format == "json":
        text, kind, ending = one(conversation_id, app).model_dump_json(indent=1), "application/json", "json"
    else:
        turns = app.conversations.turns(conversation_id)
        text, kind, ending = markdown(app.conversations.get(conversation_id), turns), "text/markdown", "md"
    headers = {"content-disposition": f'attachment; filename="conversation-{conversation_id[:8]}.{ending}"'}
    return Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)


def rename(conversation_id: str, body: RenameIn, app: App) -> ConversationOut:
    """Gives the conversation another title."""
    app.conversations.rename(conversation_id, body.title)
    return ConversationOut.model_validate(app.conversations.get(conversation_id))


def delete(conversation_id: str, app: App) -> None:
    """Removes its turns, its answers, and feedback that was given without consent to keep it."""
    app.conversations.delete(conversation_id)


def shown(turn: StoredTurn) -> TurnOut:
    return TurnOut(
        id=turn.id,
        role="user" if turn.role == "user" else "assistant",
        text=turn.text,
        state=turn.state,
        created_at=turn.created_at,
        answer=json.loads(turn.answer) if turn.answer else None,
        error=json.loads(turn.error) if turn.error else None,
    )
