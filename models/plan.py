"""The plan of a turn: whether to search, and the two queries, with the history resolved."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import log
from pathlib import Path
from typing import Protocol

import numpy as np

from indexing.types import Encoder, Query, Vectors
from models.calculator import calculator
from models.dates import calendar
from models.heads import Floats, Head
from models.queries import same, variant
from models.rewrite import Rewrite, rewrite
from models.types import Conversation, Plan
from models.words import language_of, latin_words

BUNDLED = Path(__file__).parent / "bundled" / "plan"
FOLLOWUP = BUNDLED.with_name("followup")
"""The head for later turns."""

CUES = (
    "chinese",
    "length",
    "words",
    "question mark",
    "asks",
    "digits",
    "arithmetic",
    "calendar",
    "text given",
    "about the user",
    "about Passerine",
    "order",
    "name",
)
"""What the head sees beside the vector, in order; see `cues`."""

ASKS = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how)\b|谁|什么|哪|何|几(?=[个年次岁月天])|多少|怎|吗|呢|是否",
    re.IGNORECASE,
)
MORE_ASKS = re.compile(r"多[久长長大高远遠重深快]|[几幾]|怎|[什甚]麼|[吗嗎呢]")
"""Chinese questions that ASKS, which the heads were fitted with, does not know."""
INVERTED = re.compile(
    r"(?:^|[.,;:!]\s*|\b(?:and|but|so|then|or|please) )"
    r"(?:may|can|could|do|does|did|is|are|am|was|were|will|should|must|has|have|had)(?:n't)? "
    r"(?:i|we|he|she|it|they|there|the|a|an|my|our|this|that|these|those|any\w*|some\w*)\b",
    re.IGNORECASE,
)
"""English questions with none of its words: "may we keep it", but not "can you sing" or "it is a pity"."""
TEXT_GIVEN = re.compile(r"[:：].{12,}|\n.+|[\"“][^\"”]{20,}[\"”]", re.DOTALL)
USER = re.compile(r"\b(?:i|me|my|mine|i'm|i've)\b|我", re.IGNORECASE)
PASSERINE = re.compile(r"\b(?:you|your|yours|yourself|passerine)\b|[你您]", re.IGNORECASE)
ORDER = re.compile(
    r"^(?:please |can you |could you )?(?:write|compose|draft|translate|rewrite|fix|correct|shorten|paraphrase|"
    r"proofread|repeat|set|play|turn|open|call|send|remind|order|book|add|start|stop|sing|make|create|generate|"
    r"invent|pretend)\b|"
    r"^(?:请|帮我|给我)?(?:写|编|画|翻译|译|改|缩|重复|定|放|关|开|打电话|发|提醒|点一|订|加|唱|讲个|生成|假装|把)",
    re.IGNORECASE,
)
MOST_LEFT_OUT = 4
"""Words put behind a question: more would drown it."""
NO_CLOCK = datetime(2000, 1, 1)
"""Only whether the calendar would answer matters here, not what."""


def cues(text: str) -> list[float]:
    """Cheap facts about a turn, each about in [0, 1] (see CUES)."""
    return [
        float(language_of(text) == "zh"),
        log(1 + len(text)) / 6,
        log(1 + len(latin_words(text))) / 4,
        float(text.rstrip()[-1:] in "?？" and bool(text.strip())),
        float(ASKS.search(text) is not None),
        float(any(sign.isdigit() for sign in text)),
        float(calculator(text) is not None),
        float(calendar(text, NO_CLOCK) is not None),
        float(TEXT_GIVEN.search(text) is not None),
        float(USER.search(text) is not None),
        float(PASSERINE.search(text) is not None),
        float(ORDER.search(text) is not None),
        float(re.search(r"(?<!^)\b[A-Z][a-z]+|[·《]", text) is not None),
    ]


def plan_features(texts: list[str], vectors: Vectors) -> Floats:
    """The head's inputs: the vector [384], then the cues. float32 [n, 384 + cues]."""
    facts = np.array([cues(text) for text in texts], dtype=np.float32).reshape(len(texts), len(CUES))
    return np.concatenate([np.asarray(vectors, dtype=np.float32), facts], axis=1)


def turn_features(resolved: list[str], vectors: Vectors, written: list[str], plain: Vectors) -> Floats:
    """The inputs of the head for later turns: those of the turn as resolved, then as written. float32 [n, 2 * inputs of
    `plan_features`]."""
    return np.concatenate([plan_features(resolved, vectors), plan_features(written, plain)], axis=1)


class Terms(Protocol):
    """Chooses the words of a conversation that its last turn leaves out (models/terms.py)."""

    def select(self, conversation: Conversation) -> tuple[str, ...]: ...


