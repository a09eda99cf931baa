"""English follow-ups: which words point back, and what they point at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.mentions import Mention, english_names, exchanged
from models.words import STOP_WORDS, content_words, stem

if TYPE_CHECKING:
    from models.rewrite import Focus

Resolved = tuple[str, list[str], bool, bool]
"""Text, what was put in, whether it is a follow-up, whether it points at nothing."""

PRONOUN = re.compile(
    r"\b(?P<he>he|him|his|himself)\b|\b(?P<she>she|her|hers|herself)\b|\b(?P<they>they|them|their|theirs)\b|"
    r"\b(?P<it>it|its)\b",
    re.IGNORECASE,
)
POSSESSIVE = {"his", "its", "their", "her"}
POINTER = re.compile(r"\b(?P<word>this|that|these|those|the same|such)\b(?:\s+(?P<noun>[a-z][\w\-]+))?", re.IGNORECASE)
EXPLETIVE = re.compile(
    r"\b(?:is|was) it (?:true|possible|safe|legal|necessary|important|common|normal|hard|easy|better|good|bad|"
    r"worth|raining|that)\b|"
    r"\bdoes it (?:take|matter|cost)\b(?=.* (?:to|for|if)\b)|\bdid it take\b(?=.* to\b)|\btime is it\b|"
    r"\b(?:day|year) is it\b|"
    r"\bit (?:is|was) (?:true|possible|said|known|called)\b|\bit take[s]? to\b|\bwhat is it like\b",
    re.IGNORECASE,
)
WHAT_ABOUT = re.compile(
    r"^(?:(?:ok(?:ay)?|and|but|so|thanks|thank you|great|also)[,.!]?\s+)*(?:what|how) about\s+(?P<rest>.+?)[?.!\s]*$|"
    r"^(?:(?:ok(?:ay)?|thanks|thank you|great)[,.!]?\s+)*and\s+"
    r"(?P<rest2>(?:for |in |on |the |of )?[^?]{1,60}?)[?.!\s]*$",
    re.IGNORECASE,
)
BARE_QUESTION = re.compile(
    r"^(?:and |but |so |ok |okay )?(?:(?:why|when|where|who|how|which(?: one)?|what)"
    r"(?: (?:not|so|exactly|then|else|come|many|much|long|old|often|far|is that|was that|is this|do you know))*|"
    r"really|is that so|such as|like what|for example|for instance|go on|tell me more|more|explain|anything else|"
    r"what else|continue|in which year|what year|by whom|since when|until when)[?.!\s]*$",
    re.IGNORECASE,
)
CONTINUES = re.compile(
    r"\b(?:else|other|others|another|also|again|next|later|afterwards|after that|before that|as well|too|instead|"
    r"the (?:former|latter|first one|second one|last one|rest|others?)|there|then)\b",
    re.IGNORECASE,
)
HAPPENED = re.compile(
    r"\bhow long did it (?:take|last)\b(?!.* to\b)|\b(?:why|when|where|how) did it (?:happen|take place|come about)\b|"
    r"\bwhat (?:caused|led to) it\b",
    re.IGNORECASE,
)
"""Here "it" is what happened, never a person."""
CLAUSE = re.compile(
    r"(?:why|when|where|how|which|what|whose|who)\b(?:\s+\w+){0,3}?\s+"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)\s+\w+|"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)\s+\w+\s+\w+|"
    r"who\s+(?!else\b|in\b|for\b|on\b|at\b|with\b|from\b|to\b|of\b|before\b|after\b)\w+\s+\w+|"
    r"(?:what|which \w+)\s+\w+ed\b",
    re.IGNORECASE,
)
"""Opens a question with a verb of its own, which is no ellipsis."""
PREPOSITION = "(?:in|for|on|at|with|from|to|under|over|without|during|after|before|by)"
PLACED = re.compile(rf"(?P<word>{PREPOSITION})\s+(?P<what>[\w'’\-]+(?: [\w'’\-]+){{0,2}})", re.IGNORECASE)
"""A preposition and a few words: "in Edinburgh", "for the managers"."""
PERIOD = (
    r"(?:(?:per|a|an|each|for|in|after|every|within)\s+)?(?:(?P<number>\d+)\s+)?(?P<unit>hour|day|week|month|year)s?"
)
"""A span of time: "per week", "for 4 weeks"."""
BRACKETED = re.compile(r"(?P<own>[^()]+) \((?P<added>[^()]+)\)")
NOUN = re.compile(
    r"\b(?:the|an?|any|every|each|some|no|my|our|your)\s+(?P<noun>[a-z][\w\-]+)|"
    r"(?:\b(?:do|does|did|can|could|will|should|must|may)|^(?:is|are|was|were))\s+(?P<subject>[a-z][\w\-]+)",
    re.IGNORECASE,
)
"""A noun that a clause names: behind its article, or as the subject behind the verb that asks."""
JOINT = re.compile(r"\b(?:and|but|or|if|when|so|because)\b|[,;:.?!]\s")
IS = "(?:['’]s| is| was| are| were)"
DEFINITION = re.compile(
    rf"(?:and |so )?(?:(?:who{IS}|what{IS} the) (?P<name>.+)|what{IS} (?:an? )?(?P<thing>.+))", re.IGNORECASE
)
"""Asks who or what something is; what has "the" before it, or answers to "who", may be a description all the same."""
OPEN_TO_THAT = ("is", "was", "about", "of", "in", "on", "to", "for", "did", "does")
"""After these words "that" points back; elsewhere it joins a clause."""
DEFINITE = re.compile(r"\bthe ([a-z][\w\-]+)\b(?!\s+(?:of|in|on|for|at|that|which|who)\b)")


def resolve_english(question: str, focus: Focus) -> Resolved:
    """Pronouns replaced, pointers named, an ellipsis filled from the question before."""
    question = full_names(question, focus)
    if HAPPENED.search(question) and focus.question and Mention(antecedent("it", focus) or "", 0, True).may_be_person:
        return bracketed(question, focus.question), [focus.question], True, False
    text, put_in = question, list[str]()
    missing = False
    expletive = [match.span() for match in EXPLETIVE.finditer(question)]
    names = english_names(question)
    done: set[str] = set()
    for match in list(PRONOUN.finditer(question)):
        kind = str(match.lastgroup)
        free = not (in_name(question, match) or bound(question, match, names))
        if kind in done or not free or any(a <= match.start() < b for a, b in expletive):
            continue
        done.add(kind)
        name = antecedent(kind, focus)
        if name is None:
            missing = True
            continue
        text = replace_pronoun(text, match.group(), name, question[match.end() :])
        put_in.append(name)
    if not done:
        text, pointed, missing = point(question, focus)
        put_in += pointed
    if put_in or missing:
        return text, put_in, True, missing and not put_in
    return fill(question, focus)


def in_name(question: str, match: re.Match[str]) -> bool:
    """Whether a pronoun belongs to a name: it is capitalised inside a sentence ("the film It Happened One Night")."""
    before = question[: match.start()].rstrip()
    return match.group()[0].isupper() and bool(before) and before[-1] not in ".!?:"


def full_names(question: str, focus: Focus) -> str:
    """A surname or a first name alone is given in full when the conversation has one fuller name for it."""
    for mention in english_names(question):
        if " " in mention.text or not mention.text.isalpha():
            continue
        fuller = {m.text for m in (*focus.asked, *focus.told) if m.name and mention.text in m.text.split()}
        people = [text for text in fuller if text != mention.text and Mention(text, 0, True).may_be_person]
        if len(people) == 1 and people[0] not in question:
            question = re.sub(rf"\b{mention.text}\b", lambda _, name=people[0]: name, question, count=1)  # type: ignore[misc]
    return question


def bound(question: str, pronoun: re.Match[str], names: Sequence[Mention]) -> bool:
    """The pronoun has its name among those of the same question: "Did Gagarin finish his training?"."""
    before = [mention for mention in names if mention.start < pronoun.start()]
    kind = pronoun.lastgroup
    if kind in ("he", "she"):
        return any(mention.may_be_person for mention in before)
    noun = re.search(r"\b(?:the|a|an|every|each)\s+[a-z]+", question[: pronoun.start()])
    owned = noun is not None and pronoun.group().lower() in POSSESSIVE
    return bool(before) or owned or binds(question[: pronoun.start()], str(kind))


def binds(before: str, kind: str) -> bool:
    """Whether an earlier clause of the question names what "it" or "they" mean: "Is there a fee, and is it high?"."""
    joints = [joint.start() for joint in JOINT.finditer(before)]
    if not joints:
        return False
    for match in NOUN.finditer(before[: joints[-1]]):
        noun = (match["noun"] or match["subject"]).lower()
        many = noun.endswith("s") or match.group().lower().startswith(("an ", "a ", "any ", "every ", "each ", "no "))
        if noun not in STOP_WORDS and (kind == "it" or many):
            return True
    return False


def antecedent(kind: str, focus: Focus) -> str | None:
    """What a pronoun of a kind (he, she, they, it) points at; None when the conversation holds nothing for it."""
    told = [mention for mention in focus.told if not known(mention, focus)]
    defined = asks_definition(focus)
    asked = list(reversed(focus.asked))
    if kind in ("he", "she"):
        who = re.match(r"(?:and |so )?(?:who|whose|which (?:person|man|woman))\b", focus.raw, re.IGNORECASE)
        asks_who = who is not None and not defined
        fits = [m for m in (*(told if asks_who else ()), *asked, *told) if m.may_be_person]
        fits = [m for m in fits if focus.people.get(m.text, kind) == kind]
        if not (asks_who and told):
            fits.sort(key=lambda m: -salience(m, focus))
        chosen = next((m for m in fits if focus.people.get(m.text) == kind and not (asks_who and told)), None) or (
            fits[0] if fits else None
        )
        if chosen is not None:
            focus.people[chosen.text] = kind
    else:
        short = len(focus.answer.split()) <= 12
        asks_thing = re.match(r"(?:and |so )?(?:what|which)\b", focus.raw, re.IGNORECASE)
        leads = asks_thing and short and kind == "it" and not defined
        fits = [*(told[:1] if leads else ()), *asked, *told]
        fits = [m for m in fits if m.text not in focus.people] if kind == "it" else fits
        if kind == "they":
            fits.sort(key=lambda m: not (m.text.endswith("s") or " and " in m.text))
        chosen = fits[0] if fits else None
    return chosen.text if chosen else None


def asks_definition(focus: Focus) -> bool:
    """Whether the question before asks who or what a name is, so that the answer says it and names nothing else."""
    found = DEFINITION.fullmatch(focus.question.rstrip("?.! "))
    return found is not None and any(
        mention.text in (found["thing"], mention.name and found["name"]) for mention in focus.asked
    )


def salience(mention: Mention, focus: Focus) -> float:
    """How much the conversation is about a name: how often it was heard, in whole or part.

    A full name counts more, one that only the last answer dropped counts less.
    """
    heard = sum(count for text, count in focus.counts.items() if mention.text in text or text in mention.text)
    dropped = 2.0 if mention in focus.told and not known(mention, focus) else 0.0
    return heard + (1.5 if " " in mention.text else 0.0) - dropped


def known(mention: Mention, focus: Focus) -> bool:
    """The answer only repeats, perhaps shortened, what the user had named."""
    return any(mention.text in old.text or old.text in mention.text for old in focus.asked)


def replace_pronoun(text: str, pronoun: str, name: str, rest: str) -> str:
    """The first such pronoun replaced by a name, as a possessive where it stands before a noun."""
    following = re.match(r"\s+([\w\-]+)", rest)
    noun = following is not None and following[1].lower() not in STOP_WORDS
    owns = pronoun.lower() in POSSESSIVE and (pronoun.lower() != "her" or noun)
    owns = owns or pronoun.lower() in ("hers", "theirs")
    put = (name + ("'" if name.endswith("s") else "'s")) if owns else name
    return re.sub(rf"\b{pronoun}\b", lambda _: put, text, count=1)


def point(question: str, focus: Focus) -> tuple[str, list[str], bool]:
    """ "this", "that", "those": the thing meant stands after them in brackets; (text, put in, points at nothing)."""
    for match in POINTER.finditer(question):
        word, noun = match["word"].lower(), (match["noun"] or "").lower()
        before = question[: match.start()].rstrip().split(" ")[-1].lower()
        joins = word == "that" and noun and before not in OPEN_TO_THAT
        if joins or word == "such" or (noun in ("year", "day", "week", "month", "morning") and word == "this"):
            continue
        nouns = noun if noun and noun not in STOP_WORDS else ""
        same = [
            m for m in reversed(focus.asked + focus.told) if nouns and stem(nouns) in map(stem, m.text.lower().split())
        ]
        name = same[0].text if same else antecedent("it", focus) or antecedent("they", focus)
        if name is None:
            return question, [], not nouns or nouns in ("one", "ones", "thing", "things")
        end = match.end() if nouns else match.end("word")
        if not nouns and not question[end:].strip(" ?.!"):
            return f"{question[: match.start()]}{name}{question[end:]}", [name], False
        return f"{question[:end]} ({name}){question[end:]}", [name], False
    return question, [], False


def fill(question: str, focus: Focus) -> Resolved:
    """An ellipsis is filled from the question before; a question that leans on the topic gets it in brackets."""
    about = WHAT_ABOUT.match(question)
    bare = BARE_QUESTION.match(question)
    if not focus.question:
        empty = bare is not None or (about is not None and not content_words(question))
        return question, [], about is not None or bare is not None, empty
    if about is not None:
        rest = (about["rest"] or about["rest2"]).strip()
        if about["rest2"] and CLAUSE.match(rest) and len(content_words(rest)) > 1:
            return lean(question, focus)
        swapped = swap(focus, rest)
        if swapped:
            return swapped, [focus.question], True, False
        if about["rest2"] and len(content_words(rest)) > 3:
            return question, [], False, False
        return bracketed(question, focus.question), [focus.question], True, False
    if bare is not None:
        return bracketed(question, focus.question), [focus.question], True, False
    return lean(question, focus)


def swap(focus: Focus, rest: str) -> str | None:
    """The question before with its only name exchanged for the new one ("When was Titov born?"), else its span of time,
    or what stands at its end behind the same preposition."""
    before = focus.question
    new, old = english_names(rest), english_names(before)
    if len(new) == len(old) == 1 and len(content_words(rest)) == len(content_words(new[0].text)):
        return exchanged(before, old[0].text, new[0].text)
    return other_period(before, rest) or (None if new else other_end(focus, rest))


def other_period(before: str, rest: str) -> str | None:
    """The question before with its only span of time exchanged for another: "and for 4 weeks" after "per week"."""
    new = re.fullmatch(PERIOD, rest, re.IGNORECASE)
    alike = [old for old in re.finditer(rf"\b{PERIOD}\b", before, re.IGNORECASE) if old.group() != old["unit"]]
    if new is None or len(alike) != 1 or alike[0]["unit"].lower() != new["unit"].lower():
        return None
    return before[: alike[0].start()] + rest + before[alike[0].end() :]


def other_end(focus: Focus, rest: str) -> str | None:
    """The question before with what stands behind a preposition at its end exchanged ("and in dublin" after "per day in
    london"), or a name at its end that is known by the answer, which writes it with a capital."""
    new, before = PLACED.fullmatch(rest), focus.question.rstrip("?.! ")
    if new is None:
        return None
    number = new["what"].isdigit()
    for old in reversed(list(re.finditer(rf"\b{new['word']}\s+(?=[\w'’\-]+(?: [\w'’\-]+){{0,2}}$)", before, re.I))):
        if before[old.end() :].isdigit() == number:
            return before[: old.start()] + rest + focus.question[len(before) :]
    named = [m.text for m in focus.told if before.lower().endswith(f" {m.text.lower()}")]
    if not named or number:
        return None
    return before[: -len(named[0])] + new["what"] + focus.question[len(before) :]


def lean(question: str, focus: Focus) -> Resolved:
    """A nameless question with "the mission" or "anything else" gets the topic of the conversation in brackets."""
    if english_names(question) or len(content_words(question)) > 7 or EXPLETIVE.search(question):
        return question, [], False, False
    if not (CONTINUES.search(question) or DEFINITE.search(question) or len(content_words(question)) <= 2):
        return question, [], False, False
    topic = next((m.text for m in reversed(focus.asked) if m.name), None) or next(
        (m.text for m in reversed(focus.asked)), None
    )
    if topic is None or topic.lower() in question.lower():
        return question, [], False, False
    return bracketed(question, topic), [topic], True, False


def bracketed(question: str, addition: str) -> str:
    """The addition in brackets before the question mark; of what it has in brackets itself, the last."""
    body = question.rstrip("?.! ")
    mark = "?" if question.rstrip().endswith("?") else ""
    inner = BRACKETED.fullmatch(addition.rstrip("?.! "))
    added = f"{inner['own']}; {inner['added'].split('; ')[-1]}" if inner else addition.rstrip("?.! ")
    return f"{body} ({added}){mark}"
