"""The one analyser of index and query."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.tokenize import Analyser, is_cjk

analyser = Analyser()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The engines were running", ["engin", "run"]),
        ("os.path and pg_dump", ["os.path", "os", "path", "pg_dump", "pg", "dump"]),
        ("C++ or C#?", ["c++", "c#"]),
        ("state-of-the-art", ["stateoftheart", "state", "art"]),
        ("e-mail", ["email", "e", "mail"]),
        ("U.S.A.", ["usa"]),
        ("Newton's and Newton’s", ["newton", "newton"]),
        ("1,000,000.5 and 3.14 and 2.7.18", ["1000000.5", "3.14", "2.7.18"]),
        ("1990-1995", ["1990", "1995"]),
        ("2020-01-02", ["2020-01-02", "2020", "01", "02"]),
        ("__init__", ["init"]),
        ("Schrödinger in der Straße", ["schroding", "der", "strass"]),
        ("ＡＢＣ ①", ["abc", "1"]),
        ("太空梭", ["太空", "空梭"]),
        ("A船B", ["船", "b"]),
        ("Python 3.11的語法", ["python", "3.11", "的语", "语法"]),
        ("ひらがな と 한국어", ["ひら", "らが", "がな", "と", "한국", "국어"]),
        ("", []),
        ("...?!", []),
    ],
)
def test_tokens_of(text: str, tokens: list[str]) -> None:
    assert analyser.tokens(text) == tokens


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("email", "Send an e-mail."),
        ("on-line", "online services"),
        ("path", "os.path.join"),
        ("os.path", "see os.path."),
        ("engine", "ENGINES"),
        ("schrodinger", "Schrödinger"),
        ("1000000", "1,000,000 people"),
        ("well known", "a well-known fact"),
        ("电脑", "電腦"),
        ("臺灣", "台湾"),
        ("ﬁre", "fire"),
    ],
)
def test_a_query_finds_other_writings_of_its_words(query: str, passage: str) -> None:
    assert set(analyser.asked(query)) & set(analyser.tokens(passage))


def test_traditional_and_simplified_characters_give_the_same_tokens() -> None:
    assert analyser.tokens("國際太空站圍繞地球運行") == analyser.tokens("国际太空站围绕地球运行")


def test_a_query_of_function_words_asks_for_them_and_no_other_query_does() -> None:
    assert analyser.asked("Who is who?") == ["\0who", "\0is", "\0who"]
    assert set(analyser.asked("Who is who?")) <= set(analyser.spare("Who is who in Rome"))
    assert analyser.asked("Who is Ada?") == ["ada"]


def test_a_single_character_is_found_inside_longer_words() -> None:
    assert set(analyser.asked("船")) <= set(analyser.spare("飞船与轮船"))


def test_us_the_country_is_not_a_function_word() -> None:
    assert analyser.tokens("US") == ["us"]


def test_fingerprint_is_stable() -> None:
    assert Analyser().fingerprint == analyser.fingerprint


def test_threads_share_an_analyser() -> None:
    shared, text = Analyser(), "Engines running faster than running engines, 電腦軟體 " * 50
    expected = analyser.tokens(text)
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(shared.tokens(text))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_encoded_data_is_no_word_of_its_own() -> None:
    assert analyser.tokens("x" * 500) == []


@given(st.text())
def test_any_text_has_tokens_without_blanks(text: str) -> None:
    tokens = analyser.tokens(text) + analyser.spare(text)
    assert all(token and not any(character.isspace() for character in token) for token in tokens)


@given(st.lists(st.text(st.sampled_from("aéb1,.'’-_+#。x/@"), min_size=1, max_size=90) | st.text(), max_size=8))
def test_a_text_has_the_words_of_its_parts_however_long_and_however_often_asked(parts: list[str]) -> None:
    analyser = Analyser()
    each = [analyser.both(part) for part in parts]
    expected = [token for tokens, _ in each for token in tokens], [token for _, spare in each for token in spare]
    for _ in range(2):
        assert analyser.both("\n".join(parts)) == expected


@pytest.mark.parametrize(
    ("text", "cjk"),
    [
        ("Who is it?", False),
        ("他是谁？", True),
        ("Python怎么安装软件包", True),
        ("the word 船 in English", False),
        ("", False),
    ],
)
def test_is_cjk(text: str, cjk: bool) -> None:
    assert is_cjk(text) is cjk
