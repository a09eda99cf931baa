"""Whether a bare answer can be what a question asks for, by its question words: a time, a number, a duration, a person.

Only what is certain counts: an answer that does not fit is wrong, one that fits may be anything.
"""

import re
from typing import Literal

from indexing.chinese import simplified
from models.dates import MONTHS

Type = Literal["time", "number", "duration", "person"]

AUXILIARY = r"(?:did|does|do|was|were|is|are|had|has|have|will|would|can|could|shall|should|might|must)"
ASKS: tuple[tuple[Type, re.Pattern[str]], ...] = (
    ("duration", re.compile(rf"\bhow long {AUXILIARY}\b|(?:多久|多长时间)(?![前以之])")),
    (
        "number",
        re.compile(
            r"\bhow (?:many|tall|far|old|high|heavy|deep|wide)\b|"
            r"多少|(?<![许很诸])多[高重深宽快]|(?<!哪)几(?:[个次名位艘座层种人条])"
        ),
    ),
    (
        "time",
        re.compile(
            rf"^when {AUXILIARY}\b(?!.*\b(?:what|which|who|how)\b)|"
            r"\b(?:what|which) (?:year|date|century|decade|month)\b|"
            r"哪一?年(?!.*哪)|[什甚][么麽]时[候间]|何时"
        ),
    ),
    ("person", re.compile(r"^(?:(?:and|so|but) )?(?:by |to |for |with |from )?whom?\b|谁|何人|哪一?位(?!置)")),
)
"""The first that matches says what is asked for. All patterns are of lower case and simplified characters."""
NAMES_OF_MONTHS = "|".join(MONTHS)
COUNTED = re.compile(
    r"\d|[〇零一二三四五六七八九十百千万亿两双半几数多少每无]|"
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|dozens?|hundreds?|thousands?|[mb]illions?|once|twice|both|pair|"
    r"single|half|halves|quarter|couple|no|none|several|many|most|all|every|few|fewer|some|various|numerous|multiple|"
    r"numbers?|handful|majority|minority|scores|more|less|unlimited|infinite|near|(?:a|an|two)[ -]\w+(?:th|rd)s?)\b"
)
SPANNED = re.compile(
    r"\b(?:since|until|till|throughout|into|as long as|forever|always|"
    r"(?:second|minute|hour|day|night|week|month|year|decade|centur|generation)\w*)\b"
)
BETWEEN = re.compile(r"[-–—~至到]|\b(?:from|to|through|between)\b")
TIMED = re.compile(
    r"\d|[年时期朝代世晚早夏秋冬春末初前后岁周秦汉魏晋隋唐宋元明清国战]|"
    r"月(?![球面壤岩背亮饼])|日(?![本报军])|天(?![空文体津宫问王地安])|"
    rf"\b(?:\w+day|{NAMES_OF_MONTHS}|spring|summer|autumn|fall|winter|century|centuries|decades?|years?|months?|weeks?|days?|"
    r"hours?|morning|afternoon|evening|night|midnight|noon|before|after|during|when|while|until|since|as|at|on|in|by|"
    r"upon|under|if|once|ago|early|earlier|late|later|end|beginning|recent|recently|presently|soon|today|tomorrow|"
    r"yesterday|now|currently|never|always|annually|age|era|period|war|times?|dynasty|reign|ice|easter|christmas|"
    r"first|second|third|\w+th)\b"
)
NAME_BEFORE = re.compile(
    r"\b(?!(?:A|About|After|All|Almost|Among|And|Another|Approximately|Around|As|At|Before|Between|But|By|During|"
    r"Each|Every|Exactly|Fewer|For|From|In|Its|Just|Last|Less|More|Nearly|Next|Of|On|Only|Or|Other|Over|Roughly|Since|"
    r"Some|Than|The|Their|These|Those|To|Top|Under|Until|When|While|With|Within)\b)[A-Z][\w-]* $"
)
"""A word that makes a name with the number behind it: no word that a sentence begins a count with."""
NUMBERED = re.compile(r"\b[A-Z][\w-]*[ -]?\d+$|号$")
"""A ship, a probe, a station: of 7,800 people, teams and firms that training questions ask for, four are named so."""
BARE_NUMBER = re.compile(r"\d{1,3}\W*")
DATED = re.compile(rf"\d+月\d+日|\b(?:{NAMES_OF_MONTHS}) \d|\d (?:{NAMES_OF_MONTHS})\b|^\d{{4}}年?$")


def answer_type(question: str) -> Type | None:
    """What a question asks for; None where its words leave it open.

    >>> [answer_type(each) for each in ("When did it fly?", "多少人？", "How long was it in orbit?", "Who flew it?")]
    ['time', 'number', 'duration', 'person']
    """
    asked = simplified(question).lower()
    return next((kind for kind, pattern in ASKS if pattern.search(asked)), None)


def fits(question: str, short: str) -> bool:
    """Whether a bare answer can be what the question asks for.

    >>> fits("How long did it last?", "six days"), fits("How long did it last?", "the third")
    (True, False)
    """
    return of_type(answer_type(question), short)


def counts(passage: str, start: int, end: int) -> bool:
    """Whether a stretch of a passage may be a count; the number of a name is none.

    >>> counts("Apollo 11 landed.", 7, 9), counts("Over 11 tonnes.", 5, 7)
    (False, True)
    """
    return not (BARE_NUMBER.fullmatch(passage, start, end) and NAME_BEFORE.search(passage[:start]))


def of_type(asked: Type | None, short: str) -> bool:
    """Whether a bare answer can be what is asked for."""
    said = simplified(short).lower() if asked else ""
    match asked:
        case "duration":
            counted = COUNTED.search(said) and (BETWEEN.search(said) or not DATED.search(said))
            return bool(SPANNED.search(said) or counted)
        case "number":
            return bool(COUNTED.search(said))
        case "time":
            return bool(TIMED.search(said))
        case "person":
            return not NUMBERED.search(simplified(short))
        case _:
            return True
