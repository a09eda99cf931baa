"""Chinese statements -> questions that they answer: the word that asks stands where the answer stood.

All patterns are of simplified characters; a question is in the script of its statement.
"""

import re

from indexing.chinese import simplified
from models.mentions import Mention

DATE = r"(?:[12]\d{3}年(?:\d{1,2}月)?(?:\d{1,2}日)?)"
UNIT = (
    "平方公里|平方米|立方米|公里|千米|厘米|毫米|海里|公斤|千克|毫克|摄氏度|光年|分钟|小时|个月|万元|亿元|"
    "颗|艘|座|所|米|吨|克|圈|人|天|秒|岁|次|名|位|枚|度|元"
)
NUMBER = rf"(?:约|大约|近|超过|至少|最多)?(?P<number>\d[\d.,]*[百千万亿]*多?(?P<unit>{UNIT}))"
ENDING = r"(?=[，。；：、！（]|$)"
WORDS = r"[^，。；：！？、（）“”\d]"
DATED = re.compile(rf"^(?:[于在])?(?P<answer>{DATE})[，]?(?P<does>{WORDS}{{2,16}}){ENDING}")
BUILT = re.compile(rf"^(?P<does>建成|建|创建|创立|成立|生|始建|诞生|创办|通车|完工)于(?P<answer>{DATE}){ENDING}")
LIES = re.compile(rf"^(?P<does>(?:坐落|位)[于在]|(?:出)?生[于在](?!\d))(?P<answer>{WORDS}{{2,24}}){ENDING}")
COUNTED = re.compile(
    rf"^(?P<does>{WORDS}{{0,6}}?(?:[长高宽深重达为有设]|飞行|面积)){NUMBER}(?P<rest>{WORDS}{{0,8}}){ENDING}"
)
STOP = r"(?=[，。；！]|$)"
FIRST = re.compile(
    rf"^是(?P<answer>(?P<rest>{WORDS}{{0,10}}(?:第[一二三]|首|最|唯一){WORDS}{{1,24}}?的{WORDS}{{1,10}}|"
    rf"{WORDS}{{0,6}}(?:第一|首)[位个艘座颗次枚]{WORDS}{{2,20}})){STOP}"
)
KIND = re.compile(rf"^是(?P<answer>(?!由){WORDS}{{0,12}}(?:一[种个位名座颗]|的){WORDS}{{2,24}}(?<!的)){STOP}")
PLACE = re.compile("[省市县国州区镇村岛山河湖海港路街洲]|戈壁|自治")
PERSON = re.compile("(?:人|员|[学记作患]者|家|师|歌手|选手|女性|男性)$|[一二三首]位")
POINTING = re.compile("[他她它其此该这那]|以来|同年|同时|当时|后来|随后|之一|起的")
ALONE = re.compile(
    f"^(?:于|在)?{DATE}(?:发射|降落|出生|生于|升空|返回|逝世|去世|进入|加入|考入|毕业|当选|入选|成立|建成|通车|首次)"
)
"""A date with what happened then, said of the same subject as the clause before; other verbs often change it."""

TRADITIONAL = {
    "什么": "什麼",
    "时候": "時候",
    "哪里": "哪裡",
    "位于": "位於",
    "于哪": "於哪",
    "谁": "誰",
    "一个": "一個",
}
"""What a question adds; each only as a whole, so that the 里 of 公里 stays."""
LEAST_TRADITIONAL = 0.1
"""Share of signs that are written otherwise in simplified characters: names alone (乾隆) make no traditional text."""

Found = tuple[str, str]


def asked(statement: str, topic: str) -> list[Found]:
    """Questions that a statement answers, clause by clause; of clauses whose subject is not `topic` none is made."""
    made: list[Found] = []
    ours = False
    for clause in re.finditer(r"[^，。；！？]+[，。；！？]?", statement):
        said, ours = predicate(clause.group(), topic, ours)
        if not ours:
            continue
        for form in (when, built, lies, counted, first):
            found = form(said, topic)
            if found and fits(found[0], topic):
                made.append(found)
                break
    opening = predicate(statement, topic, False)
    kind = groups(KIND, opening[0]) if opening[1] else None
    if kind:
        made.append((f"{topic}是{who(kind['answer'], '什么')}？", kind["answer"]))
    return [(in_script(question, statement), answer) for question, answer in made]


def in_script(question: str, statement: str) -> str:
    """A question with the words that were added to it in the script of the statement."""
    differ = sum(a != b for a, b in zip(statement, simplified(statement), strict=True))
    if differ < LEAST_TRADITIONAL * len(statement):
        return question
    for plain, written in TRADITIONAL.items():
        question = question.replace(plain, written)
    return question


def groups(form: re.Pattern[str], said: str) -> dict[str, str] | None:
    """The groups of a form that a clause in either script begins with, as written; None where it does not."""
    found = form.match(simplified(said))
    return {name: said[slice(*found.span(name))] for name in form.groupindex} if found else None


def who(description: str, what: str) -> str:
    """The word that asks for what is described: who, or else `what`."""
    return "谁" if PERSON.search(simplified(description)) else what


def predicate(clause: str, topic: str, ours: bool) -> tuple[str, bool]:
    """What a clause says, and whether it says it of the topic: by name, by a pronoun, by the last word of a longer name
    (火箭 of 长征二号F运载火箭), or going on from the clause before."""
    said = clause.strip()
    if said.startswith(topic):
        return said[len(topic) :], True
    plain = simplified(said)
    pronoun = re.match("[他她它](?![们的])", plain)
    if pronoun:
        person = Mention(topic, 0, True).may_be_person
        return said[1:], pronoun.group() == "它" or person
    for length in (4, 3, 2):
        if len(topic) > length + 2 and said.startswith(topic[-length:]):
            return said[length:], True
    goes_on = ours and any(form.match(plain) for form in (ALONE, BUILT, LIES, FIRST))
    return said, bool(goes_on)


def when(said: str, topic: str) -> Found | None:
    found = groups(DATED, said)
    if not found or re.search("[了过]|^[的至到—－-]|以[前后来]|年", simplified(found["does"])):
        return None
    does = re.sub("^(?:出生|生).*", "出生", found["does"].removesuffix("的"))
    return f"{topic}是什么时候{does}的？", found["answer"]


def built(said: str, topic: str) -> Found | None:
    found = groups(BUILT, said)
    if not found:
        return None
    return f"{topic}{found['does']}于哪一年？", found["answer"]


def lies(said: str, topic: str) -> Found | None:
    found = groups(LIES, said)
    if not found or not PLACE.search(simplified(found["answer"])):
        return None
    if "生" in found["does"]:
        return f"{topic}出生在哪里？", found["answer"]
    return f"{topic}位于哪里？", found["answer"]


def counted(said: str, topic: str) -> Found | None:
    found = groups(COUNTED, said)
    if not found or re.match("[还也曾共便就则]", simplified(found["does"])):
        return None
    if re.match("[多左后前以]", simplified(found["rest"])):
        return None
    return f"{topic}{found['does']}多少{found['unit']}{found['rest'].removesuffix('左右')}？", found["number"]


def first(said: str, topic: str) -> Found | None:
    found = groups(FIRST, said)
    if not found or topic in found["rest"]:
        return None
    return f"{found['rest']}是{who(found['rest'], '哪一个')}？", topic


def fits(question: str, topic: str) -> bool:
    """Stands alone, and is short enough to be read at a glance."""
    return len(question) <= 36 and not POINTING.search(simplified(question.replace(topic, "")))
