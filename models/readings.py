"""The readings of a question among what was found: documents whose titles bear the same name that it says."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from indexing.types import Hit
from models.versions import YEAR, are_versions, moment_of
from models.words import CJK, content_words, language_of, latin_words, stem, units

SURNAME = re.compile(f"姓([{CJK}])|([{CJK}])(?:先生|女士|小姐|教授|博士|老师|总|院士)(?![{CJK}]*[理统])")
JOINING = {"a", "an", "and", "of", "the"}
"""Words inside a name that no other name is known by."""
DEFINITE = re.compile(r"\b(?:the|this|that) ([a-z][\w\-]+)")
NUMBERED = re.compile("第|[0-9一二三四五六七八九十]")
PARTICLES = "去到在从向往被把对用坐乘看读听由给和与跟同比叫"
"""Signs before a name that do not belong to it."""
EDITION = re.compile(r"版|修[订訂]|\b(?:version|edition|revision|rev|v\d)", re.IGNORECASE)
BRACKETS = re.compile(r"[（(《》）)]")
DATE = re.compile(rf"{YEAR.pattern}(?:\s*年)?(?:\s*\d+\s*月)?(?:\s*\d+\s*[日号])?|\d+\s*月(?:\s*\d+\s*[日号])?")


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

    One title that bears more words of the question than the others is the only reading, and titles that share a word
    with the question but are not what it names are none.
    """
    texts: dict[str, list[Hit]] = {}
    for hit in hits:
        texts.setdefault(hit.document.title.strip(), []).append(hit)
    chinese = language_of(question) == "zh"
    weights = {title: (chinese_share if chinese else english_share)(question, title) for title in texts if title}
    most = max((len(share) for share in weights.values()), default=0)
    best = [title for title, share in weights.items() if most and len(share) == most]
    best = [title for title in best if not any(supersedes(texts[other][0], texts[title][0]) for other in best)]
    twins = {base for base, count in Counter(base_of(title) for title in best).items() if count > 1}
    best = [title for title in best if base_of(title) in twins or is_name(question, title, weights[title])]
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


def supersedes(hit: Hit, other: Hit) -> bool:
    """Whether one hit's document is a later edition of the other's: nobody is asked which of them is meant."""
    if not EDITION.search(other.document.title) or not are_versions(hit.document, other.document):
        return False
    ours, theirs = moment_of(hit.document), moment_of(other.document)
    return ours is not None and theirs is not None and ours > theirs


def is_name(question: str, title: str, shared: frozenset[str]) -> bool:
    """Whether the question's own name for the thing says no more than the title does.

    English: the capitalised words around what is shared are all shared; without capitals, the title up to its brackets
    is, or its last word after "the". Chinese: the two do not go on differently before or after the stretch that they
    share. A surname is a name.
    """
    if language_of(question) == "zh":
        return any(len(unit) == 1 for unit in shared) or any(goes_together(question, part) for part in parts(title))
    names = [run for run in capitalised(question) if run & shared]
    if names:
        return any(run <= shared for run in names)
    base = [stem(word) for word in latin_words(base_of(title).lower()) if word not in JOINING]
    definite = {stem(word) for word in DEFINITE.findall(question.lower())}
    return set(base) <= shared or base[-1] in shared & definite


def base_of(title: str) -> str:
    """The title up to its brackets."""
    return BRACKETS.split(title)[0].strip()


def parts(title: str) -> list[str]:
    """The title's words outside and inside of its brackets, without its dates where it has other words.

    >>> parts("2025 年第二季度例会纪要（2025 版）"), parts("1984（小说）")
    (['第二季度例会纪要', '版'], ['1984', '小说'])
    """
    base, *inside = ([part.strip() for part in DATE.split(text)] for text in BRACKETS.split(title))
    named = base if any(base) else [base_of(title)]
    return [part for piece in (named, *inside) for part in piece if part]


def capitalised(question: str) -> list[set[str]]:
    """Stems of each run of capitalised words and numbers, the question word at the start left out."""
    runs: list[set[str]] = [set()]
    for word in latin_words(question):
        if word[0].isupper() or word[0].isdigit():
            runs[-1].update(stem(part) for part in content_words(word))
        elif word not in JOINING and runs[-1]:
            runs.append(set())
    return [run for run in runs if run]


def goes_together(question: str, part: str) -> bool:
    """Whether a stretch of the question between stop words and a part of a title share two signs or more, and do not
    both go on with other signs on the same side; a number at the end of a title tells one of a series."""
    for run in content_words(question):
        stretch = longest_common(run, part.lower())
        if len(stretch) >= 2:
            here, there = run.index(stretch), part.lower().index(stretch)
            before = here and there and run[here - 1] not in PARTICLES
            after = run[here + len(stretch) :] and part[there + len(stretch) :]
            if not before and (not after or NUMBERED.match(after)):
                return True
    return False


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

    A surname ("李教授") is shared with the names that begin with it, a year where other words are shared too.
    """
    family = SURNAME.search(question)
    if family and title.startswith(family[1] or family[2] or "\0") and len(title) <= 3:
        return frozenset({family[1] or family[2]})
    stretches = [longest_common(question.lower(), part.lower()) for part in parts(title)]
    pairs = {stretch[start : start + 2] for stretch in stretches for start in range(len(stretch) - 1)}
    return frozenset(pairs | (set(YEAR.findall(title)) & set(YEAR.findall(question)) if pairs else set()))


def longest_common(first: str, second: str) -> str:
    """The longest stretch of signs that both texts hold."""
    best = ""
    for start in range(len(second)):
        end = start + len(best) + 1
        while end <= len(second) and second[start:end] in first:
            best, end = second[start:end], end + 1
    return best
