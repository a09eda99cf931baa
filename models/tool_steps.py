"""Tools that a chat model asks for while it drafts: a search, a sum, a date (LaMDA, Thoppilan et al. 2022, 6.2).

A draft that is nothing but a tool's name and its input is not said: the result is put behind it as a user's message,
and the model goes on, four times at most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from indexing.types import Query
from models.calculator import calculator
from models.dates import calendar
from models.prompts import CALCULATOR_MARK, DATE_MARK, QUERY_MARK, results
from models.types import Evidence, Message, Prompt, Retrieve

MOST_STEPS = 4
NOTHING = "Nothing was found."
TODAY = "What is the date today?"
NOT_UNDERSTOOD = "That was not understood."


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model reads for one candidate: the prompt, what it was shown of the index, and the tools it used."""

    prompt: Prompt
    evidence: Evidence = ()
    used: tuple[str, ...] = ()


def request(text: str) -> tuple[str, str] | None:
    """The tool's mark and its input when a draft opens with one; its first line counts."""
    for mark in (QUERY_MARK, CALCULATOR_MARK, DATE_MARK):
        if text.startswith(mark):
            return mark, text.removeprefix(mark).strip().split("\n", 1)[0].strip()
    return None


def step(draft: Draft, text: str, retrieve: Retrieve | None, now: Callable[[], datetime]) -> Draft | None:
    """The draft with the result of the tool that `text` asks for; None when it asks for none that there is, for one
    that it asked for before, or for too many."""
    asked = request(text)
    if asked is None or f"{asked[0]} {asked[1]}" in draft.used or len(draft.used) == MOST_STEPS:
        return None
    mark, wanted = asked
    evidence = draft.evidence
    if mark == QUERY_MARK:
        if retrieve is None:
            return None
        known = {hit.passage.id for hit in evidence}
        found = tuple(hit for hit in retrieve(Query(wanted)) if hit.passage.id not in known) if wanted else ()
        evidence, said = (*evidence, *found), results(found) if found else NOTHING
    else:
        computed = calculator(wanted) if mark == CALCULATOR_MARK else calendar(wanted, now()) or calendar(TODAY, now())
        said = computed.text if computed else NOT_UNDERSTOOD
    told = (Message("assistant", f"{mark} {wanted}"), Message("user", said))
    return Draft((*draft.prompt, *told), evidence, (*draft.used, f"{mark} {wanted}"))
