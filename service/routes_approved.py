"""/v1/approved-answers: what a person reviewed, and Passerine says word for word."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from models.approved import Approved
from service.access import application
from service.application import Application
from service.inputs import ApprovedIn, Offset
from service.operator_schemas import ApprovedAnswersOut, ApprovedOut

App = Annotated[Application, Depends(application)]
Id = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1/approved-answers", tags=["approved answers"])
    routes.add_api_route("", listing, methods=["GET"], summary="List approved answers")
    routes.add_api_route("/{id}", one, methods=["GET"], summary="Read an approved answer")
    routes.add_api_route("/{id}", put, methods=["PUT"], summary="Add or replace an approved answer")
    routes.add_api_route("/{id}", delete, methods=["DELETE"], status_code=204, summary="Delete an approved answer")
    return routes


def listing(app: App, limit: Annotated[int, Query(ge=1, le=500)] = 50, offset: Offset = 0) -> ApprovedAnswersOut:
    """In the order of the file."""
    entries = app.approved.list()
    shown = [out(entry) for entry in entries[offset : offset + limit]]
    return ApprovedAnswersOut(approved_answers=shown, total=len(entries), offset=offset)


def one(id: str, app: App) -> ApprovedOut:
    """The questions that mean it, and what is answered, by language."""
    return out(app.approved.get(id))


def put(id: Id, body: ApprovedIn, app: App) -> ApprovedOut:
    """Written to the file of approved answers; the next question finds it."""
    questions = {str(language): tuple(texts) for language, texts in body.questions.items()}
    entry = Approved(id, questions, {str(language): (text,) for language, text in body.answers.items()})
    app.approved.put(entry)
    return out(entry)


def delete(id: str, app: App) -> None:
    """When this returns, it is not given again."""
    app.approved.delete(id)


def out(entry: Approved) -> ApprovedOut:
    return ApprovedOut(
        id=entry.id, questions=entry.phrases, answers={language: texts[0] for language, texts in entry.answers.items()}
    )
