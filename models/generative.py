"""The policy that writes: a causal language model decides to search, reads one passage a candidate, and answers.

What it writes is checked against what it read: a sentence earns a quote when its words stand in the passage.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexing.split import sentences
from indexing.types import Hit, Query
from models.overlap import terms
from models.prompts import QUERY_MARK, decision_prompt, evidence_prompt, plain_prompt, unread
from models.quotes import align, sentence_quote
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
DRAFTS = Sampling(stop=STOPS)


@dataclass(frozen=True)
class GenerativePolicy:
    """Plans and proposes by writing, in Sparrow's dialogue format."""

    generator: Generator
    sampling: Sampling = DRAFTS
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
        """n_each drafts for each evidence (None: without); drafts that only ask for a search are dropped."""
        prompts = [self.prompt(conversation, evidence) for evidence in evidences]
        drafts = self.generator.generate(prompts, n_each, self.sampling, on_text, cancelled)
        found: dict[str, Candidate] = {}
        for evidence, generations in zip(evidences, drafts, strict=True):
            for generation in generations:
                if generation.text and not generation.text.startswith(QUERY_MARK):
                    found.setdefault(generation.text, self.candidate(generation, evidence))
        return list(found.values())

    def prompt(self, conversation: Conversation, evidence: Evidence | None) -> Prompt:
        """What the model reads for one candidate."""
        if not evidence:
            return plain_prompt(conversation)
        return evidence_prompt(conversation, evidence, conversation.question)

    def candidate(self, generation: Generation, evidence: Evidence | None) -> Candidate:
        """The draft with the quotes that its sentences earn; log_prob is the mean over its tokens."""
        scores = generation.log_probs
        earned = (quote_for(line, evidence or ()) for line in lines(generation.text))
        quotes = tuple(dict.fromkeys(quote for quote in earned if quote))
        return Candidate(
            text=generation.text,
            evidence=evidence or (),
            quotes=quotes,
            log_prob=math.fsum(scores) / len(scores) if scores else 0.0,
            origin=self.name,
        )


def lines(text: str) -> list[str]:
    """The sentences of a text."""
    return [text[start:end] for start, end in sentences(text)]


def quote_for(statement: str, hits: Sequence[Hit]) -> Quote | None:
    """The passage sentence that says the statement: the same words if they stand there, else enough of them."""
    wanted = terms(statement)
    best: tuple[float, Quote] | None = None
    for hit in hits:
        span = align(statement, hit.passage.text)
        if span:
            return sentence_quote(hit.document, hit.passage, *span)
        for start, end in sentences(hit.passage.text):
            share = len(wanted & terms(hit.passage.text[start:end])) / max(1, len(wanted))
            if share >= OVERLAP and (best is None or share > best[0]):
                best = share, sentence_quote(hit.document, hit.passage, start, end)
    return best[1] if best else None