class Planner:
    """Plans with a trained head for the first turn of a conversation and one for later turns, the rewriting rules and,
    where given, the choice of left-out words. The last plan is remembered."""

    def __init__(
        self, encoder: Encoder, head: Head, followup: Head, threshold: float | None = None, terms: Terms | None = None
    ) -> None:
        """`threshold` stands for those that the heads were fitted with."""
        self.encoder = encoder
        self.terms = terms
        self.head, self.followup = head, followup
        self.threshold = threshold
        self._vectors: dict[str, Vectors] = {}
        self._plans: dict[Conversation, Plan] = {}

    def plan(self, conversation: Conversation, vector: Vectors | None = None) -> Plan:
        """The plan of the last turn. `vector` is the query vector of its stand-alone text, if known already."""
        known = self._plans.get(conversation)
        if known is not None:
            return known
        question = conversation.question
        done = rewrite(conversation)
        asked = self.vector(done.text) if vector is None else vector
        head = self.head
        features = plan_features([done.text], asked[None])
        if len(conversation.turns) > 1:
            head = self.followup
            features = turn_features([done.text], asked[None], [question], self.vector(question)[None])
        chance = float(head.probabilities(features)[0, 0])
        threshold = head.config.thresholds["search"] if self.threshold is None else self.threshold
        doubtful = chance < threshold and is_worth_a_look(conversation)
        queries: tuple[Query, ...] = ()
        if (chance >= threshold or doubtful) and question.strip():
            queries = queries_of(conversation, completed(done.text, self.left_out(conversation, done)))
        made = Plan(chance, queries, reason(question, queries, chance, doubtful), doubtful and bool(queries))
        self._plans = {conversation: made}
        return made

    def left_out(self, conversation: Conversation, done: Rewrite) -> tuple[str, ...]:
        """The words that the turn leaves out; none where the rules have built it from the question before."""
        if self.terms is None or len(conversation.turns) == 1 or done.rebuilt:
            return ()
        return self.terms.select(conversation)

    def vector(self, text: str) -> Vectors:
        """The query vector of a text, float32 [dimension]; those of the turn at hand are kept."""
        known = self._vectors.get(text)
        if known is not None:
            return known
        made: Vectors = self.encoder.encode_queries([text])[0]
        # Replaced, not changed: another thread may be reading the old one.
        self._vectors = {**dict(list(self._vectors.items())[-7:]), text: made}
        return made


def is_worth_a_look(conversation: Conversation) -> bool:
    """Whether a turn that is rather no question to the documents may be one all the same: a question that is taken for
    talk is lost, a search for talk costs a moment. An order or a text to work on is none, and of later turns only what
    asks: after an answer, "nice" would find it again."""
    question = conversation.question
    if ORDER.search(question) or TEXT_GIVEN.search(question):
        return False
    return len(conversation.turns) == 1 or asks(question)


def asks(text: str) -> bool:
    """Whether a text has the form of a question."""
    return text.rstrip()[-1:] in ("?", "？") or any(form.search(text) for form in (ASKS, MORE_ASKS, INVERTED))


def completed(text: str, left_out: Sequence[str]) -> str:
    """A question with the words that it leaves out, in brackets behind it: at most MOST_LEFT_OUT that it does not hold
    already."""
    said = text.casefold()
    missing = [word for word in left_out if word.casefold() not in said][:MOST_LEFT_OUT]
    if not missing:
        return text
    return f"{text}（{'、'.join(missing)}）" if language_of(text) == "zh" else f"{text} ({', '.join(missing)})"


def queries_of(conversation: Conversation, alone: str) -> tuple[Query, ...]:
    """The stand-alone question and a second query; identical ones are dropped.

    A turn that leans on the conversation has the question before it behind the second query: what resolving it got
    wrong, that still says.
    """
    question = conversation.question
    first, second = Query(alone, "rewrite" if alone != question else "user"), variant(alone)
    history = before(alone, conversation)
    if alone != question and history and (second is None or second.origin != "decomposition"):
        second = history
    if second is None or same(second.text) == same(first.text):
        return (first,)
    return (first, second)


def before(text: str, conversation: Conversation) -> Query | None:
    """A query of a text with the user's turn before the last one behind it; None where there is none."""
    earlier = next((turn.text for turn in reversed(conversation.turns[:-1]) if turn.role == "user"), "")
    return Query(f"{text} {earlier}", "history") if earlier else None


def reason(question: str, queries: tuple[Query, ...], chance: float, doubtful: bool = False) -> str:
    """One sentence for people, in the language of the question."""
    share = f"{100 * chance:.0f}%"
    alone = queries[0].text if queries else question
    if language_of(question) == "zh":
        if not queries:
            return f"这句话不需要查文档（需要检索的概率为 {share}）。"
        back = f"，并按前文理解为“{alone}”" if alone != question else ""
        if doubtful:
            return f"这句话未必需要查文档（概率 {share}），为稳妥起见仍然查了{back}。"
        return f"回答这句话需要查文档（概率 {share}）{back}。"
    if not queries:
        return f"This turn needs no documents (probability of needing them {share})."
    back = f', and is read with the conversation as "{alone}"' if alone != question else ""
    if doubtful:
        return f"This turn may need no documents (probability {share}); they were searched to be sure{back}."
    return f"This turn needs evidence from the documents (probability {share}){back}."
