"""What a person may ask next: questions that passages beside an answer answer, each checked by a search before it is
offered. Nothing is invented: a question is made of a sentence of a document, and offered when asking it finds that
sentence's passage first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from indexing.chinese import simplified
from indexing.types import Filters, NotFound, Passage
from models.questions import Asked, questions, topic_of
from models.words import language_of, units
from service.library import Library
from service.schemas import AnswerOut

MOST = 3
TRIED = 8
"""Questions that are searched for at most, a search each, so that the worst case stays at about a tenth of a second."""
NEAR = 4
"""Passages on either side of one that was cited; a long document is not read from its beginning."""
PER_DOCUMENT = 2
"""Of three suggestions one leads on to another document, where there is one."""
HITS = 4
"""Looked at for each question: past the cap of a document, one of another document is among them."""
LEAD = 0.1
"""By which its passage is found before any of another document: two of the nine questions of the example documents
that are found by less were not answered from theirs."""
ALIKE = 0.6
"""Share of words with which a question counts as asked already."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question, and the passage that answers it."""

    text: str
    document_id: str
    passage_id: str


def suggest(answer: AnswerOut, asked: Sequence[str], library: Library) -> list[Suggestion]:
    """At most three, in the language of the last question; `asked` are the user's turns, the last one answered by
    `answer`. None where the documents beside it offer none."""
    found: list[Suggestion] = []
    tried = 0
    for passage, question in candidates(answer, language_of(asked[-1]), library):
        known = [*asked, *(each.text for each in found)]
        own = sum(each.document_id == passage.document_id for each in found)
        if own == PER_DOCUMENT or told(question, passage, answer) or settled(question, known):
            continue
        tried += 1
        if finds(question, passage, library):
            found.append(Suggestion(question.text, passage.document_id, passage.id))
        if len(found) == MOST or tried == TRIED:
            break
    return found


def told(question: Asked, passage: Passage, answer: AnswerOut) -> bool:
    """Whether the answer has quoted the sentence that the question asks for."""
    return any(
        citation.document_id == passage.document_id and question.start < citation.end and citation.start < question.end
        for citation in answer.citations
    )


def settled(question: Asked, known: Sequence[str]) -> bool:
    """Whether who asked `known` has asked it already, or must know what it asks for."""
    said = [simplified(part) for part in (question.answer, question.about) if part]
    return any(alike(question.text, each) or any(part in simplified(each) for part in said) for each in known)


def finds(question: Asked, passage: Passage, library: Library) -> bool:
    """Whether who asks this finds the passage first, and nothing of another document that comes near it."""
    hits = library.search(question.text, HITS, Filters())
    if not hits or hits[0].passage.id != passage.id:
        return False
    other = max((hit.score for hit in hits if hit.document.id != passage.document_id), default=0.0)
    return hits[0].score - other >= LEAD


def candidates(answer: AnswerOut, language: str, library: Library) -> Iterator[tuple[Passage, Asked]]:
    """Questions in the language, those of what was cited first, then of what was read, then of what came near.

    Of another document than the cited ones, only questions that name their topic: in the others a follow-up's planner
    would read the topic of the conversation.
    """
    cited = {citation.document_id for citation in answer.citations}
    for document_id, ordinal in places(answer):
        try:
            document, passages = library.index.document(document_id), library.index.passages(document_id)
        except NotFound:
            continue
        near = [passage for passage in passages if abs(passage.ordinal - ordinal) <= NEAR]
        for passage in sorted(near, key=lambda passage: (passage.ordinal < ordinal, passage.ordinal)):
            for question in questions(document, passage):
                topic = topic_of(document.title)
                named = document_id in cited or (topic != "" and topic in question.text)
                if named and language_of(question.text) == language:
                    yield passage, question


def places(answer: AnswerOut) -> Iterable[tuple[str, int]]:
    """Documents beside an answer, each once, with the number of the passage that was cited or read."""
    hits = [*answer.read, *answer.nearest, *(hit for draft in answer.candidates for hit in draft.evidence)]
    ordinals = {hit.passage.id: hit.passage.ordinal for hit in hits}
    first: dict[str, int] = {}
    for citation in answer.citations:
        first.setdefault(citation.document_id, ordinals.get(citation.passage_id, 0))
    for hit in (*answer.read, *answer.nearest):
        first.setdefault(hit.document.id, hit.passage.ordinal)
    return first.items()


def alike(question: str, other: str) -> bool:
    """Whether two questions ask about the same, by their words."""
    a, b = set(units(simplified(question))), set(units(simplified(other)))
    return len(a & b) > ALIKE * min(len(a), len(b)) if a and b else question == other
