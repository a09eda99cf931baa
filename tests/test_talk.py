"""Small talk is met in both languages, in known and unknown words, and never answers a real question."""

from pathlib import Path

import pytest

from indexing.types import BadInput, Encoder
from models import talk as talk_module
from models.heads import load_head
from models.talk import BUNDLED, Talk, read_entries

HEAD = Path(talk_module.__file__).parent / "bundled" / "talk"


@pytest.fixture(scope="module")
def talk(encoder: Encoder) -> Talk:
    return Talk(encoder, load_head(HEAD, encoder.fingerprint), read_entries(BUNDLED))


@pytest.mark.parametrize(
    ("turn", "beginning"),
    [
        ("Hello!", "Hello."),
        ("good evening", "Hello."),
        ("thanks a million", "You are welcome"),
        ("How are you today?", "I am a program"),
        ("Wow!", "I only pass on"),
        ("Are you quite sure?", "What I quote"),
        ("天哪！", "我只转述"),
        ("你确定吗？", "引文逐字"),
        ("who are you?", "I am Passerine"),
        ("what can you do?", "I answer questions"),
        ("Bye!", "Goodbye"),
        ("你好！", "你好。"),
        ("谢谢您", "不客气"),
        ("你是谁？", "我是 Passerine"),
        ("再见啦", "再见"),
        ("你会做什么", "我根据"),
    ],
)
def test_small_talk_is_met(talk: Talk, turn: str, beginning: str) -> None:
    said = talk.candidates(turn)
    assert said, turn
    assert said[0].text.startswith(beginning)
    assert (said[0].kind, said[0].origin) == ("talk", "talk")
    assert said[0].log_prob <= 0


@pytest.mark.parametrize(
    "turn",
    [
        "hello kitty history",
        "Who sang Thank You for the Music?",
        "How are you supposed to store insulin?",
        "What can you do against rust?",
        "Who are you supposed to notify after an accident?",
        "Thanks, and when did Skylab fall?",
        "When did Apollo 11 land on the Moon?",
        "你好李焕英的票房是多少",
        "谢谢，那神舟六号呢？",
        "谁是第一个进入太空的人？",
        "",
    ],
)
def test_a_question_is_not_small_talk(talk: Talk, turn: str) -> None:
    assert talk.candidates(turn) == []


def test_answers_claim_no_body_feelings_or_life() -> None:
    claims = ("i feel", "i love", "i like", "i am happy", "i was born", "i'm glad", "my favourite", "in my opinion")
    for entry in read_entries(BUNDLED):
        assert set(entry.answers) == set(entry.phrases) == {"en", "zh"}
        for text in entry.answers["en"]:
            assert not any(claim in text.lower() for claim in claims), text
        for text in entry.answers["zh"]:
            assert not any(claim in text for claim in ("我喜欢", "我爱", "我很高兴", "我觉得", "我感到")), text


@pytest.mark.parametrize(
    "text",
    [
        "- phrases: {en: [a]}",
        "- {id: a, phrases: {en: [b]}}",
        "id: a",
        "- {id: a, phrases: [b], answers: {en: [c]}}",
        "- [",
        "- {id: a, phrases: {en: [1]}, answers: {en: c}}",
    ],
)
def test_a_malformed_list_is_refused_with_a_hint(tmp_path: Path, text: str) -> None:
    path = tmp_path / "talk.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_entries(path)
    assert caught.value.hint


def test_an_empty_list_says_nothing(encoder: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "talk.yaml"
    path.write_text("", encoding="utf-8")
    talk = Talk(encoder, load_head(HEAD, encoder.fingerprint), read_entries(path))
    assert talk.candidates("hello") == []
