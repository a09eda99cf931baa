"""What a turn talks of: names and topics, by their form alone. English and Chinese."""

import re
from dataclasses import dataclass

from indexing.chinese import simplified
from models.words import CHINESE_STOP_PATTERN, CJK, STOP_WORDS, language_of, stretches

NAME = re.compile(
    r"(?:[A-Z]\.|(?:\b[a-z]+(?=[A-Z]))?[A-Z0-9][\w'’\-]*(?:\.\w+)*)"
    r"(?:\s+(?:(?:of|the|de|van|von|der|la|al|for|and)\s+){0,2}(?:[A-Z]\.|[A-Z][\w'’\-]*(?:\.\w+)*|\d+\b))*"
)
QUOTED = re.compile(r"[\"“]([^\"”。！？，；]{2,60})[\"”]|《([^》]{1,40})》")
"""A title, no sentence that an answer quotes."""
OPENERS = STOP_WORDS | frozenset(
    """yes however although after before during since because despite according although besides name list compare
    anything something everything nothing anyone someone everyone nobody yeah ok okay thanks hello hi
    sorry write translate summarise summarize explain discuss define find search also
    in at on by from when where although later today now then many most both each every several born
    can't won't shan't""".split()  # noqa: SIM905
)
"""Words that are capitalised only because they open a sentence."""
CONTRACTED = re.compile(r"(?:n't|'(?:s|re|ve|ll|d|m))$")
VERBS = frozenset(
    """cause causes caused happen happened happens mean means work works worked start started begin began end ended make
    made come came become became take took use used write wrote written call called born die died find found play
    played live lived look need want like win won lose lost create created build built see saw help go went call
    learn talk discuss interested thanks hello hi ok okay yes great think search tell year many old long far big
    number main important famous different first last best role known responsible""".split()  # noqa: SIM905
)
"""Words of a question that are no topic."""
NOT_PERSONS = frozenset(
    """university college school war battle city river lake sea ocean mount mountain program programme project party
    mission act union museum church company band album song book film movie series award prize league cup club team
    united states kingdom republic county state street park space station rocket law treaty age theory system center
    centre institute academy festival tour records inc corporation army navy airlines engine language apollo soyuz
    shuttle north south east west island islands valley house palace tower bridge airport""".split()  # noqa: SIM905
)

LONGEST = 80
"""Characters of a mention: a longer run is a text without marks, and would be put in for each of many pronouns."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A name or topic: `start` is its place in the turn; `name` is False for a topic of common words."""

    text: str
    start: int
    name: bool

    @property
    def may_be_person(self) -> bool:
        """By its form it can be a person's name."""
        words = re.findall(r"\w+", self.text.lower())
        fits = self.name and not any(word in NOT_PERSONS or word.isdigit() for word in words)
        if language_of(self.text) == "zh":
            return fits and ("·" in self.text or len(self.text) <= 4) and not re.search(ZH_THING, simplified(self.text))
        return fits and len(words) <= 5 and not self.text.lower().startswith("the ")


ZH_THING = "[省市县国州洲河江湖海山岛号站校院馆军党会战役条约法局社报杂志剧片歌曲专辑乐队公司集团]$|工程|计划|大学|系统"


def mentions(text: str) -> list[Mention]:
    """Names of a turn in order; when it holds none, its topics. What is too long to be either is left out."""
    found = chinese_mentions(text) if language_of(text) == "zh" else english_names(text)
    return [mention for mention in found or topics(text) if len(mention.text) <= LONGEST]


def english_names(text: str) -> list[Mention]:
    """Runs of capitalised words and quoted titles; an opening word that is common anyway is left off."""
    found: list[Mention] = []
    for match in NAME.finditer(text):
        start, name = match.start(), match.group().rstrip(".'’-")
        while name:
            first, _, rest = name.partition(" ")
            if not forms(first) & OPENERS:
                break
            start, name = start + len(name) - len(rest), rest
        name = re.sub(r"['’]s$", "", name)
        if name and re.search("[A-Z]", name) and name != "I":
            found.append(Mention(name, start, True))
    for match in QUOTED.finditer(text):
        title = next(part for part in match.groups() if part)
        if not any(title in mention.text for mention in found):
            found.append(Mention(title.strip(" ,."), match.start(), True))
    return sorted(found, key=lambda mention: mention.start)


def forms(word: str) -> set[str]:
    """A word in small letters, as it is and without a verb or a "not" that is drawn into it: "who's" and "who"."""
    plain = word.lower().replace("’", "'").strip("'.")
    return {plain, CONTRACTED.sub("", plain)}


WORD = r"(?:[\w'’\-]|(?<=\d)[.,](?=\d))+"
"""A word, or a number with its decimals: "1.9"."""


def topics(text: str) -> list[Mention]:
    """The longest run of content words of an English turn: "acid reflux", "history of the bronze age"."""
    best = ("", 0)
    for match in re.finditer(rf"{WORD}(?:\s+(?:of|of the|in the)\s+{WORD}|\s+{WORD})*", text):
        run: list[str] = []
        start = match.start()
        for word in re.finditer(WORD, match.group()):
            if forms(word.group()) & (STOP_WORDS | VERBS) or word.group().lower().endswith("ly"):
                best, run = longer(best, run, start), []
                continue
            start = match.start() + word.start() if not run else start
            run.append(word.group())
        best = longer(best, run, start)
    return [Mention(best[0], best[1], False)] if best[0] else []


