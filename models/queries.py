"""The second query: the same need in other words, for what the stand-alone question misses."""

import re

from indexing.chinese import simplified
from indexing.types import Query
from models.mentions import english_names
from models.words import CHINESE_STOP_PATTERN, CJK, STOP_WORDS, content_words, language_of, stretches

COMPARE_EN = re.compile(
    r"(?:difference|differences|comparison) between (?:the )?(?P<a>.+?) and (?:the )?(?P<b>.+?)[?.!\s]*$|"
    r"compare (?:the )?(?P<c>.+?) (?:and|with|to) (?:the )?(?P<d>.+?)[?.!\s]*$",
    re.IGNORECASE,
)
EITHER_EN = re.compile(
    r"[,:;]\s*(?:the )?(?P<a>[\w'’ .\-]{2,40}?),? or (?:the )?(?P<b>[\w'’ .\-]{2,40}?)[?.!\s]*$", re.I
)
TWO_PARTS = re.compile(
    r"^(?P<a>.{8,}?)[,;]?\s+and\s+(?P<b>(?:who|what|when|where|why|how|which|whose|did|does|do|is|was|are|were)\b.{4,})$",
    re.IGNORECASE,
)
COMPARE_ZH = re.compile(
    f"(?P<a>[{CJK}A-Za-z0-9·《》]{{2,}}?)(?:和|与|跟|同)(?P<b>[{CJK}A-Za-z0-9·《》]{{2,}}?)(?:的|之间|有什么|相比|哪)"
)
TWO_PARTS_ZH = re.compile("^(?P<a>.{4,}?)[，,；;？?](?:而且|并且|以及|又|还有)?(?P<b>.{4,})$")


def variant(question: str) -> Query | None:
    """Another query for a stand-alone question: its second part or the second thing compared, else its keywords.

    None when nothing is left that the question does not say already.
    """
    chinese = language_of(question) == "zh"
    split = (chinese_parts if chinese else english_parts)(question)
    if split:
        return Query(split, "decomposition")
    words = chinese_keywords(question) if chinese else english_keywords(question)
    return Query(words, "keywords") if words and same(words) != same(question) else None


def same(text: str) -> str:
    """For telling identical queries: letters and digits, lower case."""
    return "".join(sign for sign in text.lower() if sign.isalnum())


def english_parts(question: str) -> str | None:
    """The part of a two-part English question that the whole would drown."""
    two = TWO_PARTS.match(question)
    if two:
        names = english_names(two["a"])
        second = two["b"].strip()
        # The second part leans on the first: "... and when did it fly?" takes the name along.
        if names and not english_names(second):
            second = re.sub(r"\b(?:it|he|she|they)\b", names[0].text, second, count=1)
            second = second if names[0].text in second else f"{second.rstrip('?')} ({names[0].text})?"
        return second
    pair = COMPARE_EN.search(question) or EITHER_EN.search(question)
    if pair is None:
        return None
    second = next(value for key, value in pair.groupdict().items() if key in ("b", "d") and value)
    # The things compared, apart, so that each can win passages of its own.
    rest = [word for word in content_words(question) if word in ("weight", "height", "size", "mass", "age", "cost")]
    return " ".join([second.strip(), *rest])


def chinese_parts(question: str) -> str | None:
    """The second part of a Chinese two-part question, or the second thing compared."""
    plain = simplified(question)
    pair = COMPARE_ZH.search(plain)
    if pair and re.search("区别|不同|差别|相比|比较|哪个|哪一个|异同|关系|谁", plain):
        return question[slice(*pair.span("b"))]
    two = TWO_PARTS_ZH.match(plain.rstrip("？?。 "))
    asked = "什么|谁|哪|几|多少|怎|为何|何时|吗"
    if two and re.search(asked, two["a"]) and re.search(asked, two["b"]):
        first, second = (question[slice(*two.span(part))] for part in ("a", "b"))
        topic = chinese_keywords(first).split(" ")[0]
        return second if topic in second else f"{topic} {second}"
    return None


def english_keywords(question: str) -> str:
    """Content words as written, in order, without repeats."""
    kept = [word for word in re.findall(r"[\w'’.\-]*\w", question) if word.lower() not in STOP_WORDS]
    return " ".join(dict.fromkeys(re.sub(r"['’]s$", "", word) for word in kept))


def chinese_keywords(question: str) -> str:
    """What is left between words of grammar, in order."""
    runs = re.findall(r"[\w《》·]+", question)
    return " ".join(dict.fromkeys(word for run in runs for _, word in stretches(run, CHINESE_STOP_PATTERN)))
