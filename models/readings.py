"""The readings of a question among what was found: documents whose titles bear the same name that it says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from indexing.types import Hit
from models.words import CJK, content_words, language_of, latin_words, stem, units

SURNAME = re.compile(f"姓([{CJK}])|([{CJK}])(?:先生|女士|小姐|教授|博士|老师|总|院士)(?![{CJK}]*[理统])")
BRACKETS = re.compile(r"[（(《》）)]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A title that the question may mean.

    `shared` are the units of the question that the title bears; `covered` the share in [0, 1] of the question's
    other units that its passages hold; `closeness` its best cosine (0 when there is none); `exact` when the
    question says the whole title.
    """

    name: str
    shared: frozenset[str]
    covered: float
    closeness: float
    exact: bool


def readings(question: str, hits: Sequence[Hit]) -> list[Reading]:
    """The titles among the hits that bear most of what the question says, when it says the same of each.

    One title that bears more words of the question than the others is the only reading.
    """
    texts: dict[str, list[Hit]] = {}
    for hit in hits:
        texts.setdefault(hit.document.title.strip(), []).append(hit)
    chinese = language_of(question) == "zh"
    weights = {title: (chinese_share if chinese else english_share)(question, title) for title in texts if title}
    most = max((len(share) for share in weights.values()), default=0)
    best = [title for title, share in weights.items() if most and len(share) == most]
    shared_by_all = frozenset.intersection(*(weights[title] for title in best)) if best else frozenset()
    if len(best) > 1 and not shared_by_all:
        return []
    said = set(units(question)) - {unit for title in best for unit in weights[title]}
    return [reading(title, weights[title], said, texts[title], question) for title in best]


def reading(title: str, shared: frozenset[str], said: set[str], hits: Sequence[Hit], question: str) -> Reading:
    """One title with how well its passages fit the rest of the question."""
    text = f"{title} {' '.join(hit.passage.text for hit in hits)}"
    held = set(units(text))
    covered = sum(any(same_word(unit, other) for other in held) for unit in said) / len(said) if said else 0.0
    closeness = max((hit.dense or 0.0 for hit in hits), default=0.0)
    plain = "".join(sign for sign in question.lower() if sign.isalnum())
    whole = "".join(sign for sign in title.lower() if sign.isalnum())
    return Reading(title, shared, covered, closeness, whole in plain)


def same_word(first: str, second: str) -> bool:
    """Equal, or long words with one beginning: "trumpet" and "trumpeter"."""
    if first == second:
        return True
    long = len(first) >= 5 and len(second) >= 5
    return long and (first.startswith(second) or second.startswith(first))


def english_share(question: str, title: str) -> frozenset[str]:
    """Stems of the question's content words that stand in the title, numbers included."""
    said = {stem(word) for word in content_words(question)}
    return frozenset(said & {stem(word.lower()) for word in latin_words(title)})


def chinese_share(question: str, title: str) -> frozenset[str]:
    """Signs in pairs of the longest stretch that question and title share, and of the title's words in brackets.

    A surname ("李教授") is shared with the names that begin with it.
    """
    family = SURNAME.search(question)
    if family and title.startswith(family[1] or family[2] or "\0") and len(title) <= 3:
        return frozenset({family[1] or family[2]})
    stretches = [longest_common(question.lower(), part.lower()) for part in BRACKETS.split(title) if part]
    return frozenset(
        stretch[start : start + 2] for stretch in stretches if len(stretch) >= 2 for start in range(len(stretch) - 1)
    )


def longest_common(first: str, second: str) -> str:
    """The longest stretch of signs that both texts hold."""
    best = ""
    for start in range(len(second)):
        end = start + len(best) + 1
        while end <= len(second) and second[start:end] in first:
            best, end = second[start:end], end + 1
    return best
