"""Without evidence: at most four candidates, each only where it applies, and never a fact."""

from datetime import datetime
from pathlib import Path

import pytest

from indexing.types import Document, Encoder, Hit, Passage
from models import unaided as unaided_module
from models.ambiguity import AmbiguityDetector
from models.approved import ApprovedAnswers, read_approved
from models.heads import load_head
from models.plan import Planner
from models.talk import BUNDLED, Talk, read_entries
from models.types import Conversation, Turn
from models.unaided import ABSENT, OUTSIDE, Unaided

HEADS = Path(unaided_module.__file__).parent / "bundled"


@pytest.fixture(scope="module")
def unaided(encoder: Encoder) -> Unaided:
    head = {
        name: load_head(HEADS / name, encoder.fingerprint)
        for name in ("plan", "followup", "talk", "approved", "ambiguity")
    }
    return Unaided(
        Planner(encoder, head["plan"], head["followup"]),
        ApprovedAnswers(encoder, head["approved"], read_approved()),
        Talk(encoder, head["talk"], read_entries(BUNDLED)),
        AmbiguityDetector(head["ambiguity"]),
        clock=lambda: datetime(2026, 11, 21, 9, 30),
    )


def ask(text: str) -> Conversation:
    return Conversation((Turn("user", text),))


@pytest.mark.parametrize(
    ("turn", "kinds"),
    [
        ("What is 12 times 12?", {"tool"}),
        ("今天星期几？", {"tool"}),
        ("hello", {"talk"}),
        ("谢谢", {"talk"}),
        ("When did Skylab fall back to Earth?", {"absent"}),
        ("天问一号是什么时候发射的？", {"absent"}),
        ("When was he born?", {"clarify", "absent"}),
    ],
)
def test_each_turn_gets_what_applies(unaided: Unaided, turn: str, kinds: set[str]) -> None:
    drafted = unaided.propose(ask(turn))
    assert {candidate.kind for candidate in drafted} == kinds
    assert all(candidate.log_prob <= 0 and not candidate.evidence for candidate in drafted)


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        ("when is salary paid", ABSENT["en"]),
        ("we lost the code. may we send the bill without it", ABSENT["en"]),
        ("just thinking of lunch", OUTSIDE["en"]),
        ("this is a lovely day for a walk", OUTSIDE["en"]),
        ("Write me a poem", OUTSIDE["en"]),
    ],
)
def test_what_is_searched_in_doubt_is_said_to_be_absent_only_where_it_asks(
    unaided: Unaided, turn: str, text: str
) -> None:
    assert [candidate.text for candidate in unaided.propose(ask(turn))] == [text]


def test_an_approved_answer_stands_first(unaided: Unaided) -> None:
    assert unaided.propose(ask("Do you keep my data?"))[0].kind == "approved"


def test_the_honest_sentence_is_in_the_users_language(unaided: Unaided) -> None:
    assert unaided.propose(ask("When did Skylab fall?"))[-1].text == ABSENT["en"]
    assert unaided.propose(ask("天问一号什么时候发射？"))[-1].text == ABSENT["zh"]


def test_a_task_that_is_no_question_is_declined(unaided: Unaided) -> None:
    (candidate,) = unaided.propose(ask("Write me a poem about the spring rain"))
    assert (candidate.text, candidate.kind) == (OUTSIDE["en"], "talk")


def test_readings_among_the_hits_are_asked_back(unaided: Unaided) -> None:
    hits = []
    for number, title in enumerate(("Saturn (planet)", "Saturn (rocket)")):
        document = Document(f"d{number}", "", title, f"{title} is described here.")
        passage = Passage(f"p{number}", document.id, 0, 0, len(document.text), document.text)
        hits.append(Hit(passage, document, 0.9, None, 0.85))
    drafted = unaided.propose(ask("What is Saturn?"), hits=hits)
    assert drafted[0].kind == "clarify"
    assert "Saturn (planet) or Saturn (rocket)" in drafted[0].text


def test_a_question_that_looks_like_a_greeting_is_none(unaided: Unaided) -> None:
    said = (Turn("user", "嫦娥四号什么时候着陆的？"), Turn("assistant", "2019年1月3日。"))
    assert {one.kind for one in unaided.propose(Conversation((*said, Turn("user", "在哪里"))))} == {"absent"}
    greeted = unaided.propose(Conversation((*said, Turn("user", "在吗"))))
    assert "talk" in {one.kind for one in greeted}, "to the letter it is one"


def test_no_more_are_drafted_than_asked_for(unaided: Unaided) -> None:
    assert len(unaided.propose(ask("hello"), n=1)) == 1
    assert len(unaided.propose(ask("hello"))) <= 4
