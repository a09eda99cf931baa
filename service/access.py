"""How a route reaches the application that it belongs to."""

from fastapi import Request

from service.application import Application


async def application(request: Request) -> Application:
    """The application this interface was created for."""
    found: Application = request.app.state.application
    return found
