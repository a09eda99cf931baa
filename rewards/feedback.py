"""What people said of answers, read from the exported file (docs/feedback.md has its schema), for the trainers."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

from indexing.types import BadInput, NotFound
from models.types import Role, Turn
from rewards.preference_data import Ranking
from rewards.readings import Draft, laid_out
from rewards.rule_data import RuleExample

SCHEMA = "passerine.feedback/1"
FeedbackKind = Literal["vote", "pair", "rule", "edit", "comment"]
KINDS = ("vote", "pair", "rule", "edit", "comment")


@dataclass(frozen=True, slots=True)
class Said:
    """A candidate that feedback speaks of, as it was exported; `evidence` holds (title, text), `hit_score` is the best
    score of a passage among it, 0 where the export is older than that field."""

    text: str
    short: str = ""
    kind: str = "statement"
    origin: str = ""
    log_prob: float = 0.0
    quotes: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    preference: float = 0.0
    support: float = 0.0
    score: float = 0.0
    hit_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """One exported row. `label` is in [0, 1] for a vote, a pair and a rule report, else None."""

    id: str
    at: datetime
    kind: FeedbackKind
    consent: bool
    conversation_id: str
    answer_id: str
    dialogue: tuple[Turn, ...]
    verdict: str
    candidate: Said | None = None
    a: Said | None = None
    b: Said | None = None
    label: float | None = None
    choice: str | None = None
    rule: str | None = None
    reason: str | None = None
    text: str | None = None
    comment: str | None = None

    @property
    def group(self) -> str:
        """The conversation, or the answer where there is none: rows of one group are no evidence apart."""
        return self.conversation_id or self.answer_id


def read_feedback(path: Path, consented: bool = True) -> Iterator[Feedback]:
    """The rows of an export, in order; with `consented` those alone that may be trained on.

    Raises NotFound when there is no such file, BadInput that names the line of a row that is not of this schema.
    """
    try:
        file = path.open(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"The feedback file {path} does not exist.", "Run: passerine feedback export FILE") from error
    with file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = parse_row(line, f"{path.name}, line {number}")
                if row.consent or not consented:
                    yield row


def parse_row(line: str, where: str = "feedback") -> Feedback:
    """One row. Raises BadInput; unknown fields are let pass, as docs/feedback.md promises."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{where}: this is not JSON ({error}).", _HINT) from error
    return checked_row(row, where)


def checked_row(row: object, where: str = "feedback") -> Feedback:
    """One row that is no longer JSON. Raises BadInput."""
    if not isinstance(row, dict) or row.get("schema") != SCHEMA:
        found = row.get("schema") if isinstance(row, dict) else type(row).__name__
        raise BadInput(f"{where}: the schema is {found!r}, not {SCHEMA!r}.", _HINT)
    if row.get("kind") not in KINDS:
        raise BadInput(f"{where}: the kind {row.get('kind')!r} is none of {', '.join(KINDS)}.", _HINT)
    try:
        return _row(row)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{where}: a field is missing or of the wrong type ({error}).", _HINT) from error


_HINT = "Export it again with `passerine feedback export`; docs/feedback.md describes the fields."


def _row(row: Mapping[str, Any]) -> Feedback:
    label = None if row.get("label") is None else float(row["label"])
    if label is not None and not 0.0 <= label <= 1.0:
        raise ValueError(f"label {label} lies outside [0, 1]")
    if label is None and row["kind"] in ("vote", "pair", "rule"):
        raise ValueError(f"a {row['kind']} needs a label")
    if row["kind"] == "pair" and not (row.get("a") and row.get("b")):
        raise ValueError("a pair needs a and b")
    return Feedback(
        id=str(row["id"]),
        at=datetime.fromisoformat(row["at"]),
        kind=row["kind"],
        consent=row["consent"] is True,
        conversation_id=str(row["conversation_id"]),
        answer_id=str(row["answer_id"]),
        dialogue=tuple(Turn(_role(turn["role"]), str(turn["text"])) for turn in row["dialogue"]),
        verdict=str(row["verdict"]),
        candidate=_said(row.get("candidate")),
        a=_said(row.get("a")),
        b=_said(row.get("b")),
        label=label,
        choice=row.get("choice"),
        rule=row.get("rule"),
        reason=row.get("reason"),
        text=row.get("text"),
        comment=row.get("comment"),
    )


def _role(role: str) -> Role:
    if role not in ("user", "assistant"):
        raise ValueError(f"role {role!r}")
    return cast(Role, role)


def _said(value: Mapping[str, Any] | None) -> Said | None:
    if value is None:
        return None
    return Said(
        text=str(value["text"]),
        short=str(value["short"]),
        kind=str(value["kind"]),
        origin=str(value["origin"]),
        log_prob=float(value["log_prob"]),
        quotes=tuple(str(quote) for quote in value["quotes"]),
        evidence=tuple((str(part["title"]), str(part["text"])) for part in value["evidence"]),
        preference=float(value["preference"]),
        support=float(value["support"]),
        score=float(value["score"]),
        hit_score=max((float(part.get("score", 0.0)) for part in value["evidence"]), default=0.0),
    )


def draft_of(row: Feedback, said: Said) -> Draft:
    """A candidate as the judges read it when it is drafted (rewards/readings.py)."""
    title = said.evidence[0][0] if said.evidence else ""
    return laid_out(row.dialogue[-1].text, said.text, said.short, said.quotes, title)


def rankings_from(rows: Iterable[Feedback]) -> list[Ranking]:
    """Preference data: pairs as given, and an edit before the answer that it mends."""
    made = []
    for row in rows:
        group = f"feedback:{row.group}"
        if row.kind == "pair" and row.a and row.b and row.label is not None:
            made.append(Ranking((draft_of(row, row.a), draft_of(row, row.b)), ((0, 1, row.label),), group, "feedback"))
        elif row.kind == "edit" and row.candidate and row.text:
            better = Draft(row.dialogue[-1].text, row.text, "", " ".join(row.candidate.quotes))
            made.append(Ranking((better, draft_of(row, row.candidate)), ((0, 1, 1.0),), group, "feedback", 0))
    return made


def rule_examples_from(rows: Iterable[Feedback]) -> list[RuleExample]:
    """Rule reports as labels of one rule."""
    made = []
    for row in rows:
        if row.kind == "rule" and row.rule and row.candidate and row.label is not None:
            drafted = draft_of(row, row.candidate)
            made.append(RuleExample(drafted, {row.rule: row.label}, "feedback", "train", "", row.group))
    return made
