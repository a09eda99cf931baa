"""The answer flow, on one page: plan, search, propose, judge, select, cite.

It knows no web framework, no database and no model library: it is handed its parts and tells what it does as events.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from indexing.split import sentences
from indexing.types import Cancelled, Filters, Hit, PasserineError, Retriever
from models.mixed import drafters
from models.recent import Recent
from models.types import Cancelled as CancelledCheck
from models.types import Candidate, Conversation, Evidence, Policy, never
from rewards.select import Selection, Thresholds, select
from rewards.types import PreferenceJudge, Rule, RuleJudge, SupportJudge
from service import phrases
from service.citations import checked, cite
from service.events import Accepted, Cited, Delta, Done, Event, Judged, Planned, Proposed, Searched
from service.types import Answer, Citation

Around = Callable[[str], AbstractContextManager[None]]
"""What is opened around each stage, by its name."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an answer is made with. A mixture's second policy is asked where no draft of the first has a score of
    `enough`; `rules` are the texts that a refusal names; `caches` what its models remember."""

    policy: Policy
    retriever: Retriever
    preference: PreferenceJudge
    rule: RuleJudge
    support: SupportJudge
    thresholds: Thresholds
    enough: float = 1.0
    rules: Sequence[Rule] = ()
    caches: Mapping[str, Recent[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is drafted. Sparrow's eight: four without evidence, two queries with two passages each."""

    without_evidence: int = 4
    queries: int = 2
    passages_per_query: int = 2
    nearest: int = 3
    together: bool = False
    """All passages in one candidate instead of one candidate a passage."""


CAREFUL = Counts()
FAST = Counts(without_evidence=1, queries=1, passages_per_query=2, together=True)


def answer(
    conversation: Conversation,
    parts: Parts,
    counts: Counts = CAREFUL,
    filters: Filters | None = None,
    cancelled: CancelledCheck = never,
    around: Around = lambda _: nullcontext(),
) -> Iterator[Event]:
    """Events up to Done. Raises Cancelled soon after `cancelled()` turns true."""
    clock = Clock(cancelled, around)
    answer_id, where = uuid.uuid4().hex, filters or Filters()
    yield Accepted(answer_id, conversation.id)

    with clock.stage("plan"):
        plan = parts.policy.plan(conversation)
    yield Planned(plan)

    with clock.stage("search"):
        queries = plan.queries[: counts.queries]
        depth = max(counts.queries * counts.passages_per_query, counts.nearest)
        found = parts.retriever.search_many(queries, depth, where) if queries else []
        evidences = spread(found, counts.passages_per_query)
        read = unique(hit for evidence in evidences for hit in evidence)
    yield Searched(queries, read)

    shown: list[Evidence] = [read] if counts.together and read else evidences
    candidates: tuple[Candidate, ...] = ()
    verdicts = Verdicts()
    thresholds = parts.thresholds.doubting() if plan.doubtful else parts.thresholds
    alone: list[Evidence | None] = [None] * counts.without_evidence
    asked = drafters(parts.policy, conversation)[: 1 if plan.doubtful else None]
    failed = ""
    for drafter in asked:
        with clock.stage("propose"):
            try:
                drafts = drafter.propose(
                    conversation,
                    [*alone, *shown],
                    retrieve=lambda query: parts.retriever.search(query, counts.passages_per_query, where),
                    cancelled=cancelled,
                )
            except PasserineError as error:
                if drafter is asked[0] or isinstance(error, Cancelled):
                    raise
                drafts, failed = [], str(error)  # the first policy's drafts are there to answer with
            fresh = unsaid(candidates, (checked(draft, read) for draft in drafts))
            candidates = (*candidates, *fresh)
            read = unique((*read, *(hit for candidate in candidates for hit in candidate.evidence)))
        yield Proposed(candidates)

        with clock.stage("judge"):
            verdicts.judge(conversation, fresh, parts)

        with clock.stage("select"):
            selection = select(
                plan, candidates, verdicts.preferences, verdicts.rules, verdicts.supports, thresholds,
                question=conversation.question, book=parts.rules,
            )  # fmt: skip
        final = drafter is asked[-1] or is_enough(selection, parts.enough)
        yield Judged(selection.judgements, selection.chosen, selection.verdict, selection.reason, final)
        if final:
            break
        if queries:
            alone = []  # what documents are to answer, a second policy is not asked from memory

    with clock.stage("cite"):
        nearest = nearest_of(found, counts.nearest) if selection.verdict == "abstained" else ()
        text, citations = say(conversation, candidates, selection, read, nearest, parts.rules)
        cited = {citation.passage_id for citation in citations}
        only_read = tuple(hit for hit in read if hit.passage.id not in cited)
    for piece in pieces(text):
        yield Delta(piece)
    yield Cited(citations, only_read, nearest)

    chosen = None if selection.chosen is None else candidates[selection.chosen]
    yield Done(
        Answer(
            id=answer_id,
            text=text,
            short=chosen.short if chosen and selection.verdict == "answered" else "",
            citations=citations,
            read=only_read,
            nearest=nearest,
            verdict=selection.verdict,
            plan=plan,
            candidates=candidates,
            judgements=selection.judgements,
            chosen=selection.chosen,
            reason=selection.reason,
            failed=failed,
            timings=clock.timings(),
            conversation_id=conversation.id,
        )
    )


