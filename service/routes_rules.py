"""/v1/rules: what every answer is judged by, switched and set by the operator."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends

from service.access import application
from service.application import Application
from service.inputs import RuleIn
from service.operator_schemas import RuleOut, RulesOut

App = Annotated[Application, Depends(application)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1/rules", tags=["rules"])
    routes.add_api_route("", listing, methods=["GET"], summary="The rules that every answer is judged by")
    routes.add_api_route("/{rule_id}", change, methods=["PATCH"], summary="Switch a rule, or set its floor")
    return routes


def listing(app: App) -> RulesOut:
    """In the order of the rules file, those too that are switched off."""
    return RulesOut(rules=[RuleOut.model_validate(rule) for rule in app.rulebook.list()])


def change(rule_id: str, body: RuleIn, app: App) -> RuleOut:
    """The next answer obeys, and every one after a restart. What is left out stays as it is; a floor of null is the
    usual one again."""
    chosen = replace(app.rulebook.chosen(rule_id), **body.model_dump(exclude_unset=True))
    return RuleOut.model_validate(app.rulebook.set(rule_id, chosen))
