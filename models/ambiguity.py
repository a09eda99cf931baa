"""Questions with several readings: a follow-up that points at nothing, a name that two documents bear, a bare topic.

What the question says is compared with the titles and passages that were found; a small head, fitted on our own
development pairs (models/examples/ambiguity.jsonl), turns the facts into a probability.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from indexing.types import Hit
from models.heads import Floats, Head
from models.readings import Reading, readings
from models.rewrite import Rewrite, rewrite
from models.types import Candidate, Conversation
from models.words import content_words, language_of, units

FACTS = (
    "points at nothing",
    "several readings",
    "other words",
    "told apart by words",
    "told apart by meaning",
    "bare topic",
    "asks for several",
    "one title is exact",
    "asked openly",
)
"""Inputs of the head, in order; see `facts`."""

SEVERAL = re.compile(
    r"\b(?:both|all|each|every|difference|differences|compare|versus|vs|or|which (?:of|\w+s)|first of|list|various)\b|"
    r"区别|不同|比较|哪些|都有|分别|各|还是|哪一?个|哪一?[位家种条座部]|哪.*(?:先|更|最)",
    re.IGNORECASE,
)
OPEN = re.compile(
    r"^(?:tell me|what (?:is|was|are|can|do you know)|who (?:is|was)|describe|explain|where (?:is|was)|介绍|讲讲|说说)|"
    r"怎么样|是什么|是谁|在哪",
    re.IGNORECASE,
)
ASKING = re.compile(
    r"\b(?:who|what|which|when|where|why|how|is|are|was|were|do|does|did|can|tell|explain|describe|list)\b|"
    r"[谁哪几吗呢怎]|什么|多少|何|介绍|讲|说",
    re.IGNORECASE,
)
MOST_READINGS = 4
FEW_UNITS = 5
"""A turn that says more than this can be searched for, whatever its pronoun points at."""
OWN_WORDS = 3
IN_DOUBT = 0.3
"""With so many content words of its own, a turn whose pronoun points at nothing may be plain all the same: an answer
with a support of a half then outdoes the question back, and one with little support does not."""


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """A question with several readings: the probability that it is one, their names, and what to ask back. It is in
    doubt when it points at nothing and has OWN_WORDS of its own."""

    probability: float
    readings: tuple[str, ...]
    question: str
    in_doubt: bool


class AmbiguityDetector:
    """Says whether a turn has several readings, given what was found for it."""

    def __init__(self, head: Head, threshold: float | None = None) -> None:
        self.head = head
        self.threshold = head.config.thresholds["ambiguous"] if threshold is None else threshold

    def measure(self, conversation: Conversation, hits: Sequence[Hit] = ()) -> Ambiguity:
        """The probability, whatever it is, with the readings. `hits` are best first."""
        done = rewrite(conversation)
        found = readings(done.text, hits)
        chance = float(self.head.probabilities(facts(done, found)[None])[0, 0])
        names = () if done.unresolved else tuple(reading.name for reading in found[:MOST_READINGS])
        in_doubt = done.unresolved and len(content_words(done.text)) >= OWN_WORDS
        return Ambiguity(chance, names, asked_back(conversation.question, done, names), in_doubt)

    def detect(self, conversation: Conversation, hits: Sequence[Hit] = ()) -> Ambiguity | None:
        """The ambiguity when it is past the threshold, else None."""
        found = self.measure(conversation, hits)
        return found if found.probability >= self.threshold else None

    def clarify(self, conversation: Conversation, hits: Sequence[Hit] = ()) -> Candidate | None:
        """A question back to the user as a candidate; its log_prob is ln P(the question is ambiguous), at most
        ln IN_DOUBT for one in doubt."""
        found = self.detect(conversation, hits)
        if found is None:
            return None
        chance = min(found.probability, IN_DOUBT) if found.in_doubt else found.probability
        return Candidate(found.question, log_prob=min(0.0, log(chance)), origin="clarify", kind="clarify")


def facts(done: Rewrite, found: Sequence[Reading]) -> Floats:
    """The head's inputs for a stand-alone question and its readings, float32 [9], each about in [0, 1]."""
    text = done.text
    several = len(found) >= 2
    said = set(units(text)) - {unit for reading in found for unit in reading.shared}
    covered = sorted((reading.covered for reading in found), reverse=True)
    meant = sorted((reading.closeness for reading in found), reverse=True)
    words = len(content_words(text))
    bare = ASKING.search(text) is None and words <= 2 and not done.followup
    return np.array(
        [
            float(done.unresolved and len(units(text)) <= FEW_UNITS),
            float(several),
            min(len(said), 6) / 6 if several else 0.0,
            (covered[0] - covered[1]) if several else 0.0,
            min((meant[0] - meant[1]) * 10, 1.0) if several else 0.0,
            float(bare and several),
            float(several and SEVERAL.search(text) is not None),
            float(several and any(reading.exact for reading in found)),
            float(several and OPEN.search(text) is not None and len(said) <= 1),
        ],
        dtype=np.float32,
    )


def asked_back(question: str, done: Rewrite, names: Sequence[str]) -> str:
    """The clarifying question, in the language of the turn."""
    chinese = language_of(question) == "zh"
    if done.unresolved or not names:
        return "请问你指的是什么？请说出名称。" if chinese else "What do you mean by that? Please name it."
    if chinese:
        return f"你指的是哪一个：{'、'.join(names)}？"
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return f"Which one do you mean: {listed}?"
