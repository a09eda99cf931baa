"""English statements -> questions that they answer, by forms in which the words of the statement can stay."""

import re
from dataclasses import dataclass

from models.mentions import NOT_PERSONS, OPENERS, Mention

MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE = rf"(?:(?:\d{{1,2}} )?(?:{MONTH})(?: \d{{1,2}},)? )?(?:1[0-9]|20)\d\d\b"
WHEN = re.compile(rf",? (?:on|in) (?P<answer>{DATE})")
OPENING_DATE = re.compile(rf"^(?:On|In) (?P<answer>{DATE}|\d{{1,2}} (?:{MONTH})),? (?=\w)")
NAME = r"(?:[A-Z][\w'’\-]*(?:\.(?=\w))?)(?: (?:of |the |de |van |von )?(?:[A-Z][\w'’\-]*|\d+|[IVX]+))*"
SUBJECT = rf"(?P<subject>It|He|She|Its [a-z]+(?: [a-z]+)?|The [a-z]+|(?:[Tt]he )?{NAME})"
PARTICIPLE = (
    r"(?P<verb>[a-z]+ed|born|built|made|held|found|begun|written|flown|shown|kept|won|taken|given|chosen|set up)"
)
PASSIVE = re.compile(rf"^{SUBJECT} (?P<be>was|were|is|are) (?:first )?{PARTICIPLE}(?P<rest>(?: [^,;:()]+?)??)$")
ACTIVE = re.compile(rf"^{SUBJECT} (?P<verb>[a-z]+)(?P<rest>(?: [^,;:()]+?)??)$")
PLACE = re.compile(
    rf"^{SUBJECT} (?P<be>was|were|is|are) (?P<verb>born|shown|buried|built|located|based|held|kept|founded|"
    rf"displayed|made) (?:in|at|near) (?P<answer>(?:the )?{NAME})"
)
IDENTITY = re.compile(rf"^{SUBJECT} (?P<be>was|is|were|are) (?P<answer>the (?P<rest>[^,;:()]+))")
KIND = re.compile(rf"^{SUBJECT} (?P<be>was|is|were|are) (?P<answer>(?:an?|one of) [^,;:()]+)")
SIZE = re.compile(
    rf"^{SUBJECT} (?P<be>was|is) (?P<answer>(?:about |over |only )?\d[\d.,]* [a-z]+) "
    r"(?P<how>tall|long|wide|high|deep|old)\b"
)
COUNT = re.compile(
    rf"^{SUBJECT} (?P<verb>[a-z]+) (?P<answer>(?:about |over |only |nearly |more than |at least )?"
    r"(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
    r"(?: hundred| thousand| million| billion)?) "
    r"(?P<noun>[a-z]{3,}s|people|tonnes)(?= |$|[,;:])"
)
LASTED = re.compile(rf"^{SUBJECT} lasted (?P<answer>(?:about |over |only )?[\w.]+ (?:and a half )?[a-z]+s?)\b")
AGENT = re.compile(rf"^(?P<answer>{NAME}) (?P<verb>[a-z]+) (?P<rest>[^,;:()]+)")
DEEDS = frozenset(
    """commanded wrote invented designed led founded discovered photographed composed painted directed proposed
    developed created piloted chaired introduced proved published solved won broke captained managed headed coined
    described translated patented""".split()  # noqa: SIM905
)
"""What a person (or an organisation) does, so that "who" asks for the subject."""
PERSONS = re.compile(
    r"(?:person|people|man|woman|men|women|human|astronaut|cosmonaut|pilot|commander|geologist|teacher|engineer|doctor|"
    r"scientist|physicist|author|writer|leader|founder|president|director|inventor|designer|king|queen|minister|judge|"
    r"emperor|philosopher|poet|composer|painter|actor|actress|singer|player|mayor|chief|researcher|American|general|"
    r"mathematician|chemist|biologist|economist|historian|explorer|politician|lawyer|journalist|captain|coach)$"
)
HEAD = re.compile(
    r"^.*?(?= (?:of|that|which|who|whose|to|in|from|for|at|on|with|by|during|about|and|between|under)\b|$)"
)
BASES = dict(
    pair.split(":")
    for pair in """began:begin broke:break flew:fly went:go came:come left:leave landed:land launched:launch
    opened:open closed:close released:release moved:move died:die returned:return reached:reach became:become
    won:win lost:lose wrote:write built:build found:find founded:found started:start ended:end struck:strike
    fell:fall burst:burst exploded:explode crashed:crash entered:enter joined:join married:marry published:publish
    received:receive visited:visit discovered:discover invented:invent introduced:introduce announced:announce
    appeared:appear arrived:arrive departed:depart signed:sign took:take gave:give made:make met:meet
    merged:merge moved:move retired:retire split:split stopped:stop sank:sink bought:buy acquired:acquire
    succeeded:succeed established:establish created:create completed:complete carried:carry killed:kill drove:drive
    brought:bring spent:spend stayed:stay orbited:orbit had:have""".split()  # noqa: SIM905
)
"""Past forms whose base is known; of others no question is made."""
POINTING = re.compile(r"\b(?:he|she|it|they|him|her|them|his|its|their|this|that year|these|those|here|there)\b")
KINDS = frozenset(
    """mission flight project company team station spacecraft programme program book film game party rocket ship
    organisation organization university museum tool library service product""".split()  # noqa: SIM905
)
"""Nouns that mean the topic again where they stood in its definition."""
MOST_WORDS = 14
TOO_VAGUE = re.compile(r"^(?:the )?(?:result|reason|same|most|main|case|time|way|end|rest|others?|name|word)\b")

