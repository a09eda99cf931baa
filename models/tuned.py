"""The tuned chat model as a policy: it decides to search, writes the query, reads one passage a candidate, and answers.

From a passage it writes a sentence of it and then the answer (models/demonstrations.py). Since the sentence can only be
one that stands there, all are weighed at once instead of being written word by word: a quote is verbatim by making.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from indexing.split import sentences
from indexing.types import Cancelled as CancelledError
from indexing.types import Hit, Query
from models.calculator import calculator
from models.extractive import form_of, worded
from models.orders import OrderDetector, View, whole
from models.prompts import (
    ANSWER_MARK,
    BRIEF,
    CALCULATOR_MARK,
    NOT_SAID,
    QUERY_MARK,
    evidence_prompt,
    plain_prompt,
    quoted,
    unread,
)
from models.quotes import sentence_quote, verify
from models.types import (
    Cancelled,
    Candidate,
    Conversation,
    Evidence,
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
SHORT = Sampling(max_tokens=24, temperature=0.0, stop=("\n",))
LEAST = 0.02
"""Probability under which a sentence is not worth an answer, unless it is the likeliest."""


@dataclass(frozen=True)
class Choice:
    """A sentence of a passage that the model could quote after `prompt`: its place in the view, and ln of its
    probability. What is left to 1 over all sentences of a passage is the probability of NOT_SAID."""

    prompt: Prompt
    hit: Hit
    view: View
    start: int
    end: int
    log_prob: float

    @property
    def text(self) -> str:
        return self.view.text[self.start : self.end]


@dataclass(frozen=True)
class TunedPolicy:
    """Plans and proposes by writing, in the format that the model was tuned on."""

    generator: Generator
    orders: OrderDetector | None = None
    name: str = "generative"
    _said: dict[Conversation, tuple[str, float]] = field(default_factory=dict, compare=False, repr=False)
    """The last reply, which planning and proposing both ask for."""

    def plan(self, conversation: Conversation) -> Plan:
        """The model's own decision: the probability is that of the first word of a search query."""
        text, chance = self.reply(conversation)
        if not text.startswith(QUERY_MARK):
            return Plan(1.0 - chance, (), "The chat model chose to reply without a search." + unread(conversation))
        asked = conversation.question
        words = text.removeprefix(QUERY_MARK).strip() or asked
        queries = (Query(words, "rewrite"),) if words == asked else (Query(words, "rewrite"), Query(asked))
        return Plan(chance, queries, f"The chat model asked to search for “{words}”.{unread(conversation)}")

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
        """n_each candidates an evidence, from its likeliest sentences; without evidence, what the model says itself."""
        made = self.unaided(conversation) if None in evidences else []
        hits = list({hit.passage.id: hit for evidence in evidences for hit in evidence or ()}.values())
        if cancelled():
            raise CancelledError("The answer was stopped.")
        if not hits:
            return made
        chosen = [one for own in self.choices(conversation, hits) for one in likeliest(own, n_each)]
        if cancelled():
            raise CancelledError("The answer was stopped.")
        opened = [(*one.prompt, Message("assistant", quoted(one.text, "").rstrip())) for one in chosen]
        answers = self.generator.generate(opened, 1, SHORT, on_text, cancelled)
        found = {
            candidate.text: candidate
            for choice, [answer] in zip(chosen, answers, strict=True)
            if (candidate := self.candidate(conversation.question, choice, answer.text, math.fsum(answer.log_probs)))
        }
        return [*made, *found.values()]

    def unaided(self, conversation: Conversation) -> list[Candidate]:
        """The model's reply when it does not ask for a search; what it asks the calculator is computed."""
        text, chance = self.reply(conversation)
        if text.startswith(CALCULATOR_MARK):
            computed = calculator(text.removeprefix(CALCULATOR_MARK).strip())
            return [replace(computed, origin=f"{self.name} and calculator")] if computed else []
        if not text or text.startswith((QUERY_MARK, '"', NOT_SAID)):
            return []
        return [Candidate(text, log_prob=math.log(max(chance, 1e-9)), origin=self.name, kind="talk")]

    def choices(self, conversation: Conversation, hits: Sequence[Hit]) -> list[list[Choice]]:
        """Every sentence of each passage with its probability."""
        found: list[list[Choice]] = []
        options: list[str] = []
        for hit in hits:
            view = self.seen(hit.passage.text, conversation.question)
            shown = replace(hit, passage=replace(hit.passage, text=view.text))
            prompt = evidence_prompt(conversation, (shown,), conversation.question, BRIEF)
            spans = [trimmed(view.text, *span) for span in sentences(view.text)]
            found.append([Choice(prompt, hit, view, start, end, 0.0) for start, end in spans])
            options += [NOT_SAID, *(quoted(choice.text, "").rstrip() for choice in found[-1])]
        prompts = [own[0].prompt for own in found for _ in range(len(own) + 1)]
        scores = iter([math.fsum(each) for each in self.generator.log_probs(prompts, options)])
        return [normalised(own, next(scores), [next(scores) for _ in own]) for own in found]

    def seen(self, passage: str, question: str) -> View:
        """The passage without orders to the assistant."""
        return whole(passage) if self.orders is None else self.orders.view(passage, question)

    def candidate(self, question: str, choice: Choice, written: str, log_prob: float) -> Candidate | None:
        """The sentence and the answer as a candidate; None when the quote fails its check. An answer that does not
        stand in the sentence is not claimed."""
        short = written.removeprefix(ANSWER_MARK).strip()
        at = choice.text.find(short) if short else -1
        start, end = (choice.start + at, choice.start + at + len(short)) if at >= 0 else (choice.start, choice.end)
        place = choice.view.place(start, end)
        if place is None:
            return None
        quote = sentence_quote(choice.hit.document, choice.hit.passage, *place, None, choice.view.hidden)
        if not verify(quote, choice.hit.document):
            return None
        form = form_of(question)
        short = short if at >= 0 and form != "yes_no" else ""
        text = worded(short, quote, form)
        total = min(0.0, choice.log_prob + log_prob)
        return Candidate(text, short, (choice.hit,), (quote,), total, self.name, "statement")


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    own = text[start:end]
    return end - len(own.lstrip()), start + len(own.rstrip())


def normalised(choices: Sequence[Choice], not_said: float, scores: Sequence[float]) -> list[Choice]:
    """The choices with ln of their probabilities among themselves and NOT_SAID."""
    total = log_sum([not_said, *scores])
    return [replace(choice, log_prob=score - total) for choice, score in zip(choices, scores, strict=True)]


def likeliest(choices: Sequence[Choice], n: int) -> list[Choice]:
    """The n likeliest sentences; all but the first must be likely enough."""
    ordered = sorted(choices, key=lambda choice: -choice.log_prob)[:n]
    return [choice for place, choice in enumerate(ordered) if place == 0 or choice.log_prob >= math.log(LEAST)]


def log_sum(values: Sequence[float]) -> float:
    """ln of the sum of e to the values."""
    most = max(values)
    return most + math.log(math.fsum(math.exp(value - most) for value in values))
