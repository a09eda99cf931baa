"""Statements beside the quote that they rest on: said again, and with a number, a name or a "not" changed."""

import random
import re
from collections.abc import Sequence

from models import dates
from models.hard_pairs import NAME, alike
from models.quotes import CHINESE

NUMBER = re.compile(r"\d+")
CHINESE_NUMBER = re.compile(r"[一二三四五六七八九十百千万两]{2,}|第[一二三四五六七八九十]")
MONTHS = [month.capitalize() for month in dates.MONTHS]
AFFIRMED = re.compile(r"\b(is|was|are|were|has been|have been|had|did|can|could|will|would|does)\b(?! not|n't)")
NEGATED = re.compile(r"\b(is|was|are|were|did|can|could|will|would|does|do) not\b")
AFFIRMED_ZH = re.compile(
    "(?<![不没可还总就也])(?=(?:是(?!否)|会(?![议员社场长])|能(?![力量源够])|可以|属于|位于|包括))|(?<![没不占拥])(?=有)"
)
NEGATED_ZH = re.compile("不(?=[是会能可属])|没(?=有)")
CLAUSE = re.compile(r"[,;，；]\s*")
EVASIVE = {
    "en": (
        "That is hard to say; opinions differ on it.",
        "There are many views on this question, and it depends on how one looks at it.",
        "It is an interesting subject with a long history.",
        "Several factors play a part here, and each case is different.",
        "This has been much discussed, and no simple answer can be given.",
        "Generally speaking, it varies from one source to another.",
        "A lot could be said about this.",
        "One would have to look at it more closely to tell.",
    ),
    "zh": (
        "这个问题很难说，各方看法不一。",
        "这要看从哪个角度来理解，情况比较复杂。",
        "这是一个很有意思的话题，历史悠久。",
        "其中涉及许多因素，不能一概而论。",
        "对此有不少讨论，没有简单的答案。",
        "一般来说，不同的资料说法不同。",
        "关于这一点可以谈的内容很多。",
        "还需要进一步了解才能下结论。",
    ),
}
"""Answers that say nothing."""


def said_again(quote: str, rng: random.Random) -> str:
    """The quote as a statement: whole, or without its last clause."""
    clauses = list(CLAUSE.finditer(quote))
    if clauses and rng.random() < 0.5:
        cut = clauses[-1].start()
        if cut > len(quote) / 2:
            return quote[:cut].rstrip() + ("。" if CHINESE.search(quote) else ".")
    return quote


def altered(statement: str, names: Sequence[str], rng: random.Random) -> dict[str, str]:
    """The statement changed in each way that it allows: kind -> text. `names` may stand in for a name of it."""
    found = {}
    for kind, text in (
        ("altered-number", other_number(statement, rng)),
        ("altered-name", other_name(statement, names, rng)),
        ("negated", negated(statement, rng)),
    ):
        if text is not None and text != statement:
            found[kind] = text
    return found


def other_number(text: str, rng: random.Random) -> str | None:
    """A number or a month exchanged for another."""
    places = [*NUMBER.finditer(text), *CHINESE_NUMBER.finditer(text)]
    places += [match for month in MONTHS for match in re.finditer(rf"\b{month}\b", text)]
    if not places:
        return None
    match = rng.choice(places)
    old = match.group()
    if old in MONTHS:
        new = rng.choice([month for month in MONTHS if month != old])
    elif old.isdigit():
        new = old
        while new == old:
            place = rng.randrange(len(old))
            new = old[:place] + rng.choice("123456789") + old[place + 1 :]
    else:
        new = old[:-1] + rng.choice([sign for sign in "一二三四五六七八九" if sign != old[-1]])
    return text[: match.start()] + new + text[match.end() :]


def other_name(text: str, names: Sequence[str], rng: random.Random) -> str | None:
    """A name exchanged for one of `names` that the text does not hold."""
    own = [name for name in NAME.findall(text) if not name[0].isdigit()]
    own += [name for name in names if CHINESE.match(name) and name in text]
    if not own:
        return None
    name = rng.choice(own)
    fitting = [other for other in names if alike(name, other) and other not in text]
    return text.replace(name, rng.choice(fitting)) if fitting else None


def negated(text: str, rng: random.Random) -> str | None:
    """A "not" put in, or taken out where there is one."""
    chinese = CHINESE.search(text) is not None
    if match := (NEGATED_ZH if chinese else NEGATED).search(text):
        return text[: match.start()] + ("" if chinese else match.group(1)) + text[match.end() :]
    places = list((AFFIRMED_ZH if chinese else AFFIRMED).finditer(text))
    if not places:
        return None
    match = rng.choice(places)
    if chinese:
        word = "没" if text[match.start()] == "有" else "不"
        return text[: match.start()] + word + text[match.start() :]
    return f"{text[: match.end()]} not{text[match.end() :]}"


def names_of(texts: Sequence[str], answers: Sequence[str]) -> list[str]:
    """Names to exchange for others: Latin ones of the texts, Chinese ones among the answers."""
    latin = {name for text in texts for name in NAME.findall(text) if not name[0].isdigit()}
    chinese = {one for one in answers if 2 <= len(one) <= 6 and len(CHINESE.findall(one)) == len(one)}
    return sorted(latin | chinese)
