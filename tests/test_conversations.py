"""Turns are kept before and after the work, and read back as they were said."""

from pathlib import Path

import pytest
from sqlalchemy import update

from indexing.types import BadInput, NotFound, StorageFailed
from models.types import Turn
from service.conversations import Conversations
from service.database import PROPERTIES, TURNS, connect


@pytest.fixture
def kept(tmp_path: Path) -> Conversations:
    return Conversations(connect(f"sqlite:///{tmp_path / 'passerine.db'}"))


def answered(kept: Conversations, question: str, text: str, conversation: str = "") -> str:
    conversation, turn = kept.begin(question, conversation)
    kept.finish(conversation, turn, f"answer to {question}", text, '{"verdict": "answered"}')
    return conversation


def test_the_question_is_kept_before_there_is_an_answer(kept: Conversations) -> None:
    conversation, _ = kept.begin("  When did  it land? ")
    [turn] = kept.turns(conversation)
    assert (turn.role, turn.text, turn.state) == ("user", "  When did  it land? ", "working")
    assert kept.get(conversation).title == "When did it land?"


def test_the_answer_is_kept_whole_under_its_own_id(kept: Conversations) -> None:
    conversation = answered(kept, "When?", "In 1969. [1]")
    question, answer = kept.turns(conversation)
    assert (question.state, answer.state, answer.id) == ("done", "done", "answer to When?")
    assert answer.answer == '{"verdict": "answered"}'


def test_a_policy_reads_words_without_markers_and_no_unanswered_question(kept: Conversations) -> None:
    conversation = answered(kept, "When?", "In 1969. [1]")
    _, stopped = kept.begin("And then?", conversation)
    kept.fail(stopped, "stopped", "{}")
    _, turn = kept.begin("Who?", conversation)
    kept.begin("A later question of another window", conversation)
    read = kept.read(conversation, turn, 10)
    assert read.turns == (Turn("user", "When?"), Turn("assistant", "In 1969."), Turn("user", "Who?"))
    assert kept.read(conversation, turn, 1).turns == (Turn("user", "Who?"),)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_questions_asked_at_once_each_keeps_its_own_answer(kept: Conversations, order: tuple[int, int]) -> None:
    conversation = answered(kept, "When?", "In 1969.")
    asked = [kept.begin(question, conversation)[1] for question in ("Where?", "Who?")]
    for place in order:
        kept.finish(conversation, asked[place], f"answer {place}", ("On the Moon.", "Armstrong.")[place], "{}")
    said = ["When?", "In 1969.", "Where?", "On the Moon.", "Who?", "Armstrong."]
    assert [turn.text for turn in kept.turns(conversation)] == said
    _, turn = kept.begin("Why?", conversation)
    assert [turn.text for turn in kept.read(conversation, turn, 10).turns] == [*said, "Why?"]


def test_a_conversation_from_before_places_were_left_free_goes_on(kept: Conversations) -> None:
    conversation = answered(kept, "When?", "In 1969.")
    for text in ("Where?", "Who?"):
        kept.fail(kept.begin(text, conversation)[1], "failed", "{}")
    with kept.engine.begin() as connection:
        for ordinal, text in enumerate(("When?", "In 1969.", "Where?", "Who?")):
            connection.execute(update(TURNS).where(TURNS.c.text == text).values(ordinal=ordinal))
    answered(kept, "Why?", "To explore.", conversation)
    said = ["When?", "In 1969.", "Where?", "Who?", "Why?", "To explore."]
    assert [turn.text for turn in kept.turns(conversation)] == said


def test_what_a_crash_left_working_is_failed_at_the_next_start(kept: Conversations) -> None:
    conversation, _ = kept.begin("When?")
    assert kept.recover('{"code": "interrupted"}') == 1
    [turn] = kept.turns(conversation)
    assert (turn.state, turn.error) == ("failed", '{"code": "interrupted"}')
    assert kept.recover("{}") == 0


def test_a_finished_turn_is_not_failed_by_a_late_error(kept: Conversations) -> None:
    conversation, turn = kept.begin("When?")
    kept.finish(conversation, turn, "a", "In 1969.", "{}")
    kept.fail(turn, "stopped", "{}")
    assert [turn.state for turn in kept.turns(conversation)] == ["done", "done"]


def test_the_list_has_the_newest_first_and_pages(kept: Conversations) -> None:
    first, second = answered(kept, "One?", "1"), answered(kept, "Two?", "2")
    answered(kept, "Again?", "3", first)
    assert [summary.id for summary in kept.list()] == [first, second]
    assert [summary.turns for summary in kept.list()] == [4, 2]
    assert [summary.id for summary in kept.list(limit=1, offset=1)] == [second]
    assert kept.count() == 2


def test_rename_and_delete(kept: Conversations) -> None:
    conversation = answered(kept, "When?", "In 1969.")
    kept.rename(conversation, "登月")
    assert kept.get(conversation).title == "登月"
    kept.delete(conversation)
    for act in (kept.get, kept.turns, kept.delete):
        with pytest.raises(NotFound):
            act(conversation)


def test_an_answer_to_a_conversation_that_was_deleted_meanwhile_is_dropped(kept: Conversations) -> None:
    conversation, turn = kept.begin("When?")
    kept.delete(conversation)
    kept.finish(conversation, turn, "a", "In 1969.", "{}")
    assert kept.count() == 0


def test_unknown_conversation_keeps_nothing(kept: Conversations) -> None:
    with pytest.raises(NotFound):
        kept.begin("When?", "no such id")
    assert kept.count() == 0


def test_a_database_of_another_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'passerine.db'}"
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(update(PROPERTIES).values(value="99"))
    engine.dispose()
    with pytest.raises(StorageFailed, match="schema 99"):
        connect(url)


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x/y"])
def test_a_wrong_url_is_named(url: str) -> None:
    with pytest.raises(BadInput, match="database_url"):
        connect(url)
