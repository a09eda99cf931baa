"""Questions whose passage is left out of the index: the documents speak of their subject, and do not answer them.

So are most of the questions that a collection cannot answer. Questions from elsewhere are too easy to tell, and those
that SQuAD 2.0 has were written to deceive.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from eval.datasets import Entry, Question
from models.fit import fold

PARTS, OUT = 5, 2
"""Two passages in five are left out, by hash."""


def is_left_out(passage: str) -> bool:
    """Whether a passage is one of those that are left out."""
    return fold(f"left out {passage}", PARTS) < OUT


def without(corpus: Sequence[Entry], asked: Sequence[Question]) -> list[Entry]:
    """The corpus less the passages of some questions that are left out."""
    gone = {question.passage for question in asked if is_left_out(question.passage)}
    return [entry for entry in corpus if entry.text not in gone]


def left_out(asked: Sequence[Question]) -> list[Question]:
    """The answerable ones of some questions that nothing answers any more: their passage is left out, and no gold
    answer stands in another passage of their article."""
    articles: dict[str, set[str]] = defaultdict(set)
    for question in asked:
        articles[question.title].add(question.passage)
    return [
        replace(question, answers=(), answerable=False)
        for question in asked
        if question.answerable and is_left_out(question.passage) and not elsewhere(question, articles[question.title])
    ]


def elsewhere(question: Question, passages: set[str]) -> bool:
    """Whether a gold answer stands in another of these passages."""
    others = passages - {question.passage}
    return any(answer in other for answer in question.answers for other in others)
