"""Dialogues grow by what the chat model said, and lead through its own search to an answer."""

import pytest

from models.prompts import NOT_SAID, QUERY_MARK
from models.reader_rows import Row
from service.reading_tasks import Question
from service.self_play import BETWEEN, MOST_QUESTIONS, SelfPlay

MILL = (
    "The Orne mill was built in 1791 by Ann Hale. Her son Peter Hale put a steam engine into it in 1850. "
    "The mill burnt down in 1902."
)
BRIDGE = "The Halden bridge was opened in 1934. Marta Lindqvist had designed it."
TOWER = "The water tower of Varde holds ninety tons. It was drawn by an unknown hand."


def row(number: int, article: str, context: str, question: str, *answers: str) -> Row:
    return Row(f"q{number}", "squad.train", "en", article, context, question, answers, None)


ROWS = [
    row(1, "Mill", MILL, "Who built the Orne mill?", "Ann Hale"),
    row(2, "Mill", MILL, "Whose son was the engineer who worked for Ann Hale?", "Peter Hale"),
    row(3, "Mill", MILL, "What did Peter Hale put into the mill that Ann Hale had built?", "a steam engine"),
    row(4, "Mill", MILL, "What is sold there?"),
    row(5, "Bridge", BRIDGE, "When was the Halden bridge opened?", "1934"),
    row(6, "Tower", TOWER, "How much does the tower hold?", "ninety tons"),
]


@pytest.fixture
def asked() -> dict[str, Question]:
    return {}


@pytest.fixture
def play(asked: dict[str, Question]) -> SelfPlay:
    return SelfPlay(ROWS, asked)


def test_a_follow_up_leaves_out_the_name_that_was_said(play: SelfPlay) -> None:
    task = play.grow("q1", "Ann Hale")
    assert task is not None
    system, question, reply, follow_up = task.prompt
    assert (system.role, question.text, reply.text) == ("system", "Who built the Orne mill?", "Ann Hale")
    assert reply.role == "assistant"
    assert "Ann Hale" not in follow_up.text
    assert task.text == "", "a query is written freely"


def test_its_query_brings_a_passage_and_the_judges_know_what_was_meant(
    play: SelfPlay, asked: dict[str, Question]
) -> None:
    task = play.grow("q1", "Ann Hale")
    assert task is not None
    assert task.then is not None
    found = task.then(f"{QUERY_MARK} mill of Ann Hale and her son")
    assert found is not None
    assert found.text == MILL
    assert found.others == (NOT_SAID,)
    assert "Ann Hale" in asked[found.key].conversation.question
    assert asked[found.key].hit.passage.text == MILL
    strayed = task.then(f"{QUERY_MARK} Halden bridge opened")
    assert strayed is not None
    assert (strayed.text, asked[strayed.key].hit.passage.text) == (BRIDGE, BRIDGE), (
        "what the query found is what it gets"
    )
    assert strayed.key != found.key
    assert task.then("Her son.") is None, "without a search there is nothing to answer from"
    assert found.then is None


def test_a_dialogue_grows_until_it_is_long_enough(play: SelfPlay) -> None:
    first = play.grow("q1", "Ann Hale")
    assert first is not None
    second = play.grow(first.key, "Peter Hale")
    assert second is not None
    users = [message.text for message in second.prompt if message.role == "user"]
    assert len(users) == MOST_QUESTIONS
    assert [message.text for message in second.prompt if message.role == "assistant"] == ["Ann Hale", "Peter Hale"]
    assert users[:2] == [message.text for message in first.prompt if message.role == "user"], "what was said stays so"
    assert play.grow(second.key, "a steam engine") is None


@pytest.mark.parametrize(
    ("key", "reply"),
    [("q1", NOT_SAID), ("q5", "1934"), ("q6", "ninety tons"), ("unknown", "x"), ("q1", f"Ann{BETWEEN}Hale")],
)
def test_it_does_not_grow_where_nothing_follows(play: SelfPlay, key: str, reply: str) -> None:
    assert play.grow(key, reply) is None


def test_the_same_words_grow_the_same_dialogue(play: SelfPlay, asked: dict[str, Question]) -> None:
    one, other = play.grow("q1", "Ann Hale"), SelfPlay(ROWS, asked).grow("q1", "Ann Hale")
    assert one is not None
    assert other is not None
    assert (one.prompt, one.key) == (other.prompt, other.key)
