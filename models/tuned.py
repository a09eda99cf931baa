"""The tuned chat model as a policy: it decides to search, writes the query, reads one passage a candidate, and answers.

From a passage it copies the bare answer, or says that the results do not say (models/demonstrations.py). The sentence
around the answer is the quote, verbatim by making.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from indexing.split import sentences
from indexing.types import Cancelled as CancelledError
from indexing.types import Hit, Query
from models.calculator import calculator
from models.extractive import form_of, worded
from models.memory import recalled
from models.orders import OrderDetector, View, shown
from models.overlap import shares
from models.plan import before, completed
from models.prompts import (
    BRIEF,
    CALCULATOR_MARK,
    NOT_SAID,
    QUERY_MARK,
    evidence_prompt,
    plain_prompt,
    unread,
)
from models.quotes import quotes_of, sentence_bounds, whole_words
from models.types import (
    Cancelled,
    Candidate,
    Conversation,
    Evidence,
    Generation,
    Generator,
    Message,
    OnText,
    Plan,
    Prompt,
    Retrieve,
    Sampling,
    never,
)

REPLY = Sampling(max_tokens=48, temperature=0.0, stop=("\n",))
SHORT = Sampling(max_tokens=32, temperature=0.0, stop=("\n",))
LEFT_OUT = Sampling(max_tokens=16, temperature=0.0, stop=("\n", ")"))
BEGINNINGS = 2
"""Copies of a passage that are begun, each with another word; the likeliest whole ones are candidates. On development
questions two readings in three begin right, and four in five with the second beginning."""
SILENCE = 0.29
"""How much likelier NOT_SAID must be than a word of the best copy (in nats) for the model to be silent: so it is for
12% of the development questions that their passage answers."""


class Copies(Generator, Protocol):
    """A generator that can be held to a text (models/llama_generator.py)."""

    def copied(
        self,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        n: int,
        most_tokens: int,
        cancelled: Cancelled = never,
    ) -> list[list[Generation]]:
        """At most n stretches of each text, likeliest first, that begin differently."""
        ...


@dataclass(frozen=True)
class Reading:
    """A passage as the model reads it: what is hidden of it, and the prompt that shows the rest."""

    hit: Hit
    view: View
    prompt: Prompt


@dataclass(frozen=True)
class TunedPolicy:
    """Plans and proposes by writing, in the format that the model was tuned on."""

    generator: Copies
    orders: OrderDetector | None = None
    name: str = "generative"
    most_passages: int | None = None
    """Passages read for an answer, those that the search likes best; None reads all."""
    _said: dict[Conversation, tuple[str, float]] = field(default_factory=dict, compare=False, repr=False)
    """The last reply, which planning and proposing both ask for."""

    def plan(self, conversation: Conversation) -> Plan:
        """The model's own decision: the probability is that of the first word of a search query."""
        text, chance = self.reply(conversation)
        if not text.startswith(QUERY_MARK):
            return Plan(1.0 - chance, (), "The chat model chose to reply without a search." + unread(conversation))
        asked = conversation.question
        words = self.resolved(conversation, text.removeprefix(QUERY_MARK).strip() or asked)
        # Beside it what the user said: that holds what the model's words got wrong.
        second = () if words == asked else (before(asked, conversation) or Query(asked),)
        queries = (Query(words, "rewrite"), *second)
        return Plan(chance, queries, f"The chat model asked to search for “{words}”.{unread(conversation)}")

    def resolved(self, conversation: Conversation, query: str) -> str:
        """The query with words of earlier turns behind it, where the model has put none there of its own accord: too
        often it repeats a question that leans on them."""
        if len(conversation.turns) == 1 or "(" in query:
            return query
        opened = (*plain_prompt(conversation, BRIEF), Message("assistant", f"{QUERY_MARK} {query} ("))
        [[written]] = self.generator.generate([opened], 1, LEFT_OUT)
        heard = "\n".join(turn.text for turn in conversation.turns[:-1]).casefold()
        words = (word.strip() for word in written.text.split(","))
        return completed(query, [word for word in words if word and word.casefold() in heard])

    def reply(self, conversation: Conversation) -> tuple[str, float]:
        """What the model writes to a conversation, and the probability of its first token."""
        known = self._said.get(conversation)
        if known is None:
            [[written]] = self.generator.generate([plain_prompt(conversation, BRIEF)], 1, REPLY)
            known = written.text, math.exp(written.log_probs[0]) if written.log_probs else 1.0
            self._said.clear()
            self._said[conversation] = known
        return known

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        """n_each candidates a passage; without evidence, what the model says itself."""
        made = [*recalled(conversation), *self.unaided(conversation)] if None in evidences else []
        hits = {hit.passage.id: hit for evidence in evidences for hit in evidence or ()}
        if cancelled():
            raise CancelledError("The answer was stopped.")
        read = sorted(hits.values(), key=lambda hit: -hit.score)[: self.most_passages]
        found: dict[str, Candidate] = {}
        for candidate in self.read(conversation, read, n_each, cancelled):
            if candidate.log_prob > found.get(candidate.text, LEAST).log_prob:
                found[candidate.text] = candidate
        return [*made, *found.values()]

    def read(
        self, conversation: Conversation, hits: Sequence[Hit], n_each: int = 1, cancelled: Cancelled = never
    ) -> Iterator[Candidate]:
        """The n_each likeliest answers that each passage holds."""
        for reading, copies in self.copies(conversation, hits, n_each, cancelled):
            for copy in copies[:n_each]:
                likely = math.fsum(copy.log_probs)
                candidate = candidate_of(conversation.question, reading, copy.text, likely, self.name)
                if candidate:
                    yield candidate

    def copies(
        self, conversation: Conversation, hits: Sequence[Hit], n_each: int, cancelled: Cancelled = never
    ) -> Iterator[tuple[Reading, list[Generation]]]:
        """Each passage with stretches of it, likeliest first."""
        readings = [reading_of(conversation, hit, self.orders) for hit in hits]
        prompts, texts = [one.prompt for one in readings], [one.view.text for one in readings]
        n = max(BEGINNINGS, n_each)
        yield from zip(readings, self.generator.copied(prompts, texts, n, SHORT.max_tokens, cancelled), strict=True)

    def answer(self, conversation: Conversation, hit: Hit) -> tuple[Candidate | None, float]:
        """What the model says of one passage by itself, None when it says that the passage does not hold it; and the
        probability of saying so."""
        candidate, margin, chance = self.weighed(conversation, hit)
        return (candidate if margin <= SILENCE else None), chance

    def weighed(self, conversation: Conversation, hit: Hit) -> tuple[Candidate | None, float, float]:
        """The likeliest answer that a passage holds, how much likelier NOT_SAID is than a word of it (nats), and the
        probability of NOT_SAID."""
        [(reading, copies)] = self.copies(conversation, [hit], 1)
        [chance] = self.not_said(conversation, [hit])
        for copy in copies[:1]:
            likely = math.fsum(copy.log_probs)
            margin = math.log(max(chance, 1e-12)) - likely / len(copy.log_probs)
            return candidate_of(conversation.question, reading, copy.text, likely, self.name), margin, chance
        return None, math.inf, chance

    def unaided(self, conversation: Conversation) -> list[Candidate]:
        """The model's reply when it does not ask for a search; what it asks the calculator is computed."""
        text, chance = self.reply(conversation)
        if text.startswith(CALCULATOR_MARK):
            computed = calculator(text.removeprefix(CALCULATOR_MARK).strip())
            return [replace(computed, origin=f"{self.name} and calculator")] if computed else []
        if not text or text.startswith((QUERY_MARK, NOT_SAID)):
            return []
        return [Candidate(text, log_prob=math.log(max(chance, 1e-9)), origin=self.name, kind="talk")]

    def not_said(self, conversation: Conversation, hits: Sequence[Hit]) -> list[float]:
        """For each passage the probability that the model says that it does not answer."""
        prompts = [reading_of(conversation, hit, self.orders).prompt for hit in hits]
        scores = self.generator.log_probs(prompts, [NOT_SAID] * len(prompts))
        return [math.exp(math.fsum(score)) for score in scores]


