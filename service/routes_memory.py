"""/v1/memory: what the caller said of themselves, to be seen, changed and forgotten."""

from typing import Annotated

from fastapi import APIRouter, Depends

from service.access import application, caller
from service.application import Application
from service.inputs import MemoryIn
from service.keys import Caller
from service.memories import MOST, Memories
from service.schemas import MemoriesOut, MemoryOut

App = Annotated[Application, Depends(application)]


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1/memory", tags=["memory"])
    routes.add_api_route("", listing, methods=["GET"], summary="What is remembered of you")
    routes.add_api_route("", clear, methods=["DELETE"], status_code=204, summary="Forget everything")
    routes.add_api_route("/{memory_id}", edit, methods=["PATCH"], summary="Put a fact in other words")
    routes.add_api_route("/{memory_id}", forget, methods=["DELETE"], status_code=204, summary="Forget a fact")
    return routes


async def own(app: App, who: Annotated[Caller, Depends(caller)]) -> Memories:
    """The memory of the caller; another's is not found."""
    return app.memories.of(who.owner)


Own = Annotated[Memories, Depends(own)]


def listing(kept: Own, app: App) -> MemoriesOut:
    """Oldest first. While `enabled` is false, nothing is added or used; what was kept before can still be deleted."""
    found = [MemoryOut.model_validate(memory) for memory in kept.list()]
    return MemoriesOut(enabled=app.settings.memory, memories=found, most=MOST)


def edit(memory_id: str, body: MemoryIn, kept: Own) -> MemoryOut:
    """Takes one plain sentence; what asks for something is refused."""
    return MemoryOut.model_validate(kept.edit(memory_id, body.text))


def forget(memory_id: str, kept: Own) -> None:
    """It is used in no further answer."""
    kept.forget(memory_id)


def clear(kept: Own) -> None:
    """Of the caller alone."""
    kept.clear()