Found = tuple[str, str]
"""A question, and the words of the statement that answer it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a document is about: `it` is what a pronoun means, "" when that is not sure; `kinds` are nouns that mean the
    `name` as well ("the station")."""

    it: str
    name: str
    kinds: frozenset[str]

    def meant(self, subject: str) -> str | None:
        """The subject of a statement as a question names it; None when it means nothing known."""
        if subject == "It":
            return self.it or None
        if subject in ("He", "She"):
            return self.it if self.it and Mention(self.it, 0, True).may_be_person else None
        if subject.startswith("Its "):
            return f"the {subject[4:]} of {self.it}" if self.it else None
        if subject.startswith("The ") and subject[4:] in self.kinds:
            return self.name
        if subject.startswith("The "):
            return f"the {subject[4:]}" if re.search("[A-Z]", subject[4:]) else None
        if subject.split()[0].lower() in OPENERS - {"the"}:
            return None
        return self.name if subject == self.name.removeprefix("the ") else subject


def kinds_of(definition: str) -> frozenset[str]:
    """Nouns by which a document goes on to speak of what its first statement is about."""
    found = frozenset(re.findall(r"[a-z]+", definition)) & KINDS
    return found | {"mission", "flight"} if found & {"mission", "flight"} else found


def asked(statement: str, topic: Topic) -> list[Found]:
    """Questions that a statement answers, the best form first."""
    said = statement.strip().rstrip(".")
    opening = OPENING_DATE.match(said)
    plain = said[opening.end() :] if opening else said
    made = [when(plain, opening["answer"], topic) if opening else dated(plain, topic)]
    made += [form(plain, topic) for form in (who, count, lasted, size, place, identity, kind)]
    return [found for found in made if found and fits(found[0])]


def dated(said: str, topic: Topic) -> Found | None:
    """A statement that ends in a date, or goes on after it with what a question can leave out."""
    at = WHEN.search(said)
    return when(said[: at.start()], at["answer"], topic) if at else None


def when(said: str, date: str, topic: Topic) -> Found | None:
    passive = PASSIVE.match(said)
    if passive:
        subject = topic.meant(passive["subject"])
        return (f"When {passive['be']} {subject} {cut(passive['verb'] + passive['rest'])}?", date) if subject else None
    active = ACTIVE.match(said)
    base = BASES.get(active["verb"]) if active else None
    subject = topic.meant(active["subject"]) if active else None
    if active is None or base is None or subject is None:
        return None
    return f"When did {subject} {cut(base + active['rest'])}?", date


