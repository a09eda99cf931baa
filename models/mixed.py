"""Candidates of two policies, for the judges to choose among."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.types import Cancelled, Candidate, Conversation, Evidence, OnText, Plan, Policy, Retrieve, never


@dataclass(frozen=True)
class MixedPolicy:
    """Two policies as one; it searches when either would."""

    first: Policy
    second: Policy
    name: str = "mixed"

    def plan(self, conversation: Conversation) -> Plan:
        """The first policy's plan, joined by the second's decision and, where there is room, its query."""
        one, two = self.first.plan(conversation), self.second.plan(conversation)
        queries = {query.text: query for query in (*one.queries[:1], *two.queries[:1], *one.queries[1:])}
        probability = max(one.search_probability, two.search_probability)
        return Plan(probability, tuple(queries.values())[:2], " ".join(filter(None, (one.reason, two.reason))))

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        """The first policy's candidates, then the second's; a text that both wrote counts once."""
        one = self.first.propose(conversation, evidences, n_each, retrieve, None, cancelled)
        two = self.second.propose(conversation, evidences, n_each, retrieve, on_text, cancelled)
        return list({candidate.text: candidate for candidate in (*two, *one)}.values())
