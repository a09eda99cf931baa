"""Chinese follow-ups: which words point back, and what they point at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from indexing.chinese import simplified
from models.mentions import Mention, chinese_mentions, exchanged, put
from models.words import CJK

if TYPE_CHECKING:
    from models.rewrite import Focus

Resolved = tuple[str, list[str], bool, bool]
"""Text, what was put in, whether it is a follow-up, whether it points at nothing."""

PRONOUN = re.compile(
    "(?P<they>(?<!其)[他她它]们)|(?P<he>(?<![其吉])他(?!们|国|人|乡))|(?P<she>她(?!们))|(?P<it>它(?!们))|"
    "(?P<its>(?<![尤与极])其(?![他它实中次余间])(?=[\u4e00-\u9fff]))"
)
POINTS = re.compile(
    "^那么|^(?:那|这)是|(?:这|那)(?=[里儿边样])|(?:这|那)(?:一)?(?:[个位座部本种场次项款首篇艘枚颗条届家所支段类批]|些|时|是|又)|"
    "(?<![应活])该(?=[\u4e00-\u9fff])|(?<![因如至彼])此(?=[\u4e00-\u9fff])|这(?=有|会|能|怎|为)"
)
WHAT_ABOUT = re.compile(
    "^(?:那么?|那末|还有|谢谢[,，。!！]?|好的?[,，。!！]?)*"
    f"(?P<rest>[{CJK}A-Za-z0-9·《》年月日 ]{{1,16}}?)呢[?？。!！\\s]*$"
)
TIME = re.compile(
    "(?:上|下|这|本)?(?:今天|明天|后天|昨天|周[一二三四五六日末]|星期[一二三四五六日]|[0-9]{1,4}年|[0-9]{1,2}月)"
)
DEFINITION = re.compile("(?:那么?|请问)?(?:(?P<a>.+?)是(?:谁|什么)|(?:谁|什么)是(?P<b>.+?))[呢啊呀]?")
NUMBER = re.compile(f"(?P<number>[0-9]+(?:\\.[0-9]+)?|[一二两三四五六七八九十百千]+)(?P<unit>个?[{CJK}]|%|[A-Za-z]+)")
"""A number with its unit: "20年", "3个"."""
ROLE = re.compile(
    "(?:总统|总理|首相|主席|国王|女王|皇帝|天皇|书记|总裁|教练|冠军|首富|作者|导演|[校院市省县州部局会社董事船队台]长|"
    "(?<!夫)人|妻子|丈夫|父亲|母亲|儿子|女儿|老师|首都|首府|省会|货币|国花)$"
)
"""Ends a description ("美国总统是谁"), to which the answer is another name."""
BARE_QUESTION = re.compile(
    "^(?:那么?|可|但|到底|究竟)?(?:是)?(?:因?为什么|为何|为啥|什么时候|何时|哪一?年|在?哪里?|在哪儿|是?谁|怎么了?|怎么样|怎样|如何|多少|多大|多高|多长|"
    "然后|还有|后来|结果|真的|是吗|比如|例如|继续|详细点?|具体点?|还有别的|还有其他的?|还有啥|还有什么|什么意思|什么)(?:呢|吗|说|了)?[?？。!！\\s]*$"
)

BRACKETED = re.compile("(?P<own>[^（）]+)（(?P<added>[^（）]+)）")


def resolve_chinese(question: str, focus: Focus) -> Resolved:
    """Pronouns replaced, pointers named, an ellipsis filled from the question before."""
    plain = simplified(question)
    about, bare = WHAT_ABOUT.match(plain), BARE_QUESTION.match(plain)
    if bare is not None:
        return fill(question, focus)
    replaced = replace_pronouns(question, focus)
    if replaced is not None:
        return replaced
    if about is not None:
        return what_about(question, question[slice(*about.span("rest"))], focus)
    return point(question, focus)


def replace_pronouns(question: str, focus: Focus) -> Resolved | None:
    """他, 她, 它, 他们 and 其 by what they point at; None when the question holds none that is free."""
    text, end, put_in, missing = "", 0, list[str](), False
    first_name = min((mention.start for mention in chinese_mentions(question) if named(mention)), default=len(question))
    for match in PRONOUN.finditer(simplified(question)):
        kind = str(match.lastgroup)
        if first_name < match.start():
            break
        if kind in ("he", "she") and unnamed(focus):
            return bracketed(question, focus.question), [focus.question], True, False
        name = antecedent(kind, focus)
        if name is None:
            missing = kind != "its"
            continue
        text += question[end : match.start()] + (f"{name}的" if kind == "its" else name)
        end = match.end()
        put_in.append(name)
    if put_in or missing:
        return text + question[end:], put_in, True, missing and not put_in
    return None


def unnamed(focus: Focus) -> bool:
    """Whether the question before asks who did or is something ("谁是…"), and no name was given, there or before."""
    asks = re.match("(?:那么?|请问)?谁", simplified(focus.raw)) is not None and not asks_definition(focus)
    names = [*focus.told, *(mention for mention in focus.asked if named(mention))]
    return asks and not focus.people and not any(mention.may_be_person for mention in names)


def named(mention: Mention) -> bool:
    """Surely a name, not a stretch of common words."""
    return "·" in mention.text or mention.text.startswith("《") or mention.text.isascii()


def antecedent(kind: str, focus: Focus) -> str | None:
    """What a pronoun points at; the first stretch of the latest user turn leads, as Chinese puts its topic first."""
    raw, defined = simplified(focus.raw), asks_definition(focus)
    asks_who = not defined and ("谁" in raw or "哪位" in raw)
    told = [m for m in focus.told if not any(holds(m.text, old.text) or holds(old.text, m.text) for old in focus.asked)]
    asked = topic_first(focus)
    if kind in ("he", "she"):
        fits = [m for m in (*(told if asks_who else ()), *asked, *told) if m.may_be_person]
        fits = [m for m in fits if focus.people.get(m.text, kind) == kind] or fits
        remembered = next((m for m in fits if focus.people.get(m.text) == kind), None)
        chosen = remembered if remembered and not (asks_who and told) else (fits[0] if fits else None)
        chosen = chosen or (asked[0] if asked else None)
        if chosen is not None:
            focus.people[chosen.text] = kind
    else:
        asks_what = not defined and re.search("(?<!为)什么(?!时候)|哪", raw) and len(focus.answer) <= 20
        fits = [*(told[:1] if asks_what and kind == "it" else ()), *asked, *told]
        fits = [m for m in fits if m.text not in focus.people] if kind == "it" else fits
        chosen = fits[0] if fits else None
    return chosen.text if chosen else None


def holds(text: str, other: str) -> bool:
    """Whether a text holds another one, in either script."""
    return simplified(other) in simplified(text)


def asks_definition(focus: Focus) -> bool:
    """Whether the question before asks who or what a name is, so that the answer says it and names nothing else."""
    found = DEFINITION.fullmatch(simplified(focus.question).rstrip("?？。!！ "))
    name = (found["a"] or found["b"]) if found else ""
    return bool(name) and not ROLE.search(name) and any(simplified(m.text) == name for m in focus.asked)


def topic_first(focus: Focus) -> list[Mention]:
    """Mentions of user turns: the latest turn's in their order, then the older ones, newest first, sure names and codes
    before the others; last a turn that is no name as a whole."""
    latest = [m for m in focus.asked if m.name and m.text in focus.question]
    older = [m for m in reversed(focus.asked) if m not in latest]
    return [*latest, *sorted(older, key=lambda m: (not named(m), not m.name))]


def point(question: str, focus: Focus) -> Resolved:
    """这, 那, 该: the thing meant is named in brackets; a question without any topic gets the last one."""
    plain = simplified(question)
    match = POINTS.search(plain)
    own = chinese_mentions(question)
    if match is None:
        return question, [], False, False
    name = antecedent("it", focus)
    if name is None:
        lost = not own or re.match("^(?:这|那)(?:个|些|位)?(?:是|怎|有|为|又|呢|东西)", plain) is not None
        return question, [], True, lost
    if holds(question, name):
        return question, [], False, False
    return bracketed(question, name), [name], True, False


def what_about(question: str, rest: str, focus: Focus) -> Resolved:
    """ "X呢": the question before with its topic, or its time, exchanged for X."""
    if not focus.question:
        return question, [], True, not re.search(f"[{CJK}A-Za-z]{{2,}}", rest.replace("你", ""))
    before = focus.question
    other = other_number(before, rest)
    if other is not None:
        return other, [before], True, False
    new, old = TIME.match(simplified(rest)), TIME.search(simplified(before))
    if new and old and len(rest) - new.end() <= 4 and {is_year(new.group()), is_year(old.group())} != {True, False}:
        return before[: old.start()] + rest + before[old.end() :], [before], True, False
    topic = next((m.text for m in topic_first(focus) if m.text in before), None)
    if topic and not TIME.search(simplified(rest)) and len(before) - len(topic) >= 2:
        owner = rest.endswith("的") and f"{topic}的" in before
        done = put(before, f"{topic}的", rest) if owner else exchanged(before, topic, rest)
        if done is not None:
            return done, [before], True, False
    return bracketed(question, before), [before], True, False


def other_number(before: str, rest: str) -> str | None:
    """The question before with its number exchanged for another of the same unit: "那满20年呢" after "工作满12年"."""
    new = NUMBER.search(simplified(rest))
    if new is None or new.end() < len(rest):
        return None
    alike = [
        old
        for old in NUMBER.finditer(simplified(before))
        if old["unit"] == new["unit"] and is_year(old.group()) == is_year(new.group())
    ]
    if len(alike) != 1 or not before[: alike[0].start()].endswith(rest[: new.start()]):
        return None
    return before[: alike[0].start()] + rest[new.start() :] + before[alike[0].end() :]


def is_year(time: str) -> bool | None:
    """Whether so many 年 are a year of the calendar, no span of years; None of another time."""
    return len(time) == len("2025年") if re.fullmatch("[0-9]+年", time) else None


def fill(question: str, focus: Focus) -> Resolved:
    """为什么？什么时候？ take the question before along in brackets."""
    if not focus.question:
        return question, [], True, True
    return bracketed(question, focus.question), [focus.question], True, False


def bracketed(question: str, addition: str) -> str:
    """The addition in brackets before the question mark; of what it has in brackets itself, the last."""
    body = question.rstrip("?？。!！ ")
    mark = "？" if question.rstrip()[-1:] in "?？" and question else ""
    inner = BRACKETED.fullmatch(addition.rstrip("?？。!！ "))
    added = f"{inner['own']}；{inner['added'].split('；')[-1]}" if inner else addition.rstrip("?？。!！ ")
    return f"{body}（{added}）{mark}"