@dataclass(slots=True)
class Verdicts:
    """What the judges said of the candidates so far, in their order."""

    preferences: list[float] = field(default_factory=list)
    rules: list[Mapping[str, float]] = field(default_factory=list)
    supports: list[float] = field(default_factory=list)

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate], parts: Parts) -> None:
        """Have further candidates judged."""
        self.preferences += parts.preference.judge(conversation, candidates)
        self.rules += parts.rule.judge(conversation, candidates)
        self.supports += parts.support.judge(conversation, candidates)


def unsaid(candidates: Sequence[Candidate], further: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Those of `further` whose text no candidate has yet."""
    said = {candidate.text for candidate in candidates}
    return tuple(candidate for candidate in further if candidate.text not in said)


def is_enough(selection: Selection, least: float) -> bool:
    """Whether the best candidate is good enough that no other policy is asked."""
    if selection.chosen is None or selection.verdict not in ("answered", "clarify"):
        return False
    return selection.judgements[selection.chosen].score >= least


def spread(found: Sequence[Sequence[Hit]], per_query: int) -> list[Evidence]:
    """One passage an evidence, `per_query` from each query; a passage already taken gives way to the next hit."""
    taken: set[str] = set()
    evidences: list[Evidence] = []
    for hits in found:
        fresh = [hit for hit in hits if hit.passage.id not in taken][:per_query]
        taken.update(hit.passage.id for hit in fresh)
        evidences += [(hit,) for hit in fresh]
    return evidences


def unique(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Each passage once, at its first place."""
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(hit.passage.id, hit)
    return tuple(first.values())


def nearest_of(found: Sequence[Sequence[Hit]], count: int) -> tuple[Hit, ...]:
    """The best hits over all queries, each passage once."""
    return unique(sorted((hit for hits in found for hit in hits), key=lambda hit: -hit.score))[:count]


def say(
    conversation: Conversation,
    candidates: Sequence[Candidate],
    selection: Selection,
    read: Sequence[Hit],
    nearest: Sequence[Hit],
    rules: Sequence[Rule],
) -> tuple[str, tuple[Citation, ...]]:
    """The text that is shown, with markers, and its citations."""
    if selection.verdict == "refused":
        rule_id = selection.refused_rule or ""
        named = next((rule for rule in rules if rule.id == rule_id), None)
        return phrases.refusal(conversation.question, named, rule_id), ()
    if selection.chosen is None:
        return phrases.abstention(conversation.question, bool(nearest)), ()
    return cite(candidates[selection.chosen], read)


def pieces(text: str) -> Iterator[str]:
    """The text in sentences, each with the white space and marker that follow it; joined they are the text."""
    starts = [start for start, _ in sentences(text)] or [0]
    for start, end in zip([0, *starts[1:]], [*starts[1:], len(text)], strict=True):
        if text[start:end]:
            yield text[start:end]


@dataclass(slots=True)
class Clock:
    """Seconds by stage, and a look at `cancelled` before each."""

    cancelled: CancelledCheck
    around: Around
    began: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if self.cancelled():
            raise Cancelled("Stopped.", "Ask again when you like.")
        before = time.perf_counter()
        with self.around(name):
            yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - before, 5)

    def timings(self) -> Mapping[str, float]:
        return {**self.seconds, "total": round(time.perf_counter() - self.began, 5)}
