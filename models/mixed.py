"""Candidates of two policies, for the judges to choose among."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.types import Cancelled, Candidate, Conversation, Evidence, OnText, Plan, Policy, Retrieve, never
from models.words import language_of


@dataclass(frozen=True)
class MixedPolicy:
    """Two policies as one: the first plans, both draft. The second is asked in `languages` only, when some are named:
    what a model cannot read costs time and wins nothing."""

    first: Policy
    second: Policy
    languages: tuple[str, ...] = ()
    name: str = "mixed"

    def plan(self, conversation: Conversation) -> Plan:
        """The first policy's plan."""
        return self.first.plan(conversation)

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        """The candidates of both; of those with the same text the first policy's."""
        found: dict[str, Candidate] = {}
        for drafter in drafters(self, conversation):
            for candidate in drafter.propose(conversation, evidences, n_each, retrieve, on_text, cancelled):
                found.setdefault(candidate.text, candidate)
        return list(found.values())

    def reads(self, conversation: Conversation) -> bool:
        """Whether the second policy is asked."""
        return not self.languages or language_of(conversation.question) in self.languages


def drafters(policy: Policy, conversation: Conversation) -> tuple[Policy, ...]:
    """The policies that draft, in the order in which they are asked: those of a mixture, else the policy itself."""
    if not isinstance(policy, MixedPolicy):
        return (policy,)
    return (policy.first, policy.second) if policy.reads(conversation) else (policy.first,)
