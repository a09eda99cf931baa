"""Whether a bare answer can be what a question asks for, by its question words: a time, a number, money, a person.

Only what is certain counts: an answer that does not fit is wrong, one that fits may be anything.
"""

import re
from typing import Literal

from indexing.chinese import simplified
from models.dates import MONTH, MONTHS
from models.words import CJK

Type = Literal["time", "hour", "number", "code", "money", "duration", "person"]

AUXILIARY = r"(?:did|does|do|was|were|is|are|had|has|have|will|would|can|could|shall|should|might|must)"
ASKING = re.compile(
    rf"\b(?:who|whom|whose|what|when|where|which|why|how)\b|^{AUXILIARY}\b|"
    r"多少|多[久长大高重远]|几|谁|哪|什么|啥|怎|何|是否|能否|有没有|吗"
)
PRICE = r"(?:price|cost|fee|fare|rent|deposit|salary|wage|allowance|surcharge)s?"
PRICED = r"(?:(?<![评报])价|(?<![浪免])费|价格|费用|工资|薪[水资]|[年月]薪|[押定租奖]金|保证金|金额|津贴|补贴)"
CODED = r"(?:热线|电话|传真|手机|[编型账帐证单牌税料批货卡工]号|号码|[编代密]码|邮编|版本|等级|级别|规格|标准)"
ENDS = r"(?=$|\W|[的了才呢吗啊呀和与])"
ASKS: tuple[tuple[Type, re.Pattern[str]], ...] = (
    ("duration", re.compile(rf"\bhow long {AUXILIARY}\b|(?:多久|多长时间)(?:(?![前以之])|[之以]内)")),
    (
        "money",
        re.compile(
            rf"\bhow much (?:money\b|{AUXILIARY} .*\b(?:pay|paid|earn|{PRICE})\b)|"
            r"\bwhat (?:do|does|did|will|would|can|could|should) (?!cost).*(?<!the )(?<!of )\bcost"
            r"(?=\W*$| (?:for|per|in|at|an?|each|on)\b)|"
            rf"\bwhat(?:['’]?s| is| are| was| were) (?:the|our|your|my) (?:(?!of )[\w-]+ ){{0,2}}{PRICE}"
            r"(?=\W*$| (?:of|for|per|to|on|at|in) \w)|"
            rf"多少(?:钱|块{ENDS}|[美欧港日]?元(?!素|器|件|老)|英镑|人民币)|几块钱|{PRICED}(?:标准)?(?:分别)?[是为有要付]?多少{ENDS}"
        ),
    ),
    ("code", re.compile(rf"{CODED}[^，,。？?]{{0,6}}多少|多少号")),
    (
        "number",
        re.compile(
            r"\bhow (?:many|tall|far|old|high|heavy|deep|wide)\b|"
            rf"多少|(?<![许很诸])多[高重深宽快]{ENDS}|(?<!哪)几(?:[个次名位艘座层种人条折])|"
            r"(?:噪[音声]|功率|面积|容量|体积|流量|电[流压]|直径|内存)有?多大|多大(?:年[龄纪]|岁数)"
        ),
    ),
    ("hour", re.compile(r"几点(?=$|\W|[了吗呢啊钟到开关上下起结之以前后才能可就]|有人)")),
    (
        "time",
        re.compile(
            rf"^when {AUXILIARY}\b(?!.*\b(?:what|which|who|how)\b)|"
            r"\b(?:what|which) (?:year|date|century|decade|month)\b|"
            r"哪一?年(?!.*哪)|(?:(?<!为)[什甚][么麽]|啥)时[候间]|何时"
        ),
    ),
    ("person", re.compile(r"^(?:(?:and|so|but) )?(?:by |to |for |with |from )?whom?\b|谁|何人|哪一?位(?!置)")),
)
"""The first that matches says what is asked for. All patterns are of lower case and simplified characters.
A question that asks for more than money may be answered by the rest."""
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
UNPRICED = re.compile(
    r"免|赠|包邮|已?含|不[收付用要打]|原价|[价费][格用]?|面议|实报|报销|"
    r"\b(?:free|nothing|gratis|complimentary|a lot|much|little|included|waived|rates?|prices?|costs?|fees?|wages?|"
    r"pay|request|varies)\b"
)
"""What tells a price without a figure."""
MEASURED = re.compile(
    rf"\W*(?:(?:about|around|almost|within|at least|up to|约|近|大约|至少|最多) ?)?"
    rf"(?:[\d.,]*\d|(?:{NUMERALS})) ?(?:"
    r"小时|分钟|秒|天|年|岁|千克|公斤|克|吨|[厘毫千]?米|公里|[台件套人]|人次|[千兆]?瓦|分贝|"
    r"(?:second|minute|hour|day|year|ton|tonne|met(?:re|er)|mile|people|person)s?|min|kg|tons?|t|[ckm]m|ft|k?w|kva|hz|db"
    r")\W*"
)
"""A time, a weight, a length, a power, a count of things. Deposits and bonuses are told in weeks and months too."""
CURRENCIES = "USD|EUR|GBP|CNY|RMB|HKD?|NTD?|TWD|JPY|CHF|CAD|AUD|NZD|SGD|INR|KRW|US|RM|RS|R"
CODE = re.compile(rf"\W*(?!(?:{CURRENCIES})\d)[A-Z]{{1,5}}-?\d[\w-]*\W*")
"""A model, a part, a standard."""
ISO_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
RECENT_YEAR = re.compile(r"\W*20[123]\d\W*")
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
TIMES = (
    r"[年时期朝代世晚早夜午昏晨夏秋冬春旬末初前后岁每今周秦汉魏晋隋唐宋元明清国战]|"
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
TIMED = re.compile(rf"\d|{TIMES}")
CLOCKED = re.compile(rf"(?<![\d,.])(?:\d\d?|\d{{4}})(?![\d%元个台件次人]|[,.]\d)|[不休闭关停]|\bclosed\b|{TIMES}")
NAME_BEFORE = re.compile(
    r"\b(?!(?:A|About|After|All|Almost|Among|And|Another|Approximately|Around|As|At|Before|Between|But|By|During|"
    r"Each|Every|Exactly|Fewer|For|From|In|Its|Just|Last|Less|More|Nearly|Next|Of|On|Only|Or|Other|Over|Roughly|Since|"
    r"Some|Than|The|Their|These|Those|To|Top|Under|Until|When|While|With|Within)\b)[A-Z][\w-]* $"
)
"""A word that makes a name with the number behind it: no word that a sentence begins a count with."""
NUMBERED = re.compile(r"\b[A-Z][\w-]*[ -]?\d+$|号$")
"""A ship, a probe, a station: of 7,800 people, teams and firms that training questions ask for, four are named so."""
BARE_NUMBER = re.compile(r"\d{1,3}\W*")
IN_UNITS = re.compile(
    r"(?:days?|weeks?|months?|years?|hours?|hrs?|minutes?|mins?|seconds?|[dhs]|[天日周月年时分秒]|小时|小時|分[钟鐘])"
    r"\s*[)）]?\s*[:：|]\s*$",
    re.IGNORECASE,
)
BARE_FIGURE = re.compile(r"\W*\d[\d,.]*\W*")
DATED = re.compile(rf"\d+月\d+日|\d{{4}}年\d+月|\b(?:{NAMES_OF_MONTHS}) \d|\d (?:{NAMES_OF_MONTHS})\b|^\d{{4}}年?$")
SET_APART = re.compile(rf"(?<=\d)\s+(?=[{CJK}])|(?<=[{CJK}])\s+(?=\d)")
CHOICE = re.compile(
    rf"\b(?:or|between|vs|versus|which|whom?|whose)\b|^{AUXILIARY}\b|还是|或|哪|谁|何者|吗|是否|能否|有没有|(\w)不\1"
)
DEFINED = re.compile(r"\bmean(?:s|t by)?\b|什么是|什么意思")
PIECE = re.compile(rf"\d+(?:[.,:]\d+)*|[{CJK}]+|[^\W\d_{CJK}]+")
ARTICLES = {"a", "an", "the"}


def answer_type(question: str) -> Type | None:
    """What a question asks for; None where its words leave it open.

    >>> [answer_type(each) for each in ("When did it fly?", "多少人？", "How long was it in orbit?", "Who flew it?")]
    ['time', 'number', 'duration', 'person']
    """
    asked = simplified(question).lower()
    only = len(ASKING.findall(asked)) <= 1
    return next((kind for kind, pattern in ASKS if pattern.search(asked) and (only or kind != "money")), None)


def fits(question: str, short: str) -> bool:
    """Whether a bare answer can be what the question asks for, and says more than the question does.

    >>> fits("How long did it last?", "six days"), fits("How long did it last?", "the third")
    (True, False)
    """
    return of_type(answer_type(question), short) and not repeats(question, short)


def repeats(question: str, short: str) -> bool:
    """Whether a bare answer only says words of a question that gives nothing to choose from. A name may well be one of
    its words (what the "Congo basin" drains), no figure, no time and no meaning is.

    >>> repeats("When is the AH-350 out?", "the AH-350"), repeats("Is it the AH-350 or the AH-200?", "the AH-350")
    (True, False)
    """
    asked, told = simplified(question).lower(), simplified(short).lower()
    names = answer_type(question) in (None, "person") and not DEFINED.search(asked) and not re.search(r"\d", told)
    said = [piece for piece in PIECE.findall(told) if piece not in ARTICLES]
    if names or not said or CHOICE.search(asked):
        return False
    words = set(PIECE.findall(asked))
    return all(piece in words or (len(piece) > 1 and not piece.isascii() and piece in asked) for piece in said)


def counts(passage: str, start: int, end: int) -> bool:
    """Whether a stretch of a passage may be a count; the number of a name is none.

    >>> counts("Apollo 11 landed.", 7, 9), counts("Over 11 tonnes.", 5, 7)
    (False, True)
    """
    return not (BARE_NUMBER.fullmatch(passage, start, end) and NAME_BEFORE.search(passage[:start]))


def lasts(passage: str, start: int, end: int) -> bool:
    """Whether a stretch of a passage may be a duration: a bare figure is one under a column that says its unit.

    >>> lasts("Notice (days): 30; Pay: full.", 15, 17), lasts("The AH-350 is new.", 7, 10)
    (True, False)
    """
    return not BARE_FIGURE.fullmatch(passage, start, end) or bool(IN_UNITS.search(passage[:start]))


def of_type(asked: Type | None, short: str) -> bool:
    """Whether a bare answer can be what is asked for."""
    said = SET_APART.sub("", simplified(short)).lower() if asked else ""
    counted = COUNTED.search(said) is not None
    match asked:
        case "duration":
            dated = DATED.search(said) and not BETWEEN.search(said)
            return bool(SPANNED.search(said)) or (counted and not dated)
        case "number":
            return counted and not named_or_dated(short)
        case "code":
            return counted
        case "money":
            priced = counted or UNPRICED.search(said) is not None
            return priced and not (MEASURED.fullmatch(said) or RECENT_YEAR.fullmatch(said) or named_or_dated(short))
        case "hour":
            return bool(CLOCKED.search(said))
        case "time":
            return bool(TIMED.search(said))
        case "person":
            return not NUMBERED.search(simplified(short))
        case _:
            return True


def named_or_dated(short: str) -> bool:
    """Whether the figures of a bare answer are those of a model (AH-350) or of a day (2018-06-15)."""
    return bool(CODE.fullmatch(short) or ISO_DATE.search(short))
