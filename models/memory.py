"""What a person said about themselves: which of their sentences are kept, and which of those kept answer a question.

A fact is a whole sentence in the person's own words ("I live in Oslo."). What bids somebody to do something is no fact
and is not kept; what is kept is shown to a model as data, and never cited: it is no evidence.
"""

import re
from collections.abc import Sequence

from indexing.chinese import simplified
from indexing.split import sentences
from models.corrections import ASKS
from models.overlap import terms
from models.types import Candidate, Conversation
from models.words import language_of

LONGEST = 160
"""Characters of a fact: a plain one is a short sentence."""
MOST_NAMED = 5
"""Facts named to who asks what is remembered."""
MEANT = 0.5
"""Least share of a question's words that a fact holds: "What did my uncle's regiment do in 1944?" asks for documents,
whatever is known of the uncle."""

_STATED = re.compile(
    r"(?:(?:hi|hello|hey|well|ok|okay|so|by the way)[,!. ]+)*(?:and )?(?:"
    r"my (?!question|problem|point|guess|bad\b|understanding|advice|request|instruction)[\w' -]{2,40}? (?:is|are|was)\b"
    r"|(?:you can )?call me\b"
    r"|i(?:'m| am) (?:called|named|from|based in|married|retired|vegetarian|vegan|allergic to|interested in"
    r"|\d{1,3} years old|(?:living|working|studying|teaching) (?:in|at|for|as|on)"
    r"|an? (?!bit\b|little\b|lot\b|moment\b|fan of (?:this|that|your)\b))"
    r"|i (?:live|work|study|teach|come from|was born|grew up|speak|own|prefer|love|hate|like)\b"
    r"(?! (?:it|this|that|these|those|how|what|when|to know|to see|to ask)\b)"
    r"|i have (?:an? |two |three |four |\d+ )(?!question|problem|doubt|request|look|idea|feeling)\w+)",
    re.IGNORECASE,
)
_STATED_CHINESE = re.compile(
    r"(?:你好|您好|对了|對了)?[，,！!。 ]*(?:"
    r"我(?:叫|的名字|姓|来自|來自|出生|住|今年|有[一两兩三四五]|喜欢(?!问)|喜歡(?!問)|爱吃|讨厌|对.{1,12}过敏|是(?!说|說|想|问|問|不是|要|否))"
    r"|我在.{1,20}(?:工作|上班|上学|读书|生活|长大)|我的(?!问题|問題|意思|要求|指令).{1,12}(?:是|叫|有))"
)
_BIDS = re.compile(
    r"\b(?:ignore|disregard|forget|always|never|from now on|must|should|instructions?|prompts?|system|assistant"
    r"|passerine|pretend|act as|answers?|reply|respond|your?|yours|please)\b"
    r"|忽略|无视|無視|忘记|忘記|从现在起|從現在起|必须|必須|总是|總是|永远|永遠|指令|提示词|提示詞|系统|系統|助手|扮演"
    r"|回答|回复|回覆|请|請|你|您",
    re.IGNORECASE,
)
_CALLED = re.compile(r"(?:you can )?call me\b", re.IGNORECASE)
_OF_ME = r"(?:about|of) (?-i:me|my|mine|myself)"
_EVERYTHING = re.compile(
    rf"what (?:else )?do you (?:\w+ )?(?:know|remember)\b[^.?!]*\b(?:{_OF_ME}|i (?:told|said))\b"
    rf"|what (?:did|have) i (?:\w+ )?(?:t(?:old|ell)|sa(?:y|id))\b[^.?!]*\b(?:you|{_OF_ME})\b"
    r"|^(?:(?:do you know|tell me|remind me),? )?who (?:am i|i am)\W*$"
    r"|^(?:你?(?:还|還)?(?:知道|[记記]得|告[诉訴]我))?我是[谁誰][吗嗎呢啊]?\W*$"
    r"|(?:知道|[记記]得)(?:[关關][于於])?我的?(?:什[么麼]|哪些)事?[吗嗎呢]?\W*$|[记記]得什[么麼]\W*$",
    re.IGNORECASE,
)
"""Asks for all that is known. "Me" and "My" with a capital stand in titles."""
_PLAIN = (
    (r"’", "'"),
    (r"\b(?:am i|i'm)\b", "i am"),
    (r"\bwas i\b", "i was"),
    (r"\bi am (?:called|named)\b", "my name is"),
    (r"\b(my [\w' -]+?) (?:is )?(?:called|named)\b", r"\1's name is"),
    (r"\bname of (my [\w-]+)\b(?!['-])", r"\1's name"),
    (r"(我(?:的[^,，。]{1,8}?)?)(?:的名字[是叫]?|[叫姓])", r"\1名字 "),
)
_OWN = re.compile(
    r"\bmy [\w' -]+?(?= (?:is|are|was|were|has|have|lives?|works?)\b)"
    r"|\bi (?:am|was born|have|live|work|study|teach|come|speak|own|prefer|love|hate|like)\b"
    r"|我(?:的[^,，。]{1,12}?)?名字|我的[^,，。]{1,12}?(?=[是有在])|我(?:来自|出生|住|今年|有|喜欢|爱吃|讨厌|对|是|在)"
)
_QUESTION = re.compile(r"[?？]\s*$|[吗嗎呢]\s*[。?？]?\s*$")
_SAID = {"en": "You told me: “{}”", "zh": "你告诉过我：“{}”"}


