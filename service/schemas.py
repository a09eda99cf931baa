"""What the HTTP interface gives: the answer as it is streamed, stored and returned, and everything else."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from models.types import Kind
from service.jobs import State
from service.keys import Scope
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


class RuleOut(Given):
    """A draft that keeps the rule with less probability than `floor` is left out; `usual_floor` holds where none was
    set. A rule that is not `enabled` strikes out nothing and weighs nothing."""

    id: str
    group: str
    text_en: str
    text_zh: str
    enabled: bool
    floor: float
    usual_floor: float


class RulesOut(Given):
    rules: Sequence[RuleOut]


class ApprovedOut(Given):
    """Questions that mean the same, and the answer to them, by language."""

    id: str
    questions: Mapping[str, Sequence[str]]
    answers: Mapping[str, str]


class ApprovedAnswersOut(Given):
    approved_answers: Sequence[ApprovedOut]
    total: int
    offset: int


class FeedbackOut(Given):
    id: str


class SideOut(Given):
    """A draft as an annotator sees it; `index` is its place among the answer's candidates."""

    index: int
    text: str
    quotes: Sequence[str]
    titles: Sequence[str]


class SaidOut(Given):
    role: Literal["user", "assistant"]
    text: str


class PairOut(Given):
    """Two drafts of one answer, in an order by chance; neither their policies nor their scores are told."""

    answer_id: str
    dialogue: Sequence[SaidOut]
    a: SideOut
    b: SideOut


class PairsOut(Given):
    pairs: Sequence[PairOut]


class RatedOut(Given):
    """`name` is the policy or tool that drafted; `rating` is Elo's, 1500 on average."""

    name: str
    rating: float
    comparisons: int


class ProbedOut(Given):
    rule: str
    kept: int
    broken: int


class AnnotatedOut(Given):
    """What was annotated so far: comparisons, the ratings that follow from them, and rules found kept or broken."""

    pairs: int
    ratings: Sequence[RatedOut]
    rules: Sequence[ProbedOut]


class StageOut(Given):
    name: str
    state: str
    seconds: float
    detail: str


class SourceOut(Given):
    source: str
    documents: int
    passages: int


class LanguageOut(Given):
    """`language` is an ISO 639-1 code, "" where it is unknown."""

    language: str
    documents: int


class IndexOut(Given):
    """`bytes` is what the index takes on disk, `added_at` when something was last added to it."""

    documents: int
    passages: int
    bytes: int
    added_at: datetime | None
    sources: Sequence[SourceOut]
    languages: Sequence[LanguageOut]


class WorkOut(Given):
    """How far the refresh is that runs, or how the last one ended; `total` is 0 while it is unknown."""

    running: bool
    stage: str
    done: int
    total: int
    seconds: float
    report: str
    error: str


class FailureOut(Given):
    url: str
    reason: str


class JobOut(Given):
    """One refresh of one source. `done` of `total` items are read, `rate` a second; `left_seconds` is null while it is
    unknown. `died`: the process that ran it is gone; what it had done is kept."""

    id: str
    source: str
    state: State
    stage: str
    done: int
    total: int
    encoded: int
    added: int
    changed: int
    removed: int
    same: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    beat_at: datetime | None
    finished_at: datetime | None
    seconds: float
    rate: float
    left_seconds: float | None
    error: str


class JobsOut(Given):
    jobs: Sequence[JobOut]
    total: int
    offset: int


class JobFailuresOut(Given):
    """A job with what it could not index, and why; `failed` of the job counts those beyond the first thousand too."""

    job: JobOut
    failures: Sequence[FailureOut]


class RefetchedOut(Given):
    """What became of the documents of a file or page that was read anew."""

    added: int
    changed: int
    removed: int
    same: int


class StoredSourceOut(Given):
    """A source as it is kept; `key` is what filters call it, `location` is without its password."""

    name: str
    kind: Literal["path", "page", "sitemap", "feed", "query", "bucket"]
    location: str
    query: str
    key: str
    created_at: datetime
    last_job: JobOut | None


class SourcesOut(Given):
    sources: Sequence[StoredSourceOut]
    total: int
    offset: int


class TriedOut(Given):
    """What a source holds: how many items it lists, its first documents, and what could not be read of them."""

    listed: int
    documents: Sequence[DocumentOut]
    failed: Sequence[FailureOut]


class KeyOut(Given):
    """A key without the key itself: `id` are its first letters. `per_minute` is null without a limit."""

    id: str
    name: str
    scope: Scope
    state: Literal["live", "expired", "revoked"]
    per_minute: int | None
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class KeysOut(Given):
    keys: Sequence[KeyOut]
    total: int
    offset: int


class MadeKeyOut(Given):
    """`secret` is the key itself, which is shown this once."""

    key: KeyOut
    secret: str


class SessionOut(Given):
    """Whether this service asks for a key, and the good one that came with the request."""

    needed: bool
    key: KeyOut | None


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


class ReadyOut(Given):
    status: Literal["ok", "ready"]


class LimitsOut(Given):
    """Characters of a question and of a document, bytes of a request."""

    question: int
    document: int
    body: int


class StatusOut(Given):
    version: str
    ready: bool
    stages: Sequence[StageOut]
    index: IndexOut | None
    refresh: WorkOut
    policy: str
    mode: str
    encoder: str
    search_runs_on: str
    conversations: int
    feedback: int
    sharing: bool
    memory: bool
    limits: LimitsOut


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
