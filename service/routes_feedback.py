"""/v1/feedback and /v1/rules: what people say about answers, and the rules that answers keep."""

from typing import Annotated

from fastapi import APIRouter, Depends

from service.access import application
from service.application import Application
from service.feedback import Opinion
from service.inputs import FeedbackIn
from service.schemas import FeedbackOut, RuleOut, RulesOut

App = Annotated[Application, Depends(application)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["feedback"])
    routes.add_api_route("/feedback", give, methods=["POST"], status_code=201, summary="Say something about an answer")
    routes.add_api_route("/rules", rules, methods=["GET"], summary="The rules that every answer is judged by")
    return routes


def give(body: FeedbackIn, app: App) -> FeedbackOut:
    """Appends a vote, a choice between two candidates, a rule report, a better answer, or free words."""
    return FeedbackOut(id=app.feedback.add(Opinion(**body.model_dump())))


def rules(app: App) -> RulesOut:
    """In the order of the rules file."""
    return RulesOut(rules=[RuleOut.model_validate(rule) for rule in app.rules])
