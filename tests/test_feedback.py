"""What people say is checked, appended, and exported complete."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from indexing.types import BadInput, NotFound
from rewards.feedback import read_feedback
from service.asking import Asking, Question
from service.config import load
from service.conversations import Conversations
from service.database import connect
from service.events import Done
from service.feedback import ALLOWED, SCHEMA, Feedback, Opinion, Reason
from service.types import Answer
from tests.scripted import document, hit, parts, quoting

DOCS = (Path(__file__).parent.parent / "docs" / "feedback.md").read_text(encoding="utf-8")
MOON = document("moon", "The Eagle landed on 20 July 1969. Collins stayed in orbit.", "Moon")
WORDS = "The Eagle landed on 20 July 1969."


@pytest.fixture
def talked(tmp_path: Path) -> tuple[Feedback, Conversations, Answer]:
    """A conversation with one answer, made by the flow and stored as the service stores it."""
    engine = connect(f"sqlite:///{tmp_path / 'passerine.db'}")
    conversations = Conversations(engine)
    asking = Asking(load({"home": tmp_path}, {}), conversations)
    *_, done = asking.ask(Question("When did it land?"), parts(quoting(WORDS), {"first": [hit(MOON)]}))
    assert isinstance(done, Done)
    return Feedback(engine, frozenset({"no-insults"})), conversations, done.answer


def only(feedback: Feedback) -> dict[str, Any]:
    [row] = feedback.export(everything=True)
    return row


def test_a_vote_is_exported_with_dialogue_and_candidate(talked: tuple[Feedback, Conversations, Answer]) -> None:
    feedback, _, answer = talked
    feedback.add(Opinion("vote", answer.id, consent=True, thumb="up", reason="right", comment="谢谢"))
    row = only(feedback)
    assert row["dialogue"] == [{"role": "user", "text": "When did it land?"}]
    assert (row["schema"], row["label"], row["reason"], row["comment"]) == (SCHEMA, 1.0, "right", "谢谢")
    candidate = row["candidate"]
    assert candidate["text"] == WORDS, "without the marker"
    assert candidate["quotes"] == [WORDS]
    assert candidate["evidence"] == [{"title": "Moon", "text": MOON.text, "score": 0.9}]
    assert candidate["support"] == pytest.approx(0.9)


def test_the_dialogue_of_an_answer_ends_with_its_own_question(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'passerine.db'}")
    conversations = Conversations(engine)
    conversation, first = conversations.begin("Where?")
    _, second = conversations.begin("Who?", conversation)
    for turn, text in ((second, "Armstrong."), (first, "On the Moon.")):
        conversations.finish(conversation, turn, text, text, "{}")
    for answer, asked in (("On the Moon.", "Where?"), ("Armstrong.", "Who?")):
        _, dialogue, _ = Feedback(engine).answer(answer, None)
        assert dialogue[-1] == {"role": "user", "text": asked}


def test_the_trainers_read_what_is_exported(talked: tuple[Feedback, Conversations, Answer], tmp_path: Path) -> None:
    feedback, _, answer = talked
    given = [
        Opinion("vote", answer.id, consent=True, thumb="down", reason="wrong"),
        Opinion("pair", answer.id, consent=True, a=0, b=0, choice="both_bad"),
        Opinion("rule", answer.id, consent=True, candidate=0, rule="no-insults", kept=True),
        Opinion("edit", answer.id, consent=True, text="On 20 July 1969."),
        Opinion("comment", answer.id, consent=True, comment="?"),
    ]
    for opinion in given:
        feedback.add(opinion)
    file = tmp_path / "feedback.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in feedback.export()), encoding="utf-8")
    rows = list(read_feedback(file))
    assert [(row.kind, row.label) for row in rows] == [
        ("vote", 0.0), ("pair", 0.5), ("rule", 1.0), ("edit", None), ("comment", None)
    ]  # fmt: skip
    assert rows[0].candidate is not None
    assert rows[0].candidate.evidence == (("Moon", MOON.text),)


@pytest.mark.parametrize(("choice", "label"), [("a", 1.0), ("b", 0.0), ("both_good", 0.5), ("both_bad", 0.5)])
def test_a_pair_is_labelled_by_the_better_one(
    talked: tuple[Feedback, Conversations, Answer], choice: Any, label: float
) -> None:
    feedback, _, answer = talked
    feedback.add(Opinion("pair", answer.id, a=0, b=0, choice=choice))
    row = only(feedback)
    assert (row["label"], row["choice"], row["a"]["text"]) == (label, choice, WORDS)


def test_rule_reports_and_edits(talked: tuple[Feedback, Conversations, Answer]) -> None:
    feedback, _, answer = talked
    feedback.add(Opinion("rule", answer.id, candidate=0, rule="no-insults"))
    feedback.add(Opinion("edit", answer.id, text="On 20 July 1969."))
    rule, edit = feedback.export(everything=True)
    assert (rule["label"], rule["rule"]) == (0.0, "no-insults")
    assert (edit["label"], edit["text"], edit["candidate"]["text"]) == (None, "On 20 July 1969.", WORDS)


@pytest.mark.parametrize(
    ("opinion", "named"),
    [
        ({"kind": "vote"}, "thumb"),
        ({"kind": "pair", "a": 0, "choice": "a"}, "b"),
        ({"kind": "vote", "thumb": "up", "rule": "no-insults"}, "rule"),
        ({"kind": "rule", "candidate": 7, "rule": "no-insults"}, "7"),
        ({"kind": "rule", "candidate": 0, "rule": "no-such"}, "no-such"),
        ({"kind": "comment"}, "comment"),
    ],
)
def test_wrong_opinions_name_what_is_wrong(
    talked: tuple[Feedback, Conversations, Answer], opinion: dict[str, Any], named: str
) -> None:
    feedback, _, answer = talked
    with pytest.raises(BadInput, match=named):
        feedback.add(Opinion(answer_id=answer.id, **opinion))
    assert feedback.count() == 0


def test_an_unknown_answer_is_not_found(talked: tuple[Feedback, Conversations, Answer]) -> None:
    with pytest.raises(NotFound):
        talked[0].add(Opinion("vote", "nothing", thumb="up"))


def test_only_rows_with_consent_are_exported_and_survive_the_conversation(
    talked: tuple[Feedback, Conversations, Answer],
) -> None:
    feedback, conversations, answer = talked
    feedback.add(Opinion("vote", answer.id, thumb="down", reason="wrong"))
    feedback.add(Opinion("vote", answer.id, thumb="up", consent=True))
    assert [row["label"] for row in feedback.export()] == [1.0]
    conversations.delete(answer.conversation_id)
    assert [row["label"] for row in feedback.export(everything=True)] == [1.0]


def test_the_document_lists_every_field_kind_and_reason(talked: tuple[Feedback, Conversations, Answer]) -> None:
    feedback, _, answer = talked
    feedback.add(Opinion("pair", answer.id, a=0, b=0, choice="a"))
    row = only(feedback)
    listed = set(re.findall(r"`([a-z_]+)`", DOCS))
    assert set(row) <= listed
    assert set(row["a"]) <= listed
    assert set(ALLOWED) <= listed
    assert set(get_args(Reason)) <= listed
    assert f'"{SCHEMA}"' in DOCS
    json.dumps(row)
