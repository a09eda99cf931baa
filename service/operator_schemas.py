"""What the HTTP interface gives to those who run it: rules, approved answers, annotation, index, jobs, sources, keys,
state.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from service.jobs import State
from service.keys import Scope
from service.schemas import DocumentOut, Given


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
    unknown. `skipped` files are of a kind that is not read, `skipped_endings` names the most frequent. `died`: the
    process that ran it is gone; what it had done is kept."""

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
    skipped: int
    skipped_endings: str
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
