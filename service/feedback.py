"""What people say about answers: an append-only log, exported as JSON Lines (docs/feedback.md is the schema).

A row is complete when it is written: the dialogue and the candidates stand in it, so that a trainer needs no database
and a conversation that is deleted later takes nothing from a row that was given with consent.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Engine, delete, func, insert, select

from indexing.types import BadInput, NotFound
from service.citations import without_markers
from service.database import CONVERSATIONS, FEEDBACK, TURNS, summed

SCHEMA = "passerine.feedback/1"
FeedbackKind = Literal["vote", "pair", "rule", "edit", "comment"]
Thumb = Literal["up", "down"]
Choice = Literal["a", "b", "both_good", "both_bad"]
Reason = Literal[
    "right", "wrong", "quote_does_not_say_it", "off_topic", "incomplete", "out_of_date",
    "should_have_asked", "should_have_answered", "harmful", "other",
]  # fmt: skip
LABELS: Mapping[str, float] = {"a": 1.0, "b": 0.0, "both_good": 0.5, "both_bad": 0.5, "up": 1.0, "down": 0.0}

NEEDED: Mapping[str, tuple[str, ...]] = {
    "vote": ("thumb",),
    "pair": ("a", "b", "choice"),
    "rule": ("candidate", "rule"),
    "edit": ("text",),
    "comment": ("comment",),
}
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "vote": ("thumb", "reason", "comment"),
    "pair": ("a", "b", "choice", "comment"),
    "rule": ("candidate", "rule", "kept", "comment"),
    "edit": ("text", "comment"),
    "comment": ("comment",),
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """One thing that a person said. Which fields belong to which kind stands in ALLOWED and NEEDED."""

    kind: FeedbackKind
    answer_id: str
    consent: bool = False
    thumb: Thumb | None = None
    reason: Reason | None = None
    a: int | None = None
    b: int | None = None
    choice: Choice | None = None
    candidate: int | None = None
    rule: str | None = None
    kept: bool | None = None
    text: str | None = None
    comment: str | None = None


class Feedback:
    """The log. A row is never changed; it can be taken back."""

    def __init__(self, engine: Engine, rule_ids: frozenset[str] = frozenset()) -> None:
        self.engine, self.rule_ids = engine, rule_ids

    def add(self, opinion: Opinion, owner: str = "", anybodys: bool = False) -> str:
        """Appends and returns the row's id. Raises NotFound for an unknown answer, such as one that another owner got
        where it may not be `anybodys`, BadInput for a wrong opinion."""
        check(opinion, self.rule_ids)
        conversation_id, dialogue, answer = self.answer(opinion.answer_id, None if anybodys else owner)
        now, row_id = datetime.now(UTC), uuid.uuid4().hex
        row = {
            "schema": SCHEMA,
            "id": row_id,
            "at": now.isoformat(),
            "kind": opinion.kind,
            "consent": opinion.consent,
            "conversation_id": conversation_id,
            "answer_id": opinion.answer_id,
            "dialogue": dialogue,
            "verdict": answer["verdict"],
            **judged(opinion, answer),
        }
        columns = {
            "id": row_id,
            "at": now,
            "kind": opinion.kind,
            "consent": opinion.consent,
            "conversation_id": conversation_id,
            "answer_id": opinion.answer_id,
            "row": json.dumps(row, ensure_ascii=False),
            "owner": owner,
            **summed(row),
        }
        with self.engine.begin() as connection:
            connection.execute(insert(FEEDBACK).values(columns))
        return row_id

    def take_back(self, row_id: str, owner: str = "") -> None:
        """Removes what the owner said by mistake, as if it had not been. Raises NotFound."""
        own = (FEEDBACK.c.id == row_id) & (FEEDBACK.c.owner == owner)
        with self.engine.begin() as connection:
            if not connection.execute(delete(FEEDBACK).where(own)).rowcount:
                raise NotFound(f"There is no feedback '{row_id}'.", "POST /v1/feedback gives the id of a row.")

    def export(
        self, everything: bool = False, kind: FeedbackKind | None = None, answer_id: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows in the order they were given: those with consent, or all; of one kind, or of every kind; on one answer,
        or on every answer."""
        statement = select(FEEDBACK.c.row).order_by(FEEDBACK.c.number)
        if not everything:
            statement = statement.where(FEEDBACK.c.consent)
        if kind:
            statement = statement.where(FEEDBACK.c.kind == kind)
        if answer_id:
            statement = statement.where(FEEDBACK.c.answer_id == answer_id)
        with self.engine.connect() as connection:
            for (row,) in connection.execute(statement):
                yield json.loads(row)

    def count(self, owner: str | None = None) -> int:
        """Of one owner, or of all."""
        found = select(func.count()).select_from(FEEDBACK)
        with self.engine.connect() as connection:
            return connection.scalar(found if owner is None else found.where(FEEDBACK.c.owner == owner)) or 0

    def answer(self, answer_id: str, owner: str | None) -> tuple[str, list[dict[str, str]], dict[str, Any]]:
        """(conversation id, dialogue up to the user's turn, the stored answer) of an owner, or anybody (None). Raises
        NotFound."""
        statement = (
            select(TURNS.c.conversation_id, TURNS.c.ordinal, TURNS.c.answer)
            .join(CONVERSATIONS, CONVERSATIONS.c.id == TURNS.c.conversation_id)
            .where(TURNS.c.id == answer_id)
        )
        if owner is not None:
            statement = statement.where(CONVERSATIONS.c.owner == owner)
        with self.engine.connect() as connection:
            found = connection.execute(statement).one_or_none()
            if found is None or found.answer is None:
                raise NotFound(
                    f"There is no answer '{answer_id}'.", "Its id is the field `id` of an answer, while it is kept."
                )
            before = (TURNS.c.conversation_id == found.conversation_id) & (TURNS.c.ordinal < found.ordinal)
            turns = connection.execute(
                select(TURNS.c.role, TURNS.c.text).where(before, TURNS.c.state == "done").order_by(TURNS.c.ordinal)
            )
            dialogue = [
                {"role": role, "text": text if role == "user" else without_markers(text)} for role, text in turns
            ]
        return found.conversation_id, dialogue, json.loads(found.answer)


