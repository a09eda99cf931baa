"""What the answer flow tells while it works, in this order.

Accepted, Planned, Searched, Proposed, Judged, Delta (one or more), Cited, Done. A mixture that asks both its policies
proposes and judges twice: first the drafts of the one, then those of both. A flow that fails raises instead.
"""

from dataclasses import dataclass

from indexing.types import Hit, Query
from models.types import Candidate, Plan
from rewards.types import Judgement
from service.types import Answer, Citation, Verdict


@dataclass(frozen=True, slots=True)
class Accepted:
    """The question is stored and work begins."""

    answer_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Planned:
    plan: Plan


@dataclass(frozen=True, slots=True)
class Searched:
    """`evidence` are the passages that candidates will be drafted from, best first; empty when nothing was searched."""

    queries: tuple[Query, ...]
    evidence: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Proposed:
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """`judgements[i]` belongs to the i-th candidate of Proposed; more candidates follow unless it is `final`."""

    judgements: tuple[Judgement, ...]
    chosen: int | None
    verdict: Verdict
    reason: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer's text; all pieces joined are the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    citations: tuple[Citation, ...]
    read: tuple[Hit, ...]
    nearest: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Done:
    answer: Answer


Event = Accepted | Planned | Searched | Proposed | Judged | Delta | Cited | Done
