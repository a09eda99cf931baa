"""A turn that sets the question before it right becomes that question about the right thing."""

import pytest

from models.corrections import Correction, correction, set_right
from models.rewrite import rewrite
from models.types import Conversation, Turn


def after(question: str, turn: str) -> str:
    turns = (Turn("user", question), Turn("assistant", "813 km."), Turn("user", turn))
    return rewrite(Conversation(turns)).text


@pytest.mark.parametrize(
    ("question", "turn", "meant"),
    [
        ("How long is the Rhone?", "No, I meant the Rhine.", "How long is the Rhine?"),
        ("How long is the Rhone?", "sorry, the Rhine, not the Rhone", "How long is the Rhine?"),
        ("Who built the Eiffel Tower?", "I asked about the Tokyo Tower", "Who built the Tokyo Tower?"),
        ("When did Apollo 13 launch?", "not Apollo 13, Apollo 12", "When did Apollo 12 launch?"),
        ("When did Apollo 13 launch?", "I mean when did it land", "when did Apollo 13 land"),
        ("What is the GDP of China?", "No, I meant India", "What is the GDP of India?"),
        ("Who is Apple's CEO?", "No, I meant Microsoft", "Who is Apple's CEO? (Microsoft)"),
        ("罗讷河有多长？", "我说的是莱茵河", "莱茵河有多长？"),
        ("北京有多少人口？", "我说的是上海", "上海有多少人口？"),
        ("北京有多少人口？", "不對，我說的是上海", "上海有多少人口？"),
        ("張三豐哪年出生？", "不是张三丰，是張無忌", "張無忌哪年出生？"),
        ("张艺谋导演了哪些电影？", "我说的是冯小刚", "张艺谋导演了哪些电影？（冯小刚）"),
        ("罗讷河有多长？", "不是，我问的是莱茵河，不是罗讷河", "莱茵河有多长？"),
        ("杜甫哪年出生？", "不是出生，是去世", "杜甫哪年去世？"),
    ],
)
def test_the_question_before_is_asked_of_what_is_meant(question: str, turn: str, meant: str) -> None:
    assert after(question, turn) == meant


@pytest.mark.parametrize(
    "turn",
    ["No, thanks.", "not bad, not good", "I mean it.", "no, that is wrong", "不客气", "不错，谢谢", "不是吧", "不用了"],
)
def test_a_turn_that_names_nothing_is_no_correction(turn: str) -> None:
    assert correction(turn, "How long is the Rhone?") is None


def test_without_a_question_before_nothing_is_set_right() -> None:
    assert rewrite(Conversation((Turn("user", "No, I meant the Rhine"),))).text == "No, I meant the Rhine"


def test_a_question_that_names_nothing_gets_the_right_thing_behind_it() -> None:
    assert set_right("why?", Correction("the Rhine", "")) == "why? (the Rhine)"
    assert set_right("为什么？", Correction("莱茵河", "")) == "为什么？（莱茵河）"
