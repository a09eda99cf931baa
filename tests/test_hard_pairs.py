"""Harder pairs: what looks like an answer is none, and single sentences come with and without one."""

import random

import pytest

from models.hard_pairs import alike, answer_cut_out, names, parts, single_sentences, swapped
from models.reader_rows import Row

BRIDGE = (
    "The Halden bridge crosses the river Orne. It was designed by Marta Lindqvist in 1931. Floods closed it in 1952. "
    "The bridge carries two tracks."
)
TOWER = "The Aldine tower stands beside the river Sarre. A storm damaged it in 1877."


def row(question: str, answer: str, context: str = BRIDGE, language: str = "en") -> Row:
    return Row("1", "squad.train", language, "bridges", context, question, (answer,), None)


def test_a_swapped_question_names_what_the_passage_does_not_hold() -> None:
    rows = [
        row("Who designed the Halden bridge?", "Marta Lindqvist"),
        row("What did the Aldine tower lose?", "x", TOWER),
    ]
    [(asked, passage), *_] = swapped(rows, 1.0, random.Random(0))
    assert passage == BRIDGE
    assert asked.answers == ()
    assert asked.question != rows[0].question
    [new] = set(names(asked.question, ())) - {"Halden"}
    assert new in TOWER
    assert new not in BRIDGE


def test_a_chinese_question_is_swapped_by_the_answers_of_others() -> None:
    one = Row("1", "drcd.train", "zh", "a", "孫權建都建業。曹丕稱帝。", "孫權建都在哪裡？", ("建業",), None)
    other = Row("2", "drcd.train", "zh", "b", "劉備在成都。孫權在東吳。", "劉備在哪裡？", ("成都",), None)
    third = Row("3", "drcd.train", "zh", "b", "蜀主是劉備，吳主是孫權。", "誰是君主？", ("劉備", "孫權"), None)
    [(asked, _)] = [draft for draft in swapped([one, other, third], 1.0, random.Random(0)) if draft[0].id == "1"]
    assert asked.question == "劉備建都在哪裡？"


def test_a_question_without_a_name_is_not_swapped() -> None:
    assert swapped([row("who designed it?", "Marta Lindqvist")], 1.0, random.Random(0)) == []


@pytest.mark.parametrize(
    ("name", "other", "fits"),
    [
        ("1931", "1952", True),
        ("1931", "12", False),
        ("1931", "Orne", False),
        ("Marta Lindqvist", "Nikola Tesla", True),
        ("Orne", "Nikola Tesla", False),
        ("孫權", "劉備", True),
        ("孫權", "Orne", False),
        ("孫權", "諸葛亮", False),
    ],
)
def test_only_its_like_stands_for_a_name(name: str, other: str, fits: bool) -> None:
    assert alike(name, other) is fits


def test_the_answer_is_cut_out_and_all_else_stays() -> None:
    [(asked, passage)] = answer_cut_out([row("Who designed it?", "Marta Lindqvist")], 1.0, random.Random(0))
    assert asked.answers == ("Marta Lindqvist",)
    assert passage == BRIDGE.replace("It was designed by Marta Lindqvist in 1931. ", "")
    assert answer_cut_out([row("What?", "Orne", "The river Orne.")], 1.0, random.Random(0)) == []


def test_single_sentences_come_with_the_answer_and_without() -> None:
    question = row("Which tracks does the bridge carry?", "two tracks")
    drafts = single_sentences([question], 1.0, random.Random(0))
    assert [passage for _, passage in drafts] == [
        "The bridge carries two tracks.",
        "The Halden bridge crosses the river Orne.",
    ]


def test_rows_are_drawn_by_their_share() -> None:
    rows = [row("Who designed the Halden bridge in 1931?", "Marta Lindqvist")] * 400
    for make in (answer_cut_out, single_sentences):
        assert 60 < len({id(draft) for draft in make(rows, 0.25, random.Random(0))}) < 260
    assert single_sentences(rows, 0.0, random.Random(0)) == []


def test_parts_joined_are_the_text() -> None:
    for text in (BRIDGE, "一。二！三", "no stop"):
        assert "".join(parts(text)) == text
