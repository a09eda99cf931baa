"""Dates and weekdays by an injected clock, in English and Chinese; answers only what it fully understands."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from indexing.chinese import simplified
from models.types import Candidate
from models.words import language_of

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
MONTH = "|".join([*MONTHS, "sept", *(name[:3] for name in MONTHS)])
ANY_DATE = re.compile(
    rf"(?P<y1>\d{{4}})[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m2>{MONTH})\.?,?\s+(?P<y2>\d{{4}})"
    rf"|(?P<m3>{MONTH})\.?\s+(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y3>\d{{4}})"
    r"|(?P<y4>\d{4})\s*年\s*(?P<m4>\d{1,2})\s*月\s*(?P<d4>\d{1,2})\s*[日号]"
)
DAYS = tuple(
    re.compile(day)
    for day in (
        r"\b\d{4}[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})\b",
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{MONTH})\b",
        rf"\b(?P<month>{MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b",
        r"(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*[日号號]",
    )
)
"""A day with its month, with or without the year."""

RELATIVE = {
    "the day after tomorrow": 2,
    "the day before yesterday": -2,
    "today": 0,
    "tomorrow": 1,
    "yesterday": -1,
    "now": 0,
    "后天": 2,
    "前天": -2,
    "今天": 0,
    "今日": 0,
    "现在": 0,
    "明天": 1,
    "昨天": -1,
}
POLITE = r"(?:please |hey |hi |so |and |ok |can you |could you |tell me |do you know |请问|请|那么?|你知道)*"


ASKS_DAY = re.compile(
    r"(?:what|which) (?:day|date) is it(?: @)?|what(?:'s| is) (?:the date(?: of)?(?: @)?|@(?:'s)? date)|"
    r"(?:what|which) date (?:is|was|will) ?@(?: be)?|"
    r"@(?:是)?(?:几月)?几[号日](?:了)?|@(?:的)?日期(?:是(?:什么|多少|哪天))?"
)
ASKS_WEEKDAY = re.compile(
    r"(?:what|which) (?:day(?: of the week)?|weekday) (?:is|was|will)(?: it)?(?: on)? ?@(?: be)?|"
    r"on (?:what|which) (?:day(?: of the week)?|weekday) (?:did|does|was|is) @(?: fall(?: on)?)?|"
    r"@(?:那天)?(?:是)?(?:星期|周|礼拜)几"
)
ASKS_BETWEEN = re.compile(
    r"how many days (?:are there |were there |is it )?(?:between @ (?:and|to) @|from @ (?:to|until|till) @)|"
    r"(?:从)?@(?:到|至|和|与|距离?)@(?:之间)?(?:一共|总共|相隔|相差|相距|隔了?|过了|有|是)*(?:多少|几)天"
)
ASKS_UNTIL = re.compile(
    r"how many days (?:is it |are there |are left |left )?(?:until|till|to|before|since) @|"
    r"how long (?:is it )?until @|(?:距离?|离)@(?:还有|有|过去了?|已经)*(?:多少|几)天|"
    r"@(?:到现在|至今)?(?:过去了?|已经|有)*(?:多少|几)天"
)
ASKS_AWAY = re.compile(
    r"(?:what|which) (?:day|date) (?:is it |will it be |was it |is |was )?(?:in )?(?P<n>\d{1,6}) days?"
    r"(?P<w> from @| after @| ago| before @)?|"
    r"@?(?:的|再过)?(?P<zn>\d{1,6})天(?P<zw>后|之后|以后|前|之前|以前)(?:是)?"
    r"(?:几月几[号日]|几[号日]|哪一?天|什么日期|星期几|周几)"
)


def days_of(text: str) -> Iterator[tuple[int, int]]:
    """Month and day of the dates in a text, with or without a year."""
    for pattern in DAYS:
        for found in pattern.finditer(text.casefold()):
            month = found["month"]
            by_name = (number for number, name in enumerate(MONTHS, 1) if name[:3] == month[:3])
            yield int(month) if month.isdecimal() else next(by_name), int(found["day"])


def split_dates(text: str) -> tuple[str, list[date]]:
    """The text with each date replaced by "@", and the dates. Impossible dates are left as they are."""
    found: list[date] = []

    def taken(match: re.Match[str]) -> str:
        parts = {key[0]: value for key, value in match.groupdict().items() if value}
        month = int(parts["m"]) if parts["m"].isdigit() else month_number(parts["m"])
        try:
            found.append(date(int(parts["y"]), month, int(parts["d"])))
        except ValueError:
            return match.group()
        return "@"

    return ANY_DATE.sub(taken, text), found


def month_number(name: str) -> int:
    """1 to 12 of a month's English name or its first three letters."""
    return next(number for number, full in enumerate(MONTHS, 1) if full.startswith(name))


