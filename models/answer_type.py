"""Whether a bare answer can be what a question asks for, by its question words: a time, a number, a duration, a person.

Only what is certain counts: an answer that does not fit is wrong, one that fits may be anything.
"""

import re
from typing import Literal

from indexing.chinese import simplified
from models.dates import MONTH, MONTHS

Type = Literal["time", "number", "duration", "person"]

AUXILIARY = r"(?:did|does|do|was|were|is|are|had|has|have|will|would|can|could|shall|should|might|must)"
ASKS: tuple[tuple[Type, re.Pattern[str]], ...] = (
    ("duration", re.compile(rf"\bhow long {AUXILIARY}\b|(?:多久|多长时间)(?![前以之])")),
    (
        "number",
        re.compile(
            r"\bhow (?:many|tall|far|old|high|heavy|deep|wide)\b|"
            r"多少|(?<![许很诸])多[高重深宽快](?=$|\W|[的了才呢吗啊呀和与])|(?<!哪)几(?:[个次名位艘座层种人条])"
        ),
    ),
    (
        "time",
        re.compile(
            rf"^when {AUXILIARY}\b(?!.*\b(?:what|which|who|how)\b)|"
            r"\b(?:what|which) (?:year|date|century|decade|month)\b|"
            r"哪一?年(?!.*哪)|(?<!为)[什甚][么麽]时[候间]|何时"
        ),
    ),
    ("person", re.compile(r"^(?:(?:and|so|but) )?(?:by |to |for |with |from )?whom?\b|谁|何人|哪一?位(?!置)")),
)
"""The first that matches says what is asked for. All patterns are of lower case and simplified characters."""
NAMES_OF_MONTHS = "|".join(MONTHS)
NUMERALS = (
    r"zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
)
COUNTED = re.compile(
    r"\d|[〇零一二三四五六七八九十百千万亿两双半几数多少每无]|"
    rf"\b(?:{NUMERALS}|dozens?|hundreds?|thousands?|[mb]illions?|once|twice|both|pair|"
    r"single|half|halves|quarter|couple|no|none|several|many|most|all|every|few|fewer|some|various|numerous|multiple|"
    r"numbers?|handful|majority|minority|scores|more|less|unlimited|infinite|near|(?:a|an|two)[ -]\w+(?:th|rd)s?)\b"
)
SPANNED = re.compile(
    r"\b(?:since|until|till|throughout|into|as long as|forever|always|"
    r"(?:second|minute|hour|day|night|week|month|year|decade|centur|generation)\w*)\b"
)
BETWEEN = re.compile(r"[-–—~至到]|\b(?:from|to|through|between)\b")
FEASTS = (
    "easter|christmas|xmas|thanksgiving|halloween|passover|pentecost|lent|advent|ramadan|eid|d[ei]wali|divali|"
    "c?hanukk?ah|purim|holi|nowruz|solstice|equinox|eve|festivals?"
)
EPOCHS = (
    r"ages?|eras?|epochs?|periods?|dynast(?:y|ies)|reigns?|wars?|ice|antiquity|medieval|prehistor(?:y|ic)|renaissance|"
    r"reformation|enlightenment|revolution|victorian|edwardian|elizabethan|georgian|meiji|sh[oō]wa|heisei|edo|"
    r"(?:pal\w*|meso|neo)lithic|\w+zoic|\w*ocene|\w*cambrian|ordovician|silurian|devonian|carboniferous|permian|"
    r"triassic|jurassic|cretaceous|pala?eogene|neogene|tertiary|quaternary"
)
TIMED = re.compile(
    r"\d|[年时期朝代世晚早夜午昏晨夏秋冬春旬末初前后岁每今周秦汉魏晋隋唐宋元明清国战]|"
    r"月(?![球面壤岩背亮饼])|日(?![本报军])|天(?![空文体津宫问王地安])|纪(?![念录律委])|"
    r"[一二三四五六七八九十两几半整]点|[一二三几此立]刻|(?<![环细章关音调])节(?![目点约制奏省能])|"
    r"[七除前]夕|季(?![军风])|圣诞|重阳|文艺复兴|革命(?![家党军政])|"
    rf"\b(?:\w*days?|{NAMES_OF_MONTHS}|{FEASTS}|{EPOCHS}|spring|summer|autumn|fall|winter|seasons?|century|centuries|"
    r"decades?|years?|months?|(?:mid)?weeks?|(?:week)?ends?|hours?|o['’]clock|quarter to|[ap]\.?m|mornings?|"
    r"(?:after|fore)?noons?|evenings?|(?:mid|over|to|week)?nights?|nightfall|daybreak|dawn|dusk|sunrise|sunset|"
    r"before|after|during|when|while|until|since|as|at|on|in|by|upon|under|if|once|ago|early|earlier|late|later|past|"
    r"beginning|recent|recently|presently|soon|tomorrow|now|currently|never|always|annually|(?!mari|some)\w*times?|"
    r"first|second|third|\w+th)\b|"
    rf"\b(?:{NUMERALS}|{MONTH})\W*$"
)
"""A numeral at the end is an hour ("half past five", "nine"). Of names in capitals only feasts and epochs are times:
people and places are what is mostly given for one by mistake."""
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
