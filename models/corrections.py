"""Turns that set the question before them right: "no, I meant the Rhine", "不是杜甫，是李白"."""

import re
from dataclasses import dataclass

from models.mentions import mentions
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
    match = (OPENER_ZH if language_of(turn) == "zh" else OPENER_EN).match(turn)
    opener = match.group() if match else ""
    return opener, bool(match and match["mean"] is not None), turn[len(opener) :]


def without_opener(turn: str) -> str:
    """The turn without "no, I meant" at its beginning, where a question of its own follows; else the turn."""
    opener, _, rest = opened(turn)
    return rest.strip() if opener and ASKS.search(rest.strip()) else turn


def correction(turn: str, question: str) -> Correction | None:
    """What a turn sets right in the question before it; None when it is no correction ("no, thanks"), or asks something
    of its own."""
    language = language_of(turn)
    chinese = language == "zh"
    opener, said, rest = opened(turn)
    rest = rest.strip(MARKS)
    both = (BUT_ZH if chinese else BUT_EN).match(rest)
    if not rest or ASKS.search(rest) or not (both or opener.strip()):
        return None
    right, wrong = rest, ""
    if both:
        right, wrong = (both["b"] or both["c"]).strip(MARKS), (both["a"] or both["d"]).strip(MARKS)
    right = re.sub(f"^(?:是(?=[{CJK}]))|的$", "", right) if chinese else right
    replaced = bool(wrong) and wrong.casefold() in question.casefold()
    named = any(mention.name for mention in mentions(right))
    fits = len(right) <= LONGEST[language] and bool(content_words(right)) and (said or replaced or named)
    return Correction(right, wrong) if fits else None


def set_right(question: str, found: Correction) -> str:
    """The question before, about what is meant: in place of what the turn calls wrong, else of the name that is most
    like it; behind the question where it names nothing."""
    old = found.wrong if found.wrong and found.wrong.casefold() in question.casefold() else ""
    if not old:
        said = [mention for mention in mentions(question) if content_words(mention.text)]
        names = [mention for mention in said if mention.text.casefold() not in found.right.casefold()]
        right = mentions(found.right)
        alike = [name for name in names if right and name.may_be_person == right[0].may_be_person] or names
        old = alike[-1].text if alike else ""
    if not old:
        return f"{question} ({found.right})" if language_of(question) == "en" else f"{question}（{found.right}）"
    pattern = re.escape(old)
    if language_of(question) == "en" and re.match(r"the\b", found.right, re.IGNORECASE):
        pattern = rf"(?:\bthe )?{pattern}"
    return re.sub(pattern, lambda _: found.right, question, count=1, flags=re.IGNORECASE)
