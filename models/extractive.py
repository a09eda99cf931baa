"""The policy that only quotes: a reader finds the span, the answer is the passage's own sentences around it.

It cannot invent: every candidate is a short span of a passage and the verified quote that it stands in. Orders to the
assistant inside a passage are not even read (models/orders.py).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from indexing.types import Cancelled as CancelledError
from indexing.types import Hit
from models.orders import OrderDetector, View, view_of, whole
from models.plan import reason
from models.quotes import CHINESE, quotes_of, sentence_bounds
from models.reader import Reading
from models.spans import Span
from models.types import Cancelled, Candidate, Conversation, Evidence, OnText, Plan, Retrieve, never

Form = Literal["short", "quote", "yes_no"]
"""What a question asks for: a short answer with its sentence; the sentence alone (why, how); yes or no, which the
policy leaves to the quoted sentence to say."""

SPANS = 3
"""Spans asked of the reader, so that a second sentence can join the best one."""
ALSO = 0.1
"""Least probability at which a span next door brings its sentence into the quote."""
WHOLE = 0.7
"""A span over this share of its quote is not said a second time."""

_LEAD = re.compile(r"^(?:and|but|so|then|ok|okay|well|please|also)[, ]+", re.IGNORECASE)
_YES_NO = re.compile(
    r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
    r"|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|hasn't|haven't|can't|couldn't|won't|wouldn't)\b",
    re.IGNORECASE,
)
_YES_NO_CHINESE = re.compile(
    r"[吗嗎][？?。\s]*$|[么麼][？?]\s*$|是否|是不是|有没有|有沒有|能不能|可不可以|会不会|會不會|对不对|對不對"
)
_WHAT_CHINESE = re.compile(r"什[么麼]|怎|[哪谁誰几幾]|多少|甚[么麼]|如何|何")
_EXPLAIN = re.compile(
    r"why\b"
    r"|how(?! (?:many|much|long|old|far|tall|big|large|high|deep|wide|fast|often|heavy|soon|late|early|hot|cold))\b"
    r"|(?:please )?(?:explain|describe|compare)\b"
    r"|what (?:is|are|was|were) the (?:reasons?|causes?)\b|for what reasons?\b",
    re.IGNORECASE,
)
_EXPLAIN_CHINESE = re.compile(
    r"为什么|為什麼|为何|為何|为啥|怎么(?!称呼)|怎麼(?!稱呼)|怎样|怎樣|如何|原因|介绍一下|介紹一下"
)


class Planner(Protocol):
    """Plans a search (models/plan.py)."""

    def plan(self, conversation: Conversation) -> Plan:
        """Whether to search, and the queries."""
        ...


class Unaided(Protocol):
    """Candidates that need no evidence (models/unaided.py)."""

    def propose(self, conversation: Conversation, n: int = 4, hits: Sequence[Hit] = ()) -> list[Candidate]:
        """At most n, best first; `hits` are what was found."""
        ...

    def ready(self, conversation: Conversation) -> list[Candidate]:
        """Those that are there before anything is searched."""
        ...


class Reads(Protocol):
    """The reader (models/reader.py)."""

    def read(self, question: str, passages: Sequence[str], n: int = 1, cancelled: Cancelled = never) -> list[Reading]:
        """One reading a passage."""
        ...


class ExtractivePolicy:
    """Plans with a planner, answers with quoted sentences."""

    def __init__(
        self,
        planner: Planner,
        reader: Reads,
        unaided: Unaided | None = None,
        orders: OrderDetector | None = None,
        name: str = "extractive",
    ) -> None:
        self.planner = planner
        self.orders = orders
        self.reader = reader
        self.unaided = unaided
        self.name = name

    def plan(self, conversation: Conversation) -> Plan:
        """The planner's plan; where that is in doubt and something can be said without documents, no search."""
        plan = self.planner.plan(conversation)
        if plan.doubtful and self.unaided is not None and self.unaided.ready(conversation):
            return replace(plan, queries=(), reason=reason(conversation.question, (), plan.search_probability))
        return plan

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        """n_each candidates an evidence, from its best spans; all passages are read as one batch."""
        if cancelled():
            raise CancelledError("The answer was stopped.")
        hits = {hit.passage.id: hit for evidence in evidences for hit in evidence or ()}
        without = n_each * sum(evidence is None for evidence in evidences)
        drafted: list[Candidate] = []
        if self.unaided is not None and without:
            drafted += self.unaided.propose(conversation, without, tuple(hits.values()))
        if hits:
            question = self.standalone(conversation)
            views = [view_of(self.orders, hit.passage.text, question) for hit in hits.values()]
            readings = self.reader.read(question, [view.text for view in views], max(SPANS, n_each), cancelled)
            read = {
                key: candidates(question, hit, reading, view)
                for (key, hit), reading, view in zip(hits.items(), readings, views, strict=True)
            }
            for evidence in evidences:
                found = [candidate for hit in evidence or () for candidate in read[hit.passage.id]]
                drafted += sorted(found, key=lambda candidate: -candidate.log_prob)[:n_each]
        return unrepeated(drafted)

    def standalone(self, conversation: Conversation) -> str:
        """The last turn with its history resolved: what the first query says."""
        if len(conversation.turns) == 1:
            return conversation.question
        queries = self.planner.plan(conversation).queries
        return queries[0].text if queries else conversation.question


