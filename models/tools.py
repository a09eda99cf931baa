"""The tools a policy may use without evidence: calculator and calendar."""

from datetime import datetime

from models.calculator import calculator
from models.dates import calendar
from models.types import Candidate


def tools(question: str, now: datetime) -> list[Candidate]:
    """What the tools say to a question: at most one candidate each, none when they do not apply."""
    said = (calculator(question), calendar(question, now))
    return [candidate for candidate in said if candidate is not None]