def reading_of(conversation: Conversation, hit: Hit, orders: OrderDetector | None = None) -> Reading:
    """What the model is shown of a passage."""
    seen, view = shown(orders, hit, conversation.question)
    return Reading(hit, view, evidence_prompt(conversation, (seen,), conversation.question, BRIEF))


def candidate_of(question: str, reading: Reading, short: str, log_prob: float, origin: str) -> Candidate | None:
    """The answer with the sentence around it; None for NOT_SAID, and for what does not stand in the passage."""
    hit, view = reading.hit, reading.view
    span = None if not short or short == NOT_SAID else best_place(question, view.text, short)
    if span is None or len(view.places(*span)) != 1:
        return None
    begin, stop = sentence_bounds(view.text, *span)
    quotes = quotes_of(hit, view.places(begin, stop))
    if not quotes:
        return None
    form = form_of(question)
    said = "" if form == "yes_no" else view.text[slice(*span)]
    text = worded(said, view.text[begin:stop], form)
    return Candidate(text, said, (hit,), quotes, min(0.0, log_prob), origin, "statement")


LEAST = Candidate("", log_prob=-math.inf)


def best_place(question: str, text: str, short: str) -> tuple[int, int] | None:
    """Where an answer stands in a text, as whole words: in the sentence that shares most with the question."""
    bounds = sentences(text) or [(0, len(text))]
    shared = shares(question, [text[start:end] for start, end in bounds])
    found = [match.span() for match in re.finditer(re.escape(short), text, re.IGNORECASE)]
    found = [span for span in found if whole_words(text, *span)]

    def worth(span: tuple[int, int]) -> tuple[float, int]:
        inside = (share for (start, end), share in zip(bounds, shared, strict=True) if start <= span[0] < end)
        return next(inside, 0.0), -span[0]

    return max(found, key=worth, default=None)
