"""What the HTTP interface takes. Exact types, and unknown fields are refused."""

from datetime import UTC, datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from indexing.types import Filters
from service.feedback import Choice, FeedbackKind, Reason, Thumb
from service.keys import MOST_PER_MINUTE, NAME_LENGTH, Scope
from service.sources import Kind


class Taken(BaseModel):
    """Base of what comes in: exact types, no unknown field, UTF-8 that can be stored."""

    model_config = ConfigDict(extra="forbid", strict=True)


def whole(text: object) -> object:
    """Half of a surrogate pair, or a NUL, cannot be stored; such text is refused with a reason."""
    if isinstance(text, str) and ("\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text)):
        raise ValueError("the text holds a character that is no character (NUL or half of a surrogate pair)")
    return text


Text = Annotated[str, BeforeValidator(whole)]
Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), BeforeValidator(whole)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500), BeforeValidator(whole)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), BeforeValidator(whole)]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH), BeforeValidator(whole)
]
Language = Literal["en", "zh"]
Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), BeforeValidator(whole)
]
Body = Annotated[str, StringConstraints(min_length=1), BeforeValidator(whole)]
"""The text of a document, to the letter: quotes are counted in it, so nothing is stripped."""


def moment(value: object) -> object:
    """A date or a date with time; without an offset it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("a date is written 2024-12-31 or 2024-12-31T23:59:00Z") from None
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def end_of_day(value: object) -> object:
    """As `moment`, but a bare date means its last microsecond: dates are inclusive."""
    if isinstance(value, str) and len(value) == 10:
        begin = moment(value)
        assert isinstance(begin, datetime)
        return datetime.combine(begin.date(), time.max, UTC)
    return moment(value)


def listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Offset = Annotated[int, Field(ge=0, le=2**31 - 1, description="items of earlier pages to leave out")]
"""Bounded by what every database can count to."""
Moment = Annotated[datetime, BeforeValidator(moment)]
Until = Annotated[datetime, BeforeValidator(end_of_day)]
Names = Annotated[list[Name], BeforeValidator(listed), Field(max_length=50)]


class FiltersIn(Taken):
    """What hits must satisfy; dates are inclusive."""

    model_config = ConfigDict(populate_by_name=True)

    source: Names = []
    language: Names = []
    published_from: Moment | None = Field(None, alias="from")
    published_to: Until | None = Field(None, alias="to")
    metadata: dict[Name, Text] = {}

    def filters(self) -> Filters:
        return Filters(
            tuple(self.source), tuple(self.language), self.published_from, self.published_to, dict(self.metadata)
        )


class FoundIn(BaseModel):
    """What may be said of hits in a query string; `source`, `language` and `metadata` may be given several times."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    k: Annotated[int, Field(ge=1, le=100)] = Field(10, description="hits at most")
    source: list[Name] = Field([], max_length=50)
    language: list[Name] = Field([], max_length=50, description="ISO 639-1 code, e.g. en, zh")
    published_from: Moment | None = Field(None, alias="from", description="published on or after")
    published_to: Until | None = Field(None, alias="to", description="published on or before")
    metadata: list[Annotated[str, StringConstraints(pattern="^[^=]+=", max_length=1000), BeforeValidator(whole)]] = (
        Field([], max_length=50, description="name=value")
    )

    def filters(self) -> Filters:
        pairs = dict(item.split("=", 1) for item in self.metadata)
        return Filters(tuple(self.source), tuple(self.language), self.published_from, self.published_to, pairs)


class SearchIn(FoundIn):
    """The query string of GET /v1/search."""

    q: Filled = Field(description="what to look for")
    offset: Annotated[int, Field(ge=0, le=100)] = Field(0, description="hits of earlier pages to leave out")


class SimilarIn(FoundIn):
    """The query string of GET /v1/similar."""

    passage: Name = Field(description="id of the passage that others are to be like")


