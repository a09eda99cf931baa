"""/v1/feedback: what people say about answers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service import annotation
from service.access import application, caller
from service.application import Application
from service.feedback import Opinion
from service.inputs import FeedbackIn
from service.keys import Caller
from service.operator_schemas import AnnotatedOut, PairOut, PairsOut
from service.schemas import FeedbackOut

App = Annotated[Application, Depends(application)]
Who = Annotated[Caller, Depends(caller)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["feedback"])
    routes.add_api_route("/feedback", give, methods=["POST"], status_code=201, summary="Say something about an answer")
    routes.add_api_route("/feedback/pairs", pairs, methods=["GET"], summary="Drafts to compare")
    routes.add_api_route("/feedback/summary", annotated, methods=["GET"], summary="What was annotated so far")
    routes.add_api_route(
        "/feedback/{feedback_id}", take_back, methods=["DELETE"], status_code=204, summary="Take something back"
    )
    return routes


def give(body: FeedbackIn, app: App, who: Who) -> FeedbackOut:
    """Appends a vote, a choice between two candidates, a rule report, a better answer, or free words, on an answer of
    one's own; an administrator, who annotates, says it of anybody's."""
    return FeedbackOut(id=app.feedback.add(Opinion(**body.model_dump()), who.owner, who.may("admin")))


def pairs(app: App, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> PairsOut:
    """Two drafts an answer that nobody compared yet, newest answers first, for POST /v1/feedback with kind `pair`."""
    found = annotation.waiting(app.database, app.feedback, limit)
    return PairsOut(pairs=[PairOut.model_validate(pair) for pair in found])


def annotated(app: App) -> AnnotatedOut:
    """Comparisons, the Elo ratings of the policies that took part, and rules found kept or broken."""
    return AnnotatedOut.model_validate(annotation.summary(app.database))


def take_back(feedback_id: str, app: App, who: Who) -> None:
    """Removes one row of one's own, said by mistake; it is in no later export."""
    app.feedback.take_back(feedback_id, who.owner)
