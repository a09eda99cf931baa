"""/v1/conversations: what was asked and answered, to go on with, rename and delete."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from service.access import application, caller
from service.application import Application
from service.conversations import Conversations, StoredTurn
from service.inputs import Offset, RenameIn
from service.keys import Caller
from service.schemas import (
    AnswerOut,
    ConversationOut,
    ConversationsOut,
    ConversationTurnsOut,
    SuggestionOut,
    SuggestionsOut,
    TurnOut,
)
from service.suggestions import suggest
from service.transcript import markdown


async def own(
    app: Annotated[Application, Depends(application)], who: Annotated[Caller, Depends(caller)]
) -> Conversations:
    """The conversations of the caller; another's are not found."""
    return app.conversations.of(who.owner)


Own = Annotated[Conversations, Depends(own)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])
    routes.add_api_route("", listing, methods=["GET"], summary="List conversations, newest first")
    routes.add_api_route("/{conversation_id}", one, methods=["GET"], summary="Read a conversation")
    routes.add_api_route("/{conversation_id}/export", export, methods=["GET"], summary="Download a conversation")
    routes.add_api_route("/{conversation_id}/suggestions", suggestions, methods=["GET"], summary="What to ask next")
    routes.add_api_route("/{conversation_id}", rename, methods=["PATCH"], summary="Rename a conversation")
    routes.add_api_route(
        "/{conversation_id}", delete, methods=["DELETE"], status_code=204, summary="Delete a conversation"
    )
    return routes


def listing(
    kept: Own,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Offset = 0,
    q: Annotated[str, Query(max_length=200, description="words of the title or of a turn")] = "",
) -> ConversationsOut:
    """Newest first."""
    found = [ConversationOut.model_validate(summary) for summary in kept.list(limit, offset, q)]
    return ConversationsOut(conversations=found, total=kept.count(q), offset=offset)


def one(conversation_id: str, kept: Own) -> ConversationTurnsOut:
    """Every turn; an assistant's turn holds the whole answer as it was sent."""
    summary = kept.get(conversation_id)
    return ConversationTurnsOut(
        id=summary.id,
        title=summary.title,
        created_at=summary.created_at,
        updated_at=summary.updated_at,
        turns=[shown(turn) for turn in kept.turns(conversation_id)],
    )


def export(conversation_id: str, kept: Own, format: Literal["markdown", "json"] = "markdown") -> Response:
    """As Markdown with the quotes as footnotes, or as JSON: what GET /v1/conversations/{conversation_id} gives."""
    if format == "json":
        text, kind, ending = one(conversation_id, kept).model_dump_json(indent=1), "application/json", "json"
    else:
        turns = kept.turns(conversation_id)
        text, kind, ending = markdown(kept.get(conversation_id), turns), "text/markdown", "md"
    headers = {"content-disposition": f'attachment; filename="conversation-{conversation_id[:8]}.{ending}"'}
    return Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)


def suggestions(conversation_id: str, kept: Own, app: Annotated[Application, Depends(application)]) -> SuggestionsOut:
    """At most three questions that the documents beside the last answer answer, none of them asked yet; none while
    there is no answer."""
    turns = kept.turns(conversation_id)
    if not turns or turns[-1].answer is None:
        return SuggestionsOut(suggestions=[])
    asked = [turn.text for turn in turns if turn.role == "user"]
    found = suggest(AnswerOut.model_validate_json(turns[-1].answer), asked, app.library.get())
    return SuggestionsOut(suggestions=[SuggestionOut.model_validate(each) for each in found])


def rename(conversation_id: str, body: RenameIn, kept: Own) -> ConversationOut:
    """Gives the conversation another title."""
    kept.rename(conversation_id, body.title)
    return ConversationOut.model_validate(kept.get(conversation_id))


def delete(conversation_id: str, kept: Own) -> None:
    """Removes its turns, its answers, and feedback that was given without consent to keep it."""
    kept.delete(conversation_id)


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