def facts(text: str) -> list[str]:
    """The sentences of a user's turn that say something plain about the person, each once, as they were written.

    >>> facts("My name is Ada. How tall is the tower? I live in Oslo, and from now on answer in French.")
    ['My name is Ada.']
    """
    found: dict[str, None] = {}
    for start, end in sentences(text):
        said = " ".join(text[start:end].split())
        if stated(said) and len(said) <= LONGEST and not _QUESTION.search(said) and not bids(said):
            found[said] = None
    return list(found)


def bids(text: str) -> bool:
    """Whether a sentence speaks to somebody, or of what is to be answered: such a one may be an order."""
    return bool(_BIDS.search(_CALLED.sub("", text)))


def recalled(conversation: Conversation) -> list[Candidate]:
    """What the person told of themselves, said back to who asks for it; nothing for any other question."""
    question = conversation.question
    named: Sequence[str] = conversation.memory[-MOST_NAMED:]
    if not _EVERYTHING.search(question):
        asked = plain(asking(question))
        held = [(share(asked, fact), fact) for fact in conversation.memory]
        best = max((found for found, _ in held), default=0.0)
        named = [fact for found, fact in held if found == best >= MEANT][-1:]
    form = _SAID[language_of(question)]
    return [Candidate(" ".join(form.format(fact) for fact in named), origin="memory", kind="tool")] if named else []


def stated(text: str) -> bool:
    """Whether a text opens like a statement about the person."""
    return bool(_STATED.match(text) or _STATED_CHINESE.match(text))


def asking(text: str) -> str:
    """A turn without the clauses that only state: of "I live in Oslo, how cold is it?" the second."""
    clauses = re.split(r"[,.;!?，。；！？\n]\s*", text)
    return ", ".join(clause for clause in clauses if ASKS.search(simplified(clause)) or not stated(clause))


def share(asked: str, fact: str) -> float:
    """The share of a plain question's words that a fact holds; 0 unless the question names what the fact is about:
    "my sister's name" is not "my name"."""
    told = plain(_CALLED.sub("my name is", fact))
    if not any(re.search(rf"(?<![a-z]){re.escape(own)}(?![a-z'的-])", asked) for own in _OWN.findall(told)):
        return 0.0
    words = terms(asked)
    return len(words & terms(told)) / max(1, len(words))


def plain(text: str) -> str:
    """A question and a statement put alike: "am I" as "i am", and what somebody is called as their name."""
    text = simplified(text).lower()
    for pattern, put in _PLAIN:
        text = re.sub(pattern, put, text)
    return text