def candidates(question: str, hit: Hit, reading: Reading, view: View | None = None) -> list[Candidate]:
    """A candidate for each span of a reading of `view` (default: the whole passage).

    A span that is broken by what the view hides is dropped, and one whose quotes fail their check.
    """
    form = form_of(question)
    view = view or whole(hit.passage.text)
    spans = [span for span in reading.spans if len(view.places(span.start, span.end)) == 1]
    made = []
    for span in spans:
        begin, stop = sentence_bounds(view.text, span.start, span.end, next_door(span, spans))
        quotes = quotes_of(hit, view.places(begin, stop))
        if not quotes:
            continue
        short = "" if form == "yes_no" else view.text[span.start : span.end]
        chance = max(span.probability * reading.answerable, 1e-9)
        made.append(
            Candidate(
                text=worded(short, view.text[begin:stop], form),
                short=short,
                evidence=(hit,),
                quotes=quotes,
                log_prob=min(0.0, math.log(chance)),
                origin="extractive",
                kind="statement",
            )
        )
    return made


def next_door(span: Span, spans: Sequence[Span]) -> tuple[int, int] | None:
    """The likeliest other span that says enough to bring its sentence along, if it lies next door."""
    other = next((one for one in spans if one is not span and one.probability >= ALSO), None)
    return (other.start, other.end) if other else None


def form_of(question: str) -> Form:
    """What kind of answer a question asks for, in English or Chinese.

    >>> form_of("When did it land?"), form_of("Why did it land?"), form_of("Did it land?"), form_of("它着陆了吗？")
    ('short', 'quote', 'yes_no', 'yes_no')
    """
    asked = _LEAD.sub("", question.strip())
    if CHINESE.search(asked):
        if _YES_NO_CHINESE.search(asked) and not _WHAT_CHINESE.search(asked) and "还是" not in asked:
            return "yes_no"
        return "quote" if _EXPLAIN_CHINESE.search(asked) else "short"
    if _YES_NO.match(asked) and " or " not in asked.lower():
        return "yes_no"
    return "quote" if _EXPLAIN.match(asked) else "short"


def worded(short: str, quoted: str, form: Form) -> str:
    """The answer as people read it: the short answer, then the quoted sentence that says it.

    The sentence alone for questions that a few words cannot answer, and where the short answer is most of it.
    """
    bare = short.strip(" \t\n\"'“”‘’.,;:，。；：、")
    if form != "short" or not bare or len(bare) > WHOLE * len(quoted):
        return quoted
    if bare.split()[0].islower():
        bare = bare[0].upper() + bare[1:]
    if CHINESE.search(quoted):
        return f"{bare}。“{quoted}”"
    return f"{bare}. “{quoted}”"


def unrepeated(drafted: Sequence[Candidate]) -> list[Candidate]:
    """The candidates in order, each text once, in its likeliest version."""
    best: dict[str, Candidate] = {}
    for candidate in drafted:
        held = best.get(candidate.text)
        if held is None or candidate.log_prob > held.log_prob:
            best[candidate.text] = candidate
    return list(best.values())
