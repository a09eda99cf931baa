"""What the HTTP interface gives to those who ask: the answer as it is streamed, stored and returned, hits, documents,
conversations, errors.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from models.types import Kind
from service.types import Answer, Verdict


class Given(BaseModel):
    """Base of what goes out, read from the dataclasses of the layers below."""

    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)


class QueryOut(Given):
    text: str
    origin: str


class PlanOut(Given):
    search_probability: float
    queries: Sequence[QueryOut]
    reason: str


class DocumentOut(Given):
    """A document without its text."""

    id: str
    url: str
    title: str
    published_at: datetime | None
    language: str
    source: str
    metadata: Mapping[str, str]


class PassageOut(Given):
    id: str
    document_id: str
    ordinal: int
    start: int
    end: int
    text: str
    heading: str
    page: int | None


class HitOut(Given):
    passage: PassageOut
    document: DocumentOut
    score: float
    lexical: float | None
    dense: float | None


class QuoteOut(Given):
    document_id: str
    start: int
    end: int
    text: str


class CandidateOut(Given):
    text: str
    short: str
    kind: Kind
    origin: str
    log_prob: float
    evidence: Sequence[HitOut]
    quotes: Sequence[QuoteOut]


class JudgementOut(Given):
    preference: float
    rules: Mapping[str, float]
    support: float
    score: float
    reason: str


class CitationOut(Given):
    number: int
    document_id: str
    passage_id: str
    title: str
    url: str
    published_at: datetime | None
    page: int | None
    quote: str
    start: int
    end: int


class AnswerOut(Given):
    """The answer as it is streamed, stored and returned; `judgements[i]` belongs to `candidates[i]`."""

    id: str
    conversation_id: str
    text: str
    short: str
    verdict: Verdict
    reason: str
    citations: Sequence[CitationOut]
    read: Sequence[HitOut]
    nearest: Sequence[HitOut]
    plan: PlanOut
    candidates: Sequence[CandidateOut]
    judgements: Sequence[JudgementOut]
    chosen: int | None
    failed: str = ""
    timings: Mapping[str, float]


class SnippetOut(Given):
    """`passage.text[start:start + len(text)] == text`; `marks` are spans of `text` where words of the query stand."""

    text: str
    start: int
    marks: Sequence[tuple[int, int]]


class FacetsOut(Given):
    """How many documents are of each source, language and year of publication, the most first."""

    source: Mapping[str, int]
    language: Mapping[str, int]
    year: Mapping[str, int]


class SearchOut(Given):
    """`snippets[i]` belongs to `hits[i]`; `more` says whether there are hits past these; `facets` counts the documents
    that the best hundred passages of either side belong to, those past these hits too; `did_you_mean` is the query with
    its misspelt English words mended, "" where none is."""

    query: str
    hits: Sequence[HitOut]
    snippets: Sequence[SnippetOut] = ()
    offset: int = 0
    more: bool = False
    facets: FacetsOut | None = None
    did_you_mean: str = ""


class AddedOut(Given):
    id: str
    outcome: Literal["added", "changed", "same"]


class AddedDocumentsOut(Given):
    documents: Sequence[AddedOut]


class DocumentsOut(Given):
    """One page of documents; `next` is the `after` of the following page, null on the last."""

    documents: Sequence[DocumentOut]
    next: str | None
    total: int


class DocumentTextOut(Given):
    """A document, with a passage of it in its surroundings when one was asked for, else with its whole text."""

    document: DocumentOut
    text: str | None
    passage: PassageOut | None
    before: str
    after: str


class TurnOut(Given):
    """`state`: working, done, stopped or failed; an assistant's turn has its whole answer."""

    id: str
    role: Literal["user", "assistant"]
    text: str
    state: str
    created_at: datetime
    answer: dict[str, Any] | None
    error: dict[str, Any] | None


class ConversationOut(Given):
    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int


class ConversationTurnsOut(Given):
    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: Sequence[TurnOut]


class ConversationsOut(Given):
    conversations: Sequence[ConversationOut]
    total: int
    offset: int


class SuggestionOut(Given):
    """A question that the documents answer, with the passage that does."""

    text: str
    document_id: str
    passage_id: str


class SuggestionsOut(Given):
    suggestions: Sequence[SuggestionOut]


class ShareOut(Given):
    """`path` is the address of the link on this service, null while there is none; it opens the first `turns` turns."""

    path: str | None
    turns: int
    created_at: datetime | None


class FeedbackOut(Given):
    id: str


class MemoryOut(Given):
    """A sentence that the person said of themselves, as it was said or as they changed it."""

    id: str
    text: str
    created_at: datetime


class MemoriesOut(Given):
    """`enabled`: whether the operator lets Passerine remember; `most`: how many facts are kept."""

    enabled: bool
    memories: Sequence[MemoryOut]
    most: int


class ErrorBody(Given):
    code: str
    message: str
    hint: str
    request_id: str


class ErrorOut(Given):
    """The one shape of an error, on every route."""

    error: ErrorBody


def answer_json(answer: Answer) -> str:
    """The answer as JSON text: what is stored is what was sent."""
    return AnswerOut.model_validate(answer).model_dump_json()
