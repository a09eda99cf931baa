"""Of two versions of one document, the one that a question means: that of the year it names, else the newer."""

import re
from datetime import datetime

from indexing.chinese import simplified
from indexing.types import Document
from models.types import Candidate

ALIKE = 0.6
"""Share of the words of two titles, dates and version numbers aside, that versions of one document have in common."""
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_APART = re.compile(
    r"\b(?:version|edition|rev(?:ision)?|v\d*|final|draft|copy|old|new|archived?|superseded|the|of|for|and)\b"
    r"|[年度月日版第旧新]|修[订訂]|废止|\d+",
    re.IGNORECASE,
)


_CODE = re.compile(r"(?<![a-z])(?!v(?:er)?\d|rev\d|20\d\d)[a-z]+-?\d[\w-]*", re.IGNORECASE)
"""A model's name ("AH-200"): documents about two models are no versions of one."""


def words_of(title: str) -> set[str]:
    """What a title says apart from dates and versions: Latin words, and pairs of Chinese characters."""
    rest = _APART.sub(" ", simplified(title).casefold())
    latin = set(re.findall(r"[^\W\d_\u3400-\u9fff]{2,}", rest))
    runs = re.findall(r"[\u3400-\u9fff]+", rest)
    return latin | {run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))}


def are_versions(one: Document, other: Document) -> bool:
    """Whether two documents are versions of one: their titles are alike but for dates and version numbers."""
    left, right = words_of(one.title), words_of(other.title)
    if one.id == other.id or not left or not right or codes_of(one) != codes_of(other):
        return False
    return len(left & right) >= ALIKE * len(left | right)


def codes_of(document: Document) -> set[str]:
    """The models that a title names."""
    return {code.casefold() for code in _CODE.findall(document.title)}


def years_of(document: Document) -> set[str]:
    """The years that a document is of: those of its title, else that of its date."""
    named = set(YEAR.findall(document.title))
    return named or ({f"{document.published_at.year:04}"} if document.published_at else set())


def moment_of(document: Document) -> datetime | None:
    """From when a document is: its date, else the last year of its title."""
    if document.published_at is not None:
        return document.published_at
    years = YEAR.findall(document.title)
    return datetime.fromisoformat(f"{max(years)}-01-01T00:00:00+00:00") if years else None


def is_meant_before(question: str, one: Candidate, other: Candidate) -> bool:
    """Whether a question means the version that `one` quotes rather than the one that `other` quotes; False where they
    quote no two versions of a document."""
    if not one.evidence or not other.evidence:
        return False
    own, its = one.evidence[0].document, other.evidence[0].document
    if not are_versions(own, its):
        return False
    asked = set(YEAR.findall(question))
    if asked & years_of(own) or asked & years_of(its):
        return bool(asked & years_of(own)) and not asked & years_of(its)
    ours, theirs = moment_of(own), moment_of(its)
    return ours is not None and theirs is not None and ours > theirs
