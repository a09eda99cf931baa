"""The nouns of a conversation, and what a policy and a generator promise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from indexing.types import Hit, Query

Role = Literal["user", "assistant"]
Kind = Literal["statement", "approved", "tool", "talk", "clarify", "absent"]
"""What a candidate is: a statement of fact (needs support), an approved answer, a tool's result,
small talk, a question back to the user, or an honest "not in the index"."""

Evidence = tuple[Hit, ...]
Retrieve = Callable[[Query], list[Hit]]
OnText = Callable[[str], None]
Cancelled = Callable[[], bool]


def never() -> bool:
    """The `cancelled` of a caller that never cancels."""
    return False


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the user or of Passerine."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns, oldest first; the last one is the user's that is to be answered. `memory` is what the person said of
    themselves before, oldest first: no evidence."""

    turns: tuple[Turn, ...]
    id: str = ""
    memory: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The text of the last turn."""
        return self.turns[-1].text


@dataclass(frozen=True, slots=True)
class Plan:
    """Search or not, and what for. `search_probability` is in [0, 1]; no queries means no search. A plan in doubt takes
    the turn for one that needs no documents and searches nevertheless: what they say clearly is said."""

    search_probability: float
    queries: tuple[Query, ...] = ()
    reason: str = ""
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a document: `document.text[start:end] == text`.

    At most two sentences, and 60 words or 120 Chinese characters. A list counts as one with the words that introduce
    it, and so do the items of a line between `；`.
    """

    document_id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One drafted answer.

    `short` is the bare answer when there is one ("1969"); `evidence` is what the policy read for it;
    `log_prob` is the policy's natural logarithm of its confidence (<= 0); `origin` names the policy or tool.
    """

    text: str
    short: str = ""
    evidence: Evidence = ()
    quotes: tuple[Quote, ...] = ()
    log_prob: float = 0.0
    origin: str = ""
    kind: Kind = "statement"


class Policy(Protocol):
    """Plans a search and drafts candidates."""

    @property
    def name(self) -> str:
        """Names it in a candidate's origin, in the log and in `passerine status`."""
        ...

    def plan(self, conversation: Conversation) -> Plan:
        """Whether to search, and the queries (at most two), with the history resolved."""
        ...

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        """Candidates for each evidence, all in one call so that they can be batched.

        None among the evidences asks for candidates without evidence. Duplicated texts are merged.
        Raises Cancelled soon after `cancelled()` turns true.
        """
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One part of a prompt; a generator renders it in its model's chat template, or as plain dialogue."""

    role: Literal["system", "user", "assistant"]
    text: str


Prompt = tuple[Message, ...]
"""Messages, oldest first. When the last one is the assistant's, the generation continues it."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a generator draws tokens. `temperature` 0 is greedy."""

    max_tokens: int = 64
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """`log_probs` holds the natural log-probability of each drawn token."""

    text: str
    log_probs: tuple[float, ...] = field(default=())
    finished: bool = True


class Generator(Protocol):
    """A causal language model."""

    @property
    def name(self) -> str:
        """Names the model."""
        ...

    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[list[Generation]]:
        """n generations a prompt; the prompt is computed once for all n."""
        ...

    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        """Log-probability of each token of each reply after its prompt."""
        ...