class ChatIn(Taken):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"message": "Who was the first woman in space?"},
                {"message": "那是哪一年？", "conversation_id": "5f2c…", "mode": "fast", "stream": True},
            ]
        }
    )

    message: Filled = Field(description="the question; 2,000 characters unless the service was set otherwise")
    conversation_id: Name | None = Field(None, description="go on with this conversation; absent: a new one")
    mode: Literal["careful", "fast"] | None = Field(None, description="several candidates, or one")
    filters: FiltersIn | None = None
    stream: bool = Field(False, description="server-sent events instead of one JSON object")


class DocumentIn(Taken):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Opening hours", "text": "The library is open from nine to five on weekdays."}]
        }
    )

    title: Annotated[str, StringConstraints(max_length=2000), BeforeValidator(whole)]
    text: Body
    url: Annotated[str, StringConstraints(max_length=4000), BeforeValidator(whole)] = ""
    id: Name | None = Field(None, description="posting the same id again replaces the document")
    published_at: Moment | None = None
    metadata: dict[Name, Text] = {}


class UploadIn(BaseModel):
    """The query string of POST /v1/files."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="the file's name; its ending says what it is")
    modified: Moment | None = Field(None, description="when the file was last changed")


class SourceIn(Taken):
    """Where documents come from; docs/sources.md says what each kind holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"location": "https://example.org/sitemap.xml"},
                {"location": "/home/me/documents", "name": "documents"},
            ]
        }
    )

    location: Filled = Field(
        max_length=4000,
        description="a folder or file, an address, a bucket (s3://bucket/folder), or a database's SQLAlchemy URL",
    )
    name: Name = Field("", description="absent: made from the location")
    kind: Kind | None = Field(None, description="absent: guessed from the location")
    query: Text = Field("", max_length=20_000, description="the SQL of a source of the kind query")


class RenameIn(Taken):
    title: Title


class MemoryIn(Taken):
    text: Text = Field(min_length=1, max_length=400, description="one plain sentence about yourself")


class KeyIn(Taken):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "the intranet's search box"},
                {"name": "nightly import", "scope": "write", "per_minute": 600, "expires_at": "2031-01-01"},
            ]
        }
    )

    name: Label = Field(description="who or what uses it")
    scope: Scope = Field("read", description="read: search, ask; write: also documents; admin: also sources, keys")
    per_minute: Annotated[int, Field(ge=1, le=MOST_PER_MINUTE)] | None = Field(
        None, description="requests a minute; absent: as many as it likes"
    )
    expires_at: Moment | None = Field(None, description="absent: never")
    takes_over: Literal["local"] | None = Field(
        None, description="local: the conversations and feedback made without a key are its own from now on"
    )


class SessionIn(Taken):
    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "psn_…"}]})

    key: Name


class RuleIn(Taken):
    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}, {"floor": 0.3}, {"floor": None}]})

    enabled: bool = Field(True, description="whether answers are judged by it; absent: as it was")
    floor: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None, description="least probability of being kept, 0 to 1; null: the usual one; absent: as it was"
    )


class ApprovedIn(Taken):
    """Several wordings of a question make it easier to find; an answer is said in the language of the question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "questions": {"en": ["Where can visitors park?", "Is there parking?"], "zh": ["访客在哪里停车？"]},
                    "answers": {"en": "In row B, free of charge.", "zh": "在 B 排，免费。"},
                }
            ]
        }
    )

    questions: dict[Language, Annotated[list[Words], Field(min_length=1, max_length=100)]] = Field(min_length=1)
    answers: dict[Language, Words] = Field(min_length=1)


class FeedbackIn(Taken):
    """One opinion; docs/feedback.md says which fields belong to which kind."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "vote", "answer_id": "5f2c…", "thumb": "up", "reason": "right", "consent": True},
                {"kind": "pair", "answer_id": "5f2c…", "a": 0, "b": 2, "choice": "a"},
            ]
        }
    )

    kind: FeedbackKind
    answer_id: Name
    consent: bool = False
    thumb: Thumb | None = None
    reason: Reason | None = None
    a: Annotated[int, Field(ge=0)] | None = None
    b: Annotated[int, Field(ge=0)] | None = None
    choice: Choice | None = None
    candidate: Annotated[int, Field(ge=0)] | None = None
    rule: Name | None = None
    kept: bool | None = None
    text: Words | None = None
    comment: Words | None = None
