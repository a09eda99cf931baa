"""The policy that writes: a causal language model decides to search, reads the passages, and answers.

Sparrow's drafts read one passage each; one more reads them all. Before it answers, the model may ask for tools
(models/tool_steps.py). What it writes is checked against what it read: a sentence earns a quote when its words stand
in a passage.
"""

import math
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from indexing.split import sentences
from indexing.types import Hit, Query
from models.orders import OrderDetector, shown, view_of
from models.overlap import terms
from models.prompts import (
    LABEL,
    QUERY_MARK,
    SYSTEM,
    decision_prompt,
    evidence_prompt,
    label,
    plain_prompt,
    remembered,
    unread,
)
from models.quotes import align, quotes_of, sentence_bounds
from models.tool_steps import MOST_STEPS, Draft, request, step
from models.types import (
    Cancelled,
    Candidate,
    Conversation,
    Evidence,
    Generation,
    Generator,
    OnText,
    Plan,
    Prompt,
    Quote,
    Retrieve,
    Sampling,
    never,
)

OVERLAP = 0.6
"""Share of a sentence's content words that one passage sentence must hold to be quoted for it. A paraphrase keeps
about two words in three; whether the quote supports the statement is for the support judge to say."""
STOPS = ("\nUser:", "\nSearch Results:", f"\n{QUERY_MARK}")
BEHIND = re.compile(rf"([.!?。！？])({LABEL.pattern})")
"""A label after the stop belongs to the sentence before it."""
DRAFTS = Sampling(stop=STOPS)


@dataclass(frozen=True)
class GenerativePolicy:
    """Plans and proposes by writing, in Sparrow's dialogue format."""

    generator: Generator
    sampling: Sampling = DRAFTS
    orders: OrderDetector | None = None
    clock: Callable[[], datetime] = datetime.now
    name: str = "generative"

    def plan(self, conversation: Conversation) -> Plan:
        """The model's own decision: it searches when it writes a search query. The probability is 0 or 1."""
        greedy = replace(self.sampling, max_tokens=24, temperature=0.0, stop=("\n", *STOPS))
        [[written]] = self.generator.generate([decision_prompt(conversation)], 1, greedy)
        if QUERY_MARK not in written.text:
            return Plan(0.0, (), "The chat model chose to answer without a search." + unread(conversation))
        asked = conversation.question
        words = written.text.split(QUERY_MARK, 1)[1].strip() or asked
        queries = (Query(words, "rewrite"), Query(asked))[: 1 if words == asked else 2]
        return Plan(1.0, queries, f"The chat model asked to search for “{words}”.{unread(conversation)}")

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        """n_each drafts for each evidence (None: without), and as many that read all of it; a draft that asks for a
        tool goes on with the tool's result, and one that asks in vain is dropped."""
        drafts = [self.draft(conversation, evidence or ()) for evidence in (*evidences, *synthesis(evidences))]
        found: dict[str, Candidate] = {}
        for _ in range(MOST_STEPS + 1):
            written = self.generator.generate(
                [draft.prompt for draft in drafts], n_each, self.sampling, on_text, cancelled
            )
            further: dict[Prompt, Draft] = {}
            for draft, generations in zip(drafts, written, strict=True):
                for generation in generations:
                    after = step(draft, generation.text, retrieve, self.clock)
                    if after:
                        further[after.prompt] = after
                    elif generation.text and not request(generation.text):
                        candidate = self.candidate(conversation, generation, draft.evidence)
                        found.setdefault(candidate.text, candidate)
            drafts, n_each, on_text = list(further.values()), 1, None
            if not drafts:
                break
        return list(found.values())

    def draft(self, conversation: Conversation, evidence: Evidence) -> Draft:
        """What the model reads for one candidate, before it asks for tools."""
        if not evidence:
            return Draft(plain_prompt(conversation, SYSTEM + remembered(conversation)))
        read = tuple(shown(self.orders, hit, conversation.question)[0] for hit in evidence)
        return Draft(evidence_prompt(conversation, read, conversation.question), evidence)

    def candidate(self, conversation: Conversation, generation: Generation, evidence: Evidence) -> Candidate:
        """The draft without labels, with the quotes that its sentences earn; log_prob is the mean over its tokens."""
        known = {label(hit): hit for hit in evidence}
        quotes: dict[Quote, None] = {}
        for line in lines(BEHIND.sub(r"\2\1", generation.text)):
            named = [known[mark] for mark in LABEL.findall(line) if mark in known]
            quotes |= dict.fromkeys(self.quotes_for(unlabelled(line, known), named or evidence, conversation.question))
        scores = generation.log_probs
        return Candidate(
            text=unlabelled(generation.text, known),
            evidence=evidence,
            quotes=tuple(quotes),
            log_prob=math.fsum(scores) / len(scores) if scores else 0.0,
            origin=self.name,
        )

    def quotes_for(self, statement: str, hits: Sequence[Hit], question: str = "") -> tuple[Quote, ...]:
        """The passage sentence that says the statement: the same words if they stand there, else enough of them.
        Nothing that the model was not shown is quoted."""
        wanted = terms(statement)
        best: tuple[float, tuple[Quote, ...]] = 0.0, ()
        for hit in hits:
            view = view_of(self.orders, hit.passage.text, question)
            span = align(statement, view.text)
            shares = (
                (len(wanted & terms(view.text[a:b])) / max(1, len(wanted)), (a, b)) for a, b in sentences(view.text)
            )
            share, bounds = (1.0, span) if span else max(shares, default=(0.0, (0, 0)))
            if share >= OVERLAP and share > best[0]:
                best = share, quotes_of(hit, view.places(*sentence_bounds(view.text, *bounds)))
        return best[1]


def synthesis(evidences: Sequence[Evidence | None]) -> list[Evidence]:
    """All that was found as one evidence, where the others hold a part of it each."""
    read = {hit.passage.id: hit for evidence in evidences for hit in evidence or ()}
    parts = [evidence for evidence in evidences if evidence]
    return [tuple(read.values())] if parts and all(len(evidence) < len(read) for evidence in parts) else []


def unlabelled(text: str, known: Container[str]) -> str:
    """The text without the labels of passages that were shown."""
    return LABEL.sub(lambda found: "" if found[1] in known else found[0], text).strip()


def lines(text: str) -> list[str]:
    """The sentences of a text."""
    return [text[start:end] for start, end in sentences(text)]