def calendar(question: str, now: datetime) -> Candidate | None:
    """Today, a weekday, days between or from now, by the clock `now`; None when the question is another."""
    text, found = split_dates(simplified(question).strip().lower().replace("’", "'").rstrip("?？。.!！ "))
    for word, offset in RELATIVE.items():
        if word in text:
            text = text.replace(word, "@", 1)
            found.append(now.date() + timedelta(days=offset))
    found = found if text.count("@") == len(found) else []
    text = re.sub(rf"^{POLITE}", "", re.sub(r"\s+", " ", text)).strip()
    chinese = language_of(question) == "zh"
    answer = ask_date(text, found, now, chinese)
    if answer is None:
        return None
    said, short = answer
    return Candidate(said, short=short, origin="date", kind="tool")


def ask_date(text: str, found: list[date], now: datetime, chinese: bool) -> tuple[str, str] | None:
    """Sentence and bare answer for a normalised question ("@" stands for a date)."""
    today = now.date()
    if re.fullmatch(r"what(?:'s| is)? ?(?:the )?time(?: is it)?(?: @)?|(?:@)?(?:是)?几点(?:钟)?了?", text):
        return (f"现在是{now:%H:%M}。" if chinese else f"It is {now:%H:%M}."), f"{now:%H:%M}"
    if re.fullmatch(
        r"(?:what|which) year is it(?: @)?|what(?:'s| is) the (?:current )?year|今年是?(?:哪一?年|几几年)", text
    ):
        return (f"今年是{today.year}年。" if chinese else f"It is {today.year}."), str(today.year)
    if len(found) <= 1 and ASKS_DAY.fullmatch(text):
        return day_sentence(found[0] if found else today, today, chinese)
    if len(found) == 1 and ASKS_WEEKDAY.fullmatch(text):
        return weekday_sentence(found[0], chinese)
    return days_sentence(text, found, today, chinese)


def days_sentence(text: str, found: list[date], today: date, chinese: bool) -> tuple[str, str] | None:
    """Days between two dates, until or since one, or a date so many days away."""
    if len(found) == 2 and ASKS_BETWEEN.fullmatch(text):
        return count_sentence(found[0], found[1], chinese)
    if len(found) == 1 and ASKS_UNTIL.fullmatch(text):
        return count_sentence(min(found[0], today), max(found[0], today), chinese)
    away = ASKS_AWAY.fullmatch(text)
    if away and len(found) <= 1:
        count = int(away["n"] or away["zn"])
        back = "ago" in (away["w"] or "") or "before" in (away["w"] or "") or "前" in (away["zw"] or "")
        start = found[0] if found else today
        try:
            return day_sentence(start + timedelta(days=-count if back else count), today, chinese)
        except OverflowError:
            return None
    return None


def day_name(day: date, chinese: bool) -> str:
    """A date for people: "Sunday, 20 July 1969" or "1969年7月20日（星期日）"."""
    if chinese:
        return f"{day.year}年{day.month}月{day.day}日（星期{'一二三四五六日'[day.weekday()]}）"
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1].capitalize()} {day.year}"


def day_sentence(day: date, today: date, chinese: bool) -> tuple[str, str]:
    """The sentence that names a day."""
    if chinese:
        return (f"今天是{day_name(day, True)}。" if day == today else f"那天是{day_name(day, True)}。"), day.isoformat()
    return (f"Today is {day_name(day, False)}." if day == today else f"It is {day_name(day, False)}."), day.isoformat()


def weekday_sentence(day: date, chinese: bool) -> tuple[str, str]:
    """The sentence that names a weekday."""
    if chinese:
        name = "星期" + "一二三四五六日"[day.weekday()]
        return f"{day.year}年{day.month}月{day.day}日是{name}。", name
    name = WEEKDAYS[day.weekday()]
    return f"{day.day} {MONTHS[day.month - 1].capitalize()} {day.year} is a {name}.", name


def count_sentence(first: date, second: date, chinese: bool) -> tuple[str, str]:
    """The sentence that counts the days from one date to another."""
    count = abs((second - first).days)
    if chinese:
        return f"{first:%Y-%m-%d} 到 {second:%Y-%m-%d} 相隔{count}天。", str(count)
    return f"From {day_name(first, False)} to {day_name(second, False)} is {count} days.", str(count)
