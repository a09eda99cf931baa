"""Names and numbers of a question, and whether a text holds them: one of a series (神舟五号), a code (AH-350)."""

import re

from indexing.chinese import simplified
from models.calculator import SMALL, chinese_number
from models.dates import MONTHS, days_of
from models.words import CHINESE_STOP_PATTERN, CJK

CAPITAL_MONTHS = "|".join(month.capitalize() for month in MONTHS)
NAMED = re.compile(
    rf"(?<=\S )(?!(?:{CAPITAL_MONTHS})\b)[A-Z][\w'’-]* \d{{1,3}}\b(?![.,]\d)|(?<=\S )[A-Z][\w'’-]*|\d[\d,.]*"
)
"""Words of a question with a capital letter, save the first, each with the number behind it (Sputnik 1) where that is
no year or day; and other numbers."""
ROMAN = ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
CHINESE_DIGITS = "〇一二三四五六七八九"
COUNT = rf"(?<!\d)\d{{1,3}}|(?<![零{CHINESE_DIGITS}十百])[零{CHINESE_DIGITS}十百]{{1,5}}"
ORDINAL = rf"({COUNT})(号|世(?![纪界代]))"
CHINESE_SERIES = re.compile(rf"([{CJK}·]{{2}}|[A-Za-z]+)[- ]?{ORDINAL}")
"""The last two characters of a name, its number, and the word of a ship, a line (号) or a ruler (世)."""
DATE_OR_ORDER = "月第年日"
"""No name ends so: 5月3号, 第五号."""
FIGURES = r"(\d{1,9}(?:\.\d+)*)"
DASH = "[-_‐‑–—]?"
CODE = re.compile(
    rf"(?<![A-Za-z\d.])(?:([A-Za-z]{{1,6}}){DASH}|([A-Z]{{2,6}}|[A-Z]-[A-Za-z]+) (?!(?:19|20)\d\d\b)){FIGURES}"
)
"""Letters and figures, with a blank between them only behind capitals (ISO 9001, S-Lift 26): a small word before a
number makes none, nor does a year behind a name."""
ROW = re.compile(r"[^:：;；]{1,100}[:：][^;；]*[;；]")
RANGE = re.compile(
    r"\b(?:by|before|after|until|till|since|from|between|next|within)\b|[前后後到至]|之间|以内", re.IGNORECASE
)


def names_of(question: str) -> set[str]:
    """The names and numbers of a question, in lower case.

    >>> sorted(names_of("When was Sputnik 1 launched, and how did Moscow's papers tell it on May 5?"))
    ['5', 'may', 'moscow', 'sputnik 1']
    """
    found = {re.sub(r"['’]s?$", "", name.rstrip(".,")).casefold() for name in NAMED.findall(question)}
    return found - {"i", ""}


def holds(text: str, name: str) -> bool:
    """Whether a text holds a name or number, both in lower case. The 1 of "Sputnik 1" does not stand in 1961, and
    "War 2" stands in "War II"."""
    word, _, number = name.rpartition(" ")
    ends = (
        rf"{re.escape(word)}[ -]?(?:{'|'.join((number, *written(int(number))))})(?!\w)"
        if word
        else rf"{re.escape(name)}(?!\d)"
    )
    return re.search(rf"(?<!\d){ends}", text) is not None


def names_another(question: str, text: str) -> bool:
    """Whether the question names one of a series (Apollo 9, 神舟五号) and the text no such one: what it tells of
    Apollo 11 answers nothing then.

    A text without Chinese characters may call a Chinese name otherwise, and names none.
    """
    folded = text.casefold()
    if any(" " in name and not holds(folded, name) for name in names_of(question)):
        return True
    asked = chinese_series(question)
    if not asked or not re.search(f"[{CJK}]", text):
        return False
    simple = simplified(text)
    told = {(number_of(count), word) for count, word in re.findall(ORDINAL, simple)}
    return any(name not in simple or (number, word) not in told for name, number, word in asked)


def names_another_code(question: str, *texts: str) -> bool:
    """Whether the question names a code (AH-350, E18) and the first of the texts that names any with the same letters
    has others only. Letters behind the figures tell kinds of one thing (AH-350W), and so does a version's last figure.

    >>> names_another_code("How heavy is the AH-350?", "ah 350W: 16 kg"), names_another_code("Is E5 bad?", "E2: bad")
    (False, True)
    """
    asked: dict[str, set[str]] = {}
    for attached, spaced, figures in CODE.findall(question):
        asked.setdefault((attached or spaced).casefold(), set()).add(figures.lstrip("0"))
    folded = [text.casefold() for text in texts]
    for letters, wanted in asked.items():
        told = next((found for text in folded if (found := figures_behind(letters, text))), [])
        if told and not any(is_told(figures, told) for figures in wanted):
            return True
    return False


def names_another_day(question: str, row: str) -> bool:
    """Whether the question names a day and a row of a table another one, and neither several, a range or a limit.

    >>> names_another_day("Who works on 10 May?", "Date: 2026-05-09; Nurse: Ann.")
    True
    """
    asked, told = set(days_of(question)), set(days_of(row))
    return len(asked) == len(told) == 1 and asked != told and bool(ROW.match(row)) and not RANGE.search(question)


def figures_behind(letters: str, text: str) -> list[tuple[str, str]]:
    """The figures of the codes with such letters, each with the end of the range that it may begin (E1–E6)."""
    gap = r"\s?" if len(letters) > 1 else ""  # "a 5" is no code
    begin = rf"(?<![a-z\d]){re.escape(letters)}(?:{gap}|{DASH})"
    last = rf"(?:\s?[-–—~～至到]\s?(?:{re.escape(letters)}{DASH})?(\d{{1,9}}))?"
    return [(first.lstrip("0"), end) for first, end in re.findall(rf"{begin}{FIGURES}{last}", text)]


def is_told(figures: str, told: list[tuple[str, str]]) -> bool:
    """Whether figures are among those told, as a part of one, or inside a range."""
    return any(
        f"{first}.".startswith(f"{figures}.")
        or f"{figures}.".startswith(f"{first}.")
        or (end != "" and whole(first) <= whole(figures) <= whole(end))
        for first, end in told
    )


def chinese_series(question: str) -> list[tuple[str, int, str]]:
    """Those of a series that a Chinese question names: the end of the name, the number, the word behind it; simplified.

    >>> chinese_series("請問神舟五號和伊丽莎白二世在20世纪5月3号做了什么？")
    [('神舟', 5, '号'), ('莎白', 2, '世')]
    """
    asked = CHINESE_STOP_PATTERN.sub("\n", simplified(question))
    found = CHINESE_SERIES.findall(asked)
    return [(name, number_of(count), word) for name, count, word in found if name[-1] not in DATE_OR_ORDER]


def number_of(count: str) -> int:
    """The number of at most three digits, or of Chinese signs below a thousand.

    >>> [number_of(count) for count in ("12", "二", "十一", "三十", "一百零五")]
    [12, 2, 11, 30, 105]
    """
    return int(count if count.isdecimal() else chinese_number(count))


def written(number: int) -> list[str]:
    """How a small number is written: in digits, as a word, in Roman numerals.

    >>> written(9), written(14)
    (['9', 'ix', 'nine'], ['14', 'xiv'])
    """
    roman, left = "", number if number < 90 else 0
    for value, sign in ROMAN:
        roman += sign * (left // value)
        left %= value
    return [form for form in (str(number), roman, *SMALL[1:13][number - 1 : number]) if form]


def whole(figures: str) -> int:
    """The number before the first point; 0 where nothing is."""
    return int(figures.split(".")[0] or 0)
