"""Whether a bare answer can be what a question asks for, by its question words: a time, a number, a duration.

Only what is certain counts: an answer that does not fit is wrong, one that fits may be anything.
"""

import re
from typing import Literal

Type = Literal["time", "number", "duration"]

AUXILIARY = r"(?:did|does|do|was|were|is|are|had|has|have|will|would|can|could|shall|should|might|must)"
ASKS: tuple[tuple[Type, re.Pattern[str]], ...] = (
    ("duration", re.compile(rf"\bhow long {AUXILIARY}\b|(?:多久|多长时间|多長時間)(?![前以之])", re.IGNORECASE)),
    (
        "number",
        re.compile(
            r"\bhow (?:many|tall|far|old|high|heavy|deep|wide)\b|多少|(?<![许許很诸諸])多[高重深宽寬快]|"
            r"(?<!哪)[几幾](?:[个個次名位艘座层層种種人条條])",
            re.IGNORECASE,
        ),
    ),
    (
        "time",
        re.compile(
            rf"^when {AUXILIARY}\b(?!.*\b(?:what|which|who|how)\b)|"
            r"\b(?:what|which) (?:year|date|century|decade|month)\b|"
            r"哪一?年(?!.*哪)|[什甚][么麼][时時][候间間]|何[时時]",
            re.IGNORECASE,
        ),
    ),
)
"""The first that matches says what is asked for."""
COUNTED = re.compile(
    r"\d|[〇零一二三四五六七八九十百千万萬亿億两兩双雙半几幾数數多少每无無]|"
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|dozens?|hundreds?|thousands?|[mb]illions?|once|twice|both|pair|single|half|halves|quarter|couple|"
    r"no|none|several|many|most|all|every|few|fewer|some|various|numerous|multiple|number|numbers|handful|majority|"
    r"minority|scores|more|less|unlimited|infinite|near|(?:a|an|two)[ -]\w+(?:th|rd)s?)\b",
    re.IGNORECASE,
)
SPANNED = re.compile(
    r"\b(?:since|until|till|throughout|into|as long as|forever|always|"
    r"(?:second|minute|hour|day|night|week|month|year|decade|centur|generation)\w*)\b",
    re.IGNORECASE,
)
BETWEEN = re.compile(r"[-–—~至到]|\b(?:from|to|through|between)\b", re.IGNORECASE)
TIMED = re.compile(
    r"\d|[年月日天时時期朝代世晚早夏秋冬春末初前后後岁歲周秦汉漢魏晋晉隋唐宋元明清国國战戰]|"
    r"\b(?:\w+day|january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|"
    r"autumn|fall|winter|century|centuries|decades?|years?|months?|weeks?|days?|hours?|morning|afternoon|evening|night|"
    r"midnight|noon|before|after|during|when|while|until|since|as|at|on|in|by|upon|under|if|once|ago|early|earlier|"
    r"late|later|end|beginning|recent|recently|presently|soon|today|tomorrow|yesterday|now|currently|never|always|annually|age|era|period|war|times?|"
    r"dynasty|reign|ice|easter|christmas|first|second|third|\w+th)\b",
    re.IGNORECASE,
)
DATED = re.compile(
    r"\d+月\d+日|\b(?:january|february|march|april|may|june|july|august|september|october|november|december) \d|"
    r"\d (?:january|february|march|april|may|june|july|august|september|october|november|december)\b|^\d{4}年?$",
    re.IGNORECASE,
)


def answer_type(question: str) -> Type | None:
    """What a question asks for; None where its words leave it open.

    >>> [answer_type(each) for each in ("When did it fly?", "多少人？", "How long was it in orbit?", "Who flew it?")]
    ['time', 'number', 'duration', None]
    """
    return next((kind for kind, pattern in ASKS if pattern.search(question)), None)


def fits(question: str, short: str) -> bool:
    """Whether a bare answer can be what the question asks for.

    >>> fits("How long did it last?", "six days"), fits("How long did it last?", "the third")
    (True, False)
    """
    match answer_type(question):
        case "duration":
            return bool(
                SPANNED.search(short) or (COUNTED.search(short) and (BETWEEN.search(short) or not DATED.search(short)))
            )
        case "number":
            return bool(COUNTED.search(short))
        case "time":
            return bool(TIMED.search(short))
        case _:
            return True
