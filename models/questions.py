"""Passage -> questions that it answers, in its own words and language.

The forms are few, and made so that what they give reads as a person would ask; of most statements no question is made.
Whether a question is answered by what the index holds is for whoever searches it to check.
"""

import re
from dataclasses import dataclass

from indexing.chinese import simplified
from indexing.split import HEADING_SEPARATOR, sentences
from indexing.types import Document, Passage
from models import questions_en, questions_zh
from models.words import language_of

BARE = re.compile(r"(?:What|Who) (?:is|was|are|were) (?:the )?\?|是[什么谁]+？")
PRONOUN = re.compile(r"(?:It|He|She|Its)\b")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the sentence of the document that answers it: `document.text[start:end]`. `answer` are its words
    that do, "" for a heading; `about` is what the question is about, when it asks no more than what that is."""

    text: str
    answer: str
    start: int
    end: int
    about: str = ""


def questions(document: Document, passage: Passage) -> list[Asked]:
    """The questions that a passage answers, in the order of its sentences."""
    topic = topic_of(document.title)
    made: list[Asked] = []
    heading = heading_question(passage.heading.split(HEADING_SEPARATOR)[-1])
    if heading:
        made.append(Asked(heading, "", passage.start, passage.end))
    subject, kinds = "", frozenset[str]()
    for start, end in sentences(passage.text):
        statement = passage.text[start:end]
        bare = re.sub("^[Tt]he ", "", statement)
        if language_of(statement) == "zh":
            found = questions_zh.asked(statement, topic) if topic else []
        else:
            if topic and re.match(rf"{re.escape(topic)}\b", bare):
                subject = ("the " if bare != statement else "") + topic
                kinds = kinds or questions_en.kinds_of(statement)
            elif not PRONOUN.match(statement):
                subject = ""
            found = questions_en.asked(statement, questions_en.Topic(subject, subject or topic, kinds))
        for text, answer in found:
            about = topic if BARE.fullmatch(simplified(text.replace(topic, "", 1))) else ""
            made.append(Asked(text, answer, passage.start + start, passage.start + end, about))
    return made


def topic_of(title: str) -> str:
    """What a document is about, when its title is a name; "" when it is a sentence or the name of a file."""
    plain = re.sub(r"\s*[(（][^)）]*[)）]\s*$", "", title).strip()
    limit = 20 if language_of(plain) == "zh" else 6
    words = len(plain) if language_of(plain) == "zh" else len(plain.split())
    return plain if plain and words <= limit and not re.search(r"[/\\_?？!:：]|\.\w{2,5}$", plain) else ""


def heading_question(heading: str) -> str:
    """A heading that asks, as a question; "" for another one."""
    plain = heading.strip()
    if plain.endswith(("?", "？")) and len(plain) > 8:
        return plain
    how = re.match(r"(?i)how to (\S.{5,80})$", plain)
    if how:
        return f"How do I {how[1].rstrip('.')}?"
    asks = re.match(r"(?:如何|怎样|怎么)(?P<rest>[^，。]{3,30})$", simplified(plain))
    return f"{plain}？" if asks else ""