def longer(best: tuple[str, int], run: list[str], start: int) -> tuple[str, int]:
    """The longer of the best run so far and a new one."""
    text = " ".join(run)
    return (text, start) if len(text) > max(len(best[0]), 2) else best


ZH_SPLIT = re.compile(
    f"多长时间|{CHINESE_STOP_PATTERN.pattern}" + "|[在有被把于与](?=.)|进行|属于|位于|出生|发生|成立|成为|担任|"
    "最[高大早长近终]|第一[个位名]?|主要|喜欢|觉得|认识|听说|知道|看过|帮我|给我|今天|现在|好像|开心|如果"
)


CODE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z]+-?[0-9][A-Za-z0-9\-]*|(?=[A-Za-z0-9\-]{2})[A-Za-z]*[A-Z][A-Za-z0-9\-]*)"
    r"(?:\s+[A-Z0-9][A-Za-z0-9\-]*)*"
)
"""A Latin name or code in a Chinese text: "iPad", "AH-200"."""
MODAL = re.compile(
    "不?(?:需要|应该|可以|可能|(?<![重必首主需摘纪])要|(?<![可功性智节太阳热电动势核潜机技才职官本效产全])能)$"
)
"""Ends a stretch before the verb of its question: "充电要(多久)"."""


def chinese_mentions(text: str) -> list[Mention]:
    """Titles in 《》, names with ·, Latin names, then the first stretch between words of grammar."""
    found = [
        Mention(
            match.group() if match.group().startswith("《") else next(p for p in match.groups() if p),
            match.start(),
            True,
        )
        for match in QUOTED.finditer(text)
    ]
    for match in re.finditer(f"(?<![{CJK}])[{CJK}]+(?:·[{CJK}]+)+", text):
        for start, stretch in chinese_stretches(match.group()):
            if "·" in stretch:
                found.append(Mention(stretch, match.start() + start, True))
    for match in CODE.finditer(text):
        found.append(Mention(match.group(), match.start(), True))
    for run in re.finditer(f"[{CJK}·0-9]+", CODE.sub(lambda code: " " * len(code.group()), text)):
        for start, stretch in chinese_stretches(run.group()):
            if re.fullmatch("[0-9年月日]+", stretch):
                continue
            if not any(stretch in mention.text or mention.text in stretch for mention in found):
                found.append(Mention(stretch, run.start() + start, True))
    return sorted(found, key=lambda mention: mention.start)


def chinese_stretches(run: str) -> list[tuple[int, str]]:
    """Stretches of a run between words of grammar and common verbs, two signs or more, with their places; two signs
    before a modal verb are a verb themselves."""
    found = [(start, stretch, MODAL.sub("", simplified(stretch))) for start, stretch in stretches(run, ZH_SPLIT)]
    return [
        (start, stretch[: len(plain)])
        for start, stretch, plain in found
        if len(plain) >= (2 if len(plain) == len(stretch) else 3)
    ]


ROLE = re.compile(r" (?:C[A-Z]O|[Pp]resident|[Cc]hair(?:man|woman)?|[Mm]inister|[Kk]ing|[Qq]ueen|[Mm]ayor|[Cc]oach)$")
"""Ends a name that says what someone is there: "the Microsoft CEO"."""
PHRASE = re.compile(r" of |['’]s ")
"""What makes one name of two: "GDP of China", "Apple's CEO"."""
ATTRIBUTE = re.compile(
    "(?:度|量|积|率|价|价格|数|人口|时间|日期|地点|原因|结果|作者|总部|首都|首府|人|员|长|钱|费|意义|影响|特点|用途|历史|"
    "名字|价值|前|后)$"
)
"""What is asked of a thing, rather than another thing: endings, in simplified characters."""
OBJECT = re.compile(r"[的了过]|什么(?!时候|地方)|啥|哪[些个位种几]|谁\W*$|多少(?!钱)|几")
"""Behind a stretch: it is the owner of something, or ends in the verb of the question."""


def exchanged(question: str, old: str, new: str) -> str | None:
    """A question asked of a new name in place of one of its own; None where that could lose what is asked."""
    if language_of(question) == "zh":
        return put(question, old, new) if alike(*map(simplified, (question, old, new))) else None
    stays = ""
    if PHRASE.search(old) and not PHRASE.search(new):
        # "Lord of the Rings" is one thing, "the King of Sweden" another one of Norway.
        if " of " not in old or f"the {old}" not in question:
            return None
        stays = old[: old.rindex(" of ") + len(" of ")]
    role = ROLE.search(old)
    return put(question, old, stays + new + (role.group() if role and not stays and not ROLE.search(new) else ""))


def put(question: str, old: str, new: str) -> str:
    """A question with something else in place of a part of it, whose article gives way to that of the new one."""
    article = "(?:[Tt]he )?" if re.match(r"the\b", new, re.IGNORECASE) else ""
    return re.sub(article + re.escape(old), lambda _: new, question, count=1)


def alike(question: str, old: str, new: str) -> bool:
    """Whether what is new may stand for a stretch of a Chinese question: it is a single name in the same writing, of
    the same ending or no shorter, and the stretch holds no verb and owns nothing. All in simplified characters."""
    behind = question.partition(old)[2]
    if [mention.text for mention in chinese_mentions(new)] != [new] or old.isascii() != new.isascii():
        return False
    if old[-1] == new[-1] and not old.isascii():
        return True
    same = old.isascii() or (len(old) <= len(new) and not ATTRIBUTE.search(new))
    return same and not OBJECT.match(behind)