def check(opinion: Opinion, rule_ids: frozenset[str]) -> None:
    """Raises BadInput when a field is missing, does not belong to the kind, or names no rule."""
    given = {
        field.name
        for field in fields(opinion)
        if field.name not in ("kind", "answer_id", "consent") and getattr(opinion, field.name) not in (None, "")
    }
    for name in NEEDED[opinion.kind]:
        if name not in given:
            raise BadInput(f"A '{opinion.kind}' needs the field '{name}'.", "docs/feedback.md lists the fields.")
    for name in sorted(given - set(ALLOWED[opinion.kind])):
        raise BadInput(
            f"The field '{name}' does not belong to a '{opinion.kind}'.", "docs/feedback.md lists the fields."
        )
    if opinion.rule is not None and rule_ids and opinion.rule not in rule_ids:
        raise BadInput(f"There is no rule '{opinion.rule}'.", "GET /v1/rules lists them.")


def judged(opinion: Opinion, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that depend on the kind."""
    shown = answer["chosen"] if opinion.kind in ("vote", "edit") else opinion.candidate
    kept = 1.0 if opinion.kept else 0.0
    label = kept if opinion.kind == "rule" else LABELS.get(opinion.choice or opinion.thumb or "")
    return {
        "candidate": candidate(answer, shown),
        "a": candidate(answer, opinion.a),
        "b": candidate(answer, opinion.b),
        "label": label,
        "choice": opinion.choice,
        "rule": opinion.rule,
        "reason": opinion.reason,
        "text": opinion.text,
        "comment": opinion.comment,
    }


def candidate(answer: Mapping[str, Any], place: int | None) -> dict[str, Any] | None:
    """The exported form of a stored answer's candidate. Raises BadInput when there is none at that place."""
    if place is None:
        return None
    drafts = answer["candidates"]
    if not 0 <= place < len(drafts):
        raise BadInput(f"The answer has no candidate {place}.", f"It has {len(drafts)}, counted from 0.")
    draft, judgement = drafts[place], answer["judgements"][place]
    return {
        **{name: draft[name] for name in ("text", "short", "kind", "origin", "log_prob")},
        "quotes": [quote["text"] for quote in draft["quotes"]],
        "evidence": [
            {"title": hit["document"]["title"], "text": hit["passage"]["text"], "score": hit["score"]}
            for hit in draft["evidence"]
        ],
        **{name: judgement[name] for name in ("preference", "support", "score")},
    }
