"""What judges say, and what a judge promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.types import Candidate, Conversation


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in both languages. `floor` is the least probability of being kept that a candidate may have; None: the
    fitted one."""

    id: str
    group: str
    text_en: str
    text_zh: str
    keeps: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that the judges said of one candidate.

    `preference` is the reward model's scalar; `rules` maps rule id to the probability that it is kept;
    `support` is in [0, 1]; `score` is the product the selection ranks by, in [0, 1]; `reason` says in one
    sentence why the candidate won or lost.
    """

    preference: float
    rules: Mapping[str, float] = field(default_factory=dict)
    support: float = 0.0
    score: float = 0.0
    reason: str = ""


class PreferenceJudge(Protocol):
    """Which candidate people would rather have."""

    name: str

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[float]:
        """One scalar a candidate; higher is better; demonstrations average 0."""
        ...


class RuleJudge(Protocol):
    """Which rules a candidate keeps."""

    name: str

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[dict[str, float]]:
        """For each candidate the probability, by rule id, that the rule is kept."""
        ...


class SupportJudge(Protocol):
    """Whether the quotes say what the candidate says."""

    name: str

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[float]:
        """In [0, 1] a candidate: the candidate answers the question and its quotes support it."""
        ...
