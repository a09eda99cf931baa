"""Turns that set the question before them right: "no, I meant the Rhine", "不是杜甫，是李白"."""

import re
from dataclasses import dataclass

from indexing.chinese import simplified
from models.mentions import exchanged, mentions, put
from models.words import CJK, content_words, language_of

OPENER_EN = re.compile(
    r"^(?P<no>(?:(?:no|nope|sorry|wait|oops|pardon|not (?:that|this)(?: one)?|that's (?:not it|wrong))\b[\s,.!:;–-]*)*)"
    r"(?P<mean>(?:actually[\s,]*)?(?:i|what i) (?:(?:actually|really) )?"
    r"(?:meant|mean|asked|was asking|am asking|was talking|am talking|was thinking)"
    r"(?: (?:about|of|is|was|to ask(?: about)?))*\b[\s,:]*)?",
    re.IGNORECASE,
)
OPENER_ZH = re.compile(
    "^(?P<no>(?:(?:不对|不是这个|不是的|错了|搞错了|弄错了|抱歉|对不起|不好意思|不是?(?=[，,。！!；;\\s]))[，,。！!；;\\s]*)*)"
    "(?P<mean>(?:其实)?(?:我(?:其实)?(?:想|要)?(?:说|问|指|讲)的(?:其实)?是|我(?:其实)?是(?:说|问|指|想问)|我指的)[，,：:\\s]*)?"
)
BUT_EN = re.compile(
    r"^(?:not (?P<a>[^,;]+?)(?:,| but|;)\s*(?:but )?(?P<b>[^,;]+)|(?P<c>[^,;]+?),?\s+(?:and )?not (?P<d>[^,;]+))$",
    re.IGNORECASE,
)
BUT_ZH = re.compile(
    "^(?:不是(?P<a>[^，,；;]+)[，,；;\\s]*(?:而)?是(?P<b>[^，,；;]+)|(?P<c>[^，,；;]+)[，,；;\\s]*(?:而)?不是(?P<d>[^，,；;]+))$"
)
ASKS = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how)\b|^(?:did|does|do|is|was|are|were|has|have|can|could)\b|"
    "谁|什么|哪|何时|为何|几|多少|多[长高大久远]|怎|吗|呢",
    re.IGNORECASE,
)
MARKS = " \t,.;:!?，。；：！？"
LONGEST = {"en": 60, "zh": 20}
"""Characters of a thing that is put right: what is longer says something of its own."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is meant, and what was meant before ("" where the turn does not say)."""

    right: str
    wrong: str


def opened(turn: str) -> tuple[str, bool, str]:
    """How a turn opens ("no, I meant "), whether it says what was meant, and the rest of it."""
    match = (OPENER_ZH if language_of(turn) == "zh" else OPENER_EN).match(simplified(turn))
    opener = match.group() if match else ""
    return opener, bool(match and match["mean"] is not None), turn[len(opener) :]


def without_opener(turn: str) -> str:
    """The turn without "no, I meant" at its beginning, where a question of its own follows; else the turn."""
    opener, _, rest = opened(turn)
    return rest.strip() if opener and ASKS.search(simplified(rest)) else turn


def correction(turn: str, question: str) -> Correction | None:
    """What a turn sets right in the question before it; None when it is no correction ("no, thanks"), or asks something
    of its own."""
    language = language_of(turn)
    chinese = language == "zh"
    opener, said, rest = opened(turn)
    rest = rest.strip(MARKS)
    plain = simplified(rest)
    both = (BUT_ZH if chinese else BUT_EN).match(plain)
    if not rest or ASKS.search(plain) or not (both or opener.strip()):
        return None
    right, wrong = rest, ""
    if both:
        wrong, right = (rest[slice(*both.span(name))].strip(MARKS) for name in ("ab" if both["a"] else "dc"))
    right = re.sub(f"^(?:是(?=[{CJK}]))|的$", "", right) if chinese else right
    named = any(mention.name for mention in mentions(right))
    fits = (
        len(right) <= LONGEST[language]
        and bool(content_words(right))
        and (said or named or bool(part(question, wrong)))
    )
    return Correction(right, wrong) if fits else None


def part(question: str, text: str) -> str:
    """A text as it stands in a question, in either size of letters and either script; "" where it does not."""
    found = re.search(re.escape(simplified(text)), simplified(question), re.IGNORECASE)
    return question[slice(*found.span())] if found else ""


def set_right(question: str, found: Correction) -> str:
    """The question before, about what is meant: in place of what the turn calls wrong, else of a name in it (in Chinese
    the first, else the one that is most like it); behind the question where it takes no name's place."""
    wrong = part(question, found.wrong)
    if wrong:
        return put(question, wrong, found.right)
    said = [mention for mention in mentions(question) if content_words(mention.text)]
    names = [mention for mention in said if not part(found.right, mention.text)]
    chinese = language_of(question) == "zh"
    right = mentions(found.right)
    if not chinese:
        fits = [name for name in names if right and name.may_be_person == right[0].may_be_person] or names
        names = fits[::-1]
    done = exchanged(question, names[0].text, found.right) if names else None
    return done or (f"{question}（{found.right}）" if chinese else f"{question} ({found.right})")
