"""The answer, one object that is streamed, stored, returned and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from indexing.types import Hit
from models.types import Candidate, Plan
from rewards.types import Judgement

Verdict = Literal["answered", "abstained", "refused", "clarify"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered quote with where it stands: `document.text[start:end] == quote`.

    `passage_id` is the passage the quote was read in, so that the page can show it in context.
    """

    number: int
    document_id: str
    title: str
    url: str
    published_at: datetime | None
    page: int | None
    quote: str
    start: int
    end: int
    passage_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Passerine says, and all that led to it.

    `text` carries citation markers like [1] after the sentence that the citation supports. `read` are the hits
    that were read and not cited; `nearest` what came near when nothing answered. `judgements[i]` belongs to
    `candidates[i]`; `chosen` is the index of the winner, None when none won. `failed` says which part
    could not be asked, with what to do about it, where the answer was made without it. `timings` are seconds by stage.
    """

    id: str
    text: str
    short: str = ""
    citations: tuple[Citation, ...] = ()
    read: tuple[Hit, ...] = ()
    nearest: tuple[Hit, ...] = ()
    verdict: Verdict = "answered"
    plan: Plan = field(default_factory=lambda: Plan(0.0))
    candidates: tuple[Candidate, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    chosen: int | None = None
    reason: str = ""
    failed: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    conversation_id: str = ""
