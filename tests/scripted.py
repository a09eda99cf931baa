"""Tiny parts whose output a test dictates, for behaviour that must not depend on what a model thinks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from indexing.types import Document, Filters, Hit, Passage, Query
from models.types import (
    Cancelled,
    Candidate,
    Conversation,
    Evidence,
    Generation,
    OnText,
    Plan,
    Prompt,
    Quote,
    Retrieve,
    Sampling,
    Turn,
    never,
)
from rewards.select import Thresholds
from service.pipeline import Parts

Draft = Callable[[Evidence | None], Candidate | None]


def asked(*texts: str) -> Conversation:
    """A conversation whose turns alternate, the user's first and last."""
    roles = ("user", "assistant")
    return Conversation(tuple(Turn(roles[place % 2], text) for place, text in enumerate(texts)), "c")


def document(name: str, text: str, title: str = "") -> Document:
    return Document(name, f"file:///{name}.md", title or name, text, source="test")


def hit(of: Document, start: int = 0, end: int | None = None, score: float = 0.9) -> Hit:
    stop = len(of.text) if end is None else end
    return Hit(Passage(f"{of.id}:{start}", of.id, 0, start, stop, of.text[start:stop]), of, score)


def quoting(words: str) -> Draft:
    """A policy that quotes these words where the evidence holds them."""

    def draft(evidence: Evidence | None) -> Candidate | None:
        for found in evidence or ():
            at = found.document.text.find(words)
            if at >= 0:
                quote = Quote(found.document.id, at, at + len(words), words)
                return Candidate(words, "", (found,), (quote,), -0.1, "scripted")
        return None

    return draft


@dataclass
class ScriptedPolicy:
    """Searches for `queries` and drafts with `draft`; remembers what it was shown."""

    draft: Draft
    queries: Sequence[str] = ("first", "second")
    name: str = "scripted"
    shown: list[Evidence | None] = field(default_factory=list)

    def plan(self, conversation: Conversation) -> Plan:
        return Plan(1.0 if self.queries else 0.0, tuple(Query(text) for text in self.queries), "Dictated.")

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        self.shown = list(evidences)
        drafted = [self.draft(evidence) for evidence in evidences]
        return list({candidate.text: candidate for candidate in drafted if candidate}.values())


@dataclass
class ScriptedGenerator:
    """A chat model that writes `write(prompt, number of the draft)`; remembers its prompts."""

    write: Callable[[Prompt, int], str]
    scores: tuple[float, ...] = (-0.5, -1.5)
    name: str = "scripted"
    prompts: list[Prompt] = field(default_factory=list)

    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[list[Generation]]:
        self.prompts.extend(prompts)
        return [[Generation(self.write(prompt, draft), self.scores) for draft in range(n)] for prompt in prompts]

    def copied(
        self,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        n: int,
        most_tokens: int,
        cancelled: Cancelled = never,
    ) -> list[list[Generation]]:
        """What it writes, where that stands in the text."""
        self.prompts.extend(prompts)
        written = [(self.write(prompt, 0), text) for prompt, text in zip(prompts, texts, strict=True)]
        return [[Generation(said, self.scores)] if said and said in text else [] for said, text in written]

    def stretches(
        self, prompts: Sequence[Prompt], texts: Sequence[str], others: Sequence[str], n: int, sampling: Sampling
    ) -> list[list[Generation]]:
        """What it writes, draft by draft."""
        return self.generate(prompts, n, sampling)

    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        self.prompts.extend(prompts)
        return [list(self.scores) for _ in replies]


def in_turn(*texts: str) -> ScriptedGenerator:
    """Writes the texts one after another."""
    left = list(texts)
    return ScriptedGenerator(lambda *_: left.pop(0))


@dataclass
class ListRetriever:
    """Gives each query its list of hits."""

    lists: dict[str, list[Hit]]
    asked: list[Filters] = field(default_factory=list)

    def search(self, query: Query, k: int, filters: Filters = Filters()) -> list[Hit]:  # noqa: B008
        self.asked.append(filters)
        return self.lists.get(query.text, [])[:k]

    def search_many(self, queries: Sequence[Query], k: int, filters: Filters = Filters()) -> list[list[Hit]]:  # noqa: B008
        return [self.search(query, k, filters) for query in queries]


@dataclass
class FixedJudge:
    """The same preference and support for every candidate."""

    value: float
    name: str = "fixed"

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[float]:
        return [self.value] * len(candidates)


@dataclass
class FixedRules:
    """The same rules for every candidate."""

    kept: dict[str, float] = field(default_factory=dict)
    name: str = "fixed"

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[dict[str, float]]:
        return [dict(self.kept) for _ in candidates]


def parts(
    draft: Draft,
    lists: dict[str, list[Hit]],
    support: float = 0.9,
    kept: dict[str, float] | None = None,
    queries: Sequence[str] = ("first", "second"),
) -> Parts:
    return Parts(
        policy=ScriptedPolicy(draft, queries),
        retriever=ListRetriever(lists),
        preference=FixedJudge(0.0),
        rule=FixedRules(kept or {}),
        support=FixedJudge(support),
        thresholds=Thresholds(abstain=0.2),
    )