def who(said: str, topic: Topic) -> Found | None:
    """Who did it: the words of the statement after its subject."""
    found = AGENT.match(said)
    if not found or found["verb"] not in DEEDS or not is_person(found["answer"]):
        return None
    rest = cut(found["rest"])
    if rest.removeprefix("the ") in topic.kinds:
        rest = topic.name
    return f"Who {found['verb']} {rest}?", found["answer"]


def identity(said: str, topic: Topic) -> Found | None:
    """Which is the first, the only, the one that ..."""
    found = IDENTITY.match(said)
    subject = topic.meant(found["subject"]) if found else None
    if not found or not subject or TOO_VAGUE.match(found["rest"]):
        return None
    rest = re.sub(rf"(?:,? (?:on|in) {DATE}).*$", "", found["rest"])
    one = re.match(r"(?P<noun>[a-z]+) (?:that|which) (?P<does>(?:first |still |now )?[a-z]+(?:ed|s) .+)", rest)
    if len(rest.split()) < 3 or subject.removeprefix("the ") in rest:
        return None
    if one:
        return f"Which {one['noun']} {one['does']}?", said[: found.end("subject")]
    word = "Who" if is_of_person(rest) else "Which"  # "what" asks for a definition
    return f"{word} {found['be']} the {rest.strip()}?", subject


def count(said: str, topic: Topic) -> Found | None:
    found = COUNT.match(said)
    subject = topic.meant(found["subject"]) if found else None
    has = found is not None and found["verb"] == "has"
    base = "have" if has else BASES.get(found["verb"]) if found else None
    if not found or not subject or not base or found["noun"] in ("years", "times"):
        return None
    return f"How many {found['noun']} {'does' if has else 'did'} {subject} {base}?", found["answer"]


def lasted(said: str, topic: Topic) -> Found | None:
    found = LASTED.match(said)
    subject = topic.meant(found["subject"]) if found else None
    return (f"How long did {subject} last?", found["answer"]) if found and subject else None


def size(said: str, topic: Topic) -> Found | None:
    found = SIZE.match(said)
    subject = topic.meant(found["subject"]) if found else None
    return (f"How {found['how']} {found['be']} {subject}?", found["answer"]) if found and subject else None


def place(said: str, topic: Topic) -> Found | None:
    found = PLACE.match(said)
    subject = topic.meant(found["subject"]) if found else None
    return (f"Where {found['be']} {subject} {found['verb']}?", found["answer"]) if found and subject else None


def kind(said: str, topic: Topic) -> Found | None:
    """What the topic itself is."""
    found = KIND.match(said)
    subject = topic.meant(found["subject"]) if found else None
    if not found or not subject or found["subject"] == "It" or subject != topic.name:
        return None
    return f"{'Who' if is_of_person(found['answer']) else 'What'} {found['be']} {subject}?", found["answer"]


def is_of_person(phrase: str) -> bool:
    """Whether a noun phrase says what a person is."""
    return " who " in phrase or PERSONS.search(head(phrase)) is not None


def head(phrase: str) -> str:
    """A noun phrase without what follows its noun."""
    found = HEAD.match(phrase)
    return found.group() if found else phrase


def cut(predicate: str) -> str:
    """Without a second statement that is joined on."""
    for joint in re.finditer(r" (?:and|but) (?P<next>[a-z]+)", predicate):
        if joint["next"] in BASES or joint["next"] in DEEDS or joint["next"].endswith("ed"):
            return predicate[: joint.start()]
    return predicate.strip()


def is_person(name: str) -> bool:
    words = name.split()
    return 2 <= len(words) <= 4 and not any(word.lower() in NOT_PERSONS or word.isdigit() for word in words)


def fits(question: str) -> bool:
    """Stands alone, and is short enough to be read at a glance."""
    inner = question.partition(" ")[2]
    return len(question.split()) <= MOST_WORDS and not POINTING.search(inner) and bool(re.search("[A-Z]", inner))
